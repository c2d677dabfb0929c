"""Several judges of one criterion: when a pair passes."""

from collections.abc import Iterable, Sequence
from typing import Literal

from stillhouse.base.records import Judgement

Combine = Literal["min", "mean", "median", "majority"]


def is_enough(scores: Sequence[float], threshold: float, combine: Combine) -> bool:
    """Say whether scores in [0, 1] of one criterion reach a threshold together.

    ``majority``: more than half of them do; the others compare their lowest, mean or median.
    """
    if combine == "majority":
        return 2 * sum(score >= threshold for score in scores) > len(scores)
    return _combine(scores, combine) >= threshold


def _combine(scores: Sequence[float], combine: Combine) -> float:
    match combine:
        case "mean":
            return sum(scores) / len(scores)
        case "median":
            ordered, middle = sorted(scores), len(scores) // 2
            return (ordered[middle] + ordered[~middle]) / 2
        case _:
            return min(scores)


def explain_low(
    judgements: Iterable[Judgement], threshold: float, combine: Combine
) -> tuple[str, ...]:
    """Return in words why judgements of one criterion are not enough; empty where they are."""
    told = list(judgements)
    scores = [one.score for one in told]
    if is_enough(scores, threshold, combine):
        return ()
    low = [one for one in told if one.score < threshold]
    said = tuple(
        f"{one.criterion} {one.score:.2f} is below {threshold:.2f}: {one.rationale}" for one in low
    )
    if len(told) == 1 or combine == "min":
        return said
    passed = f"reached by {len(told) - len(low)}"
    how = passed if combine == "majority" else f"{combine} {_combine(scores, combine):.2f}"
    return (f"{told[0].criterion}, {how} of {len(told)} judges, {threshold:.2f} needed", *said)
