import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from stillhouse.base import versions
from stillhouse.base.errors import InputError
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.money import Account
from stillhouse.teachers.protocol import Failure
from tests.asking import FakeTeacher, ask, make_request, make_response

FORK = multiprocessing.get_context("fork")
REQUESTS = {request.request_id: request for request in map(make_request, range(30))}
FIRST, SECOND, *_ = REQUESTS.values()


def ask_all(folder: Path, seconds: float) -> None:
    with Journal(folder / "journal.sqlite") as journal:
        teacher = FakeTeacher(folder / "ledger", seconds=seconds)
        assert ask(teacher, list(REQUESTS.values()), journal).failures == ()
        assert journal.find_answered(REQUESTS) == REQUESTS.keys()


def wait_for_lines(path: Path, count: int) -> None:
    while not path.exists() or len(path.read_text().split()) < count:
        time.sleep(0.005)


def test_an_answer_is_read_back_whole(tmp_path: Path) -> None:
    response = make_response(FIRST, "Straße – “quoted”\n")
    with Journal(tmp_path / "j") as journal:
        journal.record([response])
    with Journal(tmp_path / "j") as journal:
        found = journal.read([FIRST.request_id, SECOND.request_id])
    assert found == {FIRST.request_id: response}


def test_the_first_answer_to_a_request_stays(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.record([make_response(FIRST, "one")])
        journal.record([make_response(FIRST, "two")])
        assert journal.read([FIRST.request_id])[FIRST.request_id].text == "one"


def test_a_failure_is_kept_apart_until_an_answer_comes(tmp_path: Path) -> None:
    failure = Failure(FIRST.request_id, "overloaded", permanent=False)
    with Journal(tmp_path / "j") as journal:
        journal.record([failure])
        assert journal.read([FIRST.request_id]) == {}
        assert journal.read_failures() == [failure]
        assert journal.claim([FIRST.request_id], 1) == [FIRST.request_id]
        journal.record([make_response(FIRST)])
        assert journal.read_failures() == []


def test_only_what_is_neither_answered_nor_leased_is_granted(tmp_path: Path) -> None:
    ids = list(REQUESTS)[:4]
    with Journal(tmp_path / "j") as journal:
        journal.record([make_response(REQUESTS[ids[0]])])
        assert journal.claim(ids, 2) == ids[1:3]
        assert journal.claim(ids, 9) == ids[3:]
        journal.release()
        assert journal.claim(ids, 9) == ids[1:]


def test_a_lease_from_another_machine_ends_with_its_time(tmp_path: Path) -> None:
    name, now = FIRST.request_id, time.time()
    with Journal(tmp_path / "j") as journal, sqlite3.connect(tmp_path / "j") as base:
        base.execute(
            "INSERT INTO leases VALUES (?, 'elsewhere', 1, '1', ?, 0, 0)", (name, now + 60)
        )
        base.commit()
        assert journal.claim([name], 1) == []
        base.execute("UPDATE leases SET expires = ?", (now - 1,))
        base.commit()
        assert journal.claim([name], 1) == [name]


def test_another_layout_is_refused_and_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "j") as base:
        base.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match=r"layout 99.*expected layout 3 or an older one"):
        Journal(tmp_path / "j")


def _age(journal: Journal, layout: int) -> None:
    """Take from a journal what the layouts after this one brought."""
    brought = {
        2: ["DROP TABLE unusable"],
        3: [
            "DROP INDEX spending_by_time",
            "DROP INDEX spending_by_task",
            *(f"DROP TABLE {name}" for name in ("spending", "batches", "batched")),
            *(f"DROP TABLE {name}" for name in ("shared", "segments")),
            "DROP INDEX answers_to_share",
            "ALTER TABLE answers DROP COLUMN teacher",
            "ALTER TABLE answers DROP COLUMN confidences",
            "ALTER TABLE unusable DROP COLUMN confidences",
            "ALTER TABLE leases DROP COLUMN expected",
            "ALTER TABLE leases DROP COLUMN reserved",
        ],
    }
    for newer in range(versions.JOURNAL, layout, -1):
        for statement in brought[newer]:
            journal._base.execute(statement)
    journal._base.execute(f"PRAGMA user_version = {layout}")


@pytest.mark.parametrize("layout", range(1, versions.JOURNAL))
def test_a_journal_of_a_former_layout_keeps_its_answers(tmp_path: Path, layout: int) -> None:
    response, failure = make_response(FIRST), Failure(SECOND.request_id, "529", permanent=False)
    with Journal(tmp_path / "j") as journal:
        journal.record([response, failure])
        whole = _describe(journal)
        _age(journal, layout)
        assert _describe(journal) != whole
    cut = replace(response, request_id="third", stop_reason="max_tokens")
    for _ in range(2):
        with Journal(tmp_path / "j") as journal:
            assert _describe(journal) == whole
            assert journal.read([FIRST.request_id]) == {FIRST.request_id: response}
            assert journal.read_failures() == [failure]
            assert journal.read_account() == Account(0, 0)
            journal.record([Failure("third", "cut off", permanent=True, response=cut)])
            journal._base.execute("DELETE FROM failures WHERE request_id = 'third'")


def _describe(journal: Journal) -> dict[str, set[str]]:
    """Return the columns of each table, and the indexes."""
    base = journal._base
    names = [name for (name,) in base.execute("SELECT name FROM sqlite_schema")]
    return {name: {row[1] for row in base.execute(f"PRAGMA table_info({name})")} for name in names}


def test_a_file_that_is_no_journal_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "j").write_text("not a database, and long enough to be read as one\n" * 9)
    with pytest.raises(InputError, match=r"j: the journal cannot be used \(file is not a database"):
        Journal(tmp_path / "j")


def test_ctrl_c_is_obeyed_while_another_process_holds_the_journal(
    tmp_path: Path,
) -> None:
    path, begun = tmp_path / "j", time.monotonic()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), Journal(path) as journal:
            holder = sqlite3.connect(path, isolation_level=None)
            holder.execute("BEGIN EXCLUSIVE")
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
            journal.claim([FIRST.request_id], 1)
    finally:
        signal.signal(signal.SIGINT, before)
        holder.close()
    assert time.monotonic() - begun < 30  # and not the 60 s for which a lock is waited for
    with Journal(path) as journal:
        assert journal.claim([FIRST.request_id], 1) == [FIRST.request_id]


def test_a_locked_journal_is_waited_for(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        holder = sqlite3.connect(tmp_path / "j", isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN EXCLUSIVE")
        threading.Timer(1.0, holder.close).start()
        assert journal.claim([FIRST.request_id], 1) == [FIRST.request_id]


def test_leases_that_cannot_be_given_back_end_with_their_process(tmp_path: Path) -> None:
    path = tmp_path / "j"

    def end_under_a_lock() -> None:
        journal = Journal(path)
        journal.claim([FIRST.request_id], 1)
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        journal.release()
        os._exit(0)

    child = FORK.Process(target=end_under_a_lock)
    child.start()
    child.join()
    assert child.exitcode == 0
    with Journal(path) as journal:
        assert journal.claim([FIRST.request_id], 1) == [FIRST.request_id]


def test_paid_answers_are_flushed_to_the_disk_and_free_ones_are_not(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        for costs, level in ((True, 2), (False, 1)):
            ask(FakeTeacher(tmp_path / "l", costs=costs), [], journal)
            assert journal._base.execute("PRAGMA synchronous").fetchone() == (level,)


def test_two_processes_at_once_never_ask_the_same(tmp_path: Path) -> None:
    processes = [FORK.Process(target=ask_all, args=(tmp_path, 0.005)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert sorted(FakeTeacher(tmp_path / "ledger").read_ledger()) == sorted(REQUESTS)


def test_a_kill_between_answers_loses_none(tmp_path: Path) -> None:
    process = FORK.Process(target=ask_all, args=(tmp_path, 0.01))
    process.start()
    wait_for_lines(tmp_path / "ledger", 10)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    before = FakeTeacher(tmp_path / "ledger").read_ledger()
    ask_all(tmp_path, 0.0)
    asked = FakeTeacher(tmp_path / "ledger").read_ledger()
    # The request in flight when the process died is the only one that may be asked again.
    assert set(asked) == REQUESTS.keys()
    assert len(asked) <= len(REQUESTS) + 1
    assert len(before) >= 10


def test_what_a_dying_process_left_is_taken_over_while_waiting(tmp_path: Path) -> None:
    first = FORK.Process(target=ask_all, args=(tmp_path, 60.0))
    first.start()
    wait_for_lines(tmp_path / "ledger", 1)
    second = FORK.Process(target=ask_all, args=(tmp_path, 0.0))
    second.start()
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    second.join()
    assert second.exitcode == 0


def test_half_a_character_costs_no_answer(tmp_path: Path) -> None:
    good, half = make_response(make_request(1)), make_response(make_request(2), "a \ud83d")
    failed = Failure(make_request(3).request_id, "400 \udc00", permanent=True)
    with Journal(tmp_path / "j") as journal:
        journal.record([good, half, failed])
        assert journal.read([half.request_id])[half.request_id].text == "a ?"
        assert journal.find_answered([good.request_id]) == {good.request_id}
        assert journal.read_failures()[0].error == "400 ?"


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        (pages,) = journal._base.execute("PRAGMA page_count").fetchone()
        journal._base.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(InputError, match="disk is full"):
            journal.record([make_response(make_request(1), "long " * 20_000)])
        journal._base.execute("PRAGMA max_page_count = 100000")
        journal.record([make_response(make_request(1))])
