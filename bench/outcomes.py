"""What the arms of a study say: two choices of rows over the same questions and seeds, and their difference."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from scipy import stats

from stillhouse.evaluation.intervals import Interval, paired_difference
from stillhouse.evaluation.records import Item

POOLS: Final = ("clean", "spoilt")
RANDOM, CURATED = CHOICES = ("random", "curated")

Outcome = dict[str, Any]  # one line of the results: JSON


def compare(
    outcomes: Sequence[Outcome], pool: str, name: str, items: Sequence[Item]
) -> tuple[Interval, Interval]:
    """Return curated minus random in the share of right answers, over the same questions and seeds.

    The first interval resamples facts, all seeds with each (``paired_difference``); the second is
    Student's t over the seeds' own differences: [-1, 1] for a single one.
    """
    right = _gather_right(outcomes, pool, name)
    seeds = sorted(set(right[RANDOM]) & set(right[CURATED]))
    places = [(seed, item) for seed in seeds for item in items]
    scores = [
        [float(item.question_id in right[choice][seed]) for seed, item in places]
        for choice in (CURATED, RANDOM)
    ]
    by_fact = paired_difference(*scores, [item.cluster for _, item in places], seed=0)
    apart = [(len(right[CURATED][s]) - len(right[RANDOM][s])) / len(items) for s in seeds]
    if len(apart) < 2:
        return by_fact, Interval(len(apart), by_fact.value, -1.0, 1.0)
    half = float(stats.t.ppf(0.975, len(apart) - 1)) * float(stats.sem(apart))
    return by_fact, Interval(len(apart), by_fact.value, by_fact.value - half, by_fact.value + half)


def print_outcomes(outcomes: Sequence[Outcome], items: Mapping[str, Sequence[Item]]) -> None:
    """Print both choices' shares of right answers and their difference, for each pool and set."""
    for pool in POOLS:
        for name, asked in items.items():
            by_fact, by_seed = compare(outcomes, pool, name, asked)
            means = _mean_shares(_gather_right(outcomes, pool, name), len(asked))
            shares = ", ".join(f"{choice} {value:.3f}" for choice, value in means.items())
            print(f"{pool}, {name} (n = {len(asked)}, {by_seed.n} seeds): {shares}")
            print(f"  curated - random {by_fact.value:+.3f}", end="")
            print(f"; by fact {by_fact.low:+.3f} to {by_fact.high:+.3f}", end="")
            print(f"; by seed {by_seed.low:+.3f} to {by_seed.high:+.3f}")


def _gather_right(
    outcomes: Iterable[Outcome], pool: str, name: str
) -> Mapping[str, dict[int, set[str]]]:
    """Return the questions of a set that were answered rightly, by choice and seed."""
    right: dict[str, dict[int, set[str]]] = defaultdict(dict)
    for outcome in outcomes:
        if outcome["pool"] == pool:
            right[outcome["choice"]][outcome["seed"]] = set(outcome["right"][name])
    return right


def _mean_shares(
    right: Mapping[str, Mapping[int, Collection[str]]], asked: int
) -> dict[str, float]:
    return {
        choice: sum(len(ids) for ids in right[choice].values()) / (asked * len(right[choice]))
        for choice in CHOICES
    }
