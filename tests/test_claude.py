"""Claude as a teacher, against a stub that is a real process: what is sent, kept, tried again, refused."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillhouse.base.errors import InputError, TeacherError
from stillhouse.base.runtime import Runtime
from stillhouse.base.secrets import hide_secrets
from stillhouse.teachers.batch_results import read_result
from stillhouse.teachers.claude import Claude, explain_status, read_message, write_body
from stillhouse.teachers.desk import Terms
from stillhouse.teachers.estimate import Estimator
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.money import Bill, Budget
from stillhouse.teachers.params import AnthropicAccess
from stillhouse.teachers.protocol import Failure, Reply
from tests.claude_project import (
    KEY,
    SONNET,
    TEACHERS,
    ask_claude,
    connect_to,
    list_answers,
    make_request,
    make_requests,
)
from tests.stub_teacher.process import StubProcess, start_stub


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubProcess]:
    with start_stub(latency=0.02) as running:
        connect_to(running, monkeypatch)
        yield running


def test_every_request_is_sent_once_and_answered(stub: StubProcess, tmp_path: Path) -> None:
    requests = make_requests(300)
    with Journal(tmp_path / "j") as journal:
        asked = ask_claude(journal, requests)
        assert (asked.sent, asked.failures, asked.stop) == (300, (), "")
        assert set(list_answers(journal, requests)) == requests.keys()
        assert ask_claude(journal, requests).sent == 0
        account = journal.read_account()
    state = stub.state()
    assert (state["calls"], state["paid_twice"], state["max_in_flight"]) == (300, 0, 32)
    # The stub's prices are 3 and 15, Sonnet's here 2 and 10.
    assert account.spent == pytest.approx(state["cost_usd"] * 2 / 3)
    assert account.reserved == 0


def test_one_request_in_twenty_that_fails_at_first_costs_little(
    stub: StubProcess, tmp_path: Path
) -> None:
    shares = {"429": 0.02, "500": 0.01, "529": 0.01, "cut": 0.01}
    stub.set_plan({"seed": 4, "shares": shares})
    requests = make_requests(600)
    with Journal(tmp_path / "j") as journal:
        asked = ask_claude(journal, requests)
        assert (asked.sent, asked.failures) == (600, ())
        assert set(list_answers(journal, requests)) == requests.keys()
    assert 600 < stub.state()["calls"] < 700


def test_a_refusal_for_good_is_sent_once_and_named(stub: StubProcess, tmp_path: Path) -> None:
    stub.set_plan({"forever_400_containing": "kind 1"})
    requests = make_requests(30)  # 1 and 10 to 19
    with Journal(tmp_path / "j") as journal:
        for sent in (30, 11):  # whoever asks again anyway: collect_answers does not
            asked = ask_claude(journal, requests)
            assert (asked.sent, len(asked.failures)) == ((30, 11) if sent == 30 else (0, 11))
        assert all(one.permanent and one.error.startswith("400 ") for one in asked.failures)
        assert len(list_answers(journal, requests)) == 19
    assert stub.state()["calls"] == 30


def test_a_server_that_dies_ends_it_and_keeps_what_came(stub: StubProcess, tmp_path: Path) -> None:
    stub.set_plan({"die_after": 100})
    requests = make_requests(400)
    with Journal(tmp_path / "j") as journal:
        asked = ask_claude(journal, requests, retries=1)
        kept = len(list_answers(journal, requests))
        assert asked.stop == "unreachable"
        assert not any(one.permanent for one in asked.failures)
        assert 100 - 32 <= kept <= 100
        stub.restart()
        again = ask_claude(journal, requests)
        assert (again.sent, again.failures) == (400 - kept, ())
    assert stub.state()["paid_twice"] <= 32


def test_a_wrong_key_is_one_sentence_without_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_stub(key="another-key-entirely") as stub, Journal(tmp_path / "j") as journal:
        connect_to(stub, monkeypatch)
        with pytest.raises(
            TeacherError, match=r"refuses every request \(401 .*ANTHROPIC_API_KEY"
        ) as told:
            ask_claude(journal, make_requests(50))
        assert KEY not in str(told.value)
        assert journal.read_failures() == []
        assert journal.read_account().spent == 0
        monkeypatch.setenv("ANTHROPIC_API_KEY", "another-key-entirely")
        assert ask_claude(journal, make_requests(50)).failures == ()
        assert stub.state()["by_status"]["200"] == 50


@pytest.mark.parametrize("batch", [False, True])
def test_no_key_at_all_is_one_sentence(
    batch: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_to("http://127.0.0.1:9", monkeypatch)
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("HOME", str(tmp_path))
    with (
        Journal(tmp_path / "j") as journal,
        pytest.raises(InputError, match="no key for Claude; expected ANTHROPIC_API_KEY"),
    ):
        ask_claude(journal, make_requests(3), batch=batch)


@pytest.mark.parametrize("value", ["sk-ant two words", "sk-ant-schlüssel", "sk-ant-a\nsk-ant-b"])
def test_what_is_no_key_is_refused_unsent_and_not_shown(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_to("http://127.0.0.1:9", monkeypatch)
    monkeypatch.setenv("ANTHROPIC_API_KEY", value)
    with (
        Journal(tmp_path / "j") as journal,
        pytest.raises(InputError, match="what ANTHROPIC_API_KEY holds is no key") as told,
    ):
        ask_claude(journal, make_requests(3))
    assert value not in str(told.value)


def test_a_line_end_behind_the_key_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_stub(key=KEY) as stub, Journal(tmp_path / "j") as journal:
        connect_to(stub, monkeypatch)
        monkeypatch.setenv("ANTHROPIC_API_KEY", f"{KEY}\r\n")
        assert ask_claude(journal, make_requests(3)).failures == ()


def test_a_password_in_the_address_is_refused_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_to("http://me:geheim-geheim@127.0.0.1:9", monkeypatch)
    with (
        Journal(tmp_path / "j") as journal,
        pytest.raises(InputError, match="holds a name or a password") as told,
    ):
        ask_claude(journal, make_requests(3))
    assert "geheim" not in str(told.value)


def test_an_unknown_model_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with start_stub(models=["claude-other"]) as stub, Journal(tmp_path / "j") as journal:
        connect_to(stub, monkeypatch)
        with pytest.raises(TeacherError, match=r"404 .*teacher.model"):
            ask_claude(journal, make_requests(5))
        assert journal.read_failures() == []


def test_a_server_that_is_not_there_is_a_failure_that_may_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_to("http://127.0.0.1:9", monkeypatch)
    with Journal(tmp_path / "j") as journal:
        asked = ask_claude(journal, make_requests(200), retries=0)
        assert asked.stop == "unreachable"
        assert "http://127.0.0.1:9" in asked.failures[0].error
        assert journal.read_account().reserved == 0


def test_an_unreadable_answer_is_asked_for_once_more_and_both_are_paid(
    stub: StubProcess, tmp_path: Path
) -> None:
    stub.set_plan({"shares": {"truncated_json": 0.2}})
    requests = make_requests(60)
    with Journal(tmp_path / "j") as journal:
        terms = Terms(estimator=Estimator((), TEACHERS), ask_again=1)
        asked = ask_claude(journal, requests, terms)
        assert asked.failures == ()
        assert set(list_answers(journal, requests)) == requests.keys()
        assert asked.sent == stub.state()["answered"] > 60
        assert journal.read_account().spent == pytest.approx(stub.state()["cost_usd"] * 2 / 3)


def test_a_limit_at_the_server_is_kept_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        start_stub(latency=0.02, max_concurrent=4, retry_after=0.05) as stub,
        Journal(tmp_path / "j") as journal,
    ):
        connect_to(stub, monkeypatch)
        requests = make_requests(200)
        assert ask_claude(journal, requests).failures == ()
        assert len(list_answers(journal, requests)) == 200


def test_limits_of_the_account_are_kept(stub: StubProcess, tmp_path: Path) -> None:
    begun = time.monotonic()
    with Journal(tmp_path / "j") as journal:
        # 120 a minute: the first 120 at once, then two a second.
        asked = ask_claude(journal, make_requests(124), requests_per_minute=120)
    assert asked.failures == ()
    assert time.monotonic() - begun > 1.5


def test_a_budget_holds_over_runs_and_processes(stub: StubProcess, tmp_path: Path) -> None:
    requests, terms = make_requests(200), budget_terms(0.02)
    for _ in range(3):
        with Journal(tmp_path / "j") as journal:
            asked = ask_claude(journal, requests, terms)
            assert asked.stop == "budget"
            assert 0 < journal.read_account().spent <= 0.02
    assert stub.state()["cost_usd"] * 2 / 3 <= 0.02


def budget_terms(usd: float) -> Terms:
    return Terms(estimator=Estimator((), TEACHERS), budget=Budget(usd, 3600))


def test_ctrl_c_waits_for_what_is_on_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_stub(latency=0.5) as stub, Journal(tmp_path / "j") as journal:
        connect_to(stub, monkeypatch)
        threading.Timer(1.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        asked = ask_claude(journal, make_requests(500))
        assert asked.stop == "interrupted"
        assert (
            asked.sent == stub.state()["answered"] == len(list_answers(journal, make_requests(500)))
        )
        assert asked.failures == ()
        assert journal.read_account().reserved == 0


def test_two_processes_buy_nothing_twice(stub: StubProcess, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from tests.claude_project import *;"
        f"ask_claude(Journal(Path({str(tmp_path / 'j')!r})), make_requests(400))"
    )
    both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert (stub.state()["answered"], stub.state()["paid_twice"]) == (400, 0)


def test_thoughts_are_kept_apart_from_the_answer(stub: StubProcess, tmp_path: Path) -> None:
    requests = make_requests(1, thinking="budget", thinking_tokens=1024)
    with Journal(tmp_path / "j") as journal:
        assert ask_claude(journal, requests).failures == ()
        (answer,) = journal.read(list(requests)).values()
    assert answer.reasoning
    assert answer.reasoning not in answer.text


def test_the_body_is_what_the_api_takes() -> None:
    request = make_request(1, effort="low", thinking="adaptive", thinking_tokens=500)
    teachers = TEACHERS.model_copy(update={"ids": {SONNET: "eu.sonnet"}})
    body = write_body(request, teachers)
    assert body["model"] == "eu.sonnet"
    assert body["max_tokens"] == 1400
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert body["output_config"]["effort"] == "low"
    assert body["output_config"]["format"]["type"] == "json_schema"
    plain = dataclasses.replace(make_request(1), output_schema="", system="")
    assert write_body(plain, TEACHERS).keys() == {"model", "max_tokens", "messages"}


def test_what_the_cache_gave_is_counted_and_priced() -> None:
    message = {
        "content": [{"type": "text", "text": "{}"}],
        "stop_reason": "end_turn",
        "model": SONNET,
        "usage": {
            "input_tokens": 100,
            "output_tokens": 10,
            "cache_read_input_tokens": 1000,
            "cache_creation_input_tokens": 200,
        },
    }
    reply: Reply = read_message(message, make_request(1), TEACHERS)
    assert (reply.outcome.input_tokens, reply.outcome.cached_tokens) == (1300, 1000)  # type: ignore[union-attr]
    assert reply.usd == pytest.approx((100 * 2 + 10 * 10 + 1000 * 0.1 + 200 * 2.5) / 1e6)


def test_a_long_system_prompt_is_marked_for_the_cache_once_it_comes_again(
    stub: StubProcess, tmp_path: Path
) -> None:
    long = "Rules of the house. " * 400
    requests = {
        name: dataclasses.replace(one, system=long) for name, one in make_requests(20).items()
    }
    with Journal(tmp_path / "j") as journal:
        assert ask_claude(journal, requests, concurrency=1).failures == ()
    state = stub.state()
    assert state["cache_write_tokens"] > 0
    assert state["cache_read_tokens"] == 18 * state["cache_write_tokens"]


def test_without_what_a_platform_needs_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOUD_ML_REGION", raising=False)
    access = AnthropicAccess(platform="vertex")
    teachers = TEACHERS.model_copy(update={"anthropic": access})
    with pytest.raises(InputError, match="Claude cannot be reached"):
        from stillhouse.teachers.claude import connect

        connect(teachers, Runtime())
    assert Claude(teachers, Runtime()).costs


@pytest.mark.parametrize(
    "said",
    [
        "Your credit balance is too low to access the API.",
        "You have reached your specified API usage limits. You will regain access on 2027-01-01.",
    ],
)
def test_an_account_that_may_not_spend_is_no_refusal_of_a_request(said: str) -> None:
    with pytest.raises(TeacherError, match="cannot pay"):
        explain_status(400, said, "a")
    error = {"error": {"type": "invalid_request_error", "message": said}}
    line = {"result": {"type": "errored", "error": error}}
    outcome = read_result(line, Bill("a", 0, "anthropic", SONNET, "recall", 1), TEACHERS).outcome
    assert isinstance(outcome, Failure)
    assert not outcome.permanent


@pytest.mark.parametrize("batch", [False, True])
def test_a_key_with_a_line_end_inside_is_one_sentence_without_the_key(
    batch: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_to("http://127.0.0.1:9", monkeypatch, key=f"{KEY}\n{KEY}")
    with Journal(tmp_path / "j") as journal, pytest.raises(InputError, match="no key") as told:
        ask_claude(journal, make_requests(1), batch=batch)
    assert KEY not in str(told.value)


def test_a_key_is_hidden_without_the_line_end_that_stands_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", f"{KEY}\r\n")
    assert KEY not in hide_secrets(f"401 invalid x-api-key: {KEY}")
