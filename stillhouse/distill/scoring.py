"""What a causal model says at the positions that are learned, computing nothing twice and nothing in vain.

Off CUDA, TRL 1.16 scores every position, prompt and padding included, and runs the head's backward
pass in float32; here only the learned positions are scored. What all rows of a batch begin with (the
template's system message) is computed once, and short rows do not carry the padding of long ones.
The losses are equal; ``bench/train.py`` measures both.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import torch
from torch.distributed.fsdp import FSDPModule
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

# What a further run through the backbone costs, in tokens: all weights are read, and their gradients
# written, once more. At 48 a step on two cores took longer than with one run, for all the padding saved.
_RUN_COST: Final = 150


class Scored(NamedTuple):
    """What a model says at chosen positions.

    ``logits`` is [positions, vocabulary]; ``states`` holds [positions, hidden] for each layer that was
    asked for, 0 being the embeddings and the last one what stands before the head.
    """

    logits: torch.Tensor
    states: tuple[torch.Tensor, ...] = ()


def score(
    model: Any,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    wanted: torch.Tensor,
    layers: Sequence[int] = (),
) -> Scored:
    """Score the wanted positions of rows that are sorted by length and padded on the right.

    Models that scale or cap their logits after the head, and those that are spread over processes, are
    scored by their own forward pass.

    Args:
        model: a causal model, also one that is wrapped by PEFT or for several processes.
        input_ids: [rows, length].
        attention_mask: [rows, length].
        wanted: [rows, length − 1]: whether the position's next token is scored.
        layers: of which hidden states are returned, too.
    """
    core = model.module if hasattr(model, "module") else model
    config = core.config.get_text_config()
    marks = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier")
    spread = core is not model or isinstance(core, FSDPModule)
    if any(getattr(config, mark, None) is not None for mark in marks) or spread:
        told = model(
            input_ids=input_ids, attention_mask=attention_mask, use_cache=False,
            output_hidden_states=bool(layers),
        )  # fmt: skip
        states = tuple(told.hidden_states[layer][:, :-1][wanted] for layer in layers)
        return Scored(told.logits[:, :-1][wanted], states)
    inner = core.get_base_model() if hasattr(core, "peft_config") else core
    cached = not (
        inner.is_activation_checkpointing and inner.training
    )  # which runs without a cache
    shared = count_shared(input_ids, wanted) if cached else 0
    hidden, *chosen = _run_backbone(
        inner.base_model, input_ids, attention_mask, wanted, shared, layers
    )
    return Scored(inner.get_output_embeddings()(hidden), tuple(chosen))


def count_shared(input_ids: torch.Tensor, wanted: torch.Tensor) -> int:
    """Return how many tokens all rows begin with, short of the first wanted position of any row.

    ``input_ids`` is [rows, length], ``wanted`` [rows, length - 1]. With a chat template it is the
    system message at least: about half of a short row.
    """
    differs = (input_ids != input_ids[:1]).any(0)
    needed = wanted.any(0)
    first = torch.nonzero(differs[:-1] | needed)
    return int(first[0]) if len(first) else input_ids.shape[1] - 1


def group_rows(lengths: Sequence[int]) -> list[slice]:
    """Return runs of rows, sorted by length, that cost least when each is padded to its longest.

    A run of its own costs ``_RUN_COST`` tokens more. Least cost over all ways to cut, by dynamic
    programming: n² steps for the n rows of a batch.
    """
    best: list[tuple[int, int]] = [(0, 0)]  # for the first k rows: cost, start of the last run
    for end in range(1, len(lengths) + 1):
        tried = (
            (best[start][0] + (end - start) * lengths[end - 1] + _RUN_COST, start)
            for start in range(end)
        )
        best.append(min(tried))
    runs: list[slice] = []
    end = len(lengths)
    while end:
        runs.append(slice(best[end][1], end))
        end = best[end][1]
    return runs[::-1]


def _run_backbone(
    backbone: Any,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    wanted: torch.Tensor,
    shared: int,
    layers: Sequence[int],
) -> list[torch.Tensor]:
    """Return the last hidden states of the wanted positions, then those of ``layers``.

    Each is [wanted positions, hidden], row by row.

    The shared beginning is run once and its keys and values are handed to every row. A causal model
    computes the same for each row anyway, and the gradients of all rows add up in the one run. The
    rest runs in groups of rows of like length, each without the padding that the others need.
    """
    lengths = attention_mask.sum(1).tolist()
    beginning = input_ids[:1, :shared]
    first = backbone(input_ids=beginning, use_cache=True).past_key_values if shared else None
    if first is not None and any(type(layer) is not DynamicLayer for layer in first.layers):
        first, shared = None, 0  # a sliding or recurrent memory cannot simply be handed out
    found: list[list[torch.Tensor]] = [[] for _ in range(1 + len(layers))]
    for rows in group_rows([length - shared for length in lengths]):
        end = lengths[rows.stop - 1]
        cache = None if first is None else _hand_out(first, rows.stop - rows.start)
        told = backbone(
            input_ids=input_ids[rows, shared:end],
            attention_mask=attention_mask[rows, :end],
            past_key_values=cache,
            use_cache=cache is not None,
            output_hidden_states=bool(layers),
        )
        mask = wanted[rows, shared:end]
        states = [told.last_hidden_state, *(told.hidden_states[layer] for layer in layers)]
        for parts, state in zip(found, states, strict=True):
            parts.append(state[:, : mask.shape[1]][mask])
    return [torch.cat(parts) for parts in found]


def _hand_out(first: DynamicCache, rows: int) -> DynamicCache:
    """Return the memory of one row as that of several; gradients flow back into the one."""
    layers: list[Any] = list(first.layers)
    pairs = ((layer.keys, layer.values) for layer in layers)
    return DynamicCache(
        [(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1)) for keys, values in pairs]
    )
