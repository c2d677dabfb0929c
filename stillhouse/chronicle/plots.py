"""Plots over versions: where points, intervals and ticks stand, in percent of the plot's area."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from stillhouse.chronicle.chronicle import Chronicle, Line, list_scores
from stillhouse.chronicle.show import name_version, shorten_count, show_date
from stillhouse.report.summary import interval, percent

_TITLES = {
    "core_recall": "Core facts, closed book",
    "open_book": "With the passage",
    "general": "Everyday questions",
    "declined": "Unanswerable, declined",
    "falsely_declined": "Answerable, declined",
}
_LABELS = 6  # versions named below a plot
_DENSE = 60  # points, of which more would cover each other


@dataclass(frozen=True, slots=True)
class Value:
    """A figure of one version with the ends of its interval, if it has one."""

    value: float
    low: float
    high: float
    shown: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A point, from the left and from the top; ``before`` is the point that a line comes from."""

    x: float
    y: float
    low: float
    high: float
    told: str
    before: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Plot:
    """One figure over all versions, the oldest on the left. ``ticks`` and ``labels`` are (place, text)."""

    title: str
    latest: str
    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    labels: tuple[tuple[float, str], ...]

    @property
    def dense(self) -> bool:
        """Whether points must be small to be told apart."""
        return len(self.marks) > _DENSE


def build_scores(chronicle: Chronicle, student: str) -> tuple[Plot, ...]:
    """Return a plot for each headline of a student that was ever measured."""
    plots = []
    for key, title in _TITLES.items():

        def find(line: Line, key: str = key) -> Value | None:
            scores = {k: s for k, _, s in list_scores(line.figures.scores.get(student))}
            score = scores[key]
            if score is None:
                return None
            shown = f"{percent(score.accuracy)} ({interval(score)}, n = {score.n})"
            return Value(score.accuracy, score.low, score.high, shown)

        plots.append(_build(chronicle.lines, title, find, 1.0, percent))
    return tuple(plot for plot in plots if plot.marks)


def build_counts(chronicle: Chronicle) -> tuple[Plot, ...]:
    """Return the plots of rows, of what they were made from, and of what the answers cost."""

    def count(name: str) -> Callable[[Line], Value | None]:
        return lambda line: _plain(line.figures.counts.get(name), _thousands)

    def dollars(line: Line) -> Value | None:
        return _plain(line.figures.cost.usd if line.figures.cost else None, _dollars)

    def tokens(line: Line) -> Value | None:
        cost = line.figures.cost
        return _plain(cost.input_tokens + cost.output_tokens if cost else None, shorten_count)

    wanted = (
        ("Training rows", count("rows"), _thousands),
        ("Requests", count("requests"), _thousands),
        ("Pairs in the answers", count("pairs"), _thousands),
        ("Tokens of all answers", tokens, shorten_count),
        ("Dollars for all answers, today’s prices", dollars, _dollars),
    )
    plots = (_build(chronicle.lines, title, find, 0.0, show) for title, find, show in wanted)
    return tuple(plot for plot in plots if plot.marks)


def _build(
    lines: Sequence[Line],
    title: str,
    find: Callable[[Line], Value | None],
    top: float,
    show: Callable[[float], str],
) -> Plot:
    """Lay out a plot from zero to ``top``, or to a round number above all values where that is 0."""
    oldest_first = list(reversed(lines))
    values = [find(line) for line in oldest_first]
    known = [value for value in values if value]
    top = top or _round_up(max((value.high for value in known), default=0.0))
    places = [_spread(number, len(values)) for number in range(len(values))]
    marks = tuple(_place(values, places, oldest_first, top))
    step = max(1, math.ceil(len(values) / _LABELS))
    labels = tuple(
        (place, name_version(line))
        for number, (place, line) in enumerate(zip(places, oldest_first, strict=True))
        if (len(values) - 1 - number) % step == 0
    )
    ticks = tuple((100 * (1 - share), show(share * top)) for share in (0.0, 0.5, 1.0))
    return Plot(title, known[-1].shown if known else "", marks, ticks, labels)


def _place(
    values: Sequence[Value | None], places: Sequence[float], lines: Sequence[Line], top: float
) -> Iterator[Mark]:
    before: tuple[float, float] | None = None
    for value, x, line in zip(values, places, lines, strict=True):
        if value is None:
            before = None  # nothing is drawn across a version of which nothing is known
            continue
        y, low, high = (100 * (1 - v / top) for v in (value.value, value.low, value.high))
        told = f"{name_version(line)} {show_date(line)}: {value.shown}"
        yield Mark(x, y, low, high, told, before)
        before = (x, y)


def _spread(number: int, count: int) -> float:
    return 50.0 if count == 1 else 100 * number / (count - 1)


def _round_up(value: float) -> float:
    """Return a round number that is at least the value; 1 for zero."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 6, 8, 10) if step * power >= value)


def _plain(value: float | None, show: Callable[[float], str]) -> Value | None:
    return None if value is None else Value(value, value, value, show(value))


def _thousands(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def _dollars(value: float) -> str:
    return f"${value:,.2f}"
