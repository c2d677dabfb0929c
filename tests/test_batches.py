"""Message batches: half the price, and whatever happens, nothing is submitted twice or lost."""

import logging
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from stillhouse.base.errors import InputError, TeacherError
from stillhouse.base.runtime import Runtime
from stillhouse.prompts.schema import ANSWER_SCHEMA
from stillhouse.teachers import batches
from stillhouse.teachers.asking import ask_teacher
from stillhouse.teachers.batch_api import BatchApi, BatchState, _split_lines
from stillhouse.teachers.claude import Claude
from stillhouse.teachers.desk import Terms
from stillhouse.teachers.estimate import Estimator
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.money import Budget
from stillhouse.teachers.owner import name_place, read_start
from tests.batching import KEY, ask, be_quick, make_requests, make_teachers, start_child
from tests.stub_teacher.process import StubProcess, start_stub, wait_until


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    for (module, name), value in be_quick().items():
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def stub() -> Iterator[StubProcess]:
    with start_stub(batch_seconds=0.2) as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def count_answers(path: Path, count: int) -> int:
    with Journal(path) as journal:
        return len(journal.find_answered(list(make_requests(count))))


def read_all(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as base:
        return base.execute(query).fetchall()


def write(path: Path, query: str, *rows: tuple[object, ...]) -> None:
    with closing(sqlite3.connect(path)) as base:
        base.executemany(query, rows or [()])
        base.commit()


def await_submitted(path: Path, count: int) -> None:
    """Wait until the journal has so many batches by their names."""

    def submitted() -> bool:
        try:
            return read_all(path, "SELECT count(*) FROM batches WHERE name != ''") == [(count,)]
        except sqlite3.OperationalError:  # not laid out yet
            return False

    wait_until(submitted)


def check_all_once(path: Path, stub: StubProcess, count: int) -> None:
    """Every answer is here, was submitted once and billed once, and nothing is reserved any more."""
    state = stub.state()
    assert count_answers(path, count) == count
    assert (state["batch_items"], state["distinct"], state["paid_twice"]) == (count, count, 0)
    assert read_all(path, "SELECT count(*), count(DISTINCT request_id) FROM spending") == [
        (count, count)
    ]
    assert read_all(path, "SELECT DISTINCT kind FROM spending") == [("answer",)]
    with Journal(path) as journal:
        account = journal.read_account()
    assert account.spent == pytest.approx(state["cost_usd"])
    assert account.reserved == 0
    assert read_all(path, "SELECT count(*) FROM batches WHERE NOT ended") == [(0,)]


def die(path: Path, stub: StubProcess, count: int, where: str) -> None:
    child = start_child(path, stub.url, count, "--die-at", where)
    assert child.wait(60) == -signal.SIGKILL, child.communicate()
    child.communicate()


def test_batches_are_few_and_cost_half(path: Path, stub: StubProcess) -> None:
    asked = ask(path, stub.url, make_requests(50))
    assert (asked.sent, asked.failures, asked.stop) == (50, (), "")
    assert stub.state()["batches"] == 3
    check_all_once(path, stub, 50)
    (tokens,) = read_all(path, "SELECT sum(input_tokens), sum(output_tokens) FROM spending")
    with Journal(path) as journal:
        assert journal.read_account().spent == pytest.approx(
            (tokens[0] * 3 + tokens[1] * 15) / 2e6  # type: ignore[operator]
        )
        assert [rate.calls for rate in journal.read_rates()] == [50]


def test_a_batch_holds_no_more_bytes_than_it_may(
    path: Path, stub: StubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillhouse.teachers.batch_draft.MOST_BYTES", 2_000)
    asked = ask(path, stub.url, make_requests(20))
    assert asked.sent == 20
    assert 2 < stub.state()["batches"] < 20
    check_all_once(path, stub, 20)


@pytest.mark.parametrize("where", ["intend", "create", "set_name", "record"])
def test_killed_at_the_worst_moments(path: Path, stub: StubProcess, where: str) -> None:
    die(path, stub, 50, where)
    asked = ask(path, stub.url, make_requests(50))
    assert (asked.failures, asked.stop) == ((), "")
    check_all_once(path, stub, 50)


def test_killed_at_random_moments(path: Path, stub: StubProcess) -> None:
    draw = random.Random(4)
    for _ in range(8):
        child = start_child(path, stub.url, 100)
        time.sleep(draw.uniform(0, 0.9))
        child.kill()
        child.communicate()
    ask(path, stub.url, make_requests(100))
    check_all_once(path, stub, 100)


def test_a_kill_is_overcome_in_direct_mode_too(path: Path, stub: StubProcess) -> None:
    die(path, stub, 50, "set_name")
    asked = ask(path, stub.url, make_requests(50), batch=False)
    assert (asked.sent, asked.failures) == (30, ())
    state = stub.state()
    assert (state["batch_items"], state["distinct"], state["paid_twice"]) == (20, 50, 0)
    assert count_answers(path, 50) == 50


def test_another_process_fetches_what_is_under_way(path: Path) -> None:
    with start_stub(batch_seconds=3) as stub:
        first = start_child(path, stub.url, 30)
        wait_until(lambda: stub.state()["batches"] == 2)
        second = start_child(path, stub.url, 30)
        for child in (first, second):
            said, trouble = child.communicate(timeout=180)
            assert said == "done 0\n", trouble
        check_all_once(path, stub, 30)


def test_what_is_left_when_the_first_process_has_gone(path: Path) -> None:
    with start_stub(batch_seconds=2) as stub:
        first = start_child(path, stub.url, 30)
        await_submitted(path, 2)
        first.kill()
        first.communicate()
        asked = ask(path, stub.url, make_requests(30))
        assert (asked.sent, asked.failures) == (0, ())
        check_all_once(path, stub, 30)


def test_answers_that_nobody_wants_any_more_are_kept(path: Path, stub: StubProcess) -> None:
    die(path, stub, 20, "create")
    edited = dict(list(make_requests(25).items())[20:])
    time.sleep(0.5)
    assert ask(path, stub.url, edited).sent == 5
    check_all_once(path, stub, 25)


def test_what_expires_or_fails_is_asked_by_the_next_run_alone(path: Path) -> None:
    plan = {
        "seed": 3,
        "shares": {"batch_expired": 0.2, "batch_api_error": 0.2, "batch_canceled": 0.1},
    }
    with start_stub(batch_seconds=0.1, plan=plan) as stub:
        asked = ask(path, stub.url, make_requests(60))
        assert 10 < len(asked.failures) < 50
        assert not any(failure.permanent for failure in asked.failures)
        assert any("expired" in failure.error for failure in asked.failures)
        assert any("Internal server error" in failure.error for failure in asked.failures)
        assert stub.state()["batch_items"] == 60
        assert count_answers(path, 60) == 60 - len(asked.failures)
        again = ask(path, stub.url, make_requests(60))
        assert (again.sent, again.failures) == (len(asked.failures), ())
        state = stub.state()
        assert (state["distinct"], state["paid_twice"]) == (60, 0)
        with Journal(path) as journal:
            assert journal.read_account().spent == pytest.approx(state["cost_usd"])


def test_what_the_server_calls_wrong_is_not_asked_again(path: Path) -> None:
    plan = {"seed": 3, "shares": {"batch_invalid": 0.2, "refusal": 0.1}}
    with start_stub(batch_seconds=0.1, plan=plan) as stub:
        asked = ask(path, stub.url, make_requests(40))
        assert asked.failures
        assert all(failure.permanent for failure in asked.failures)
        assert any("invalid by the stub's plan" in failure.error for failure in asked.failures)
        assert ask(path, stub.url, make_requests(40)).sent == 0
        assert stub.state()["batch_items"] == 40


@pytest.mark.parametrize("fault", ["cut", "500", "529", "429"])
def test_a_submission_that_fails_is_not_made_twice(path: Path, fault: str) -> None:
    plan = {"seed": 1, "shares": {fault: 1.0}, "only_first_attempts": True}
    with start_stub(batch_seconds=0.4, plan=plan) as stub:
        asked = ask(path, stub.url, make_requests(70))
        assert (asked.failures, asked.stop) == ((), "")
        check_all_once(path, stub, 70)


def test_several_intents_find_each_its_own_batch(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second ends before the first, and is of its size."""
    monkeypatch.setattr(BatchApi, "list_since", _show_late(BatchApi.list_since, 1.5))
    with start_stub(batch_seconds=0.1, plan={"seed": 1, "shares": {"cut": 1.0}}) as stub:
        ask(path, stub.url, make_requests(40))
        check_all_once(path, stub, 40)
        assert stub.state()["batches"] == 2


def _show_late(
    list_since: Callable[..., Iterator[BatchState]], seconds: float
) -> Callable[..., Iterator[BatchState]]:
    """Have the oldest batch look as if it took that much longer."""
    begun: list[float] = []

    def list_late(api: BatchApi, moment: float) -> Iterator[BatchState]:
        begun.append(time.monotonic())
        *newer, oldest = list(list_since(api, moment)) or [None]
        yield from newer
        if oldest is not None:
            late = begun[-1] - begun[0] < seconds
            yield replace(oldest, ended=False, readable=False) if late else oldest

    return list_late


def test_an_intent_that_was_never_submitted_is_free_after_a_while(
    path: Path, stub: StubProcess
) -> None:
    die(path, stub, 20, "intend")
    begun = time.monotonic()
    assert ask(path, stub.url, make_requests(20)).sent == 20
    assert time.monotonic() - begun > batches.GRACE_SECONDS
    check_all_once(path, stub, 20)


def test_an_old_intent_is_free_at_once(
    path: Path, stub: StubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(path, stub, 20, "intend")
    monkeypatch.setattr(batches, "GRACE_SECONDS", 1000.0)
    write(path, "UPDATE batches SET submitted = submitted - 5000")
    assert ask(path, stub.url, make_requests(20)).sent == 20
    check_all_once(path, stub, 20)


def test_another_journals_batch_of_the_same_size_is_not_taken_for_ours(
    tmp_path: Path, stub: StubProcess
) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    theirs = dict(list(make_requests(40).items())[20:])
    die(mine, stub, 20, "intend")
    ask(other, stub.url, theirs)
    assert ask(mine, stub.url, make_requests(20)).sent == 20
    assert count_answers(mine, 40) == 20
    assert stub.state()["paid_twice"] == 0


def test_a_living_processs_intent_is_left_alone(path: Path) -> None:
    parent = os.getppid()
    living, gone = read_start(parent), "another start"
    with Journal(path) as journal:
        for started in (living, gone):
            write(
                path,
                "INSERT INTO batches (teacher, name, submitted, requests, ended, place, pid, started)"
                " VALUES ('anthropic', '', ?, 3, 0, ?, ?, ?)",
                (time.time(), name_place(), parent, started),
            )
        assert not journal.batches.take_over(1)
        assert journal.batches.take_over(2)  # a successor under the same pid
        write(path, "UPDATE batches SET place = 'elsewhere' WHERE batch = 1")
        assert not journal.batches.take_over(1)
        write(path, "UPDATE batches SET submitted = submitted - 4000 WHERE batch = 1")
        assert journal.batches.take_over(1)  # no submission takes so long


def submit_and_die(path: Path, stub: StubProcess, count: int) -> str:
    """Return the server's id of a batch whose process was killed while it was under way."""
    child = start_child(path, stub.url, count)
    await_submitted(path, 1)
    child.kill()
    child.communicate()
    ((name,),) = read_all(path, "SELECT name FROM batches")
    return str(name)


def test_a_batch_that_this_key_does_not_see_costs_nothing_again(
    path: Path, stub: StubProcess
) -> None:
    name = submit_and_die(path, stub, 20)
    write(path, "UPDATE batches SET name = 'msgbatch_gone'")
    for _ in range(2):
        with pytest.raises(TeacherError, match="does not know the message batch msgbatch_gone; 20"):
            ask(path, stub.url, make_requests(30))
    assert stub.state()["batches"] == 1
    write(path, "UPDATE batches SET name = ?", (name,))  # the right key
    assert ask(path, stub.url, make_requests(30)).failures == ()
    check_all_once(path, stub, 30)


def test_a_batch_that_is_gone_is_no_concern_of_those_who_want_nothing_of_it(
    path: Path, stub: StubProcess
) -> None:
    submit_and_die(path, stub, 20)
    write(path, "UPDATE batches SET name = 'msgbatch_gone'")
    others = dict(list(make_requests(30).items())[20:])
    assert ask(path, stub.url, others).sent == 10
    assert read_all(path, "SELECT count(*) FROM batched") == [(20,)]


def test_a_batch_that_is_gone_is_paid_again_where_that_is_allowed_and_counted_as_lost(
    path: Path, stub: StubProcess, caplog: pytest.LogCaptureFixture
) -> None:
    submit_and_die(path, stub, 20)
    write(path, "UPDATE batches SET name = 'msgbatch_gone'")
    terms = Terms(Estimator((), make_teachers(stub.url)), allow_repay=True)
    with caplog.at_level(logging.WARNING):
        assert ask(path, stub.url, make_requests(20), terms).sent == 20
    assert "they may be paid for" in caplog.text
    assert count_answers(path, 20) == 20
    found = read_all(path, "SELECT kind, count(*) FROM spending GROUP BY kind")
    assert found == [("answer", 20), ("lost", 20)]


def test_the_budget_holds_and_lets_more_go_as_batches_end(path: Path, stub: StubProcess) -> None:
    requests, teachers = make_requests(40), make_teachers(stub.url)
    estimator = Estimator((), teachers)
    most = max(estimator.reserve(one, batch=True).at_most for one in requests.values())
    terms = Terms(estimator, Budget(most * 12.5, 1e9))
    asked = ask(path, stub.url, requests, terms)
    state = stub.state()
    assert state["cost_usd"] <= most * 12.5
    if asked.stop == "budget":
        assert 12 < asked.sent < 40
    else:
        assert asked.sent == 40
    assert state["batches"] > 1
    assert state["batch_items"] == asked.sent == count_answers(path, 40)


def test_a_budget_of_nothing_submits_nothing(path: Path, stub: StubProcess) -> None:
    terms = Terms(Estimator((), make_teachers(stub.url)), Budget(0.0, 1e9))
    asked = ask(path, stub.url, make_requests(5), terms)
    assert (asked.sent, asked.stop, stub.state()["batches"]) == (0, "budget", 0)


def test_ctrl_c_leaves_the_batches_at_the_server(path: Path) -> None:
    with start_stub(batch_seconds=4) as stub:
        child = start_child(path, stub.url, 30)
        await_submitted(path, 2)
        child.send_signal(signal.SIGINT)
        said, _ = child.communicate(timeout=180)
        assert said == "interrupted 0\n"
        assert read_all(path, "SELECT count(*) FROM leases") == [(0,)]
        assert read_all(path, "SELECT count(*) FROM spending") == [(0,)]
        assert ask(path, stub.url, make_requests(30)).sent == 0
        check_all_once(path, stub, 30)


def test_the_deadline_leaves_them_likewise(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with start_stub(batch_seconds=60) as stub, caplog.at_level(logging.INFO):
        terms = Terms(Estimator((), make_teachers(stub.url)), deadline_seconds=1.0)
        asked = ask(path, stub.url, make_requests(30), terms)
        assert (asked.stop, asked.failures) == ("deadline", ())
        assert "2 message batches with 30 requests go on at the server" in caplog.text
        with Journal(path) as journal:
            assert journal.read_account().reserved > 0


def test_a_batch_that_only_a_remote_told_of_is_fetched(tmp_path: Path) -> None:
    with start_stub(batch_seconds=0.5) as stub:
        ci, mine = tmp_path / "ci", tmp_path / "mine"
        child = start_child(ci, stub.url, 20)
        await_submitted(ci, 1)
        child.kill()
        child.communicate()
        ((name,),) = read_all(ci, "SELECT name FROM batches")
        with Journal(mine):
            pass
        write(
            mine,
            "INSERT INTO batches (teacher, name, submitted, requests, ended)"
            " VALUES ('anthropic', ?, ?, 20, 0)",
            (name, time.time()),
        )
        write(
            mine,
            "INSERT INTO batched (request_id, batch, expected, reserved) VALUES (?, 1, 0, 0)",
            *((one,) for one in make_requests(20)),
        )
        assert ask(mine, stub.url, make_requests(20)).sent == 0
        check_all_once(mine, stub, 20)
        assert read_all(mine, "SELECT DISTINCT model, task FROM spending") == [
            ("claude-opus-5", "recall")
        ]


def test_a_dead_server_is_one_sentence_and_frees_everything(path: Path) -> None:
    with start_stub() as stub:
        url = stub.url
    with pytest.raises(TeacherError, match="takes no message batch"):
        ask(path, url, make_requests(5), retries=1)
    assert read_all(
        path, "SELECT (SELECT count(*) FROM batched), (SELECT count(*) FROM leases)"
    ) == [(0, 0)]
    assert read_all(path, "SELECT count(*) FROM spending") == [(0,)]


def test_a_wrong_key_is_one_sentence_without_it(path: Path) -> None:
    with start_stub(key="another-key-0123456789") as stub:
        with pytest.raises(TeacherError, match="401") as caught:
            ask(path, stub.url, make_requests(5))
        assert KEY not in str(caught.value)
        assert stub.state()["batches"] == 0
    assert read_all(path, "SELECT count(*) FROM batched") == [(0,)]
    assert KEY.encode() not in path.read_bytes()


def test_bedrock_has_no_batches(path: Path) -> None:
    teachers = make_teachers("http://127.0.0.1:9", platform="bedrock", region="eu-west-1")
    requests = make_requests(2)
    claude = Claude(teachers, Runtime(batch=True))
    with (
        Journal(path) as journal,
        pytest.raises(InputError, match="bedrock has no message batches"),
    ):
        ask_teacher(claude, list(requests), lambda _: requests.values(), journal)


def test_lines_end_at_line_feeds_alone() -> None:
    raw = '{"a":"x\u2028y\x85z"}\n{"b":1}\n\n{"c":2}'.encode()
    chunks = (raw[i : i + 3] for i in range(0, len(raw), 3))
    assert list(_split_lines(chunks)) == [
        '{"a":"x\u2028y\x85z"}'.encode(),
        b'{"b":1}',
        b'{"c":2}',
    ]


def test_an_interrupted_submission_is_not_given_up(
    path: Path, stub: StubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = BatchApi.create

    def interrupt(self: BatchApi, body: object) -> str:
        create(self, body)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BatchApi, "create", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ask(path, stub.url, make_requests(20))
    assert ask(path, stub.url, make_requests(20)).sent == 0
    check_all_once(path, stub, 20)


def test_an_answer_that_cannot_be_read_is_asked_for_once_more(path: Path) -> None:
    plan = {"seed": 3, "shares": {"truncated_json": 0.3}}
    with start_stub(batch_seconds=0.1, plan=plan) as stub:
        requests = make_requests(20, output_schema=ANSWER_SCHEMA)
        estimator = Estimator((), make_teachers(stub.url))
        asked = ask(path, stub.url, requests, Terms(estimator, ask_again=1))
        again = asked.sent - 20
        assert (asked.failures, asked.stop) == ((), "")
        assert 0 < again < 20
        state = stub.state()
        assert (state["distinct"], state["batch_items"]) == (20, 20 + again)
        with Journal(path) as journal:
            assert journal.read_account().spent == pytest.approx(state["cost_usd"])
            assert not journal.read_failures()
