"""The losses against their definitions over a whole vocabulary, and their gradients against differences."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stillhouse.distill import losses
from stillhouse.distill.losses import (
    Divergence,
    dense_divergence,
    hidden_distance,
    log_tails,
    mix_losses,
    sparse_divergence,
    temper,
    top_k_log_probs,
)

KINDS: tuple[Divergence, ...] = ("forward", "reverse", "jensen_shannon")
TEMPERATURES = tuple(float(t) for t in range(1, 11))


def dense(
    student: torch.Tensor, teacher: torch.Tensor, temperature: float, kind: Divergence
) -> torch.Tensor:
    """The definitions, over all tokens, in float64."""
    log_p = (teacher.double() / temperature).log_softmax(-1)
    log_q = (student.double() / temperature).log_softmax(-1)
    if kind == "forward":
        return sum_kl(log_p, log_q)
    if kind == "reverse":
        return sum_kl(log_q, log_p)
    mixed = ((log_p.exp() + log_q.exp()) / 2).log()
    return (sum_kl(log_p, mixed) + sum_kl(log_q, mixed)) / 2


def sum_kl(log_a: torch.Tensor, log_b: torch.Tensor) -> torch.Tensor:
    return (log_a.exp() * (log_a - log_b)).sum(-1)


def draw(
    seed: int, positions: int = 5, vocabulary: int = 40, apart: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits of a student and of a teacher, so far apart."""
    generator = torch.Generator().manual_seed(seed)
    teacher, other = torch.randn(2, positions, vocabulary, generator=generator) * 4
    return teacher + apart * other, teacher


def compare(
    student: torch.Tensor, teacher: torch.Tensor, k: int, temperature: float, kind: Divergence
) -> torch.Tensor:
    ids, log_probs = top_k_log_probs(teacher, k)
    (tail,) = log_tails(teacher, ids, [temperature]).unbind(-1)
    soft = temper(log_probs, tail, temperature)
    return sparse_divergence(student, ids, soft, temperature=temperature, kind=kind)


@pytest.mark.parametrize("apart", [1.0, 0.1, 0.01])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("vocabulary", [40, 49_152])
def test_with_the_whole_vocabulary_kept_it_is_the_dense_divergence(
    vocabulary: int, kind: Divergence, apart: float
) -> None:
    student, teacher = draw(7, 3, vocabulary, apart)
    for temperature in TEMPERATURES:
        found = compare(student, teacher, vocabulary, temperature, kind)
        wanted = dense(student, teacher, temperature, kind)
        assert torch.allclose(found, wanted, rtol=1e-6, atol=0)


@pytest.mark.parametrize("apart", [1.0, 0.01])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("vocabulary", [40, 49_152])
def test_live_logits_are_compared_by_the_dense_divergence(
    vocabulary: int, kind: Divergence, apart: float
) -> None:
    student, teacher = draw(8, 3, vocabulary, apart)
    for temperature in TEMPERATURES:
        found = dense_divergence(student, teacher, temperature=temperature, kind=kind)
        wanted = dense(student, teacher, temperature, kind)
        assert torch.allclose(found, wanted, rtol=1e-6, atol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_gradient_at_live_logits_is_that_of_differences(
    kind: Divergence, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "_BLOCK", 80)  # more than one block
    student, teacher = (one.double() for one in draw(9))
    student.requires_grad_()

    def measure(logits: torch.Tensor) -> torch.Tensor:
        return dense_divergence(logits, teacher, temperature=temperature, kind=kind)

    assert torch.autograd.gradcheck(measure, (student,))


def test_hidden_states_are_apart_by_angle_or_by_squares() -> None:
    one, other = torch.tensor([[1.0, 0.0], [2.0, 2.0]]), torch.tensor([[0.0, 3.0], [1.0, 1.0]])
    assert hidden_distance(one, other, "cosine").tolist() == pytest.approx([1.0, 0.0], abs=1e-6)
    assert hidden_distance(one, other, "mse").tolist() == pytest.approx([5.0, 1.0])


@given(st.integers(0, 1000), st.integers(1, 39), st.sampled_from(TEMPERATURES))
@settings(max_examples=40, deadline=None)
def test_with_a_tail_it_is_the_divergence_of_the_merged_outcomes(
    seed: int, k: int, temperature: float
) -> None:
    student, teacher = draw(seed)
    ids, _ = top_k_log_probs(teacher, k)

    def merge(logits: torch.Tensor) -> torch.Tensor:
        p = (logits.double() / temperature).softmax(-1)
        kept = p.gather(-1, ids)
        others = p.scatter(-1, ids, 0.0).sum(-1, keepdim=True)
        return torch.cat([kept, others], dim=-1).log()

    for kind in KINDS:
        found = compare(student, teacher, k, temperature, kind)
        assert torch.allclose(found, dense(merge(student), merge(teacher), 1.0, kind), rtol=1e-6)
        assert (found <= dense(student, teacher, temperature, kind) * (1 + 1e-9)).all()
        assert (found >= 0).all()


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_tempering_captured_tokens_is_exact_and_not_that_of_renormalised_ones(
    temperature: float,
) -> None:
    _, teacher = draw(2)
    ids, log_probs = top_k_log_probs(teacher, 8)
    (tail,) = log_tails(teacher, ids, [temperature]).unbind(-1)
    wanted = (teacher.double() / temperature).log_softmax(-1).gather(-1, ids)
    found = temper(log_probs, tail, temperature)
    assert torch.allclose(found[:, :8], wanted, rtol=1e-12, atol=1e-12)
    assert torch.allclose(found.exp().sum(-1), torch.ones(5, dtype=torch.float64))
    if temperature > 1:
        renormalised = (log_probs / temperature).log_softmax(-1)
        assert (renormalised - wanted).abs().max() > 0.05


def test_the_whole_sum_is_that_of_the_tokens_and_the_tail() -> None:
    _, teacher = draw(1)
    ids, log_probs = top_k_log_probs(teacher, 8)
    p = teacher.double().softmax(-1)
    tails = log_tails(teacher, ids, TEMPERATURES)
    for number, temperature in enumerate(TEMPERATURES):
        whole = torch.logaddexp((log_probs / temperature).logsumexp(-1), tails[:, number])
        assert torch.allclose(whole.exp(), (p ** (1 / temperature)).sum(-1), rtol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 6])
@pytest.mark.parametrize("temperature", [1.0, 3.0, 10.0])
@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_finite_differences(
    kind: Divergence, temperature: float, k: int
) -> None:
    student, teacher = draw(3, 4, 6)

    def loss(logits: torch.Tensor) -> torch.Tensor:
        return compare(logits, teacher, k, temperature, kind)

    assert torch.autograd.gradcheck(loss, student.double().requires_grad_())


def test_the_gradient_in_blocks_is_the_one_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    student, teacher = draw(4, 7, 40)
    found = []
    for block in (1 << 23, 80, 1):  # all, two, and one of the positions
        monkeypatch.setattr(losses, "_BLOCK", block)
        logits = student.clone().requires_grad_()
        value = compare(logits, teacher, 5, 3.0, "forward")
        value.sum().backward()
        found.append((value.detach(), logits.grad))
    for value, gradient in found[1:]:
        assert torch.equal(value, found[0][0])
        assert torch.equal(gradient, found[0][1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_gradient_comes_in_the_number_format_of_the_logits(dtype: torch.dtype) -> None:
    student, teacher = draw(5)
    narrow = student.to(dtype, copy=True).requires_grad_()
    compare(narrow, teacher, 5, 2.0, "forward").sum().backward()
    wide = student.to(dtype).double().requires_grad_()
    compare(wide, teacher, 5, 2.0, "forward").sum().backward()
    assert narrow.grad is not None
    assert wide.grad is not None
    assert narrow.grad.dtype == dtype
    assert torch.equal(narrow.grad, wide.grad.to(dtype))


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_distribution_to_itself_it_is_zero_also_when_the_tail_is_empty(
    kind: Divergence,
) -> None:
    sure = torch.tensor([[80.0, 0.0, 0.0, 0.0]])
    for k in (1, 3, 4):
        assert compare(sure, sure, k, 1.0, kind).abs().item() < 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_that_the_student_rules_out_is_no_nan(kind: Divergence) -> None:
    student, teacher = draw(6, 2, 8)
    student[:, 5] = -torch.inf
    logits = student.requires_grad_()
    value = compare(logits, teacher, 3, 2.0, kind)
    value.sum().backward()
    assert not value.isnan().any()
    assert logits.grad is not None
    assert not logits.grad.isnan().any()


def test_a_student_that_moves_its_mass_into_the_tail_pays_for_it() -> None:
    teacher = torch.tensor([[5.0, 4.0, 0.0, 0.0, 0.0]])
    student = torch.tensor([[5.0, 4.0, 9.0, 9.0, 9.0]])
    assert compare(student, teacher, 2, 1.0, "forward").item() > 1.0


def test_a_tail_that_is_stored_outlives_the_rounding_of_the_tokens() -> None:
    student, teacher = draw(8, 200)
    teacher *= 3
    for temperature in (1.0, 3.0):
        ids, log_probs = top_k_log_probs(teacher, 30)
        (tail,) = log_tails(teacher, ids, [temperature]).unbind(-1)
        rounded = temper(log_probs.half(), tail.float(), temperature)
        exact = temper(log_probs, tail, temperature)
        found = sparse_divergence(student, ids, rounded, temperature=temperature)
        wanted = sparse_divergence(student, ids, exact, temperature=temperature)
        assert ((found - wanted) / wanted).abs().max() < 2e-3
        assert (sparse_divergence(teacher, ids, rounded, temperature=temperature) < 1e-6).all()
        rest = -torch.expm1((log_probs.half().double()).logsumexp(-1))
        assert (rest < 0).any()  # what is missing from one would not even be a probability


def test_top_k_returns_normalised_log_probabilities_likeliest_first() -> None:
    ids, log_probs = top_k_log_probs(torch.tensor([[0.0, math.log(3.0)]]), 2)
    assert ids.tolist() == [[1, 0]]
    assert log_probs.exp()[0].tolist() == pytest.approx([0.75, 0.25])


def test_the_mix_is_alpha_t_squared_divergence_and_the_rest_cross_entropy() -> None:
    found = mix_losses(torch.tensor(2.0), torch.tensor(0.5), alpha=0.7, temperature=3.0)
    assert found.item() == pytest.approx(0.7 * 9 * 0.5 + 0.3 * 2.0)
