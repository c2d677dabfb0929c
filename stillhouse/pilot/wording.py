"""A report as sentences and tables of words: what text and Markdown have in common."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from stillhouse.pilot.foresight import Foresight
from stillhouse.pilot.outcome import TaskYield
from stillhouse.pilot.projection import METHOD, Projection
from stillhouse.pilot.report import Report
from stillhouse.report.scores import Difference, Metrics, Score
from stillhouse.teachers.money import word_limit

_REASONS: Final = 12  # kinds of rejection that are shown

# What is measured: title, set, grouping and group, and the difference that is paired, if there is one.
_GAINS: Final = (
    ("core facts", "gold", "by_kind_scope", "recall/core", "gold_core_recall"),
    ("with passage", "gold_open", "", "", "gold_open"),
    ("everyday", "general", "", "", "general"),
    ("held-out rows", "test", "", "", ""),
)


@dataclass(frozen=True, slots=True)
class Table:
    """A head and lines of cells; the first column stands left, all others right."""

    head: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A title with sentences and a table, each of which may be missing."""

    title: str
    table: Table | None = None
    sentences: tuple[str, ...] = ()


def word_foresight(foresight: Foresight) -> str:
    """Return in one sentence what the pilot is about to ask."""
    pilot, whole = foresight.pilot, foresight.whole
    share = pilot.requests / whole.requests if whole.requests else 0.0
    asked = f"{pilot.requests:,} of {whole.requests:,} requests ({share:.0%}), {pilot.new:,} new"
    cost = pilot.cost
    if not cost.paid:
        return f"pilot: {asked}; nothing to pay"
    price = f"about ${cost.expected:,.4f}, at most ${cost.at_most:,.4f}"
    if cost.unpriced:
        price += f", without {', '.join(sorted(cost.unpriced))}, whose price is not known"
    return f"pilot: {asked}; {price}"


def word_report(report: Report) -> Iterator[Part]:
    """Yield the parts of a report, the verdict first."""
    yield Part("Verdict", sentences=tuple(_word_verdict(report)))
    yield _word_yield(report)
    if report.found.reasons:
        yield _word_reasons(report)
    if not report.gate.passed:
        yield Part("Gate", sentences=tuple(_word_gate(report)))
    if report.gain:
        yield _word_gain(report.gain)
    yield _word_whole(report)


def _word_verdict(report: Report) -> Iterator[str]:
    if report.gate.passed:
        yield f"The gate passed: {report.gate.checks} checks."
    else:
        names = ", ".join(check.name for check in report.gate.failed)
        yield (
            f"The gate said no, so nothing was trained: {len(report.gate.failed)} of "
            f"{report.gate.checks} checks failed ({names})."
        )
    for flag in report.flags:
        yield f"{flag.task} ({flag.prompt}): {flag.problem}."
    if not report.flags:
        yield "Every task gave rows, none much less often than the others."
    if report.gain:
        yield _word_shown(report.gain)
    if report.over_budget != "no":
        likely = "is" if report.over_budget == "yes" else "may be"
        yield f"The rest of the whole {likely} over the budget."


def _word_shown(gain: Metrics) -> str:
    difference = gain.differences.get("gold_core_recall")
    if difference is None:
        return "No gain can be told: there are no gold questions about core facts."
    return f"Core facts, probe against base: {_word_difference(difference)}."


def _word_difference(difference: Difference) -> str:
    value = _difference(difference)
    if difference.low <= 0 <= difference.high:
        return f"{value}, which holds 0: not shown"
    return f"{value}, shown"


def _word_yield(report: Report) -> Part:
    found = report.found
    lines = tuple(_line(task, costs=report.money.costs) for task in found.tasks)
    cost = ("$/row",) if report.money.costs else ()
    head = ("task", "requests", "pairs", "rows", "rows/request", "with a row", *cost)
    total = f"{found.requests:,} requests gave {found.pairs:,} pairs, {found.rows:,} of them rows"
    return Part("Yield", Table(head, lines), (f"{total}.",))


def _line(task: TaskYield, *, costs: bool) -> tuple[str, ...]:
    share = "-" if task.share is None else _percent(task.share)
    price = "-" if task.usd_per_row is None else f"{task.usd_per_row:.5f}"
    return (
        task.task,
        f"{task.requests:,}",
        f"{task.pairs:,}",
        f"{task.rows:,}",
        f"{task.rows / task.requests:.2f}",
        share,
        *((price,) if costs else ()),
    )


def _word_reasons(report: Report) -> Part:
    reasons = report.found.reasons
    lines = tuple(
        (f"{one.stage}: {one.reason}", one.task or "-", f"{one.count:,}", _shorten(one.examples[0]))
        for one in reasons[:_REASONS]
    )
    more = len(reasons) - _REASONS
    note = (f"{more} more kinds: --json lists them, with more ids.",) if more > 0 else ()
    table = Table(("rejected for", "task", "how many", "such as"), lines)
    return Part("Rejections", table, note)


def _word_gate(report: Report) -> Iterator[str]:
    from stillhouse.quality.remedies import remedy_for

    for check in report.gate.failed:
        yield f"{check.name}: {check.meaning} Seen: {check.observed}. {remedy_for(check.name)}"
        if check.rows:
            shown = ", ".join(_shorten(row) for row in check.rows[:5])
            more = f" and {len(check.rows) - 5} more" if len(check.rows) > 5 else ""
            yield f"Rows: {shown}{more}."
    yield f"The copy with these rows stays in {report.copy}."


def _word_gain(gain: Metrics) -> Part:
    lines = []
    for title, name, by, group, paired in _GAINS:
        probe, base = gain.find(name, "student", by, group), gain.find(name, "base", by, group)
        if probe is None:
            continue
        difference = gain.differences.get(paired)
        told = "-" if difference is None else _difference(difference)
        lines.append((title, str(probe.n), _score(base), _score(probe), told))
    notes = []
    if gain.covered and gain.covered.n and gain.learned and gain.learned.n:
        notes.append(
            f"Rows of the pilot answer {gain.covered.accuracy:.0%} of the {gain.covered.n} "
            f"questions about core facts; of those {gain.learned.n} the probe answers "
            f"{_score(gain.learned)}."
        )
    compared = [
        (title, gain.differences[paired])
        for title, *_, paired in _GAINS
        if paired in gain.differences
    ]
    if unsure := [
        title for title, difference in compared if difference.low <= 0 <= difference.high
    ]:
        notes.append(f"The interval holds 0, so a difference is not shown: {', '.join(unsure)}.")
    notes.append(
        "Core facts and everyday questions closed book; `with passage` on held-out documents. "
        "Intervals 95 %: Wilson for shares, for differences a paired bootstrap over facts."
    )
    head = ("asked", "n", "base", "probe", "difference")
    return Part("Gain of the probe", Table(head, tuple(lines)), tuple(notes))


def _word_whole(report: Report) -> Part:
    whole, money = report.whole, report.money
    lines = [
        ("requests", f"{whole.requests:,}", "exact"),
        ("answered already", f"{whole.answered:,}", "exact"),
        ("pairs", f"{whole.pairs.value:,.0f}", _between(whole.pairs)),
        ("rows", f"{whole.rows.value:,.0f}", _between(whole.rows)),
    ]
    if money.costs:
        lines += [
            ("cost of all, $", f"{whole.usd.value:,.2f}", _between(whole.usd, 2)),
            ("still to pay, $", f"{whole.left_usd.value:,.2f}", _between(whole.left_usd, 2)),
        ]
    if whole.seconds:
        minutes = whole.seconds.scale(1 / 60)
        lines.append(("minutes", f"{minutes.value:,.0f}", _between(minutes)))
    notes = (
        [f"Spent by this pilot: ${money.spent:,.4f}."] if money.costs else ["All of it is free."]
    )
    if money.unpriced:
        notes.append(f"Dollars leave out {', '.join(money.unpriced)}: no price is known.")
    if money.budget is not None:
        notes.append(
            f"Budget: ${money.in_window:,.4f} of {word_limit(money.budget)} are spent; the rest of the "
            f"whole {_BUDGET[report.over_budget]}."
        )
    if not whole.seconds:
        notes.append("Time is not known: not every stage was run and timed here.")
    if whole.unmeasured:
        notes.append(f"The time leaves out {'; '.join(whole.unmeasured)}.")
    notes.append(METHOD)
    notes.append("Duplicates grow with the whole: rows are rather fewer than that.")
    table = Table(("the whole", "likely", "95 %"), tuple(lines))
    return Part("Projection", table, tuple(notes))


_BUDGET: Final = {"no": "stays within it", "perhaps": "may go over it", "yes": "goes over it"}


def _between(projection: Projection, digits: int = 0) -> str:
    return f"{projection.low:,.{digits}f} to {projection.high:,.{digits}f}"


def _percent(share: Projection) -> str:
    return f"{share.value:.0%} ({share.low:.0%} to {share.high:.0%})"


def _score(score: Score | None) -> str:
    if score is None:
        return "-"
    return f"{score.accuracy:.2f} ({score.low:.2f}-{score.high:.2f})"


def _difference(difference: Difference) -> str:
    return f"{difference.value:+.2f} ({difference.low:+.2f} to {difference.high:+.2f})"


def _shorten(name: str) -> str:
    """Return enough of an id to trace it by; names of files stay whole."""
    return name[:12] if len(name) == 64 else name


def pad(table: Table) -> Sequence[str]:
    """Return a table as lines of equal columns."""
    rows = [table.head, *table.lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.head))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
