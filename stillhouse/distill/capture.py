"""Capture what a base model would have said on chosen rows, token by token."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from transformers import PreTrainedModel

from stillhouse.base.runtime import Runtime, choose_device
from stillhouse.base.stage import show_progress
from stillhouse.distill.encode import Encoded
from stillhouse.distill.losses import top_k_log_probs
from stillhouse.distill.train import load_model

_TOGETHER: Final = 16  # rows of one length in one pass


def capture_base(
    folder: Path, rows: Sequence[Encoded], top_k: int, runtime: Runtime
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what ``capture_distributions`` does; without rows the base is not even loaded."""
    if not rows:
        return torch.zeros(0, top_k, dtype=torch.long), torch.zeros(0, top_k)
    return capture_distributions(load_model(folder), rows, top_k, runtime)


@torch.inference_mode()
def capture_distributions(
    model: PreTrainedModel, rows: Sequence[Encoded], top_k: int, runtime: Runtime
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the base's top-k distribution over each completion token of ``rows``, end to end; not for none.

    Rows of equal length are scored together, so that none is padded: one by one, a short row costs as
    much as reading all weights.

    Returns:
        ids and log-probabilities, each [sum of completion tokens, k].
    """
    model.train(mode=False)
    device = choose_device(runtime)
    torch.nn.Module.to(model, torch.device(device))  # the typed wrapper of transformers hides it
    found: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
    for group in show_progress(_group(rows), "capture"):
        tokens = torch.tensor([rows[index].input_ids for index in group], device=device)
        counts = [tokens.shape[1] - rows[index].start for index in group]
        kept = max(counts) + 1
        logits = model(input_ids=tokens, use_cache=False, logits_to_keep=kept).logits
        for place, (index, count) in enumerate(zip(group, counts, strict=True)):
            ids, log_probs = top_k_log_probs(logits[place, kept - count - 1 : -1], top_k)
            found[index] = (ids.cpu(), log_probs.cpu())
    ordered = [found[index] for index in range(len(rows))]
    return torch.cat([ids for ids, _ in ordered]), torch.cat([kept for _, kept in ordered])


def _group(rows: Sequence[Encoded]) -> list[list[int]]:
    """Return the indices of the rows in groups of one length, at most ``_TOGETHER`` in each."""
    by_length: dict[int, list[int]] = {}
    for index, row in enumerate(rows):
        by_length.setdefault(len(row.input_ids), []).append(index)
    return [
        same[start : start + _TOGETHER]
        for _, same in sorted(by_length.items())
        for start in range(0, len(same), _TOGETHER)
    ]
