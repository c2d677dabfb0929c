"""How far people are with the sample, and what their verdicts say so far."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stillhouse.base.ids import Json
from stillhouse.quality.error_rate import (
    Agreement,
    ErrorRate,
    count_needed,
    describe_agreement,
    describe_errors,
)
from stillhouse.quality.review import Verdict
from stillhouse.quality.sample import Sample
from stillhouse.reviewing.verdicts import count_reviewers


@dataclass(frozen=True, slots=True)
class Status:
    """``open`` rows of the sample still need a verdict, ``open_second`` a second person's."""

    open: int
    open_second: int
    errors: ErrorRate
    agreement: Agreement
    limit: float | None

    @property
    def over(self) -> bool:
        """Whether the gate is red by the review: it is not shown that no more rows are wrong than allowed."""
        high = self.errors.high
        return self.limit is not None and (high is None or high > self.limit)


def make_status(
    sample: Sample,
    verdicts: Sequence[Verdict],
    errors: ErrorRate,
    agreement: Agreement,
    limit: float | None,
) -> Status:
    """Return the status of a sample."""
    people = count_reviewers(verdicts)
    once = sum(one.drawn - one.reviewed for one in errors.strata)
    second = sum(people[row_id] == 1 for row_id in sample.doubled)
    return Status(once, second, errors, agreement, limit)


def to_json(status: Status) -> dict[str, Json]:
    """Return what ``review --status --json`` prints: as ``reports/review.json``, and what is open."""
    return {
        "open": status.open,
        "open_second": status.open_second,
        "over": status.over,
        **describe_errors(status.errors, status.limit),
        "agreement": describe_agreement(status.agreement),
    }


def to_text(status: Status) -> Iterator[str]:
    """Yield the status in lines of at most 80 columns."""
    drawn = sum(one.drawn for one in status.errors.strata)
    yield f"{status.errors.reviewed} of {drawn} rows of the sample looked at, {status.open} to go"
    if status.open_second:
        yield f"{status.open_second} of them wait for a second person"
    yield f"{'':<24}{'rows':>8}{'drawn':>8}{'seen':>8}{'wrong':>8}"
    for one in status.errors.strata:
        counts = "".join(f"{n:>8,}" for n in (one.rows, one.drawn, one.reviewed, one.errors))
        yield f"  {_cut(one.name, 21):<22}{counts}"
    yield _say_rate(status)
    yield from _say_limit(status)
    yield from _say_agreement(status.agreement)


def _say_rate(status: Status) -> str:
    errors = status.errors
    if errors.rate is None or errors.low is None or errors.high is None:
        return "wrong: not known yet"
    return f"wrong: {errors.rate:.1%} (95 %: {errors.low:.1%} to {errors.high:.1%})"


def _say_limit(status: Status) -> Iterator[str]:
    """Say how the rate stands to the limit; the gate asks that the interval's upper end keeps it."""
    if status.limit is None:
        return
    rate, limit = status.errors.rate, f"the limit of {status.limit:.1%}"
    if not status.over:
        yield f"{limit} is kept"
    elif rate is not None and rate > status.limit:
        yield f"{limit} is passed, and the gate is red"
    else:
        yield f"{limit} is not shown to be kept, and the gate is red: the interval"
        yield "has to end below it"
        if status.limit > 0:
            yield f"  (with no error that takes about {count_needed(status.limit):,} rows)"


def _say_agreement(agreement: Agreement) -> Iterator[str]:
    for name, count in agreement.reviewers.items():
        yield f"  {_cut(name, 40)}: {count:,} verdicts"
    if not agreement.shared:
        return
    alpha = "" if agreement.alpha is None else f", Krippendorff's alpha {agreement.alpha:.2f}"
    yield f"{agreement.agreed} of {agreement.shared} rows with several reviewers agree{alpha}"
    for row_id in agreement.disputed[:10]:
        yield f"  in dispute: {row_id}"
    if len(agreement.disputed) > 10:
        yield f"  and {len(agreement.disputed) - 10} more"


def _cut(text: str, longest: int) -> str:
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"
