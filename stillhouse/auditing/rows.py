"""The rows that a student lists against those of a table: which differ, in words."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from stillhouse.lineage.provenance import SeenRow

_SHOWN: Final = 3
_ID: Final = 12  # characters of an id that a person compares


def compare_rows(listed: Sequence[SeenRow], table: Sequence[SeenRow]) -> list[str]:
    """Return what a table has otherwise than a list says; nothing where all rows are equal, in order.

    Places count from 1, in the list; of a row that only the table has, in the table.
    """
    if list(listed) == list(table):
        return []
    if Counter(listed) == Counter(table):
        return [_tell_order(listed, table)]
    return list(_tell_rows(listed, table))


def _tell_order(listed: Sequence[SeenRow], table: Sequence[SeenRow]) -> str:
    moved = [place for place, (a, b) in enumerate(zip(listed, table, strict=True), 1) if a != b]
    if len(moved) == 2:
        first, second = moved
        return f"rows {first} and {second} have changed places"
    return f"{len(moved):,} rows stand in other places, the first is row {moved[0]}"


def _tell_rows(listed: Sequence[SeenRow], table: Sequence[SeenRow]) -> Iterator[str]:
    theirs = Counter(row.row_id for row in table)
    ours = Counter(row.row_id for row in listed)
    known = set(table)
    gone = [(n, row) for n, row in enumerate(listed, 1) if not theirs[row.row_id]]
    new = [(n, row) for n, row in enumerate(table, 1) if not ours[row.row_id]]
    other = [(n, row) for n, row in enumerate(listed, 1) if theirs[row.row_id] and row not in known]
    counted = [
        (n, r) for n, r in enumerate(table, 1) if ours[r.row_id] not in (0, theirs[r.row_id])
    ]
    yield from _tell("has other content", "have other content", other)
    yield from _tell("is missing", "are missing", gone)
    yield from _tell("is not among those listed", "are not among those listed", new)
    often = "there more or less often than listed"
    yield from _tell(f"is {often}", f"are {often}", counted)


def _tell(one: str, many: str, rows: Sequence[tuple[int, SeenRow]]) -> Iterator[str]:
    named = [f"{place} ({row.row_id[:_ID]}…)" for place, row in rows[:_SHOWN]]
    if len(rows) == 1:
        yield f"row {named[0]} {one}"
    elif rows:
        more = f" and {len(rows) - _SHOWN:,} more" if len(rows) > _SHOWN else ""
        yield f"rows {', '.join(named)}{more} {many}"
