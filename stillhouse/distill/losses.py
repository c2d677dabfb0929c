"""Distillation losses as pure functions of logits; every sum over a vocabulary is in float32."""

import torch
from torch.nn import functional


def top_k_log_probs(logits: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and log-probabilities of the k likeliest tokens.

    Args:
        logits: [positions, vocabulary].
        k: how many to keep; at most the vocabulary.

    Returns:
        ids [positions, k] and log-probabilities [positions, k], likeliest first.
    """
    log_probs = functional.log_softmax(logits.float(), dim=-1)
    values, ids = log_probs.topk(min(k, logits.shape[-1]), dim=-1)
    return ids, values


def sparse_forward_kl(
    student_logits: torch.Tensor, teacher_ids: torch.Tensor, teacher_log_probs: torch.Tensor
) -> torch.Tensor:
    """Return KL(teacher ‖ student) at each position, from the teacher's top-k and one tail bucket.

    What the teacher gives to tokens outside its top k is one further outcome, compared with what the
    student gives to all of those together. By the log-sum inequality this is a lower bound of the
    full divergence, and it is exact when k is the vocabulary; leaving the tail out would instead
    reward a student for moving its whole mass there.

    Args:
        student_logits: [positions, vocabulary].
        teacher_ids: [positions, k].
        teacher_log_probs: [positions, k], at temperature 1.

    Returns:
        [positions], in nats.
    """
    log_q = functional.log_softmax(student_logits.float(), dim=-1).gather(-1, teacher_ids)
    log_p = teacher_log_probs.float()
    kept = (log_p.exp() * (log_p - log_q)).sum(-1)
    if teacher_ids.shape[-1] == student_logits.shape[-1]:
        return kept
    log_p_tail, log_q_tail = _log_rest(log_p), _log_rest(log_q)
    return kept + log_p_tail.exp() * (log_p_tail - log_q_tail)


def _log_rest(log_probs: torch.Tensor) -> torch.Tensor:
    """Return log(1 − Σ exp(log_probs)) over the last axis, kept finite where rounding leaves no rest."""
    total = log_probs.logsumexp(-1).clamp(max=-1e-6)
    return torch.log(-torch.expm1(total))
