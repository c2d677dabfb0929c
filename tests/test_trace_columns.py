"""Verdicts over columns are those of the plain walk over rows, in random histories of every kind."""

import os
import random
from pathlib import Path

import pytest

from stillhouse.base.errors import InputError
from stillhouse.tracing.trace import trace
from tests.plain_trace.judging import judge_plainly
from tests.random_history import list_names, make_random_project

# Many more are tried by hand: `STILLHOUSE_HISTORIES=200 python -m pytest tests/test_trace_columns.py`.
HISTORIES = int(os.environ.get("STILLHOUSE_HISTORIES", "3"))
THINGS = 16  # of each


def tell(root: Path, name: str) -> object:
    try:
        traced = trace(root, name)
    except InputError as exc:
        return str(exc).partition("; did you mean")[0]  # what is near, only one of them says
    told = [(m.model, m.verdict, m.rows, m.why) for m in traced.models]
    came = {
        kind: [step.id for step in traced.downstream if step.kind == kind]
        for kind in ("chunk", "request", "pair", "rejection", "row")
    }
    counted = {tally.kind: tally.count for tally in traced.counted}
    assert all(counted.get(kind, 0) == len(came[kind]) for kind in came if kind != "rejection")
    thing = traced.thing
    return (thing.kind, thing.id, thing.name, thing.twins), told, came


def tell_plainly(root: Path, name: str) -> object:
    try:
        thing, verdicts, came = judge_plainly(root, name)
    except InputError as exc:
        return str(exc).partition("; did you mean")[0]  # what is near, only one of them says
    told = [(m.model, m.verdict, m.rows, m.why) for m in verdicts]
    return (thing.kind, thing.id, thing.name, thing.twins), told, came


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_columns_and_rows_come_to_the_same_verdicts_with_and_without_an_index(
    tmp_path: Path, seed: int
) -> None:
    make_random_project(tmp_path, seed)
    names = list(dict.fromkeys(list_names(tmp_path, seed)))
    names = random.Random(seed).sample(names, min(THINGS, len(names)))
    expected = {name: tell_plainly(tmp_path, name) for name in names}
    for name in names:
        assert tell(tmp_path, name) == expected[name]
    index = tmp_path / ".stillhouse/index.sqlite"
    for name in names[:2]:
        index.unlink()
        assert tell(tmp_path, name) == expected[name]
