"""Distillation losses as pure functions of logits; every sum over a vocabulary is in float64.

A student that has come near its teacher is a small difference of large terms: in float32 a divergence
of 10⁻⁴ over 49,152 tokens keeps one digit. The vocabulary is gone through in blocks of positions, so
that the wider numbers take no more room than one block.

A teacher is known by its ``k`` likeliest tokens at each position and one *tail*: all others together.
At a temperature ``T`` its probabilities are p_v^(1/T) / Σ_u p_u^(1/T), and the sum runs over the whole
vocabulary. What the tail adds to it, Σ_tail p_u^(1/T), is therefore stored beside the k tokens for each
T that will be asked for: tokens and tail are then exact at that T, where tempering k renormalised
tokens is not. Stored by itself it is also right where the tail is small: what is missing from one, once
k log-probabilities are rounded to float16, is mostly their rounding.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

Divergence = Literal["forward", "reverse", "jensen_shannon"]

_BLOCK: Final = 1 << 23  # values of a block in float64: 64 MiB


def top_k_log_probs(logits: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and log-probabilities of the k likeliest tokens.

    Args:
        logits: [positions, vocabulary].
        k: how many to keep; at most the vocabulary.

    Returns:
        ids [positions, k], of tokens that differ, and log-probabilities [positions, k] in float64,
        likeliest first.
    """
    values, ids = logits.topk(min(k, logits.shape[-1]), dim=-1)
    whole = torch.cat([block.logsumexp(-1, keepdim=True) for block in _widen(logits)])
    return ids, values.double() - whole


def log_tails(
    logits: torch.Tensor, ids: torch.Tensor, temperatures: Sequence[float]
) -> torch.Tensor:
    """Return log Σ_v p_v^(1/T) over the tokens that are not among ``ids``, for each temperature T.

    Args:
        logits: [positions, vocabulary], whose softmax is p.
        ids: [positions, k], of tokens that differ.
        temperatures: each T > 0.

    Returns:
        [positions, temperatures], float64; −∞ where no other token is left.
    """
    found, start = [], 0
    for block in _widen(logits):
        log_p = block - block.logsumexp(-1, keepdim=True)
        log_p.scatter_(-1, ids[start : start + len(block)], -torch.inf)
        start += len(block)
        found.append(torch.stack([(log_p / t).logsumexp(-1) for t in temperatures], dim=-1))
    return torch.cat(found)


def temper(log_probs: torch.Tensor, log_tail: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return a teacher's log-probabilities at ``temperature``: its k tokens, then its tail.

    Args:
        log_probs: [positions, k], at temperature 1.
        log_tail: [positions], log Σ p_v^(1/T) over all other tokens (``log_tails``).
        temperature: T > 0.

    Returns:
        [positions, k + 1], float64, of sum one.
    """
    whole = torch.cat([log_probs.double() / temperature, log_tail.double().unsqueeze(-1)], dim=-1)
    return whole - whole.logsumexp(-1, keepdim=True)


def sparse_divergence(
    student_logits: torch.Tensor,
    teacher_ids: torch.Tensor,
    teacher: torch.Tensor,
    *,
    temperature: float = 1.0,
    kind: Divergence = "forward",
) -> torch.Tensor:
    """Return how far student and teacher are apart at each position, both at one temperature.

    What the teacher gives to tokens outside its top k is one further outcome, compared with what the
    student gives to all of those together. Merging outcomes never enlarges a divergence (data
    processing inequality), so this is a lower bound of the full one, and it is that one when k is the
    vocabulary. Leaving the tail out would instead reward a student for moving its mass there.

    Args:
        student_logits: [positions, vocabulary], at temperature 1.
        teacher_ids: [positions, k], of tokens that differ.
        teacher: [positions, k + 1], log-probabilities at ``temperature`` of those tokens and of
            the tail (``temper``).
        temperature: T, by which the student's logits are divided.
        kind: ``forward`` KL(teacher ‖ student) (Hinton et al. 2015, arXiv:1503.02531), ``reverse``
            KL(student ‖ teacher) (Gu et al. 2023, arXiv:2306.08543), or ``jensen_shannon``: the mean
            of both to the even mixture (Agarwal et al. 2023, arXiv:2306.13649, β = ½).

    Returns:
        [positions], in nats and float64, without the factor T².
    """
    log_q: torch.Tensor = _LogBuckets.apply(student_logits, teacher_ids, temperature)  # type: ignore[no-untyped-call]
    log_p = teacher[:, : log_q.shape[-1]]  # no tail where the tokens are the whole vocabulary
    if kind == "forward":
        return _kl(log_p, log_q)
    if kind == "reverse":
        return _kl(log_q, log_p)
    mixed = torch.logaddexp(log_p, log_q) - math.log(2)
    return (_kl(log_p, mixed) + _kl(log_q, mixed)) / 2


def dense_divergence(
    student_logits: torch.Tensor,
    teacher_logits: torch.Tensor,
    *,
    temperature: float = 1.0,
    kind: Divergence = "forward",
) -> torch.Tensor:
    """Return how far student and teacher are apart at each position, over the whole vocabulary.

    Args:
        student_logits: [positions, vocabulary], at temperature 1.
        teacher_logits: [positions, vocabulary], at temperature 1; no gradient goes there.
        temperature: T, by which both are divided.
        kind: as for ``sparse_divergence``, which this is where k is the vocabulary.

    Returns:
        [positions], in nats and float64, without the factor T².
    """
    found: torch.Tensor = _Dense.apply(student_logits, teacher_logits, temperature, kind)  # type: ignore[no-untyped-call]
    return found


def hidden_distance(
    student: torch.Tensor, teacher: torch.Tensor, kind: Literal["cosine", "mse"]
) -> torch.Tensor:
    """Return how far hidden states are apart at each position, in float32.

    Args:
        student: [positions, hidden], projected to the teacher's width.
        teacher: [positions, hidden].
        kind: ``cosine``: 1 − the cosine of both (Sanh et al. 2019, arXiv:1910.01108); ``mse``: the mean
            of the squared differences (Jiao et al. 2019, arXiv:1909.10351).

    Returns:
        [positions], without unit.
    """
    if kind == "cosine":
        return 1 - functional.cosine_similarity(student.float(), teacher.float(), dim=-1)
    return (student.float() - teacher.float()).square().mean(-1)


def mix_losses(
    cross_entropy: torch.Tensor, divergence: torch.Tensor, *, alpha: float, temperature: float
) -> torch.Tensor:
    """Return α · T² · divergence + (1 − α) · cross-entropy.

    The gradient of a divergence at temperature T is about 1/T² of that at 1; the factor keeps α's
    meaning where T changes (Hinton et al. 2015, section 2).
    """
    return alpha * temperature**2 * divergence + (1 - alpha) * cross_entropy


class _LogBuckets(torch.autograd.Function):
    """Log-probabilities [positions, k (+ 1)] of chosen tokens, and of all others together, at T.

    The last column is missing where the chosen tokens are the whole vocabulary. Its value is summed
    over the other tokens themselves: 1 − Σ of the chosen ones keeps no digit where they are nearly
    all. With log q_j = z_j/T − L for a chosen token, log q_t = L_t − L for the tail, g the gradient at
    these and G its sum, the gradient at z_v is (g_v − G q_v)/T for a chosen token and
    (g_t/q_t − G) q_v/T for another: one softmax, where differentiating the steps one by one would
    keep four tensors of the size of the logits.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, ids: torch.Tensor, temperature: float
    ) -> torch.Tensor:
        """Return the buckets, in float64; keeps the logits for the way back."""
        found, sums, start = [], [], 0
        for block in _widen(logits):
            chosen = ids[start : start + len(block)]
            start += len(block)
            z = block / temperature
            whole = z.logsumexp(-1, keepdim=True)
            log_q = z.gather(-1, chosen) - whole
            if ids.shape[-1] < logits.shape[-1]:
                z.scatter_(-1, chosen, -torch.inf)
                log_q = torch.cat([log_q, z.logsumexp(-1, keepdim=True) - whole], dim=-1)
            found.append(log_q)
            sums.append(whole)
        buckets = torch.cat(found)
        ctx.save_for_backward(logits, ids, torch.cat(sums), buckets)
        ctx.temperature = temperature
        return buckets

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Return the gradient at the logits, [positions, vocabulary]."""
        logits, ids, whole, log_q = ctx.saved_tensors
        k = ids.shape[-1]
        total = gradient.sum(-1, keepdim=True)
        factor = -total
        if log_q.shape[-1] > k:  # g_t/q_t − G; a tail without mass has no gradient to hand out
            shared = gradient[:, k:] * torch.exp(-log_q[:, k:])
            factor = torch.where(log_q[:, k:].isfinite(), shared, 0.0) - total
        found, start = torch.empty_like(logits), 0
        for block in _widen(logits):
            rows = slice(start, start + len(block))
            start = rows.stop
            q = torch.exp(block / ctx.temperature - whole[rows])
            chosen = gradient[rows, :k] - total[rows] * q.gather(-1, ids[rows])
            q.mul_(factor[rows]).scatter_(-1, ids[rows], chosen).div_(ctx.temperature)
            found[rows] = q.to(logits.dtype)
        return found, None, None


class _Dense(torch.autograd.Function):
    """A divergence over the whole vocabulary, whose gradient is worked out on the way forward.

    With D = Σ q f, the gradient at z_v is q_v (f_v − Σ q f)/T, where f_v is −p_v/q_v for the forward
    KL, log q_v/p_v for the reverse one and half of log q_v/m_v for Jensen–Shannon, m the even mixture.
    One tensor of the size of the logits is kept.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, teacher: torch.Tensor, temperature: float, kind: Divergence
    ) -> torch.Tensor:
        """Return [positions], in float64."""
        found, slopes, start = [], torch.empty_like(logits), 0
        for block in _widen(logits):
            rows = slice(start, start + len(block))
            start = rows.stop
            log_q = (block / temperature).log_softmax(-1)
            log_p = (teacher[rows].double() / temperature).log_softmax(-1)
            apart, slope = _measure_dense(log_p, log_q, kind)
            found.append(apart)
            slopes[rows] = (slope / temperature).to(logits.dtype)
        ctx.save_for_backward(slopes)
        return torch.cat(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        """Return the gradient at the student's logits, [positions, vocabulary]."""
        (slopes,) = ctx.saved_tensors
        return slopes * gradient.unsqueeze(-1).to(slopes.dtype), None, None, None


def _measure_dense(
    log_p: torch.Tensor, log_q: torch.Tensor, kind: Divergence
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the divergence [positions], and its gradient at log-odds [positions, vocabulary]."""
    q = log_q.exp()
    if kind == "forward":
        p = log_p.exp()
        return (p * (log_p - log_q)).sum(-1), q - p
    if kind == "reverse":
        ratio = log_q - log_p
        apart = (q * ratio).sum(-1)
        return apart, q * (ratio - apart.unsqueeze(-1))
    mixed = torch.logaddexp(log_p, log_q) - math.log(2)
    ratio = log_q - mixed
    reverse = (q * ratio).sum(-1)
    slope = q * (ratio - reverse.unsqueeze(-1)) / 2
    return ((log_p.exp() * (log_p - mixed)).sum(-1) + reverse) / 2, slope


def _kl(log_a: torch.Tensor, log_b: torch.Tensor) -> torch.Tensor:
    """Return Σ a (log a − log b) over the last axis; an outcome that ``a`` never has adds nothing."""
    never = log_a == -torch.inf
    ratio = torch.where(never, 0.0, log_a) - torch.where(never, 0.0, log_b)
    return (log_a.exp() * ratio).sum(-1)


def _widen(logits: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield [positions of a block, vocabulary] in float64, one block after the other."""
    for block in torch.split(logits, max(1, _BLOCK // logits.shape[-1])):
        yield block.double()
