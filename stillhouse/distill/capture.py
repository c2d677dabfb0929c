"""Capture what a base model would have said on chosen rows, token by token."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from stillhouse.base.runtime import Runtime, choose_device
from stillhouse.base.stage import show_progress
from stillhouse.distill.encode import Encoded
from stillhouse.distill.losses import top_k_log_probs


@torch.inference_mode()
def capture_distributions(
    model: PreTrainedModel, rows: Sequence[Encoded], top_k: int, runtime: Runtime
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the base's top-k distribution over each completion token of ``rows``, end to end.

    Each row is scored alone and without padding, so that a row's numbers never depend on which other
    rows happen to stand beside it.

    Returns:
        ids and log-probabilities, each [sum of completion tokens, k].
    """
    model.train(mode=False)
    device = choose_device(runtime)
    torch.nn.Module.to(model, torch.device(device))  # the typed wrapper of transformers hides it
    ids, log_probs = [torch.zeros(0, top_k, dtype=torch.long)], [torch.zeros(0, top_k)]
    for row in show_progress(rows, "capture", total=len(rows)):
        tokens = torch.tensor([row.input_ids], device=device)
        count = len(row.input_ids) - row.start
        logits = model(input_ids=tokens, use_cache=False, logits_to_keep=count + 1).logits[0, :-1]
        kept_ids, kept = top_k_log_probs(logits, top_k)
        ids.append(kept_ids.cpu())
        log_probs.append(kept.cpu())
    return torch.cat(ids), torch.cat(log_probs)
