"""DuckDB in the child: tables in memory, then locked; one SELECT for each job."""

import decimal
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

_BATCH: Final = 200
_LONGEST_CELL: Final = 2_000
_LONGEST_QUERY: Final = 5_000
# What reads the clock: another result tomorrow, also where two runs a moment apart agree.
_CLOCK: Final = re.compile(
    r"\b(?:current_date|current_time|current_timestamp|localtime|localtimestamp)\b"
    r"|\b(?:now|today|age|transaction_timestamp|get_current_\w+|current_localtime\w*)\s*\(",
    re.IGNORECASE,
)
_APART: Final = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)  # texts and comments
# After the tables are in. `lock_configuration` comes last: from then on no setting can change.
_LOCKS: Final = (
    "SET temp_directory = ''",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


def open_database(
    tables: Sequence[dict[str, Any]], memory_mb: int, rows: int
) -> Callable[[str], Any]:
    """Return what runs a query over the tables, locked; ``rows`` is the most that a result may have."""
    # What fetching some types imports: no file can be read once the process is confined.
    import datetime as dt  # noqa: F401
    import uuid  # noqa: F401

    import duckdb

    # No thread beside this one: Landlock binds only the thread that calls it.
    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": "1",
        "async_threads": "0",
        "memory_limit": f"{memory_mb}MB",
    }
    database = duckdb.connect(":memory:", config=settings)
    for table in tables:
        _fill(database, table)
    for lock in _LOCKS:
        database.execute(lock)

    def run(query: str) -> Any:
        _refuse_others(database, query, duckdb)
        first = _select(database, query, rows)
        if _select(database, query, rows) != first:
            raise ValueError("a second run gives another result")
        return first

    return run


def _refuse_others(database: Any, query: str, duckdb: Any) -> None:
    if len(query) > _LONGEST_QUERY:
        raise ValueError(f"more than {_LONGEST_QUERY} characters")
    if clock := _CLOCK.search(_APART.sub(" ", query).replace('"', "")):
        raise ValueError(f"{clock[0].rstrip('( ')} reads the clock: another result tomorrow")
    found = database.extract_statements(query)
    if len(found) != 1:
        raise ValueError(f"one SELECT is allowed, here are {len(found)} statements")
    if found[0].type != duckdb.StatementType.SELECT:
        raise ValueError(f"one SELECT is allowed, this is {found[0].type.name}")


def _select(database: Any, query: str, rows: int) -> dict[str, Any]:
    cursor = database.execute(query)
    if cursor.description is None:
        raise ValueError("the statement returns no table")
    names = [column[0] for column in cursor.description]
    if any("TIME ZONE" in str(column[1]) for column in cursor.description):
        raise ValueError("a time with a zone, such as now(), is another one at every run")
    found = cursor.fetchmany(rows + 1)
    if len(found) > rows:
        raise ValueError(f"more than {rows} rows")
    return {"columns": names, "rows": [[_plain(cell) for cell in row] for row in found]}


def _plain(cell: Any) -> Any:
    """Return a cell as JSON: numbers, texts, truth and null; dates and all else as text."""
    if cell is None or isinstance(cell, bool | int):
        return cell if cell is None or isinstance(cell, bool) or abs(cell) < 2**53 else str(cell)
    if isinstance(cell, float | decimal.Decimal):
        number = float(cell)
        return number if number - number == 0 else str(number)
    if isinstance(cell, list | tuple):
        return [_plain(part) for part in cell]
    if isinstance(cell, dict):
        return {str(name): _plain(part) for name, part in cell.items()}
    text = str(cell)
    if len(text) > _LONGEST_CELL:
        raise ValueError(f"a cell of more than {_LONGEST_CELL} characters")
    return text


def _fill(database: Any, table: dict[str, Any]) -> None:
    columns = ", ".join(f"{quote(name)} {kind}" for name, kind in table["columns"])
    database.execute(f"CREATE TABLE {quote(table['name'])} ({columns})")
    rows, width = table["rows"], len(table["columns"])
    for start in range(0, len(rows), _BATCH):
        part = rows[start : start + _BATCH]
        places = ", ".join(["(" + ", ".join("?" * width) + ")"] * len(part))
        cells = [cell for row in part for cell in row]
        database.execute(f"INSERT INTO {quote(table['name'])} VALUES {places}", cells)  # noqa: S608


def quote(name: str) -> str:
    """Return a name as SQL writes it between quotation marks."""
    return '"' + name.replace('"', '""') + '"'
