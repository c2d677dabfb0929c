"""Answers that can be run are run: SQL over its table, JSON against its schema, Python.

One judgement of the criterion ``executes`` for each pair of these tasks: 1, or 0 with the error as
rationale. That a query runs does not say that it answers the question; that it fails says enough. What
a reviewer writes in place of such an answer is run as well.
"""

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final, TypeVar

from stillhouse.base.errors import InputError
from stillhouse.base.questions import row_answer
from stillhouse.base.records import Judgement, Pair, Row
from stillhouse.execution.code import Interpreter
from stillhouse.execution.json_schema import Validator
from stillhouse.execution.sandbox import Limits
from stillhouse.execution.sql import Database
from stillhouse.execution.tables import Table, load_tables
from stillhouse.execution.tasks import (
    EXECUTES,
    EXTRACTION,
    TEXT_TO_SQL,
    VERIFIED,
    schema_of,
    table_of,
)
from stillhouse.prompts.schemas import Schema, load_schemas
from stillhouse.quality.judge import JudgeParams
from stillhouse.quality.review import FILE

T = TypeVar("T")

VERIFIER: Final = "verifier/1"
SEED: Final = Path("data/seed")


@dataclass(frozen=True, slots=True, order=True)
class Given:
    """An answer of a verified task: what it is run against, its place, whose it is, and its text."""

    task: str
    material: str
    slot_id: str
    owner: str
    text: str


@dataclass(frozen=True, slots=True)
class Verifying:
    """What answers are run against, and how: ``runs_code`` is whether Python is more than parsed."""

    tables: Mapping[str, Table]
    schemas: Mapping[str, Schema]
    limits: Limits
    runs_code: bool = False


def gather_verifying(
    tables: Iterable[Table], schemas: Iterable[Schema], limits: Limits, *, runs_code: bool
) -> Verifying:
    """Return the material of ``verify_pairs``: tables by source, schemas by name."""
    return Verifying(
        {table.source: table for table in tables},
        {schema.name: schema for schema in schemas},
        limits,
        runs_code,
    )


def load_verifying(params: JudgeParams) -> Verifying:
    """Return the material of the seed folder, within the limits of ``judge`` in params.yaml.

    Raises:
        InputError: a table or schema is unreadable.
    """
    return gather_verifying(
        load_tables(SEED / "tables"),
        load_schemas(SEED / "schemas"),
        Limits(params.execute_seconds, params.execute_memory_mb),
        runs_code=params.execute_code,
    )


def verify_pairs(pairs: Iterable[Pair], material: Verifying) -> Iterator[Judgement]:
    """Yield one judgement for each pair of a verified task; pairs of other tasks are passed over.

    Raises:
        InputError: a pair's table or schema is not there, or programs cannot be confined here.
    """
    given = [
        Given(pair.task, _name_material(pair), pair.slot_id, pair.pair_id, pair.response)
        for pair in pairs
        if pair.task in VERIFIED
    ]
    for one, error in _check(given, material):
        rationale = error or "it runs"
        yield Judgement(one.owner, VERIFIER, EXECUTES, float(not error), rationale, request_id="")


def refuse_failing(rows: Iterable[Row], material: Verifying) -> None:
    """Run the answers of rows of verified tasks, whose words are a reviewer's.

    Raises:
        InputError: one of them fails, or its table or schema is not there.
    """
    given = [
        Given(row.task, _name_material(row), row.slot_id, row.row_id, row_answer(row))
        for row in rows
        if row.task in VERIFIED
    ]
    for one, error in _check(given, material):
        if error:
            raise InputError(
                f"a fixed answer fails when it is run: {error}",
                where=f"slot {one.slot_id}: {textwrap.shorten(one.text, 120)}",
                expected="an answer that runs, as one of the teacher has to",
                remedy=f"correct its line in {FILE.as_posix()}, or take the verdict back",
            )


def _check(given: Iterable[Given], material: Verifying) -> Iterator[tuple[Given, str]]:
    """Yield each answer with its error, or nothing; those of one material share a sandbox, one at a time."""
    for (task, name), group in groupby(sorted(given), key=lambda one: (one.task, one.material)):
        with ExitStack() as stack:
            check = _open(task, name, material, stack)
            for one in group:
                yield one, check(one.text)


def _open(task: str, name: str, material: Verifying, stack: ExitStack) -> Callable[[str], str]:
    """Return what says why an answer fails, with its sandbox on the stack."""
    if task == TEXT_TO_SQL:
        table = _find(material.tables, name, "table")
        database = stack.enter_context(Database([table], material.limits))
        return lambda query: _check_query(database, query)
    if task == EXTRACTION:
        schema = _find(material.schemas, name, "schema")
        validator = stack.enter_context(Validator(dict(schema.body), material.limits))
        return lambda text: validator.check(text).error
    opened = Interpreter(runs=material.runs_code, limits=material.limits)
    return stack.enter_context(opened).check


def _check_query(database: Database, query: str) -> str:
    result = database.query(query)
    if result.error:
        return result.error
    if not result.rows:
        return "it returns no row"
    if all(cell is None for row in result.rows for cell in row):
        return "it returns nothing but NULL"
    return ""


def _find(known: Mapping[str, T], name: str, kind: str) -> T:
    if name not in known:
        raise InputError(
            f"a pair names the {kind} `{name}`, which data/seed does not have",
            expected=f"one of {', '.join(sorted(known)) or 'none'}",
            remedy="run `dvc repro` so that pairs and seed files are of one version",
        )
    return known[name]


def _name_material(answered: Pair | Row) -> str:
    """Return the table or schema that an answer is held against; nothing for a program."""
    if answered.task == TEXT_TO_SQL:
        return table_of(answered.slot_id)
    return schema_of(answered.slot_id) if answered.task == EXTRACTION else ""
