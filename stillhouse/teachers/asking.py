"""Ask a teacher for what is missing, each request once among all processes of the project."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from stillhouse.base.records import Request, Response
from stillhouse.base.stage import log, show_progress
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.protocol import Failure, Teacher

_BLOCK: Final = 1024  # requests leased and handed over at once
_WAIT_SECONDS: Final = 0.2  # between two looks at what another process is asking


@dataclass(frozen=True, slots=True)
class Asked:
    """What came back: answers by request id, failures, and how many requests were sent from here."""

    answers: Mapping[str, Response]
    failures: tuple[Failure, ...]
    sent: int


def ask_teacher(teacher: Teacher, requests: Mapping[str, Request], journal: Journal) -> Asked:
    """Ask for every request, and wait for those that another process is asking already.

    Each outcome is in the journal before the next is taken; with a teacher that costs, it is on
    disk. So ending this process at any moment loses nothing that has come back.
    """
    journal.set_durable(teacher.costs)
    answers: dict[str, Response] = {}
    failures: list[Failure] = []
    waiting, sent = set(requests), 0
    while waiting:
        granted = journal.claim(sorted(waiting), _BLOCK)
        for outcome in _ask_granted(teacher, [requests[name] for name in granted], journal):
            if isinstance(outcome, Response):
                answers[outcome.request_id] = outcome
            else:
                failures.append(outcome)
        sent += len(granted)
        waiting -= set(granted)
        if waiting and not granted:
            answers |= _await_others(waiting, journal)
            waiting -= answers.keys()
    return Asked(answers, tuple(failures), sent)


def _await_others(waiting: set[str], journal: Journal) -> dict[str, Response]:
    """Wait until another process has answered something, or has left something to be asked."""
    log.info("waiting: %d requests are being asked by another process", len(waiting))
    while not (found := journal.read(waiting)) and not journal.has_free(waiting):
        time.sleep(_WAIT_SECONDS)
    return found


def _ask_granted(
    teacher: Teacher, requests: list[Request], journal: Journal
) -> Iterator[Response | Failure]:
    """Yield an outcome for each request, once it is in the journal."""
    if not requests:
        return
    missing = {request.request_id for request in requests}
    try:
        outcomes = teacher.answer(requests)
        for outcome in show_progress(outcomes, f"asking {teacher.name}", len(requests)):
            if outcome.request_id not in missing:
                raise ValueError(f"{teacher.name}: an outcome that was not asked for, or twice")
            journal.record([outcome])
            missing.remove(outcome.request_id)
            yield outcome
        for name in sorted(missing):
            silent = Failure(name, "the teacher gave no outcome", permanent=False)
            journal.record([silent])
            yield silent
    finally:
        journal.release()


def _wait(left: int) -> bool:
    if left:
        log.info("waiting for %d answers that another process is asking for", left)
        time.sleep(_WAIT_SECONDS)
    return True
