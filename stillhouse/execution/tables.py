"""CSV files as tables with typed columns: ``data/seed/tables/*.csv``."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text

ColumnType = Literal["BIGINT", "DOUBLE", "DATE", "BOOLEAN", "VARCHAR"]

MOST_ROWS: Final = 20_000
MOST_COLUMNS: Final = 60
_FORMS: Final[tuple[tuple[ColumnType, re.Pattern[str]], ...]] = (
    ("BIGINT", re.compile(r"-?(?:0|[1-9]\d{0,17})")),
    ("DOUBLE", re.compile(r"-?(?:0|[1-9]\d{0,14})\.\d{1,9}|-?(?:0|[1-9]\d{0,14})")),
    ("DATE", re.compile(r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])")),
    ("BOOLEAN", re.compile(r"true|false", re.IGNORECASE)),
)
# A name that SQL would take for its own word is marked, so that no query needs quotation marks.
_WORDS: Final = (
    "all and any array as asc both case cast check column constraint create default desc distinct "
    "do else end except false fetch for foreign from grant group having in initially intersect into "
    "lateral leading limit not null offset on only or order pivot placing primary qualify references "
    "returning select show some summarize symmetric table then to trailing true union unique "
    "unpivot using variadic when where window with"
)
_RESERVED: Final = frozenset(_WORDS.split())


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name as SQL writes it, without quotation marks, and its type."""

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ``source`` is ``tables/<file>``, cells are texts as written, None where empty."""

    name: str
    source: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str | None, ...], ...]


def load_tables(folder: Path) -> list[Table]:
    """Return the tables of a folder by file name; none where there is no folder.

    Raises:
        InputError: a file is no table with a head, is too long, or two share a name.
    """
    tables: dict[str, Table] = {}
    for path in sorted(folder.glob("*.csv")):
        table = read_table_file(path)
        if table.name in tables:
            raise InputError(
                f"its table `{table.name}` is that of {tables[table.name].source} too",
                where=str(path),
                remedy="rename one of the files",
            )
        tables[table.name] = table
    return list(tables.values())


def read_table_file(path: Path) -> Table:
    """Return one CSV file as a table; errors as in ``load_tables``."""
    try:
        lines = [line for line in csv.reader(io.StringIO(read_text(path)), strict=True) if line]
    except csv.Error as exc:
        raise InputError(f"it is no CSV ({exc})", where=str(path)) from exc
    if len(lines) < 2:
        raise InputError("it holds no rows", where=str(path), expected="a head and rows below it")
    head, *body = lines
    for number, line in enumerate(body, 2):
        if len(line) != len(head):
            what = f"row {number} has {len(line)} cells"
            raise InputError(what, where=str(path), expected=f"{len(head)}, as the head has")
    if len(body) > MOST_ROWS or len(head) > MOST_COLUMNS:
        raise InputError(
            f"it has {len(body)} rows and {len(head)} columns",
            where=str(path),
            expected=f"at most {MOST_ROWS} and {MOST_COLUMNS}",
            remedy="questions need a sample, not the whole",
        )
    rows = tuple(tuple(cell.strip() or None for cell in line) for line in body)
    names = _name_columns(head, path)
    types = [_find_type([row[place] for row in rows]) for place in range(len(head))]
    columns = tuple(Column(name, kind) for name, kind in zip(names, types, strict=True))
    return Table(name_sql(path.stem), f"tables/{path.name}", columns, rows)


def name_sql(text: str) -> str:
    """Return a text as a name that SQL takes without quotation marks: ``Length (m)`` -> ``length_m``."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if not name or name[0].isdigit() or name in _RESERVED:
        return f"c_{name}".rstrip("_")
    return name


def _name_columns(head: Sequence[str], path: Path) -> list[str]:
    names = [name_sql(title) for title in head]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two columns are named `{name}`", where=f"{path}:1")
    return names


def _find_type(cells: Sequence[str | None]) -> ColumnType:
    filled = [cell for cell in cells if cell is not None]
    for kind, form in _FORMS:
        if filled and all(form.fullmatch(cell) for cell in filled):
            return kind
    return "VARCHAR"
