"""How sure the teacher is of each row: neither what anybody knows nor what it guesses teaches most."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from pydantic import Field, model_validator

from stillhouse.base.ids import Json
from stillhouse.base.params import Params
from stillhouse.base.records import Judgement, Pair

CRITERION: Final = "confidence"
_BINS: Final = 20

Confidences = Mapping[str, float | None]


class BoundaryParams(Params):
    """The learning boundary, in mean probabilities of an answer's tokens."""

    low: float = Field(default=0.6, ge=0, le=1)
    high: float = Field(default=0.85, ge=0, le=1)
    outside: Literal["keep", "drop"] = "keep"
    prefer: bool = False

    @model_validator(mode="after")
    def _low_is_below_high(self) -> "BoundaryParams":
        if self.low >= self.high:
            raise ValueError("`low` has to be below `high`")
        return self

    def place(self, confidence: float | None) -> Literal["unknown", "below", "inside", "above"]:
        """Say where a confidence lies; both bounds are inside."""
        if confidence is None:
            return "unknown"
        if confidence < self.low:
            return "below"
        return "inside" if confidence <= self.high else "above"


def find_confidences(
    pairs: Iterable[Pair], judged: Mapping[str, Sequence[Judgement]]
) -> dict[str, float | None]:
    """Return the confidence of each pair, in [0, 1], by its id; None where nobody told one.

    What judges found out by asking again (criterion ``confidence``, the mean of several) counts before
    what the teacher told with its answer.
    """
    found: dict[str, float | None] = {}
    for pair in pairs:
        asked = [one.score for one in judged.get(pair.pair_id, ()) if one.criterion == CRITERION]
        found[pair.pair_id] = sum(asked) / len(asked) if asked else pair.confidence
    return found


def describe_confidences(
    confidences: Confidences, kept: frozenset[str], params: BoundaryParams
) -> dict[str, Json]:
    """Return a histogram of all pairs and of the rows among them, in bins of 0.05, and how many lie where.

    A bin holds its lower bound; the last one holds 1 too.
    """
    told = [(value, one in kept) for one, value in confidences.items()]
    bins = [[0, 0] for _ in range(_BINS)]
    for value, stays in told:
        if value is not None:
            counted = bins[min(round(value * 1000) * _BINS // 1000, _BINS - 1)]
            counted[0] += 1
            counted[1] += stays
    places = {
        name: {
            "pairs": sum(params.place(value) == name for value, _ in told),
            "rows": sum(params.place(value) == name for value, stays in told if stays),
        }
        for name in ("below", "inside", "above", "unknown")
    }
    return {
        "low": params.low,
        "high": params.high,
        "outside": params.outside,
        "prefer": params.prefer,
        **places,
        "bins": [
            {"from": place / _BINS, "to": (place + 1) / _BINS, "pairs": pairs, "rows": rows}
            for place, (pairs, rows) in enumerate(bins)
        ],
    }
