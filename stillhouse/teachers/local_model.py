"""A Hugging Face model on this machine that goes on with conversations, many at once.

Prompts of one padded length are answered together. With weights in float32 the words then do not
hang on who else is in the batch: 32 SmolLM2 prompts gave the same tokens alone, by eights, all
together, in another order and with other padding; so did 36 of the bundled questions by sevens and
by sixty-fours. In bfloat16 17 of those 32 came out otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from jinja2 import TemplateError

from stillhouse.base.errors import InputError, MachineError
from stillhouse.base.records import Request
from stillhouse.base.stage import log
from stillhouse.teachers.choosing import Chooser, make_seed

if TYPE_CHECKING:
    import torch

# A prompt's padded length comes from its own length alone, so that a neighbour never changes it.
_STEP: Final = 16
_LONG: Final = 256  # of longer ones few have one length to within 16: wider steps put more together
_LONG_STEP: Final = 128
_UNKNOWN: Final = (ValueError, OSError, ImportError, KeyError, TypeError, AttributeError)
_Turns: TypeAlias = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request as tokens."""

    request: Request
    tokens: tuple[int, ...]
    max_tokens: int
    temperature: float
    seed: int

    @property
    def width(self) -> int:
        """The length up to which it is padded."""
        step = _STEP if len(self.tokens) <= _LONG else _LONG_STEP
        return -(-len(self.tokens) // step) * step

    @property
    def shape(self) -> tuple[int, int, float]:
        """What prompts that are answered together have in common."""
        return self.width, self.max_tokens, self.temperature


@dataclass(frozen=True, slots=True)
class Written:
    """What the model wrote, without the end; ``ended`` is false where it ran out of tokens."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    ended: bool


class Weights:
    """A model and its tokenizer, ready to write."""

    def __init__(self, folder: Path, device: str, dtype: str, batch: int) -> None:
        """Load them; ``batch`` is how many prompts go together at most.

        Raises:
            InputError: this transformers cannot load the model, or only with code of its own.
        """
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

        self._batch = batch
        kind = getattr(torch, dtype)
        configuration: Any = GenerationConfig
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=kind, use_safetensors=True, trust_remote_code=False
            )
        # Whatever configuration and weights of any origin make of the library.
        except (*_UNKNOWN, RuntimeError) as exc:
            first = next(iter(str(exc).strip().splitlines()), type(exc).__name__)
            raise InputError(
                f"the model cannot be loaded ({first})",
                where=str(folder),
                expected="a causal language model that transformers knows without foreign code",
            ) from exc
        try:
            self._model: Any = model.to(device).eval()
        except torch.OutOfMemoryError as exc:
            raise MachineError(
                "the model does not fit into the device's memory",
                where=str(folder),
                remedy="choose a smaller one or `runtime.device: cpu`",
            ) from exc
        ends = model.generation_config.eos_token_id
        listed = [*(ends if isinstance(ends, list) else [ends]), self.tokenizer.eos_token_id]
        self._ends: list[int] = [end for end in dict.fromkeys(listed) if end is not None]
        # `generate` takes what its caller leaves open from the model's own configuration, which may
        # ask for sampling or a repetition penalty.
        self._model.generation_config = configuration()

    @property
    def window(self) -> int | None:
        """How many tokens prompt and answer may have together; None where nothing limits them."""
        found = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        return None if found is None else int(found)

    def holds(self, prompt: Prompt) -> bool:
        """Say whether a prompt and its answer fit into the window."""
        return self.window is None or len(prompt.tokens) + prompt.max_tokens <= self.window

    def encode(self, request: Request) -> Prompt:
        """Return a request in the model's chat template."""
        tokens = self.tokenizer(self._render(request), add_special_tokens=False)["input_ids"]
        parameters = json.loads(request.parameters)
        return Prompt(
            request,
            tuple(tokens),
            int(parameters["max_tokens"]),
            float(parameters.get("temperature") or 0.0),
            make_seed(request.request_id, int(parameters.get("seed") or 0)),
        )

    def write(self, prompts: Sequence[Prompt]) -> Iterator[list[tuple[Prompt, Written | None]]]:
        """Yield what is written for each prompt, batch by batch, short prompts first.

        None where the device's memory does not suffice even for that prompt alone; a batch that is
        too wide for it is halved, and so are those after it.
        """
        ordered = sorted(prompts, key=lambda prompt: (prompt.shape, prompt.request.request_id))
        for _, group in groupby(ordered, key=lambda prompt: prompt.shape):
            left = list(group)
            while left:
                batch = left[: self._batch]
                written = self._try_batch(batch)
                if written is None and len(batch) > 1:
                    self._batch = len(batch) // 2
                    log.warning("out of memory: %d prompts at once from now on", self._batch)
                    continue
                left = left[len(batch) :]
                came: Sequence[Written | None] = [None] if written is None else written
                yield list(zip(batch, came, strict=True))

    def _render(self, request: Request) -> str:
        """Return a conversation as text; a template without system turns has it in the user's."""
        turns = [{"role": turn.role, "content": turn.content} for turn in request.messages]
        system = request.system.strip()
        if not system:
            return self._fill(turns)
        try:
            text = self._fill([{"role": "system", "content": request.system}, *turns])
        except TemplateError:
            text = ""
        if system in text:
            return text
        first = f"{system}\n\n{turns[0]['content']}"
        return self._fill([{"role": "user", "content": first}, *turns[1:]])

    def _fill(self, turns: _Turns) -> str:
        return str(
            self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        )

    def _try_batch(self, prompts: Sequence[Prompt]) -> list[Written] | None:
        """Return what is written, or None where the device's memory does not suffice."""
        import torch

        try:
            return self._write_batch(prompts)
        except torch.OutOfMemoryError:
            pass
        # Only here: the error itself holds what filled the memory.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None

    def _write_batch(self, prompts: Sequence[Prompt]) -> list[Written]:
        chooser = Chooser([prompt.seed for prompt in prompts], prompts[0].temperature)
        written = []
        rows = self._generate(prompts, chooser)
        for tokens, logprobs in zip(rows, chooser.read_logprobs(), strict=True):
            ended = next((i for i, token in enumerate(tokens) if token in self._ends), None)
            whole = Written(tuple(tokens[:ended]), tuple(logprobs[:ended]), ended is not None)
            written.append(whole)
        return written

    def _generate(self, prompts: Sequence[Prompt], chooser: Chooser) -> list[list[int]]:
        """Return the new tokens of each prompt, padded at the end where it stopped early."""
        import torch
        from transformers import GenerationConfig, LogitsProcessorList

        width, max_tokens, _ = prompts[0].shape
        pad = self._ends[0]
        rows = [[pad] * (width - len(p.tokens)) + list(p.tokens) for p in prompts]
        seen = [[0] * (width - len(p.tokens)) + [1] * len(p.tokens) for p in prompts]
        configuration: Any = GenerationConfig
        with torch.inference_mode():
            out: torch.Tensor = self._model.generate(
                input_ids=torch.tensor(rows, device=self._model.device),
                attention_mask=torch.tensor(seen, device=self._model.device),
                generation_config=configuration(
                    do_sample=False,  # the largest score is taken; `chooser` has drawn already
                    max_new_tokens=max_tokens,
                    pad_token_id=pad,
                    eos_token_id=self._ends,
                ),
                logits_processor=LogitsProcessorList([chooser]),
            )
        return [row[width:] for row in out.tolist()]
