"""What a sample of reviewed rows says of all rows, and whether reviewers say the same."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from stillhouse.base.ids import Json
from stillhouse.base.intervals import CONFIDENCE, wilson
from stillhouse.base.records import Row
from stillhouse.quality.agreement import measure_alpha
from stillhouse.quality.review import VERDICTS, Combine, Verdict, aim_at_rows, settle_verdicts
from stillhouse.quality.sample import Sample

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Looked:
    """A stratum of the sample: its rows in all, those drawn, looked at, and rejected or mended."""

    name: str
    rows: int
    drawn: int
    reviewed: int
    errors: int


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """The share of rows that people reject or mend, with its 95 % interval; None before any verdict.

    ``covered`` is the share of all rows whose stratum somebody looked at: the rate speaks of those, the
    interval of all.
    """

    rate: float | None
    low: float | None
    high: float | None
    covered: float
    strata: tuple[Looked, ...]

    @property
    def reviewed(self) -> int:
        """How many rows of the sample somebody looked at."""
        return sum(one.reviewed for one in self.strata)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often reviewers of one row say the same (accept, reject or fix).

    ``alpha`` is Krippendorff's for nominal data, None where nobody shared a row or all said one thing.
    """

    reviewers: Mapping[str, int]
    shared: int
    agreed: int
    alpha: float | None
    disputed: tuple[str, ...]


def measure_errors(
    sample: Sample, verdicts: Iterable[Verdict], combine: Combine = "last"
) -> ErrorRate:
    """Return the error rate of all rows that the sample was drawn from.

    Each stratum's rate counts by the stratum's rows (Cochran 1977, stratified sampling). The interval
    is Wilson's for as many independent observations as rows of such weights are worth (Kish 1965), with
    the finite population correction (N - n) / (N - 1) of each stratum (Cochran 1977, 2.6): where every
    row was looked at, nothing is left to doubt. Strata that nobody looked at are left out of the rate, and
    widen the interval by what they may be: none of their rows wrong, or all.
    """
    settled = settle_verdicts(aim_at_rows(verdicts, sample.in_order()), combine)
    strata = tuple(_look(s.name, s.rows, s.drawn, settled) for s in sample.strata)
    seen = [one for one in strata if one.reviewed]
    total, covered = sum(one.rows for one in strata), sum(one.rows for one in seen)
    if not seen:
        return ErrorRate(None, None, None, 0.0, strata)
    rate = sum(one.rows / covered * one.errors / one.reviewed for one in seen)
    doubt = sum((one.rows / covered) ** 2 / one.reviewed * _left(one) for one in seen)
    low, high = wilson(rate, 1 / doubt) if doubt else (rate, rate)
    share = covered / total
    return ErrorRate(rate, low * share, high * share + (1 - share), share, strata)


def count_needed(limit: float) -> int:
    """Return how many rows have to be looked at, none of them wrong, to show that a limit in (0, 1] is kept.

    Wilson's upper end of 0 errors in n rows is z² / (n + z²); of few rows in all fewer do.
    """
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    return math.ceil(z**2 * (1 - limit) / limit)


def measure_agreement(verdicts: Iterable[Verdict], rows: Iterable[Row]) -> Agreement:
    """Return how far the reviewers agree where several looked at one row, by its text or its place."""
    said: dict[str, dict[str, str]] = defaultdict(dict)
    for verdict in aim_at_rows(verdicts, rows):
        said[verdict.target][verdict.reviewer] = verdict.verdict
    shared = {target: own for target, own in said.items() if len(own) > 1}
    disputed = sorted(target for target, own in shared.items() if len(set(own.values())) > 1)
    return Agreement(
        reviewers=dict(sorted(Counter(name for own in said.values() for name in own).items())),
        shared=len(shared),
        agreed=len(shared) - len(disputed),
        alpha=measure_alpha(_number(shared.values()), "nominal"),
        disputed=tuple(disputed),
    )


def _number(shared: Iterable[Mapping[str, str]]) -> list[dict[str, float]]:
    """Return what reviewers said as numbers, each standing for a verdict."""
    return [{name: float(VERDICTS.index(said)) for name, said in own.items()} for own in shared]


def describe_errors(errors: ErrorRate, limit: float | None) -> dict[str, Json]:
    """Return what ``reports/review.json`` holds of the rate and the limit that the gate holds it against."""
    return {
        "error_rate": _round(errors.rate),
        "low": _round(errors.low),
        "high": _round(errors.high),
        "max_error_rate": limit,
        "sample": {
            "drawn": sum(one.drawn for one in errors.strata),
            "reviewed": errors.reviewed,
            "covered": _round(errors.covered),
            "strata": [
                {
                    "name": one.name,
                    "rows": one.rows,
                    "drawn": one.drawn,
                    "reviewed": one.reviewed,
                    "errors": one.errors,
                }
                for one in errors.strata
            ],
        },
    }


def describe_agreement(agreement: Agreement) -> dict[str, Json]:
    """Return what ``reports/review.json`` holds of the reviewers."""
    return {
        "reviewers": dict(agreement.reviewers),
        "shared": agreement.shared,
        "agreed": agreement.agreed,
        "alpha": _round(agreement.alpha),
        "disputed": list(agreement.disputed),
    }


def _left(one: Looked) -> float:
    """Return the finite population correction of a stratum: 0 where all of it was looked at."""
    return (one.rows - one.reviewed) / max(1, one.rows - 1)


def _look(name: str, rows: int, drawn: Sequence[Row], settled: Mapping[str, Verdict]) -> Looked:
    found = [settled[row.row_id] for row in drawn if row.row_id in settled]
    errors = sum(verdict.verdict != "accept" for verdict in found)
    return Looked(name, rows, len(drawn), len(found), errors)


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
