"""How sure a share or a difference is, where wordings of one fact are no independent observations."""

import math
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


def share(correct: Sequence[bool], clusters: Sequence[str]) -> Interval:
    """Return the share of true values with its Wilson interval (Wilson 1927) for clustered data.

    The interval is that of the effective sample size (``effective_size``): with one observation in
    each cluster the plain one, with more of them never a narrower one.

    Args:
        correct: the observations.
        clusters: the fact behind each, in the same order.

    Raises:
        ValueError: there is nothing to count.
    """
    n = len(correct)
    if not n:
        raise ValueError("no observations")
    value = sum(correct) / n
    size = effective_size(correct, clusters)
    z = float(stats.norm.ppf((1 + CONFIDENCE) / 2))
    middle = (value + z**2 / (2 * size)) / (1 + z**2 / size)
    half = math.sqrt(value * (1 - value) / size + (z / (2 * size)) ** 2) * z / (1 + z**2 / size)
    return Interval(n, value, max(0.0, middle - half), min(1.0, middle + half))


def effective_size(correct: Sequence[bool], clusters: Sequence[str]) -> float:
    """Return how many independent observations are worth as much as these clustered ones.

    That is n divided by the design effect: the variance of the share over clusters (Rao and Scott
    1992, "A simple method for the analysis of clustered binary data"), beside that of as many
    independent observations (Kish 1965). The variance over k clusters is itself uncertain,
    so n shrinks by the squared ratio of Student's t for n - 1 and for k - 1 degrees of freedom, too
    (Korn and Graubard 1998). Where all observations are equal, clusters tell nothing about their
    variance: each then counts as one observation, as does a cluster that is the only one.
    """
    n, right = len(correct), sum(correct)
    _, member = np.unique(np.asarray(clusters), return_inverse=True)
    totals = np.bincount(member, weights=np.asarray(correct, dtype=float))
    sizes = np.bincount(member)
    k = len(sizes)
    if k in (1, n) or right in (0, n):
        return float(k)
    value = right / n
    over_clusters = k / (k - 1) * float(((totals - sizes * value) ** 2).sum())
    independent = n / (n - 1) * n * value * (1 - value)
    design_effect = max(1.0, over_clusters / independent)
    narrow, wide = stats.t.ppf((1 + CONFIDENCE) / 2, [n - 1, k - 1])
    return float(n / design_effect * (narrow / wide) ** 2)


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
