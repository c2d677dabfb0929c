"""``stillhouse diff A B --html FILE``: two versions of a table as one HTML file that asks the network for nothing.

The figures stand in the page as they are read, without a script. The rows are packed (``embed.py``) and shown by ``web/*.js``:
only what is in view is ever unpacked or in the document.
"""

import base64
import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.base.files import read_text, replace_file
from stillhouse.diffing.embed import name_cause, pack_rows
from stillhouse.diffing.shown import Counts, Difference, Head, Statistic

FOLDER: Final = Path(__file__).parent / "web"
# One module when joined, in this order; each file uses only what stands above it.
SCRIPTS: Final = (
    "dom",
    "words",
    "rows",
    "search",
    "highlight",
    "filters",
    "address",
    "texts",
    "detail",
    "list",
    "main",
)
_SHORT: Final = 12  # digits of a hash that are shown
_FOLDED: Final = 8  # bars of a facet that are shown before one asks for all
_BARS: Final = 400  # bars of a facet at most; a corpus may have 20,000 documents
_STAMPS: Final = ("_id", "_ids", "_sha256")  # how columns end that nobody reads
_DIGITS: Final = 4  # behind the point, at most


@dataclass(frozen=True, slots=True)
class Bar:
    """A value of a facet and the rows that differ under it; ``beside`` is said behind the count."""

    value: str
    count: int
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Facet:
    """A way to divide the rows; every bar is a filter.

    Of thousands only those with most rows are bars, and ``more`` counts the others.
    ``empty`` is said where there is no bar; where that is empty too, the facet is not shown.
    """

    name: str
    title: str
    bars: tuple[Bar, ...]
    empty: str
    more: int = 0

    @property
    def longest(self) -> int:
        """What a bar of full length counts, at least 1."""
        return max((bar.count for bar in self.bars), default=1) or 1


def write_page(path: Path, head: Head, rows: Iterable[Difference]) -> None:
    """Write the page, atomically; the rows are walked once and never held together.

    Equal heads and rows give equal bytes. The rows are listed in the order in which they come.

    Raises:
        MachineError: the place cannot be written.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= FILTERS
    style = read_text(FOLDER / "page.css")
    script = "\n".join(read_text(FOLDER / f"{name}.js") for name in SCRIPTS)
    template = environment.from_string(read_text(FOLDER / "page.html"))
    moved, still = _part_statistics(head.statistics)
    stream = template.stream(
        head=head,
        facets=build_facets(head),
        folded=_FOLDED,
        moved=moved,
        still=still,
        blocks=pack_rows(rows),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own files
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    with replace_file(path) as part, part.open("wb") as file:
        stream.dump(file, encoding="utf-8")


def build_facets(head: Head) -> tuple[Facet, ...]:
    """Return the facets in the order of the page; of each the bars with most rows first."""
    named = {
        name_cause(cause, name): count
        for cause, counts in head.names.items()
        for name, count in counts.items()
    }
    filters = {left.name: left.count for left in head.left}
    return (
        _make_facet("cause", "Cause", _count_bars(head.causes), "No row differs."),
        _make_facet("name", "Cause by name", _count_bars(named), ""),
        _make_facet("column", "Column", _column_bars(head.columns), "No text differs."),
        _make_facet("task", "Task", _group_bars(head.by_task), "No task differs."),
        _make_facet("document", "Document", _group_bars(head.by_document), "No document differs."),
        _make_facet("filter", "Which filter took rows away", _count_bars(filters), ""),
    )


def _make_facet(name: str, title: str, bars: tuple[Bar, ...], empty: str) -> Facet:
    return Facet(name, title, bars[:_BARS], empty, max(0, len(bars) - _BARS))


def show_figures(statistic: Statistic) -> tuple[str, str]:
    """Return both figures as text, with digits enough to see that they differ."""
    digits = _count_digits(statistic)
    return _show(statistic.a, statistic, digits), _show(statistic.b, statistic, digits)


def show_step(statistic: Statistic) -> str:
    """Return by how much the figure went up or down, or an empty text where one is missing."""
    if statistic.a is None or statistic.b is None or statistic.a == statistic.b:
        return ""
    step = statistic.b - statistic.a
    sign = "+" if step > 0 else "−"
    size = _show(abs(step), statistic, _count_digits(statistic)).removesuffix("%")
    return f"{sign}{size}{' points' if statistic.share else ''}"


FILTERS: Final[Mapping[str, Callable[..., object]]] = {
    "thousands": lambda count: f"{count:,}",
    "percent": lambda share: f"{100 * share:.2f}%",
    "short": lambda name: name[:_SHORT],
    "figures": show_figures,
    "step": show_step,
}


def _show(value: float | None, statistic: Statistic, digits: int) -> str:
    if value is None:
        return "–"
    return f"{100 * value:,.{digits}f}%" if statistic.share else f"{value:,.{digits}f}"


def _count_digits(statistic: Statistic) -> int:
    """Return how many digits behind the point show two figures apart; none of whole numbers."""
    scale = 100 if statistic.share else 1
    known = [value * scale for value in (statistic.a, statistic.b) if value is not None]
    if all(value == round(value) for value in known):
        return 0
    step = max(known) - min(known)
    digits = min(_DIGITS, max(1, 1 - math.floor(math.log10(step)))) if step else 2
    while digits > 1 and all(math.isclose(v, round(v, digits - 1), abs_tol=1e-9) for v in known):
        digits -= 1
    return digits


def _part_statistics(
    statistics: Iterable[Statistic],
) -> tuple[list[Statistic], list[Statistic]]:
    """Return those that moved and those that stand still, each in their order."""
    parts: tuple[list[Statistic], list[Statistic]] = ([], [])
    for statistic in statistics:
        parts[statistic.a == statistic.b].append(statistic)
    return parts


def _count_bars(counts: Mapping[str, int]) -> tuple[Bar, ...]:
    bars = (Bar(value, count) for value, count in counts.items() if count)
    return tuple(sorted(bars, key=lambda bar: (-bar.count, bar.value)))


def _column_bars(counts: Mapping[str, int]) -> tuple[Bar, ...]:
    """Return the bars of what people read before those of ids and hashes."""
    return tuple(sorted(_count_bars(counts), key=lambda bar: bar.value.endswith(_STAMPS)))


def _group_bars(groups: Mapping[str, Counts]) -> tuple[Bar, ...]:
    bars = (
        Bar(value, counts.differ, f"of {counts.differ + counts.unchanged:,}")
        for value, counts in groups.items()
        if counts.differ
    )
    return tuple(sorted(bars, key=lambda bar: (-bar.count, bar.value)))


def _hash(text: str) -> str:
    """Return the name under which the page's own policy lets a script or style in."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
