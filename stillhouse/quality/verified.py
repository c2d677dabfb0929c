"""Answers that can be run are run: SQL over its table, JSON against its schema, Python.

One judgement of the criterion ``executes`` for each pair of these tasks: 1, or 0 with the error as
rationale. That a query runs does not say that it answers the question; that it fails says enough.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from typing import Final, TypeVar

from stillhouse.base.errors import InputError
from stillhouse.base.records import Judgement, Pair
from stillhouse.execution.code import Interpreter
from stillhouse.execution.json_schema import Validator
from stillhouse.execution.sandbox import Limits
from stillhouse.execution.sql import Database
from stillhouse.execution.tables import Table
from stillhouse.execution.tasks import (
    EXECUTES,
    EXTRACTION,
    TEXT_TO_SQL,
    VERIFIED,
    schema_of,
    table_of,
)
from stillhouse.prompts.schemas import Schema

T = TypeVar("T")

VERIFIER: Final = "verifier/1"


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


def verify_pairs(pairs: Iterable[Pair], material: Verifying) -> Iterator[Judgement]:
    """Yield one judgement for each pair of a verified task; pairs of other tasks are passed over.

    The pairs of one table or schema share a sandbox, and there is one sandbox at a time.

    Raises:
        InputError: a pair's table or schema is not there, or programs cannot be confined here.
    """
    ours = sorted((pair for pair in pairs if pair.task in VERIFIED), key=_sort)
    for (task, name), group in groupby(ours, key=_material_of):
        with ExitStack() as stack:
            check = _open(task, name, material, stack)
            for pair in group:
                error = check(pair.response)
                rationale = error or "it runs"
                yield Judgement(
                    pair.pair_id, VERIFIER, EXECUTES, float(not error), rationale, request_id=""
                )


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


def _material_of(pair: Pair) -> tuple[str, str]:
    if pair.task == TEXT_TO_SQL:
        return pair.task, table_of(pair.slot_id)
    return pair.task, schema_of(pair.slot_id) if pair.task == EXTRACTION else ""


def _sort(pair: Pair) -> tuple[str, str, str, str]:
    return (*_material_of(pair), pair.slot_id, pair.pair_id)
