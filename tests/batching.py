"""Asking the stub teacher by message batches, here or in a process of its own that may be killed.

    python -m tests.batching JOURNAL URL REQUESTS [--die-at WHERE]

ends itself by SIGKILL at ``intend`` (before the submission), ``create`` (right after it, before its
result is known), ``set_name`` (the same, the result known), ``record`` (after the first answers).
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from stillhouse.base.ids import canonical_json
from stillhouse.base.records import Request
from stillhouse.base.runtime import Runtime
from stillhouse.teachers import batch_draft, batches
from stillhouse.teachers.asking import Asked, ask_teacher
from stillhouse.teachers.batch_api import BatchApi
from stillhouse.teachers.batchbook import BatchBook
from stillhouse.teachers.claude import Claude
from stillhouse.teachers.desk import Terms
from stillhouse.teachers.estimate import Estimator
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.params import AnthropicAccess, Price, TeachersParams
from tests.asking import make_request

MODEL = "claude-opus-5"
KEY = "sk-ant-no-key-at-all-0123456789"
PARAMETERS = canonical_json({"max_tokens": 400})
ROOT = Path(__file__).parents[1]


def make_requests(count: int, **changes: object) -> dict[str, Request]:
    found = (
        make_request(number, teacher="anthropic", model=MODEL, parameters=PARAMETERS, **changes)
        for number in range(count)
    )
    return {request.request_id: request for request in found}


def make_teachers(url: str, **changes: Any) -> TeachersParams:
    price = Price(input=3, output=15, cache_read=0.3, cache_write=3.75, batch=0.5)
    return TeachersParams(anthropic=AnthropicAccess(base_url=url, **changes), prices={MODEL: price})


def be_quick(largest: int = 20) -> dict[tuple[Any, str], Any]:
    """Return what to set so that a test waits for milliseconds."""
    return {
        (batches, "_FIRST_SECONDS"): 0.05,
        (batches, "_MOST_SECONDS"): 0.2,
        (batches, "_TURN_SECONDS"): 0.01,
        (batches, "GRACE_SECONDS"): 1.0,
        (batch_draft, "MOST_REQUESTS"): largest,
    }


def ask(
    path: Path,
    url: str,
    requests: dict[str, Request],
    terms: Terms | None = None,
    **runtime: Any,
) -> Asked:
    teachers = make_teachers(url)
    claude = Claude(teachers, Runtime(**{"batch": True, **runtime}))

    def walk(names: Sequence[str]) -> Iterator[Request]:
        wanted = set(names)
        return (request for name, request in requests.items() if name in wanted)

    terms = terms or Terms(Estimator((), teachers))
    with Journal(path) as journal:
        left = [name for name in requests if name not in journal.find_answered(list(requests))]
        return ask_teacher(claude, left, walk, journal, terms)


def start_child(path: Path, url: str, count: int, *options: str) -> "subprocess.Popen[str]":
    """Start asking in another process, and return when it has begun."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.batching", str(path), url, str(count), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ANTHROPIC_API_KEY": KEY, "PYTHONPATH": str(ROOT)},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n", child.communicate()[1]
    return child


def _die_at(where: str) -> None:
    owner = {"intend": BatchBook, "set_name": BatchBook, "create": BatchApi, "record": Journal}
    act = getattr(owner[where], where)

    def die(*values: Any, **options: Any) -> Any:
        if where != "set_name":
            result = act(*values, **options)
            if where == "record" and not values[1]:
                return result
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    setattr(owner[where], where, die)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("journal", type=Path)
    parser.add_argument("url")
    parser.add_argument("requests", type=int)
    parser.add_argument("--die-at", default="")
    parser.add_argument("--direct", action="store_true")
    options = parser.parse_args()
    for (module, name), value in be_quick().items():
        setattr(module, name, value)
    if options.die_at:
        _die_at(options.die_at)
    import anthropic  # noqa: F401 - late in the teacher; a kill is to meet the asking

    print("ready", flush=True)
    asked = ask(
        options.journal, options.url, make_requests(options.requests), batch=not options.direct
    )
    print(asked.stop or "done", len(asked.failures), flush=True)


if __name__ == "__main__":
    main()
