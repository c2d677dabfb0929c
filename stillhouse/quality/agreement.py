"""How far judges agree with each other and with people, beyond what chance would give."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

from stillhouse.base.ids import Json
from stillhouse.base.records import Judgement
from stillhouse.quality.review import Verdict

Scale = Literal["interval", "nominal"]

_DIGITS: Final = 4
_CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one person said of one pair; a row that had to be mended was not good as it was."""

    pair_id: str
    reviewer: str
    accepted: bool


def list_rulings(verdicts: Iterable[Verdict], slots: Mapping[str, str]) -> list[Ruling]:
    """Return the verdicts of a review as rulings on pairs, of each person the last on each pair.

    Args:
        verdicts: lines of the review file in their order; one may name a row or a slot.
        slots: the pair in each slot.
    """
    last: dict[tuple[str, str], Ruling] = {}
    for verdict in verdicts:
        pair_id = slots.get(verdict.target, verdict.target)
        ruling = Ruling(pair_id, verdict.reviewer, verdict.verdict == "accept")
        last[pair_id, verdict.reviewer] = ruling
    return [last[key] for key in sorted(last)]


def measure_alpha(ratings: Sequence[Mapping[str, float]], scale: Scale) -> float | None:
    """Return Krippendorff's alpha: 1 is full agreement, 0 what chance gives, below 0 less than that.

    Source: Krippendorff 2019, "Content Analysis", 4th edition, chapter 12.

    Args:
        ratings: for each thing rated, what each rater said; who said nothing is left out.
        scale: ``interval`` weighs a disagreement by its squared distance, ``nominal`` counts it.

    Returns:
        None where no two raters rated the same thing, or all ratings are equal: then nothing tells
        agreement from a constant.
    """
    shared = [one for one in ratings if len(one) > 1]
    values = {value for one in shared for value in one.values()}
    if len(values) < 2:
        return None
    import krippendorff
    import numpy as np

    raters = sorted({name for one in shared for name in one})
    table = np.full((len(raters), len(shared)), np.nan)
    for place, one in enumerate(shared):
        for name, value in one.items():
            table[raters.index(name), place] = value
    return round(float(krippendorff.alpha(table, level_of_measurement=scale)), _DIGITS)


def describe_judges(
    judgements: Iterable[Judgement],
    rulings: Sequence[Ruling] = (),
    thresholds: Mapping[str, float] | None = None,
) -> dict[str, Json]:
    """Return what the judges said, how far they agree, and how far with the people who looked.

    ``thresholds`` by criterion make of a score a pass (at or above) or a failure; of a criterion without
    one, every score is a pass. People saw only rows that passed every filter: their agreement with a
    judge is about these alone. How far they agree with each other stands in ``reports/review.json``.
    """
    limits = thresholds or {}
    scores: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for judgement in judgements:
        scores[judgement.criterion][judgement.judge][judgement.pair_id] = judgement.score
    people: dict[str, dict[str, bool]] = defaultdict(dict)
    for ruling in rulings:
        people[ruling.pair_id][ruling.reviewer] = ruling.accepted
    return {
        "criteria": {
            criterion: _describe_criterion(by_judge, people, limits.get(criterion, 0.0))
            for criterion, by_judge in sorted(scores.items())
        },
    }


def _describe_criterion(
    by_judge: Mapping[str, Mapping[str, float]],
    people: Mapping[str, Mapping[str, bool]],
    limit: float,
) -> dict[str, Json]:
    by_pair: dict[str, dict[str, float]] = defaultdict(dict)
    for judge, scores in sorted(by_judge.items()):
        for pair_id, score in scores.items():
            by_pair[pair_id][judge] = score
    several = [rated for _, rated in sorted(by_pair.items()) if len(rated) > 1]
    passed = [{name: float(score >= limit) for name, score in one.items()} for one in several]
    return {
        "threshold": limit,
        "judges": [_describe_scores(*one, limit) for one in sorted(by_judge.items())],
        "judged_by_several": len(several),
        "alpha_interval": measure_alpha(several, "interval"),
        "alpha_passed": measure_alpha(passed, "nominal"),
        "pairwise": [
            _compare_judges(a, b, by_judge, limit) for a, b in combinations(sorted(by_judge), 2)
        ],
        "people": [
            told
            for judge, scores in sorted(by_judge.items())
            if (told := _compare_with_people(judge, scores, people, limit))
        ],
    }


def _describe_scores(judge: str, scores: Mapping[str, float], limit: float) -> dict[str, Json]:
    values = list(scores.values())
    return {
        "judge": judge,
        "pairs": len(values),
        "mean": round(sum(values) / len(values), _DIGITS),
        "passed": sum(value >= limit for value in values),
    }


def _compare_judges(
    first: str, second: str, by_judge: Mapping[str, Mapping[str, float]], limit: float
) -> dict[str, Json]:
    a, b = by_judge[first], by_judge[second]
    both = sorted(a.keys() & b.keys())
    alike = sum((a[name] >= limit) == (b[name] >= limit) for name in both)
    apart = sum(abs(a[name] - b[name]) for name in both)
    return {
        "a": first,
        "b": second,
        **_count_alike(alike, len(both)),
        "mean_difference": round(apart / len(both), _DIGITS) if both else None,
    }


def _compare_with_people(
    judge: str, scores: Mapping[str, float], people: Mapping[str, Mapping[str, bool]], limit: float
) -> dict[str, Json] | None:
    """Return how often a judge and a majority of people agree; None where they share no pair."""
    both = sorted(scores.keys() & people.keys())
    if not both:
        return None
    accepted = {name: sum(people[name].values()) * 2 > len(people[name]) for name in both}
    passed = {name: scores[name] >= limit for name in both}
    good = [scores[name] for name in both if accepted[name]]
    bad = [scores[name] for name in both if not accepted[name]]
    return {
        "judge": judge,
        **_count_alike(sum(accepted[name] == passed[name] for name in both), len(both)),
        "passed_but_not_accepted": sum(passed[name] and not accepted[name] for name in both),
        "failed_but_accepted": sum(accepted[name] and not passed[name] for name in both),
        "auroc": measure_auroc(good, bad),
    }


def measure_auroc(good: Sequence[float], bad: Sequence[float]) -> float | None:
    """Return the chance that a good one scores above a bad one, ties counted half.

    That is the area under the ROC curve (Hanley and McNeil 1982). None where one side is empty.
    """
    if not good or not bad:
        return None
    from scipy.stats import mannwhitneyu

    wins = mannwhitneyu(list(good), list(bad), alternative="two-sided", method="asymptotic")
    return round(float(wins.statistic) / (len(good) * len(bad)), _DIGITS)


def _count_alike(alike: int, total: int) -> dict[str, Json]:
    """Return a share with its Wilson interval (Wilson 1927) at 95 %."""
    if not total:
        return {"pairs": 0, "agreement": None, "low": None, "high": None}
    from scipy.stats import binomtest

    interval = binomtest(alike, total).proportion_ci(_CONFIDENCE, method="wilson")
    return {
        "pairs": total,
        "agreement": round(alike / total, _DIGITS),
        "low": round(float(interval.low), _DIGITS),
        "high": round(float(interval.high), _DIGITS),
    }
