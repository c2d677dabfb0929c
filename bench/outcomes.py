"""What the arms of a study say: two choices of rows over the same questions and seeds, and their difference."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from scipy import stats

from stillhouse.evaluation.intervals import Interval, paired_difference
from stillhouse.evaluation.records import Item

POOLS: Final = ("clean", "spoilt")
RANDOM, CURATED = CHOICES = ("random", "curated")

Outcome = dict[str, Any]  # one line of the results: JSON


def compare(
    outcomes: Iterable[Outcome], pool: str, name: str, items: Sequence[Item]
) -> tuple[Interval, Interval]:
    """Return curated minus random in the share of right answers, over the same questions and seeds.

    The first interval resamples facts, all seeds with each (``paired_difference``); the second is
    Student's t over the seeds' own differences: [-1, 1] for a single one.
    """
    right = gather_right(outcomes, pool, name)
    facts = {item.question_id: item.cluster for item in items}
    asked = [(seed, question) for seed in right for question in right[seed][RANDOM]]
    scores = [
        [float(right[seed][choice][question]) for seed, question in asked] for choice in CHOICES
    ]
    by_fact = paired_difference(*reversed(scores), [facts[question] for _, question in asked], 0)
    apart = [_mean(found[CURATED]) - _mean(found[RANDOM]) for found in right.values()]
    middle = sum(apart) / len(apart)
    if len(apart) < 2:
        return by_fact, Interval(len(apart), middle, -1.0, 1.0)
    half = float(stats.t.ppf(0.975, len(apart) - 1)) * float(stats.sem(apart))
    return by_fact, Interval(len(apart), middle, middle - half, middle + half)


def gather_right(
    outcomes: Iterable[Outcome], pool: str, name: str
) -> Mapping[int, Mapping[str, Mapping[str, bool]]]:
    """Return seed -> choice -> question -> whether it was answered rightly, where both arms were run."""
    right: dict[int, dict[str, Mapping[str, bool]]] = defaultdict(dict)
    for outcome in outcomes:
        if outcome["pool"] == pool:
            right[outcome["seed"]][outcome["choice"]] = outcome["replies"][name]
    return {seed: found for seed, found in sorted(right.items()) if set(found) == set(CHOICES)}


def print_outcomes(outcomes: Sequence[Outcome], items: Mapping[str, Sequence[Item]]) -> None:
    """Print both choices' shares of right answers and their difference, for each pool and set."""
    for pool in POOLS:
        for name, asked in items.items():
            by_fact, by_seed = compare(outcomes, pool, name, asked)
            right = gather_right(outcomes, pool, name).values()
            shares = (
                f"{choice} {sum(_mean(found[choice]) for found in right) / len(right):.3f}"
                for choice in CHOICES
            )
            print(f"{pool}, {name}, {by_fact.n} answers, {by_seed.n} seeds: {', '.join(shares)}")
            print(f"  curated - random {by_fact.value:+.3f}", end="")
            print(f"; by fact {by_fact.low:+.3f} to {by_fact.high:+.3f}", end="")
            print(f"; by seed {by_seed.low:+.3f} to {by_seed.high:+.3f}")


def _mean(right: Mapping[str, bool]) -> float:
    return sum(right.values()) / len(right)
