"""Each request is asked once among all processes, and all of them go on with the same answer."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Timer

import pytest

from stillhouse.base.records import Request
from stillhouse.teachers import asking, journal
from stillhouse.teachers.asking import Asked
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.owner import Owner
from stillhouse.teachers.protocol import Failure, Outcome, Reply, Source
from tests.asking import FakeTeacher, ask, make_request, make_response

REQUESTS = [make_request(number) for number in range(30)]
NAMES = [request.request_id for request in REQUESTS]
FIRST = REQUESTS[0]
ELSEWHERE = Owner("another machine", 1, "1")


def open_elsewhere(folder: Path) -> Journal:
    """Open the journal as a process that this one can only judge by the clock, and that one it."""
    other = Journal(folder / "j")
    other._owner = ELSEWHERE
    return other


def test_what_counts_is_what_the_journal_holds(tmp_path: Path) -> None:
    class Late(FakeTeacher):
        def say(self, request: Request) -> Outcome:
            with open_elsewhere(tmp_path) as other:  # whoever took the lease over was faster
                other.record([make_response(FIRST, "first")])
            return Failure(FIRST.request_id, "400 bad", permanent=True)

    with Journal(tmp_path / "j") as mine:
        assert ask(Late(tmp_path / "l"), [FIRST], mine) == Asked(sent=1)
        assert mine.read([FIRST.request_id]) == {FIRST.request_id: make_response(FIRST, "first")}


def test_a_teacher_that_is_silent_for_long_keeps_its_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "LEASE_SECONDS", 1.0)
    granted: list[str] = []

    class Slow(FakeTeacher):
        def say(self, request: Request) -> Outcome:
            time.sleep(2.5)
            with open_elsewhere(tmp_path) as other:
                granted.extend(other.claim([FIRST.request_id], 1))
            return make_response(FIRST)

    with Journal(tmp_path / "j") as mine:
        ask(Slow(tmp_path / "l"), [FIRST], mine)
    assert granted == []


def test_a_refusal_that_another_process_got_is_taken_over(tmp_path: Path) -> None:
    refusal = Failure(FIRST.request_id, "400 bad", permanent=True)
    with open_elsewhere(tmp_path) as other, Journal(tmp_path / "j") as mine:
        other.claim([FIRST.request_id], 1)
        Timer(0.5, lambda: record_elsewhere(tmp_path, refusal)).start()
        asked = ask(FakeTeacher(tmp_path / "l"), [FIRST], mine)
    assert asked == Asked(sent=0, failures=(refusal,))


def record_elsewhere(folder: Path, outcome: Failure) -> None:
    with open_elsewhere(folder) as other:
        other.record([outcome])


def test_leases_are_given_back_when_a_teacher_breaks(tmp_path: Path) -> None:
    class Broken(FakeTeacher):
        def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
            yield [self.reply(request) for request in source.take(3)[:1]]
            raise OSError("cable")

    with Journal(tmp_path / "j") as mine:
        with pytest.raises(OSError, match="cable"):
            ask(Broken(tmp_path / "l"), REQUESTS, mine)
        with open_elsewhere(tmp_path) as other:
            assert len(other.claim(NAMES, 99)) == len(REQUESTS) - 1


def test_a_request_is_leased_once_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_BLOCK", 2)
    looked_up: list[str] = []
    claim = Journal.claim

    def count(self: Journal, names: Sequence[str], limit: int) -> list[str]:
        looked_up.extend(names)
        return claim(self, names, limit)

    monkeypatch.setattr(Journal, "claim", count)
    with Journal(tmp_path / "j") as mine:
        assert ask(FakeTeacher(tmp_path / "l"), REQUESTS, mine) == Asked(sent=len(REQUESTS))
        assert mine.find_answered(NAMES) == set(NAMES)
    assert sorted(looked_up) == sorted(NAMES)  # each once
