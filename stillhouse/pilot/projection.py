"""From a stratified sample to the whole: a total with its interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

CONFIDENCE: Final = 0.95
METHOD: Final = (
    "Stratified by group and task; the passage (with all requests about it) is the unit that is "
    "drawn. Total: passages of the whole times the mean of the sample, summed over strata; "
    "interval: 95 %, Student's t with Satterthwaite's degrees of freedom and the correction for a "
    "finite whole (Cochran 1977, 5.4 and 5.6)."
)


@dataclass(frozen=True, slots=True)
class Stratum:
    """What was observed of each sampled unit of a stratum that has ``units`` in all."""

    units: int
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Projection:
    """An estimate of a total with its 95 % interval."""

    value: float
    low: float
    high: float

    def scale(self, factor: float) -> "Projection":
        """Return the projection of so many times as much."""
        return Projection(self.value * factor, self.low * factor, self.high * factor)

    def __add__(self, other: "Projection") -> "Projection":
        """Return the sum; the interval is a safe one, as if both erred the same way."""
        return Projection(self.value + other.value, self.low + other.low, self.high + other.high)


NOTHING: Final = Projection(0.0, 0.0, 0.0)


def project_total(strata: Sequence[Stratum]) -> Projection:
    """Return the total over all units of all strata, from a sample of each.

    No total is less than what the sample itself holds. A stratum that was not sampled counts as
    nothing.

    Raises:
        ValueError: a stratum holds fewer units than were sampled of it, or only one of several.
    """
    total = variance = freedom = seen = 0.0
    for stratum in strata:
        n, units = len(stratum.values), stratum.units
        if units < n or (n == 1 and units > 1):
            raise ValueError(f"{n} of {units} units were sampled")
        if not n:
            continue
        mean = sum(stratum.values) / n
        total += units * mean
        seen += sum(stratum.values)
        if n < units:
            spread = sum((value - mean) ** 2 for value in stratum.values) / (n - 1)
            part = units * (units - n) / n * spread
            variance += part
            freedom += part**2 / (n - 1)
    if not variance:
        return Projection(total, total, total)
    from scipy import stats

    t = float(stats.t.ppf((1 + CONFIDENCE) / 2, variance**2 / freedom))
    half = t * math.sqrt(variance)
    return Projection(total, max(seen, total - half), total + half)


def share_interval(count: int, n: int) -> Projection:
    """Return a share with its 95 % Wilson interval (Wilson 1927).

    Raises:
        ValueError: there is nothing to count.
    """
    from stillhouse.evaluation.intervals import share

    flags = [place < count for place in range(n)]
    found = share(flags, [str(place) for place in range(n)])
    return Projection(found.value, found.low, found.high)
