"""Ask a teacher for what is missing, each request once among all processes of the project."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from stillhouse.base.records import Request, Response
from stillhouse.base.stage import log, show_progress
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.outcome import look_over
from stillhouse.teachers.protocol import Failure, Teacher

_BLOCK: Final = 1024  # requests leased and handed over at once
_WINDOW: Final = 4 * _BLOCK  # requests among which a block that nobody else asks is looked for
_WAIT_SECONDS: Final = 0.2  # between two looks at what another process is asking


@dataclass(frozen=True, slots=True)
class Asked:
    """What came back: answers by request id, failures, and the requests that were sent from here."""

    answers: Mapping[str, Response]
    failures: tuple[Failure, ...]
    sent: Collection[str]


def ask_teacher(teacher: Teacher, requests: Mapping[str, Request], journal: Journal) -> Asked:
    """Ask for every request, and wait for those that another process is asking already.

    Each outcome is in the journal before the next is taken; with a teacher that costs, it is on
    disk. So ending this process at any moment loses nothing that has come back. What the journal
    holds is what is returned: two processes never go on with two answers to one request.
    """
    journal.set_durable(teacher.costs)
    outcomes: dict[str, Response | Failure] = {}
    left, sent = sorted(requests), set[str]()
    while left:
        elsewhere: list[str] = []
        for granted, others in _claim_blocks(left, journal):
            for outcome in _ask_granted(teacher, [requests[name] for name in granted], journal):
                outcomes[outcome.request_id] = outcome
            sent.update(granted)
            elsewhere += others
        found = _await_others(elsewhere, journal)
        outcomes |= found
        left = [name for name in elsewhere if name not in found]
    return Asked(
        answers={n: outcome for n, outcome in outcomes.items() if isinstance(outcome, Response)},
        failures=tuple(outcome for outcome in outcomes.values() if isinstance(outcome, Failure)),
        sent=sent,
    )


def _claim_blocks(
    names: Sequence[str], journal: Journal
) -> Iterator[tuple[list[str], Collection[str]]]:
    """Yield what could be leased, block by block, each with what was passed over on the way.

    The next block is leased only when the caller is done with this one.
    """
    start = 0
    while start < len(names):
        window = names[start : start + _WINDOW]
        granted = journal.claim(window, _BLOCK)
        if len(granted) == _BLOCK:
            window = window[: window.index(granted[-1]) + 1]
        start += len(window)
        mine = set(granted)
        yield granted, [name for name in window if name not in mine]


def _await_others(names: Collection[str], journal: Journal) -> dict[str, Response | Failure]:
    """Wait until another process has answered everything, or has left something to be asked."""
    found: dict[str, Response | Failure] = {}
    waiting = set(names)
    while waiting:
        found |= journal.read(waiting)
        found |= journal.read_refusals(waiting)
        waiting -= found.keys()
        if not waiting or journal.has_free(waiting):
            break
        if len(waiting) == len(names):
            log.info("waiting: %d requests are being asked by another process", len(waiting))
        time.sleep(_WAIT_SECONDS)
    return found


def _ask_granted(
    teacher: Teacher, requests: list[Request], journal: Journal
) -> Iterator[Response | Failure]:
    """Yield for each request the outcome that the journal holds once the teacher has given one."""
    if not requests:
        return
    asked = {request.request_id: request for request in requests}
    missing = set(asked)
    with journal.keep_leases():
        outcomes = teacher.answer(requests)
        for outcome in show_progress(outcomes, f"asking {teacher.name}", len(requests)):
            if outcome.request_id not in missing:
                raise ValueError(f"{teacher.name}: an outcome that was not asked for, or twice")
            missing.remove(outcome.request_id)
            request = asked[outcome.request_id]
            given = look_over(request, outcome) if isinstance(outcome, Response) else outcome
            yield from journal.record([given])
        for name in sorted(missing):
            yield from journal.record(
                [Failure(name, "the teacher gave no outcome", permanent=False)]
            )
