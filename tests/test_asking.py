"""Each request is asked once among all processes, and all of them go on with the same answer."""

import logging
import multiprocessing
import os
import signal
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Timer

import pytest

from stillhouse.base.ending import end_in_a_sentence
from stillhouse.base.errors import TeacherError
from stillhouse.base.records import Message, Request
from stillhouse.teachers import desk, journal
from stillhouse.teachers.asking import Asked
from stillhouse.teachers.desk import Terms
from stillhouse.teachers.estimate import Estimator
from stillhouse.teachers.generate import Counts, GenerateParams, collect_answers, read_answers
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.lookup import Archive
from stillhouse.teachers.money import Account
from stillhouse.teachers.owner import Owner
from stillhouse.teachers.params import Price, TeachersParams
from stillhouse.teachers.protocol import Failure, Outcome, Reply, Source, take_all
from tests.asking import (
    FakeTeacher,
    Generated,
    ask,
    generate,
    make_request,
    make_response,
    write_answer,
)

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


@pytest.mark.parametrize("allowed", [True, False])
def test_a_teacher_learns_whether_it_may_pay_again(tmp_path: Path, allowed: bool) -> None:
    told: list[bool] = []

    class Curious(FakeTeacher):
        def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
            told.append(source.may_repay)
            yield from super().answer(source)

    archive = Archive(tmp_path, tmp_path)
    with Journal(tmp_path / "j") as mine:
        teacher = Curious(tmp_path / "l")
        generate([FIRST], [teacher], mine, archive, GenerateParams(), allow_repay=allowed)
    assert told == [allowed]


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
    monkeypatch.setattr(desk, "_BLOCK", 2)
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


# --- what a teacher takes, and what becomes of it ------------------------------------------------


@dataclass
class Pool(FakeTeacher):
    """Has several requests on their way at once, as a server's teacher does; notes when it sends."""

    width: int = 4
    on_their_way: list[Request] = field(default_factory=list)

    def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
        while self.on_their_way or not source.ended:
            for request in source.take(self.width - len(self.on_their_way)):
                self.note(request)
                self.on_their_way.append(request)
            if self.on_their_way:
                time.sleep(self.seconds)
                yield [Reply(self.say(self.on_their_way.pop(0)), self.usage, self.usd)]


def run(
    folder: Path, teacher: FakeTeacher, terms: Terms | None = None, tolerate: int = 0
) -> Generated:
    with Journal(folder / "j") as mine:
        params = GenerateParams(tolerate_refusals=tolerate)
        return generate(REQUESTS, [teacher], mine, Archive(folder, folder), params, terms)


@pytest.mark.parametrize("width", [1, 7, 30, 64])
def test_as_many_are_given_as_are_wanted_and_each_once(tmp_path: Path, width: int) -> None:
    class Wide(FakeTeacher):
        def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
            for requests in take_all(source, width):
                assert len(requests) == min(width, len(REQUESTS)) or requests[-1] == REQUESTS[-1]
                yield [self.reply(request) for request in requests]

    with Journal(tmp_path / "j") as mine:
        assert ask(Wide(tmp_path / "l"), REQUESTS, mine) == Asked(sent=30)
    assert FakeTeacher(tmp_path / "l").read_ledger() == NAMES


def test_more_refusals_than_are_tolerated_end_it_before_the_rest_is_paid_for(
    tmp_path: Path,
) -> None:
    failing = {name: Failure(name, "400 bad", permanent=True) for name in NAMES[2:5]}
    pool = Pool(tmp_path / "l", failing=failing)
    with pytest.raises(TeacherError, match="3 requests were refused for good, first: 400 bad; "):
        run(tmp_path, pool, tolerate=1)
    # The fourth reply was one refusal too many: three more were on their way, and are kept.
    assert pool.read_ledger() == NAMES[:7]
    assert run(tmp_path, pool, tolerate=3).counts == Counts(requests=30, answered=4, sent=23)


def test_refusals_of_all_teachers_count_together(tmp_path: Path) -> None:
    mixed = [replace(one, teacher="free") if n % 2 else one for n, one in enumerate(REQUESTS)]
    failing = {name: Failure(name, "400 bad", permanent=True) for name in NAMES[:2]}
    teachers = [
        FakeTeacher(tmp_path / "l", failing=failing),
        FakeTeacher(tmp_path / "f", name="free", costs=False, failing=failing),
    ]
    params, archive = GenerateParams(tolerate_refusals=1), Archive(tmp_path, tmp_path)
    with (
        Journal(tmp_path / "j") as mine,
        pytest.raises(TeacherError, match=r"2 requests were refused .* now 1\)"),
    ):
        generate(mixed, teachers, mine, archive, params)


def test_when_the_time_is_up_what_is_on_its_way_is_kept(tmp_path: Path) -> None:
    pool = Pool(tmp_path / "l", seconds=0.05)
    with pytest.raises(TeacherError) as end:
        run(tmp_path, pool, Terms(deadline_seconds=0.3))
    sent = len(pool.read_ledger())
    assert 4 <= sent < 30
    assert str(end.value) == (
        f"the time is up (`runtime.deadline_minutes`): {sent} of 30 answers came and are kept, "
        f"{30 - sent} are missing; `dvc repro` goes on from there"
    )
    assert run(tmp_path, pool).counts == Counts(requests=30, answered=sent, sent=30 - sent)


def test_all_teachers_share_the_time(tmp_path: Path) -> None:
    class Slow(FakeTeacher):
        def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
            yield [self.reply(one) for one in source.take(99)]

    mixed = [replace(one, teacher="second") if n % 2 else one for n, one in enumerate(REQUESTS)]
    teachers = [
        Slow(tmp_path / "l", seconds=0.02),
        FakeTeacher(tmp_path / "s", name="second"),
    ]
    with (
        Journal(tmp_path / "j") as mine,
        pytest.raises(TeacherError, match=r"the time is up .* 0 of 15"),
    ):
        generate(
            mixed,
            teachers,
            mine,
            Archive(tmp_path, tmp_path),
            GenerateParams(),
            Terms(deadline_seconds=0.25),
        )


def test_a_deadline_behind_the_last_answer_is_none(tmp_path: Path) -> None:
    class Late(FakeTeacher):
        def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
            taken = source.take(99)
            time.sleep(0.25)
            assert source.take(1) == ()
            assert source.stopped == "deadline"
            yield [self.reply(request) for request in taken]

    assert run(tmp_path, Late(tmp_path / "l"), Terms(deadline_seconds=0.2)).counts.sent == 30


def test_a_server_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    class Gone(FakeTeacher):
        def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
            taken = source.take(3)
            yield [self.reply(taken[0])]
            source.put_back(taken[1:])
            source.stop("unreachable")

    with pytest.raises(
        TeacherError, match=r"^the teacher cannot be reached: 1 of 30 .* kept, 29 are missing; "
    ):
        run(tmp_path, Gone(tmp_path / "l"))
    assert run(tmp_path, FakeTeacher(tmp_path / "l")).counts.sent == 29


def test_a_teacher_that_takes_nothing_has_failed(tmp_path: Path) -> None:
    class Idle(FakeTeacher):
        def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
            yield from ()

    with pytest.raises(TeacherError, match=r"30 requests failed .* the teacher gave no outcome"):
        run(tmp_path, Idle(tmp_path / "l"))


def test_what_a_teacher_leaves_untaken_comes_in_another_round(tmp_path: Path) -> None:
    class Short(FakeTeacher):
        def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
            yield [self.reply(request) for request in source.take(8)]

    with Journal(tmp_path / "j") as mine:
        assert ask(Short(tmp_path / "l"), REQUESTS, mine) == Asked(sent=30)
    assert FakeTeacher(tmp_path / "l").read_ledger() == NAMES


def test_an_answer_that_cannot_be_read_is_asked_for_again_also_as_the_last_one(
    tmp_path: Path,
) -> None:
    class Stutters(FakeTeacher):
        def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
            taken = source.take(99)
            yield [self.reply(request) for request in taken]

        def say(self, request: Request) -> Outcome:
            first = self.read_ledger().count(request.request_id) == 1
            return make_response(request, "Here they are:" if first else "")

    again = Terms(ask_again=1)
    with Journal(tmp_path / "j") as mine:
        assert ask(Stutters(tmp_path / "l"), REQUESTS, mine, again) == Asked(sent=60)
        answers = mine.read(NAMES)
    assert answers == {one.request_id: make_response(one) for one in REQUESTS}


def test_an_outcome_that_nobody_asked_for_costs_no_other_its_answer(tmp_path: Path) -> None:
    class Confused(FakeTeacher):
        def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
            first, second = source.take(2)
            yield [Reply(make_response(one)) for one in (first, make_request(99), second)]

    with Journal(tmp_path / "j") as mine:
        with pytest.raises(ValueError, match="not asked for"):
            ask(Confused(tmp_path / "l"), REQUESTS, mine)
        assert mine.find_answered(NAMES) == set(NAMES[:2])


# --- Ctrl-C --------------------------------------------------------------------------------------


def interrupt(folder: Path, teacher: FakeTeacher, lines: int, times: int) -> int | None:
    """Send SIGINT to a process that asks, once so many were sent; return how it ended."""

    def work() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
        with end_in_a_sentence():
            run(folder, teacher, Terms(Estimator((), PRICES)))

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    while len(teacher.read_ledger()) < lines:
        assert process.is_alive()
        time.sleep(0.01)
    for _ in range(times):
        assert process.pid is not None
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.3)
    process.join(30)
    return process.exitcode


PRICES = TeachersParams(prices={FIRST.model: Price(input=0, output=1_000_000 / 64)})


def test_ctrl_c_waits_for_what_is_on_its_way_and_keeps_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pool = Pool(tmp_path / "l", seconds=0.1)
    assert interrupt(tmp_path, pool, lines=6, times=1) == 130
    sent = pool.read_ledger()
    assert 6 <= len(sent) < 30
    told = capfd.readouterr().err
    assert "answers are on their way and are waited for (again to leave them)" in told
    assert (
        f"error: interrupted: {len(sent)} of 30 answers came and are kept, {30 - len(sent)} are "
        "missing; `dvc repro` goes on from there" in told
    )
    with Journal(tmp_path / "j") as mine:
        assert mine.find_answered(NAMES) == set(sent)
        assert mine.claim(NAMES, 30) == [name for name in NAMES if name not in sent]


def test_a_second_ctrl_c_leaves_what_is_on_its_way_and_counts_it_as_spent(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    begun = time.monotonic()
    pool = Pool(tmp_path / "l", seconds=90)
    assert interrupt(tmp_path, pool, lines=4, times=2) == 130
    assert time.monotonic() - begun < 60
    assert "Traceback" not in capfd.readouterr().err
    with Journal(tmp_path / "j") as mine:
        assert mine.find_answered(NAMES) == set()
        assert mine.read_account() == Account(4 * 0.125, 0)
        assert mine.claim(NAMES, 30) == NAMES


def test_a_free_teacher_is_interrupted_at_once(tmp_path: Path) -> None:
    begun = time.monotonic()
    pool = Pool(tmp_path / "l", seconds=90, costs=False)
    assert interrupt(tmp_path, pool, lines=4, times=1) == 130
    assert time.monotonic() - begun < 60


# --- memory --------------------------------------------------------------------------------------


class Many(Sequence[Request]):
    """Long requests that are made anew each time they are walked, as a stored table is read."""

    COUNT, SIZE = 3000, 6000

    def __len__(self) -> int:
        return self.COUNT

    def __getitem__(self, number: int) -> Request:  # type: ignore[override]
        if number >= self.COUNT:
            raise IndexError(number)
        text = f"{number} " + "x" * self.SIZE
        return replace(FIRST, request_id=f"{number:064}", messages=(Message("user", text),))


def test_neither_all_requests_nor_all_answers_are_ever_held(tmp_path: Path) -> None:
    class Long(FakeTeacher):
        def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
            for requests in take_all(source, 100):
                yield [
                    Reply(make_response(one, write_answer("Q?", answer="y" * Many.SIZE)))
                    for one in requests
                ]

    requests, total = Many(), Many.COUNT * Many.SIZE * 2
    with Journal(tmp_path / "j") as mine:
        tracemalloc.start()
        try:
            collected = collect_answers(
                requests,
                [Long(tmp_path / "l")],
                mine,
                Archive(tmp_path, tmp_path),
                GenerateParams(),
            )
            pairs = sum(len(read.pairs) for read in read_answers(requests, mine, {}))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert collected.counts == Counts(requests=Many.COUNT, answered=0, sent=Many.COUNT)
    assert pairs == Many.COUNT
    assert peak < total / 2
