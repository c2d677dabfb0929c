"""Answers out of a journal into a file, and from a file into a journal."""

import gzip
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final, Literal, TypeAlias

from pydantic import ValidationError

from stillhouse.base.errors import InputError, explain_os_error, suggest
from stillhouse.base.files import replace_file
from stillhouse.base.params import explain_mistake
from stillhouse.base.records import Response
from stillhouse.base.tables import read_table, write_sorted
from stillhouse.teachers.database import open_beside
from stillhouse.teachers.journal import COLUMNS, pack, unpack
from stillhouse.teachers.segments import (
    SUFFIX,
    Answer,
    explain_damage,
    make_answer,
    read_lines,
    write_line,
)

# ruff: noqa: S608 - into the text of a query go only the constants below, never a value

_NAMES: Final = ", ".join(COLUMNS)
_LINES: Final = ".jsonl"
_TABLE: Final = ".parquet"
Kind: TypeAlias = Literal["lines", "packed", "table"]


@dataclass(frozen=True, slots=True)
class Exported:
    """One row of an export: the columns of ``Response``, and the teacher."""

    request_id: str
    text: str
    reasoning: str
    stop_reason: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    model: str
    confidences: tuple[float, ...]
    teacher: str


@dataclass(frozen=True, slots=True)
class Imported:
    """How many answers were new, equal to the journal's own, and different from it (and so left)."""

    new: int
    equal: int
    different: int


def export_answers(journal: Path, file: Path, teacher: str = "", model: str = "") -> int:
    """Write the answers of a journal, of one teacher or model where one is named; return how many.

    Raises:
        InputError: the file's name says no known format, or no answer is of that teacher or model.
    """
    kind = _find_kind(file)
    with open_beside(journal) as base:
        for column, wanted in (("teacher", teacher), ("model", model)):
            _check_known(base, column, wanted)
        answers = _read_answers(base, teacher, model)
        if kind == "table":
            return write_sorted(file, Exported, map(_flatten, answers))
        with replace_file(file) as part, part.open("wb") as raw:
            if kind == "lines":
                return _write_lines(raw, answers)
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
                return _write_lines(packed, answers)


def import_answers(journal: Path, file: Path) -> Imported:
    """Take the answers of a file into a journal that is laid out: all of them or none.

    An answer that is there already stays as it is.

    Raises:
        InputError: the file cannot be read, or a line of it is wrong; nothing was written.
    """
    kind = _find_kind(file)
    counts = {"new": 0, "equal": 0, "different": 0}
    with open_beside(journal) as base:
        base.execute("BEGIN IMMEDIATE")
        for answer in _read_table(file) if kind == "table" else _read_file(file, kind):
            counts[_keep(base, answer)] += 1
        base.execute("COMMIT")
    return Imported(**counts)


def _find_kind(file: Path) -> Kind:
    if file.name.endswith(SUFFIX):
        return "packed"
    if file.suffix == _LINES:
        return "lines"
    if file.suffix == _TABLE:
        return "table"
    raise InputError(
        "the file's name says no known format",
        where=str(file),
        expected=f"one that ends in {_LINES}, {SUFFIX} or {_TABLE}",
    )


def _check_known(base: sqlite3.Connection, column: str, wanted: str) -> None:
    if wanted:
        known = [name for (name,) in base.execute(f"SELECT DISTINCT {column} FROM answers") if name]
        if wanted not in known:
            raise InputError(
                f"no answer is of the {column} `{wanted}`",
                expected=f"one of {', '.join(sorted(known))}" if known else None,
                remedy=suggest(wanted, known),
            )


def _read_answers(base: sqlite3.Connection, teacher: str, model: str) -> Iterator[Answer]:
    query = (
        f"SELECT teacher, {_NAMES} FROM answers WHERE ?1 IN ('', teacher) AND ?2 IN ('', model)"
        " ORDER BY request_id"
    )
    for row in base.execute(query, (teacher, model)):
        yield make_answer(row[0], unpack(row[1:]))


def _write_lines(file: IO[bytes] | gzip.GzipFile, answers: Iterable[Answer]) -> int:
    count = 0
    for answer in answers:
        file.write(write_line(answer))
        count += 1
    return count


def _flatten(answer: Answer) -> Exported:
    return Exported(**answer.model_dump(exclude={"kind"}))


def _read_file(file: Path, kind: Kind) -> Iterator[Answer]:
    where = str(file)
    with _open(file) as raw, explain_damage(where):
        lines = gzip.GzipFile(fileobj=raw) if kind == "packed" else raw
        for _, line in read_lines(lines, where):
            if isinstance(line, Answer):  # a remote's own file may name batches, too
                yield line


@contextmanager
def _open(file: Path) -> Iterator[IO[bytes]]:
    try:
        raw = file.open("rb")
    except FileNotFoundError as exc:
        raise InputError("file not found", where=str(file)) from exc
    except OSError as exc:
        raise explain_os_error(exc, str(file)) from exc
    with raw:
        yield raw


def _read_table(file: Path) -> Iterator[Answer]:
    for number, row in enumerate(_read_rows(file), start=1):
        try:
            yield Answer.model_validate(asdict(row))
        except ValidationError as exc:
            raise explain_mistake(exc, Answer, f"{file}, row {number}") from exc


def _read_rows(file: Path) -> Iterator[Exported]:
    try:
        yield from read_table(file, Exported)
    except InputError as exc:  # whose remedy is for the table of a stage
        raise InputError(
            exc.what, where=str(file), expected="a file that `stillhouse journal export` wrote"
        ) from exc


def _keep(base: sqlite3.Connection, answer: Answer) -> Literal["new", "equal", "different"]:
    query = f"SELECT {_NAMES} FROM answers WHERE request_id = ?"
    found = base.execute(query, (answer.request_id,)).fetchone()
    if found is not None:
        return "equal" if unpack(found) == answer.response else "different"
    _add(base, answer.teacher, answer.response)
    return "new"


def _add(base: sqlite3.Connection, teacher: str, response: Response) -> None:
    marks = ", ".join("?" * len(COLUMNS))
    base.execute(
        f"INSERT INTO answers ({_NAMES}, teacher) VALUES ({marks}, ?)", (*pack(response), teacher)
    )
    base.execute("DELETE FROM failures WHERE request_id = ?", (response.request_id,))
