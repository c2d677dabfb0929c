"""Tables with merged cells into plain grids: each place that a cell covers says what the cell says.

Places are counted as in HTML's table model. Columns in which no cell begins are none of their own:
a cell over a thousand columns of a table of three covers three.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from stillhouse.corpus.unreadable import UnreadableError

_MOST_COLUMNS: Final = 1000  # HTML's own bounds
_MOST_ROWS: Final = 65534
# Characters that merged cells may add to a table, and times its own length that they may add.
_ADDED: Final = 10_000
_ENLARGED: Final = 20
_MARKS: Final = 10  # characters that a cell has at the least, as it is written in HTML


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as written: how many columns and rows it covers; ``rows`` 0 is to its section's end."""

    text: str
    columns: int = 1
    rows: int = 1
    names: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row as written; cells do not reach from one ``section`` into the next."""

    cells: tuple[Cell, ...]
    section: int = 0
    in_head: bool = False
    blank: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """What a table says: its titles, rows that name its columns, and rows below them.

    A title is a row of one cell above all others. A row of one cell further down has its text once.
    """

    titles: tuple[str, ...]
    head: tuple[tuple[str, ...], ...]
    body: tuple[tuple[str, ...], ...]
    pairs: bool  # each row is a name and its value


@dataclass(frozen=True, slots=True)
class _Placed:
    """A cell that covers the columns from ``start`` to before ``end`` of a row."""

    start: int
    end: int
    cell: Cell


@dataclass(frozen=True, slots=True)
class _Line:
    """A row with all cells that cover a part of it; ``reach`` rows from here are one by its cells."""

    places: tuple[_Placed, ...]
    in_head: bool
    reach: int

    def names(self) -> bool:
        named = self.in_head or all(place.cell.names for place in self.places)
        return named and len(self.places) > 1  # one alone is a title of the rows below it

    def pairs(self) -> bool:
        return [place.cell.names for place in self.places] == [True, False]


def read_span(written: object, most: int = _MOST_COLUMNS, least: int = 1) -> int:
    """Return a ``colspan`` as HTML reads it: 1 where there is none or it is no number."""
    found = re.match(r"\s*\+?([0-9]{1,9})", str(written or ""))
    return min(int(found[1]), most) if found and int(found[1]) >= least else 1


def read_row_span(written: object) -> int:
    """Return a ``rowspan`` as HTML reads it; 0 means all rows that are left."""
    return read_span(written, _MOST_ROWS, least=0)


def fill_grid(rows: Sequence[Row]) -> Grid:
    """Return the rows with merged cells filled in.

    Raises:
        UnreadableError: that would make a table many times as long as it is written (``too_large``).
    """
    room = _Room(rows)
    lines = list(_place(rows, room))
    starts = sorted({place.start for line in lines for place in line.places})
    room.take(len(lines) * len(starts))
    titles = _count_titles(lines, starts)
    rest = lines[titles:]
    cut = _count_names(rest)
    filled = tuple(tuple(_fill(line, starts, room)) for line in rest)
    return Grid(
        tuple(line.places[0].cell.text for line in lines[:titles]),
        filled[:cut],
        filled[cut:],
        len(starts) == 2 and all(line.pairs() for line in rest),
    )


def join_head(head: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return one name for each column: ``Fee`` above ``Summer`` is ``Fee: Summer``."""
    width = max((len(row) for row in head), default=0)
    names = ([row[at] for row in head if at < len(row) and row[at]] for at in range(width))
    return tuple(": ".join(dict.fromkeys(column)) for column in names)


class _Room:
    """How much longer a table may become than it is written."""

    def __init__(self, rows: Iterable[Row]) -> None:
        written = sum(len(cell.text) + _MARKS for row in rows for cell in row.cells)
        self._left = _ADDED + _ENLARGED * written

    def take(self, characters: int) -> None:
        self._left -= characters
        if self._left < 0:
            raise UnreadableError(
                "too_large", "merged or missing cells make a table of it many times as long"
            )


def _place(rows: Sequence[Row], room: _Room) -> Iterator[_Line]:
    """Yield each row that says something of its own, with the cells that reach down into it."""
    reaching: list[tuple[_Placed, int]] = []
    for at, row in enumerate(rows):
        if at and rows[at - 1].section != row.section:
            reaching = []
        above = [place for place, _ in reaching]
        for place in above:
            room.take(len(place.cell.text) + 1)
        own = list(_stand_between(row.cells, above))
        if not row.blank:
            reach = max((place.cell.rows for place in own), default=1)
            places = sorted([*above, *own], key=lambda place: place.start)
            yield _Line(tuple(places), row.in_head, reach)
        reaching = [(place, left - 1) for place, left in reaching if left > 1]
        reaching += [(p, (p.cell.rows or _MOST_ROWS) - 1) for p in own if p.cell.rows != 1]
        reaching.sort(key=lambda pair: pair[0].start)


def _stand_between(cells: Iterable[Cell], above: Sequence[_Placed]) -> Iterator[_Placed]:
    """Yield cells from left to right, beside those that come from above."""
    column, ahead = 0, 0
    for cell in cells:
        while ahead < len(above) and above[ahead].start <= column:
            column, ahead = max(column, above[ahead].end), ahead + 1
        wall = above[ahead].start if ahead < len(above) else column + cell.columns
        end = min(column + cell.columns, wall)
        yield _Placed(column, end, cell)
        column = end


def _count_titles(lines: Sequence[_Line], starts: Sequence[int]) -> int:
    """Return how many rows at the top are one cell over all columns; the last row is none."""
    found = 0
    while found < len(lines) - 1 and len(starts) > 1 and _is_whole(lines[found], starts):
        found += 1
    return found


def _is_whole(line: _Line, starts: Sequence[int]) -> bool:
    return len(line.places) == 1 and line.places[0].start == 0 and line.places[0].end > starts[-1]


def _count_names(lines: Sequence[_Line]) -> int:
    """Return how many rows at the top name the columns; the first does in any table.

    More do where they stand in the table's head, hold names alone, or lie below a first row with a
    cell over several columns that shares cells with them or begins with an empty one.
    """
    found = 0
    while found < len(lines) and lines[found].names():
        found += 1
    if lines and any(place.end - place.start > 1 for place in lines[0].places):
        below = _is_parted(lines[0], lines[1]) if len(lines) > 1 else False
        found = found if found > 1 else max(lines[0].reach, 1 + below)
    return found if 0 < found < len(lines) else 1


def _is_parted(first: _Line, second: _Line) -> bool:
    """Say whether the second row names the columns below a first row without a name at its corner."""
    told = [place.cell.text for place in second.places]
    amounts = any(character.isdigit() for text in told for character in text)
    return not first.places[0].cell.text and all(told) and len(told) > 1 and not amounts


def _fill(line: _Line, starts: Sequence[int], room: _Room) -> Iterator[str]:
    """Yield what stands in each column that begins a cell, up to the last one that is covered."""
    if len(line.places) == 1 and len(starts) > 1 and _is_whole(line, starts):
        yield line.places[0].cell.text
        return
    column = 0
    for place in line.places:
        first, last = bisect_left(starts, place.start), bisect_left(starts, place.end)
        yield from [""] * (first - column)
        room.take((len(place.cell.text) + 1) * max(0, last - first - 1))
        yield from [place.cell.text] * (last - first)
        column = last
