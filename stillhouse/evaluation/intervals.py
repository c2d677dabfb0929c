"""How sure a share or a difference is. Both come from SciPy; here they only get their data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

CONFIDENCE: Final = 0.95
RESAMPLES: Final = 2000


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate from ``n`` observations with its 95 % interval."""

    n: int
    value: float
    low: float
    high: float


def share(correct: Sequence[bool]) -> Interval:
    """Return the share of true values with its Wilson interval (Wilson 1927).

    Raises:
        ValueError: there is nothing to count.
    """
    right, n = sum(correct), len(correct)
    if not n:
        raise ValueError("no observations")
    bounds = stats.binomtest(right, n).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(n, right / n, float(bounds.low), float(bounds.high))


def paired_difference(
    first: Sequence[float], second: Sequence[float], clusters: Sequence[str], seed: int
) -> Interval:
    """Return the mean of ``first - second`` over the same questions, with a bootstrap interval.

    Clusters (facts) are resampled, not questions: wordings of one fact stand or fall together. With
    a single cluster nothing is known, and the interval is all of [-1, 1].

    Args:
        first: scores of one model, one for each question.
        second: scores of the other, for the same questions in the same order.
        clusters: the fact behind each question.
        seed: of the generator that draws the resamples.
    """
    if not first:
        raise ValueError("no observations")
    difference = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    _, member = np.unique(np.asarray(clusters), return_inverse=True)
    totals, sizes = np.bincount(member, weights=difference), np.bincount(member)
    mean = float(difference.mean())
    if len(sizes) < 2:
        return Interval(len(difference), mean, -1.0, 1.0)
    found = stats.bootstrap(
        (totals, sizes),
        _ratio,
        n_resamples=RESAMPLES,
        vectorized=True,
        paired=True,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(len(difference), mean, float(found.low), float(found.high))


def _ratio(totals: np.ndarray, sizes: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return the mean of all questions in each resample: of the questions, not of the clusters."""
    ratio: np.ndarray = totals.sum(axis=axis) / sizes.sum(axis=axis)
    return ratio
