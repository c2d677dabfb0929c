"""What the arms of the distillation study say: each recipe's means, and its differences to three of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from scipy import stats

from stillhouse.evaluation.intervals import Interval, paired_difference

SETS: Final = ("gold", "general")
CLOSE: Final = 0.02  # recall within this much counts as equal

AGAINST: Final = ("sft", "replay", "seeds")  # the last is what the ablations change one knob of

Outcome = dict[str, Any]  # one line of the results: JSON


def print_arms(outcomes: Sequence[Outcome], *, head: bool = True) -> None:
    """Print the mean of each recipe over its seeds."""
    if head:
        names = ("recipe", "seeds", "recall", "general", "KL to base", "s a training")
        print("{:<18}{:>6}{:>9}{:>9}{:>12}{:>14}".format(*names))
    for recipe, found in group_recipes(outcomes).items():
        recall, general = (_mean(share(one, name) for one in found.values()) for name in SETS)
        apart, seconds = (_mean(one[name] for one in found.values()) for name in ("kl", "seconds"))
        line = f"{recipe:<18}{len(found):6}{recall:9.3f}{general:9.3f}{apart:12.3f}{seconds:14.0f}"
        print(line, flush=True)


def print_differences(outcomes: Sequence[Outcome], facts: Mapping[str, str]) -> None:
    """Print what each recipe gains or loses against ``sft``, ``replay`` and ``seeds``, with both intervals."""
    found = group_recipes(outcomes)
    for other in AGAINST:
        for recipe in found:
            if recipe == other or other not in found:
                continue
            by_set = {name: compare(found[recipe], found[other], name, facts) for name in SETS}
            close = abs(by_set["gold"][0].value) <= CLOSE
            print(f"{recipe} - {other}" + (", recall matched within two points" if close else ""))
            for name, (by_fact, by_seed) in by_set.items():
                print(
                    f"  {name:<8}{by_fact.value:+.3f}; by question {by_fact.low:+.3f} to "
                    f"{by_fact.high:+.3f}; by seed {by_seed.low:+.3f} to {by_seed.high:+.3f}"
                )


def compare(
    one: Mapping[int, Outcome], other: Mapping[int, Outcome], name: str, facts: Mapping[str, str]
) -> tuple[Interval, Interval]:
    """Return the difference in the share of right answers over the seeds that both were run with.

    The first interval resamples questions by their fact, all seeds with each (``paired_difference``); the
    second is Student's t over the seeds' own differences: [-1, 1] for a single one.
    """
    seeds = sorted(one.keys() & other.keys())
    asked = [(seed, question) for seed in seeds for question in one[seed]["replies"][name]]
    mine, theirs = (
        [float(found[seed]["replies"][name][question]) for seed, question in asked]
        for found in (one, other)
    )
    by_fact = paired_difference(mine, theirs, [facts[question] for _, question in asked], 0)
    apart = [share(one[seed], name) - share(other[seed], name) for seed in seeds]
    middle = _mean(apart)
    if len(apart) < 2:
        return by_fact, Interval(len(apart), middle, -1.0, 1.0)
    half = float(stats.t.ppf(0.975, len(apart) - 1)) * float(stats.sem(apart))
    return by_fact, Interval(len(apart), middle, middle - half, middle + half)


def group_recipes(outcomes: Iterable[Outcome]) -> dict[str, dict[int, Outcome]]:
    """Return recipe -> seed -> outcome, in the order in which recipes come."""
    found: dict[str, dict[int, Outcome]] = defaultdict(dict)
    for outcome in outcomes:
        found[outcome["recipe"]][outcome["seed"]] = outcome
    return dict(found)


def share(outcome: Outcome, name: str) -> float:
    """Return the share of a set's questions that an arm answered rightly."""
    return _mean(outcome["replies"][name].values())


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
