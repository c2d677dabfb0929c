"""The child's side: it confines itself, then answers jobs, one JSON line for each.

Started by ``sandbox.py`` alone, isolated (``python -I``) and with an empty environment. The first line
is the setup: which kind of job, what it needs, the limits. Nothing untrusted is read before
``confine``.
"""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from stillhouse.execution.confine import confine, die_with_parent

Run = Callable[[str], Any]

_LONGEST_ERROR: Final = 400


def main() -> None:
    """Read the setup, confine this process, and answer jobs until the parent closes the pipe."""
    die_with_parent()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    jobs = os.fdopen(os.dup(0), "r", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)  # what is printed is no answer
    setup = json.loads(jobs.readline())
    try:
        run = _prepare(setup)
    except Exception as exc:  # noqa: BLE001 - the parent says it
        _answer(answers, {"error": explain(exc)})
        return
    _answer(answers, {"missing": confine(setup["memory_mb"], [Path(os.__file__).parent])})
    for line in jobs:
        _answer(answers, _do(run, json.loads(line)))


def explain(exc: BaseException) -> str:
    """Return an exception as one line: its type and the beginning of what it says.

    Without what differs from run to run (how much memory was in use), or repeats the query.
    """
    name = type(exc).__name__
    if isinstance(exc, MemoryError) or name == "OutOfMemoryException":
        return "MemoryError: the memory that is allowed was not enough"
    if isinstance(exc, RecursionError):
        return "RecursionError: nested too deep"
    said = " ".join(str(exc).partition("\nLINE ")[0].split())[:_LONGEST_ERROR]
    return f"{name}: {said}" if said else name


def _do(run: Run, job: str) -> dict[str, Any]:
    try:
        return {"value": run(job)}
    except BaseException as exc:  # noqa: BLE001 - untrusted code may raise anything, exits too
        return {"error": explain(exc)}


def _prepare(setup: dict[str, Any]) -> Run:
    """Return what does jobs of one kind, with all that it needs read and imported."""
    kind, given = setup["kind"], setup["given"]
    if kind == "sql":
        from stillhouse.execution.sql_child import open_database

        return open_database(given["tables"], setup["memory_mb"] // 2, given["rows"])
    if kind == "json":
        from stillhouse.execution.json_child import open_schema

        return open_schema(given)
    from stillhouse.execution.code_child import parse_code, run_code

    if kind == "parse":
        return parse_code
    _load_often_used()
    return run_code


def _load_often_used() -> None:
    """Import what short programs use, as far as it would need files that cannot be read later."""
    import collections  # noqa: F401
    import datetime as dt  # noqa: F401
    import decimal  # noqa: F401
    import fractions  # noqa: F401
    import functools  # noqa: F401
    import itertools  # noqa: F401
    import math  # noqa: F401
    import random  # noqa: F401
    import re  # noqa: F401
    import statistics  # noqa: F401
    import typing  # noqa: F401


def _answer(answers: io.TextIOWrapper, value: dict[str, Any]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()
