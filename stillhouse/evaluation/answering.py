"""Greedy replies of a model folder to many prompts: ``prompts -> replies``, in their order.

Half of every prompt is often the same text (the template's system message, a passage that several
questions share). Each such beginning is computed once and its keys and values are handed to all
rows that begin with it; then all rows of a batch go on together, and a row that ended leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from stillhouse.base.params import Params
from stillhouse.base.runtime import Runtime, choose_device, use_threads
from stillhouse.base.stage import show_progress
from stillhouse.evaluation.matching import REPLY_TOKENS

if TYPE_CHECKING:
    import torch

_SHARED: Final = 0.5  # a beginning is worth sharing when it is at least half of each prompt
_LEAVE: Final = 0.75  # ended rows leave the batch when less than this share is still going on


class Answering(Params):
    """How replies are generated; each knob can change a reply in its last bits, so none is runtime.

    ``executed_tokens`` is the room for replies that are executed: queries, JSON, programs.
    ``batch`` is the number of prompts that go together: rounding depends on it.
    """

    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    batch: int = Field(default=48, ge=1)
    max_new_tokens: int = Field(default=REPLY_TOKENS, ge=1, le=REPLY_TOKENS)
    executed_tokens: int = Field(default=96, ge=1, le=1024)


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model and its tokenizer, ready to answer."""

    model: Any
    tokenizer: Any
    device: str
    ends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sequences:
    """Token ids of one prompt: ``prefix`` is shared with other prompts, ``suffix`` is its own."""

    place: int
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]


def load_model(folder: Path, settings: Answering, runtime: Runtime) -> Model:
    """Return the model of a Hugging Face folder, in evaluation mode, on the runtime's device."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    use_threads(runtime)
    device = choose_device(runtime)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, settings.dtype))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ends = model.generation_config.eos_token_id
    listed = tuple(ends) if isinstance(ends, list) else (ends,)
    known = tuple(end for end in (*listed, tokenizer.eos_token_id) if end is not None)
    return Model(model.to(device).eval(), tokenizer, device, known)


def answer_prompts(
    model: Model, prompts: Sequence[str], settings: Answering, what: str = "answering"
) -> list[str]:
    """Return the model's greedy reply to each prompt, asked as the only user turn.

    Equal prompts are asked once. The same model, prompts and settings give the same replies.
    """
    import torch

    asked = sorted(set(prompts))
    rows = share_prefixes([encode_prompt(model, prompt) for prompt in asked])
    replies: dict[str, str] = {}
    batches = [rows[i : i + settings.batch] for i in range(0, len(rows), settings.batch)]
    for batch in show_progress(batches, what):
        with torch.inference_mode():
            generated = _generate(model, batch, settings.max_new_tokens)
        for row, ids in zip(batch, generated, strict=True):
            text = model.tokenizer.decode(ids, skip_special_tokens=True)
            replies[asked[row.place]] = str(text).strip()
    return [replies[prompt] for prompt in prompts]


def encode_prompt(model: Model, prompt: str) -> tuple[int, ...]:
    """Return the token ids of a prompt in the model's chat template, up to the reply."""
    text = model.tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
    )
    return tuple(model.tokenizer(text, add_special_tokens=False)["input_ids"])


def share_prefixes(encoded: Sequence[tuple[int, ...]]) -> list[Sequences]:
    """Split each prompt into a beginning that its neighbours share and a rest that is its own.

    The order groups equal beginnings and then similar lengths, so that little is padded.
    """
    groups: list[tuple[tuple[int, ...], list[int]]] = []
    for place in sorted(range(len(encoded)), key=lambda i: encoded[i]):
        ids = encoded[place]
        if groups:
            prefix, members = groups[-1]
            shared = _count_shared(prefix, ids[:-1])
            if shared >= _SHARED * max(len(ids), *(len(encoded[i]) for i in members)):
                groups[-1] = (prefix[:shared], [*members, place])
                continue
        groups.append((ids[:-1], [place]))
    rows = [
        Sequences(place, prefix, encoded[place][len(prefix) :])
        for prefix, members in groups
        for place in members
    ]
    return sorted(rows, key=lambda row: (len(row.prefix), row.prefix, len(row.suffix), row.suffix))


def _count_shared(first: Sequence[int], second: Sequence[int]) -> int:
    pairs = zip(first, second, strict=False)
    different = (i for i, (a, b) in enumerate(pairs) if a != b)
    return next(different, min(len(first), len(second)))


def _generate(model: Model, rows: Sequence[Sequences], limit: int) -> list[list[int]]:
    import torch

    prefixes = sorted({row.prefix for row in rows})
    ids, mask = _pad_left(prefixes, model.device)
    first = _forward(model, ids, mask, None)
    cache = first.past_key_values
    owner = torch.tensor([prefixes.index(row.prefix) for row in rows], device=model.device)
    cache.batch_select_indices(owner)
    ids, own_mask = _pad_left([row.suffix for row in rows], model.device)
    mask = torch.cat([mask[owner], own_mask], dim=1)
    ends = torch.tensor(model.ends, device=model.device)
    replies: list[list[int]] = [[] for _ in rows]
    going = torch.arange(len(rows), device=model.device)  # which reply each row of the batch is
    ended = torch.zeros(len(rows), dtype=torch.bool, device=model.device)
    for _ in range(limit):
        tokens = _forward(model, ids, mask, cache).logits[:, -1].argmax(dim=-1)
        ended = ended | torch.isin(tokens, ends)
        for row, token, done in zip(going.tolist(), tokens.tolist(), ended.tolist(), strict=True):
            if not done:
                replies[row].append(token)
        alive = (~ended).nonzero().flatten()
        if not len(alive):
            break
        if len(alive) < _LEAVE * len(going):
            cache.batch_select_indices(alive)
            going, ended, tokens, mask = going[alive], ended[alive], tokens[alive], mask[alive]
        ids = tokens[:, None]
        mask = torch.cat([mask, torch.ones_like(ids)], dim=1)
    return replies


def _forward(model: Model, ids: torch.Tensor, mask: torch.Tensor, cache: Any) -> Any:
    """Run the model over new ids; padding may lie anywhere before them, so places are counted."""
    places = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    return model.model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=places,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )


def _pad_left(rows: Sequence[tuple[int, ...]], device: str) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    width = max(len(row) for row in rows)
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
    return ids, mask


def count_tokens(model: Model, text: str) -> int:
    """Return the length of a reply in the model's tokens, its end included."""
    return len(model.tokenizer(text, add_special_tokens=False)["input_ids"]) + 1


def answer_with(model: Model, settings: Answering) -> Callable[[Sequence[str], str], list[str]]:
    """Return the model as a function of prompts and of what the work is called."""

    def answer(prompts: Sequence[str], what: str) -> list[str]:
        return answer_prompts(model, prompts, settings, what)

    return answer


def answer_both(
    model: Model, settings: Answering
) -> tuple[Callable[[Sequence[str], str], list[str]], Callable[[Sequence[str], str], list[str]]]:
    """Return the model as two such functions: one for short replies, one for those to be executed."""
    room = settings.model_copy(update={"max_new_tokens": settings.executed_tokens})
    return answer_with(model, settings), answer_with(model, room)
