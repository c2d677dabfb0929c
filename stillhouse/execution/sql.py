"""Queries over tables in a locked DuckDB, and whether two results are equal.

DuckDB itself is told to reach nothing outside and to let no setting be changed; its process is
confined beside that, where the kernel can.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from stillhouse.execution.sandbox import Limits, Sandbox
from stillhouse.execution.tables import Table

MOST_ROWS: Final = 1_000
_DIGITS: Final = 9  # of a number that count: sums of floats differ in their last bits by order
_NOISY: Final = 1e-12  # of a whole number that a sum of floats missed by so little
_NOISE: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Result:
    """A query's rows, or why there are none: ``error`` is empty where it ran."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    error: str = ""


class Database:
    """Tables in a sandbox; used in a ``with`` block."""

    def __init__(self, tables: Sequence[Table], limits: Limits | None = None) -> None:
        given = [
            {
                "name": table.name,
                "columns": [[column.name, column.type] for column in table.columns],
                "rows": [list(row) for row in table.rows],
            }
            for table in tables
        ]
        self._sandbox = Sandbox("sql", {"tables": given, "rows": MOST_ROWS}, limits or Limits())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sandbox.stop()

    def query(self, text: str) -> Result:
        """Return the result of one SELECT; anything else is an error in words."""
        outcome = self._sandbox.run(clean_query(text))
        if outcome.error:
            return Result(error=outcome.error)
        value = outcome.value
        assert isinstance(value, dict)
        columns, rows = value["columns"], value["rows"]
        assert isinstance(columns, list)
        assert isinstance(rows, list)
        return Result(tuple(map(str, columns)), tuple(tuple(row) for row in rows))


def clean_query(text: str) -> str:
    """Return a query without the code fence that language models like to put around it."""
    found = re.fullmatch(r"\s*```[a-z]*\s*\n(.*?)\n?\s*```\s*", text, re.DOTALL | re.IGNORECASE)
    return (found[1] if found else text).strip()


def is_ordered(query: str) -> bool:
    """Say whether a query orders its own rows: ``ORDER BY`` outside of brackets and quotes."""
    depth, outer = 0, []
    for part in re.split(r"([()])", _NOISE.sub(" ", query)):
        depth += {"(": 1, ")": -1}.get(part, 0)
        if depth == 0:
            outer.append(part)
    return re.search(r"\border\s+by\b", " ".join(outer), re.IGNORECASE) is not None


def equal_results(first: Result, second: Result, *, ordered: bool) -> bool:
    """Say whether two results hold the same rows; the names of columns do not count.

    ``3`` equals ``3.0``, whole numbers are compared exactly and others to nine digits. Without ``ordered``
    rows may come in any order; columns never. A result with an error equals nothing.
    """
    if first.error or second.error or len(first.columns) != len(second.columns):
        return False
    ours, theirs = [[_key(row) for row in result.rows] for result in (first, second)]
    return ours == theirs if ordered else sorted(ours) == sorted(theirs)


def _key(row: Sequence[Any]) -> str:
    return repr([_same(cell) for cell in row])


def _same(cell: Any) -> Any:
    if isinstance(cell, list):
        return [_same(part) for part in cell]
    if not isinstance(cell, float):
        return cell
    whole = round(cell)
    if abs(cell - whole) <= _NOISY * max(1.0, abs(cell)):
        return whole
    return float(f"{cell:.{_DIGITS}g}")
