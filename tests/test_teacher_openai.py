"""OpenAI-compatible servers as teachers: what is sent, what is read, what a server does not take."""

import json
import logging
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from stillhouse.base.errors import InputError, TeacherError
from stillhouse.base.params import load_section
from stillhouse.base.records import Message, Request, Response
from stillhouse.base.runtime import Runtime
from stillhouse.prompts.schema import ANSWER_SCHEMA
from stillhouse.teachers.dialect import Dialect, write_body
from stillhouse.teachers.http_errors import read_retry_after
from stillhouse.teachers.openai_compatible import OpenaiCompatible
from stillhouse.teachers.params import TeachersParams
from stillhouse.teachers.protocol import Failure, Reply, Usage
from tests import claude_project
from tests.stub_teacher.process import StubProcess, start_stub
from tests.teacher_servers import Answer, Server, Tray, ask, serve

KEY = "sk-recognisable-0123456789"
VARIABLE = "HOUSE_LLM"  # by its name no secret
PRICES = {"gpt-a": {"input": 2, "output": 8, "cache_read": 0.5}}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_API_KEY", "OPENAI_ORG_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(VARIABLE, KEY)


@pytest.fixture(scope="module")
def stub() -> Iterator[StubProcess]:
    with start_stub(key=KEY, models=["gpt-a"]) as running:
        yield running


def make_request(number: int = 0, **parameters: object) -> Request:
    one = claude_project.make_request(number, **parameters)
    return replace(one, teacher="openai", model="gpt-a")


def make_teacher(url: str | None, access: dict[str, Any] | None = None, **runtime: Any) -> Any:
    given = {"base_url": url, "key": VARIABLE, **(access or {})}
    teachers = TeachersParams.model_validate({"openai": given, "prices": PRICES})
    settings = {"concurrency": 8, "retries": 0, **runtime}
    return OpenaiCompatible(teachers, Runtime.model_validate(settings))


def ask_stub(stub: StubProcess, *requests: Request, **access: Any) -> list[Reply]:
    return ask(make_teacher(f"{stub.url}/v1", access), requests)


def ask_server(server: Server, *requests: Request, **access: Any) -> list[Reply]:
    return ask(make_teacher(f"{server.url}/v1", access), requests or [make_request()])


def complete(text: str = '{"pairs": []}', reason: str = "stop", **message: Any) -> Answer:
    said = {"role": "assistant", "content": text, **message}
    usage = {"prompt_tokens": 9, "completion_tokens": 4}
    choices = [{"index": 0, "message": said, "finish_reason": reason, "logprobs": None}]
    return 200, {"model": "gpt-a-2026", "choices": choices, "usage": usage}, {}


def refuse(status: int, message: str, **error: Any) -> Answer:
    return status, {"error": {"message": message, "param": None, "code": None, **error}}, {}


def read_response(reply: Reply) -> Response:
    assert isinstance(reply.outcome, Response)
    return reply.outcome


def read_failure(reply: Reply) -> Failure:
    assert isinstance(reply.outcome, Failure)
    return reply.outcome


# Answers


def test_each_request_is_answered_once_with_what_it_used(stub: StubProcess) -> None:
    before = stub.state()
    requests = [make_request(number) for number in range(40)]
    replies = ask_stub(stub, *requests)
    after = stub.state()
    assert after["calls"] - before["calls"] == 40
    assert after["max_in_flight"] <= 8
    for request, reply in zip(requests, replies, strict=True):
        response = read_response(reply)
        assert (response.request_id, response.stop_reason) == (request.request_id, "end_turn")
        assert len(json.loads(response.text)["pairs"]) == 1
        assert reply.usage == Usage(response.input_tokens, response.output_tokens)
        cost = (response.input_tokens * 2 + response.output_tokens * 8) / 1e6
        assert reply.usd == pytest.approx(cost)
    used = sum(reply.usage.input_tokens for reply in replies)
    assert used == after["input_tokens"] - before["input_tokens"]


def test_an_answer_carries_how_sure_its_words_were(stub: StubProcess) -> None:
    (reply,) = ask_stub(stub, make_request(50))
    (confidence,) = read_response(reply).confidences
    # The stub's tokens have probabilities in [0.5, 1).
    assert 0.5 <= confidence < 1
    (reply,) = ask_stub(stub, make_request(51), logprobs=False)
    assert read_response(reply).confidences == ()


def test_the_confidence_is_that_of_the_tokens_of_the_answer() -> None:
    pieces = [('{"pairs":[{"answer":"', 0.1), ("te", 0.9), ("n", 0.4), ('"}]}', 0.1)]
    status, said, headers = complete("".join(piece for piece, _ in pieces))
    tokens = [
        {"token": piece, "logprob": math.log(p), "bytes": list(piece.encode()), "top_logprobs": []}
        for piece, p in pieces
    ]
    said["choices"][0]["logprobs"] = {"content": tokens}
    with serve(lambda _: (status, said, headers)) as server:
        (reply,) = ask_server(server)
        said["choices"][0]["logprobs"] = {"content": [{"token": "x", "logprob": None}]}
        (unreadable,) = ask_server(server)
    assert read_response(reply).confidences == (0.6,)
    assert read_response(unreadable).confidences == ()


def test_cached_tokens_are_counted_apart_and_cost_less() -> None:
    status, said, headers = complete()
    said["usage"] = {
        "prompt_tokens": 1000,
        "completion_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 600},
    }
    with serve(lambda _: (status, said, headers)) as server:
        (reply,) = ask_server(server)
    response = read_response(reply)
    assert (response.input_tokens, response.cached_tokens, response.output_tokens) == (
        1000,
        600,
        10,
    )
    assert reply.usage == Usage(400, 10, cache_read=600)
    assert reply.usd == pytest.approx((400 * 2 + 600 * 0.5 + 10 * 8) / 1e6)


def test_refusals_and_cut_offs_are_told_apart_from_answers(stub: StubProcess) -> None:
    try:
        stub.set_plan({"shares": {"refusal": 1.0}})
        (refused,) = ask_stub(stub, make_request(60))
        stub.set_plan({"shares": {"content_filter": 1.0}})
        (filtered,) = ask_stub(stub, make_request(61))
    finally:
        stub.set_plan({})
    (cut,) = ask_stub(stub, make_request(62, max_tokens=7))
    assert read_response(refused).stop_reason == "refusal"
    assert read_response(refused).text == "I'm sorry, I can't help with that."
    assert refused.usage.input_tokens > 0
    assert read_response(filtered).stop_reason == "refusal"
    assert read_response(cut).stop_reason == "max_tokens"
    assert read_response(cut).output_tokens == 7


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thoughts_are_kept_apart_from_the_answer(name: str) -> None:
    with serve(lambda _: complete("Ten.", **{name: "I count."})) as server:
        (reply,) = ask_server(server)
    assert (read_response(reply).text, read_response(reply).reasoning) == ("Ten.", "I count.")


def test_an_answer_in_parts_is_joined() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
        {"type": "text", "text": "Te"},
        {"type": "text", "text": "n."},
    ]
    with serve(lambda _: complete(parts)) as server:  # type: ignore[arg-type]
        (reply,) = ask_server(server)
    assert read_response(reply).text == "Ten."


@pytest.mark.parametrize(
    "said", [[], {}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": "x"}]}]
)
def test_what_is_no_completion_may_pass_and_is_no_answer(said: Any) -> None:
    with serve(lambda _: (200, said, {})) as server:
        (reply,) = ask_server(server)
    failure = read_failure(reply)
    assert not failure.permanent
    assert "no chat completion" in failure.error


# What is sent


def test_a_body_says_all_that_was_asked_for() -> None:
    request = make_request(0, temperature=0.3, seed=4, effort="low", thinking_tokens=100)
    dialect = Dialect.guess("api.openai.com", logprobs=True)
    assert write_body(request, "their-name", dialect) == {
        "model": "their-name",
        "messages": [
            {"role": "system", "content": request.system},
            {"role": "user", "content": request.messages[0].content},
        ],
        "max_completion_tokens": 1000,
        "temperature": 0.3,
        "seed": 4,
        "reasoning_effort": "low",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": json.loads(ANSWER_SCHEMA)},
        },
        "logprobs": True,
        "top_logprobs": 1,
    }


def test_a_body_says_no_more_than_was_asked_for() -> None:
    plain = replace(make_request(), output_schema="", system="", messages=(Message("user", "Hi"),))
    body = write_body(plain, "m", Dialect.guess("127.0.0.1", logprobs=False))
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 900,
    }


@pytest.mark.parametrize(
    ("host", "azure", "name"),
    [
        ("api.openai.com", False, "max_completion_tokens"),
        ("eu.api.openai.com", False, "max_completion_tokens"),
        ("us.openai.azure.com", False, "max_completion_tokens"),
        ("gateway.example", True, "max_completion_tokens"),
        ("notopenai.com", False, "max_tokens"),
        ("localhost", False, "max_tokens"),
    ],
)
def test_the_name_of_the_limit_goes_by_the_address(host: str, azure: bool, name: str) -> None:
    assert Dialect.guess(host, logprobs=True, azure=azure).limits[0] == name


def test_azure_has_the_deployment_and_the_version_in_its_address() -> None:
    with serve(lambda _: complete()) as server:
        teacher = make_teacher(server.url, {"azure_version": "2024-10-21"})
        (reply,) = ask(teacher, [make_request()])
    assert read_response(reply).stop_reason == "end_turn"
    ((path, headers, body),) = server.calls
    assert path == "/openai/deployments/gpt-a/chat/completions?api-version=2024-10-21"
    sent = {name.lower(): value for name, value in headers.items()}
    assert sent["api-key"] == KEY
    assert "authorization" not in sent
    assert body["max_completion_tokens"] == 900


def test_a_server_that_wants_no_key_gets_none() -> None:
    with serve(lambda _: complete()) as server:
        ask_server(server, key=None)
    ((_, headers, _),) = server.calls
    assert KEY not in str(headers)


# What servers do not take


MAX_TOKENS = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. "
    "Use 'max_completion_tokens' instead."
)
FORBIDDEN = "[{'type': 'extra_forbidden', 'loc': ('body', 'max_tokens'), 'msg': 'Extra inputs are not permitted'}]"


@pytest.mark.parametrize(
    ("status", "message"), [(400, MAX_TOKENS), (422, FORBIDDEN), (400, FORBIDDEN)]
)
def test_a_limit_by_another_name_is_learnt_once(
    status: int, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(body: Any) -> Answer:
        return refuse(status, message) if "max_tokens" in body else complete()

    requests = [make_request(number) for number in range(100)]
    with serve(answer) as server, caplog.at_level(logging.WARNING, "stillhouse"):
        replies = ask_server(server, *requests)
    assert all(isinstance(reply.outcome, Response) for reply in replies)
    assert len(server.calls) <= 100 + 8  # those in flight when the first was refused
    assert server.bodies[-1]["max_completion_tokens"] == 900
    assert [record.message for record in caplog.records if "max_tokens" in record.message] == [
        f"gpt-a takes no max_tokens; asking without ({message})"
    ]


def test_a_server_without_schemas_is_asked_for_json_and_then_for_anything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def answer(body: Any) -> Answer:
        if "response_format" in body:
            return refuse(400, "This response_format type is unavailable now")
        return complete()

    with serve(answer) as server, caplog.at_level(logging.WARNING, "stillhouse"):
        replies = ask_server(server, *[make_request(number) for number in range(3)])
    assert all(isinstance(reply.outcome, Response) for reply in replies)
    kinds = {body.get("response_format", {}).get("type") for body in server.bodies}
    assert kinds == {"json_schema", "json_object", None}
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, "You are not allowed to request logprobs from this model"),
        (400, "logprobs are not supported with reasoning models."),
        (400, "Logprobs is not enabled for models/x"),
    ],
)
def test_a_model_that_tells_no_probabilities_is_asked_without(status: int, message: str) -> None:
    def answer(body: Any) -> Answer:
        return refuse(status, message) if "logprobs" in body else complete()

    with serve(answer) as server:
        (first, second) = ask_server(server, make_request(0), make_request(1))
    assert {type(reply.outcome) for reply in (first, second)} == {Response}
    assert all("response_format" in body for body in server.bodies)
    assert not {"logprobs", "top_logprobs"} & server.bodies[-1].keys()


def test_one_models_refusal_says_nothing_of_another() -> None:
    def answer(body: Any) -> Answer:
        if body["model"] == "gpt-b" and "logprobs" in body:
            return refuse(400, "no logprobs")
        return complete()

    other = replace(make_request(1), model="gpt-b")
    with serve(answer) as server:
        teacher = make_teacher(f"{server.url}/v1", concurrency=1)
        ask(teacher, [other, make_request(0), replace(other, request_id="again")])
    assert [(body["model"], "logprobs" in body) for body in server.bodies] == [
        ("gpt-b", True),
        ("gpt-b", False),
        ("gpt-a", True),
        ("gpt-b", False),
    ]


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens is too large: 900. This model supports at most 512 completion tokens",
        "Unsupported value: 'temperature' does not support 0.2 with this model.",
        "This model's maximum context length is 512 tokens.",
    ],
)
def test_what_the_question_itself_holds_is_never_left_out(message: str) -> None:
    with serve(lambda _: refuse(400, message)) as server:
        (reply,) = ask_server(server, make_request(0, temperature=0.2))
    assert read_failure(reply).permanent
    assert message in read_failure(reply).error
    assert len(server.calls) == 1


def test_a_server_that_refuses_everything_is_not_asked_for_ever() -> None:
    said = "max_tokens max_completion_tokens logprobs response_format: unknown parameter"
    with serve(lambda _: refuse(400, said)) as server:
        (reply,) = ask_server(server)
    assert read_failure(reply).permanent
    assert len(server.calls) == 5  # limit, logprobs, json_schema, json_object, nothing left


# Errors


def test_a_wrong_key_concerns_all_and_is_not_shown(
    stub: StubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "sk-wrong-0123456789")
    with pytest.raises(TeacherError, match=r"refuses every request \(401 .*teachers\.openai\.key"):
        ask_stub(stub, *[make_request(number) for number in range(20)])


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_a_key_that_the_server_repeats_is_in_no_message(status: int) -> None:
    said = f"Bearer {KEY} is not what I wanted"
    with serve(lambda _: refuse(status, said, code=KEY)) as server:
        teacher = make_teacher(f"{server.url}/v1")
        tray = Tray([make_request()])
        shown: list[str] = []
        try:
            for several in teacher.answer(tray):
                shown += [repr(reply) for reply in several]
        except TeacherError as exc:
            shown.append(str(exc))
    assert shown
    assert KEY not in "".join(shown)
    assert "***" in "".join(shown)


def test_an_unknown_model_concerns_all(stub: StubProcess) -> None:
    with pytest.raises(TeacherError, match=r"404 The model `gpt-z` does not exist.*teacher\.model"):
        ask_stub(stub, replace(make_request(), model="gpt-z"))


def test_an_account_without_money_is_no_limit_that_passes() -> None:
    said = "You exceeded your current quota, please check your plan and billing details."
    answer = refuse(429, said, code="insufficient_quota", type="insufficient_quota")
    with serve(lambda _: answer) as server, pytest.raises(TeacherError, match="cannot pay"):
        ask_server(server)
    assert len(server.calls) == 1


def test_a_request_that_no_minute_is_enough_for_fails_for_good() -> None:
    said = "Request too large for gpt-a on tokens per min (TPM): Limit 100, Requested 900."
    with serve(lambda _: refuse(429, said, code="rate_limit_exceeded")) as server:
        (reply,) = ask_server(server)
    assert read_failure(reply).permanent


def test_a_limit_is_waited_for_and_no_retry_is_spent_on_it() -> None:
    left = [3]

    def answer(body: Any) -> Answer:
        left[0] -= 1
        if left[0] < 0:
            return complete()
        status, said, _ = refuse(429, "Rate limit reached", code="rate_limit_exceeded")
        return status, said, {"retry-after-ms": "20"}

    with serve(answer) as server:
        (reply,) = ask_server(server)
    assert isinstance(reply.outcome, Response)
    assert len(server.calls) == 4


def test_what_fails_at_first_is_answered_in_the_end(stub: StubProcess) -> None:
    shares = {"500": 0.1, "529": 0.1, "429": 0.1, "cut": 0.1}
    stub.set_plan({"seed": 3, "shares": shares, "retry_after": 0.01})
    try:
        teacher = make_teacher(f"{stub.url}/v1", retries=6)
        replies = ask(teacher, [make_request(number) for number in range(100, 160)])
    finally:
        stub.set_plan({})
    assert all(isinstance(reply.outcome, Response) for reply in replies)


def test_a_server_that_is_down_is_named() -> None:
    teacher = make_teacher("http://127.0.0.1:9/v1")
    tray = Tray([make_request()])
    ((reply,),) = teacher.answer(tray)
    failure = read_failure(reply)
    assert failure.error.startswith("http://127.0.0.1:9: ")
    assert "onnect" in failure.error  # and not that no answer came in time
    assert not failure.permanent
    assert tray.stopped == "unreachable"


def test_an_answer_that_takes_too_long_may_pass() -> None:
    with start_stub(latency=2) as slow:
        teacher = make_teacher(f"{slow.url}/v1", timeout_seconds=0.2)
        (reply,) = ask(teacher, [make_request()])
    assert "no answer came in time" in read_failure(reply).error


def test_an_error_in_the_clothes_of_a_success_is_one() -> None:
    limited = {"error": {"code": 400, "message": "context too long"}}
    with serve(lambda _: (200, limited, {})) as server:
        (reply,) = ask_server(server)
    assert read_failure(reply) == Failure(
        make_request().request_id, "400 context too long (400)", permanent=True
    )
    with serve(lambda _: complete("Ha", "error")) as server:
        (reply,) = ask_server(server)
    assert not read_failure(reply).permanent


# Missing things


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_no_key_is_one_sentence(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(InputError, match=rf"no key for the server; expected {VARIABLE}; set it"):
        ask(make_teacher("http://127.0.0.1:9/v1"), [make_request()])


@pytest.mark.parametrize("value", ["sk-two words-123", "sk-schlüssel-123", "sk-a\nsk-b-123456"])
def test_what_is_no_key_is_refused_unsent_and_not_shown(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(InputError, match=f"what {VARIABLE} holds is no key") as told:
        ask(make_teacher("http://127.0.0.1:9/v1"), [make_request()])
    assert value not in str(told.value)


def test_a_line_end_behind_the_key_does_not_matter(
    stub: StubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"{KEY}\n")
    (reply,) = ask_stub(stub, make_request(70))
    assert isinstance(reply.outcome, Response)


def test_a_key_in_place_of_its_variable_s_name_is_refused_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("teachers: {openai: {key: sk-proj-0123456789}}\n")
    with pytest.raises(InputError, match=r"`teachers\.openai\.key`: .* never the key") as told:
        load_section("teachers", TeachersParams, tmp_path / "p.yaml")
    assert "0123456789" not in str(told.value)


def test_a_missing_extra_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(InputError, match=r"pip install 'stillhouse\[openai\]'"):
        ask(make_teacher("http://127.0.0.1:9/v1"), [make_request()])


@pytest.mark.parametrize("url", ["localhost:8000/v1", "ftp://127.0.0.1/v1", "127.0.0.1"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InputError, match=r"teachers\.openai\.base_url.*expected http://host:port"):
        ask(make_teacher(url), [make_request()])


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(InputError, match="holds a name or a password") as told:
        ask(make_teacher("http://me:geheim-geheim@127.0.0.1:9/v1"), [make_request()])
    assert "geheim" not in str(told.value)


# When to come back


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "6m0s"}, None),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "20ms",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "1m2.5s",
            },
            62.5,
        ),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "a while"}, None),
    ],
)
def test_a_server_says_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    assert read_retry_after(httpx2.Headers(headers)) == seconds
