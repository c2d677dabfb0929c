"""How likely a local model finds an answer, with its passage before it and without.

It reads what the student will read: the passage and the question as a user's turn, the answer as the
assistant's. The mean log-probability of the answer's tokens is taken with the passage and without; what
the passage explains becomes likelier. The score is ``1 / (1 + exp(alone - given))``: 0.5 where the
passage tells nothing of the answer, near 1 where it tells all (the sigmoid of the mean pointwise mutual
information of passage and answer; Brown et al. 1990 for the measure, Malinin and Gales 2021 for the mean).

What it cannot see: a small model takes a value from another line of the passage for nearly as likely as the
right one, and an answer in other words than the passage's for less likely than a wrong one in its words
(`python -m bench.judges`). So no threshold is set on it, and it stands beside other judges.
"""

import copy
import hashlib
import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stillhouse.base.byte_store import ByteStore
from stillhouse.base.ids import canonical_json, sha256_text
from stillhouse.base.questions import ask_with_passage, question_of
from stillhouse.base.records import Judgement, Pair
from stillhouse.base.runtime import Runtime, choose_device, use_threads
from stillhouse.prompts.passages import parse_passages
from stillhouse.quality.judge import REPLAY, LikelihoodParams

if TYPE_CHECKING:
    import torch

CRITERION: Final = "likelihood"
_DIGITS: Final = 4
_PACKED: Final = "<dd"


@dataclass(frozen=True, slots=True)
class Measured:
    """Mean log-probability of an answer's tokens, in nats: with its passage and without."""

    given: float
    alone: float

    @property
    def score(self) -> float:
        """The score in [0, 1]."""
        return round(1 / (1 + math.exp(min(self.alone - self.given, 700.0))), _DIGITS)


def judge_likelihood(
    pairs: Iterable[Pair],
    passages: Mapping[str, str],
    params: LikelihoodParams,
    open_reader: Callable[[], "Reader"],
    store: ByteStore,
    weights: str,
) -> Iterator[Judgement]:
    """Yield the score of each pair that is drawn and has a passage; the model is opened when needed.

    Args:
        pairs: in any order; pairs about one passage are read fastest one after the other.
        passages: each chunk as the teacher saw it.
        params: which model, and the share of pairs that it reads.
        open_reader: loads the model.
        store: remembers what was read.
        weights: the sha256 of the model's weights, part of what is remembered.
    """
    reader: Reader | None = None
    drawn = [pair for pair in pairs if _is_drawn(pair, params.fraction)]
    for pair in sorted(drawn, key=lambda one: (one.chunk_ids, one.pair_id)):
        passage = _find_passage(pair, passages)
        question = question_of(pair.messages, pair.context)
        if not passage or not question:
            continue
        name = sha256_text(canonical_json([weights, passage, question, pair.response]))
        if known := store.read([name]):
            measured = Measured(*struct.unpack(_PACKED, known[name]))
        else:
            reader = reader or open_reader()
            measured = reader.measure(passage, question, pair.response)
            store.write({name: struct.pack(_PACKED, measured.given, measured.alone)})
        said = f"mean log-probability {measured.given:.2f} with the passage, {measured.alone:.2f} without"
        judge = f"likelihood/{params.model}"
        yield Judgement(pair.pair_id, judge, CRITERION, measured.score, said, request_id="")


def _is_drawn(pair: Pair, fraction: float) -> bool:
    """Say whether a pair is among the share that is read: by its words, so that it stays so."""
    if pair.task == REPLAY:
        return False
    key = canonical_json([[turn.content for turn in pair.messages], pair.response]).encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=6).digest()) / 2**48 < fraction


def _find_passage(pair: Pair, passages: Mapping[str, str]) -> str:
    shown = [one for name in pair.chunk_ids for one in parse_passages(passages.get(name, ""))]
    return "\n\n".join(f"{one.section}\n{one.text}" for one in shown) or pair.context


class Reader:
    """A local model that reads answers, each by itself: no neighbour changes a bit of a score.

    What a passage makes of the model's state is kept for the pairs about it that follow.
    """

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        """Load the model in ``folder``, in float32."""
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype="float32", use_safetensors=True, trust_remote_code=False
        )
        use_threads(runtime)
        self._model = model.to(choose_device(runtime)).eval()
        self._kept: tuple[str, Any] = ("", None)

    def measure(self, passage: str, question: str, answer: str) -> Measured:
        """Return how likely an answer is to a question, with the passage shown and without."""
        shown = self._render(ask_with_passage(passage, question))
        place = shown.rfind(passage.strip())
        head = shown[: place + len(passage.strip())] if place >= 0 else ""
        given = self._read(head, shown.removeprefix(head), answer)
        return Measured(given, self._read("", self._render(question), answer))

    def _render(self, asked: str) -> str:
        turns = [{"role": "user", "content": asked}]
        return str(
            self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        )

    def _read(self, head: str, asked: str, answer: str) -> float:
        import torch

        before, said = self._encode(asked), self._encode(answer.strip())
        state = copy.deepcopy(self._open(head)) if head else None
        tokens = torch.cat([before, said])
        with torch.inference_mode():
            read = self._model(
                tokens[None],
                past_key_values=state,
                logits_to_keep=len(said) + 1,
                use_cache=bool(head),
            )
            logprobs = torch.log_softmax(read.logits[0, :-1].float(), dim=-1)
        return float(logprobs.gather(1, said[:, None]).mean())

    def _open(self, head: str) -> Any:
        """Return the model's state behind the head of a prompt."""
        import torch

        if self._kept[0] != head:
            with torch.inference_mode():
                read = self._model(self._encode(head)[None], use_cache=True, logits_to_keep=1)
            self._kept = (head, read.past_key_values)
        return self._kept[1]

    def _encode(self, text: str) -> "torch.Tensor":
        import torch

        ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return torch.tensor(ids, device=self._model.device)
