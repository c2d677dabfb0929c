import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stillhouse.distill.losses import sparse_forward_kl, top_k_log_probs


def dense_kl(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    log_p, log_q = teacher.double().log_softmax(-1), student.double().log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def draw(seed: int, positions: int = 5, vocabulary: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(2, positions, vocabulary, generator=generator) * 3)


@given(st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_kl_over_the_whole_vocabulary_equals_the_dense_divergence(seed: int) -> None:
    student, teacher = draw(seed)
    ids, log_probs = top_k_log_probs(teacher, 40)
    found = sparse_forward_kl(student, ids, log_probs)
    assert torch.allclose(found.double(), dense_kl(student, teacher), rtol=1e-5, atol=1e-6)


@given(st.integers(0, 1000), st.integers(1, 39))
@settings(max_examples=30, deadline=None)
def test_kl_over_the_top_k_and_a_tail_never_exceeds_the_dense_divergence(seed: int, k: int) -> None:
    student, teacher = draw(seed)
    found = sparse_forward_kl(student, *top_k_log_probs(teacher, k))
    assert (found.double() <= dense_kl(student, teacher) + 1e-5).all()
    assert (found >= -1e-5).all()


def test_kl_of_a_distribution_to_itself_is_zero_also_when_the_tail_is_empty() -> None:
    sure = torch.tensor([[80.0, 0.0, 0.0, 0.0]])
    assert sparse_forward_kl(sure, *top_k_log_probs(sure, 1)).abs().item() < 1e-5


def test_a_student_that_moves_its_mass_into_the_tail_pays_for_it() -> None:
    teacher = torch.tensor([[5.0, 4.0, 0.0, 0.0, 0.0]])
    student = torch.tensor([[5.0, 4.0, 9.0, 9.0, 9.0]])
    assert sparse_forward_kl(student, *top_k_log_probs(teacher, 2)).item() > 1.0


def test_kl_has_the_gradient_of_its_definition() -> None:
    student, teacher = draw(3, positions=1, vocabulary=6)
    student = student.double().requires_grad_()
    ids, log_probs = top_k_log_probs(teacher, 3)

    def loss(logits: torch.Tensor) -> torch.Tensor:
        return sparse_forward_kl(logits, ids, log_probs).sum()

    loss(student).backward()
    step = 1e-2  # the loss computes in float32
    for token in range(6):
        shift = torch.zeros_like(student)
        shift[0, token] = step
        slope = (loss(student.detach() + shift) - loss(student.detach() - shift)) / (2 * step)
        assert math.isclose(slope.item(), student.grad[0, token].item(), abs_tol=2e-3)


def test_top_k_returns_normalised_log_probabilities_likeliest_first() -> None:
    ids, log_probs = top_k_log_probs(torch.tensor([[0.0, math.log(3.0)]]), 2)
    assert ids.tolist() == [[1, 0]]
    assert log_probs.exp()[0].tolist() == pytest.approx([0.75, 0.25])
