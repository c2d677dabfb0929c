"""Tables as what a request is about: each shown by its definition, a few rows and its categories."""

from pathlib import Path
from typing import Final

from stillhouse.execution.tables import Column, Table, load_tables
from stillhouse.prompts.passages import render_passage
from stillhouse.prompts.subject import Subject

_ROWS: Final = 2  # shown of each table: a student has to read them with every question
_VALUES: Final = 6  # a text column with at most so many different values shows all of them
_LONGEST: Final = 60  # characters of a shown cell


def load_table_subjects(folder: Path) -> list[Subject]:
    """Return a subject for each CSV file of a folder, by file name; none where there is no folder.

    Raises:
        InputError: see ``stillhouse.execution.tables.load_tables``.
    """
    return [
        Subject(
            table.source, table.name, passages=render_passage(table.source, "", show_table(table))
        )
        for table in load_tables(folder)
    ]


def show_table(table: Table) -> str:
    """Return a table as SQL: its definition, then its first rows and categories as comments."""
    columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
    lines = [f"CREATE TABLE {table.name} ({columns});", "-- The first rows:"]
    for row in table.rows[:_ROWS]:
        cells = zip(table.columns, row, strict=True)
        lines.append("-- (" + ", ".join(write_cell(column, cell) for column, cell in cells) + ")")
    for place, column in enumerate(table.columns):
        found = sorted({row[place] or "" for row in table.rows} - {""})
        repeated = len(found) < len(table.rows)
        if column.type == "VARCHAR" and repeated:
            few = ", ".join(write_cell(column, value) for value in found)
            said = few if len(found) <= _VALUES else f"{len(found)} different values"
            lines.append(f"-- {column.name}: {said}")
    return "\n".join(lines)


def write_cell(column: Column, cell: str | None) -> str:
    """Return a cell as a literal of SQL, cut where it is long."""
    if cell is None:
        return "NULL"
    if column.type in ("BIGINT", "DOUBLE"):
        return cell
    if column.type == "BOOLEAN":
        return cell.lower()
    text = " ".join(cell.split())
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return "'" + text.replace("'", "''") + "'"
