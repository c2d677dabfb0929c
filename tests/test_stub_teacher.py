"""The stub teacher, driven as a process by the real SDK and by plain HTTP."""

import asyncio
import json
import math
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import anthropic
import httpx2
import pytest

from stillhouse.base.ids import Json
from stillhouse.base.records import Chunk, Message, Request, Response
from stillhouse.prompts.passages import render_passage
from stillhouse.prompts.schema import ANSWER_SCHEMA
from stillhouse.quality.judge import JudgeParams, judge_pairs
from stillhouse.teachers.answers import parse_answer
from tests.asking import make_request
from tests.stub_teacher.process import StubProcess, start_stub, wait_until
from tests.stub_teacher.tokens import count_tokens, cut_tokens

KEY = "sk-stub-0123456789"
SCHEMA = json.loads(ANSWER_SCHEMA)
FORMAT = {"type": "json_schema", "schema": SCHEMA}
LEAVE = (
    "# Leave\n\nEach member of staff has 25 days of annual leave in a year. "
    "Requests go to the line manager at least ten working days ahead.\n\n"
    "- Up to 5 days may be carried over until 31 March.\n"
    "- A meal on a business trip is repaid up to £12.50 with a receipt.\n\n"
    "| Grade | Days |\n|---|---|\n| A | 25 |\n"
)
ASK = "Take at most 8 facts from this passage and write 3 questions for each."


@pytest.fixture(scope="module")
def stub() -> Iterator[StubProcess]:
    with start_stub(key=KEY, models=["claude-a", "gpt-a"], prices=[2, 10]) as running:
        yield running


@pytest.fixture(scope="module")
def client(stub: StubProcess) -> Iterator[anthropic.Anthropic]:
    with connect(stub) as found:
        yield found


def connect(stub: StubProcess, key: str = KEY, **options) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=key, base_url=stub.url, max_retries=0, **options)


def params(text: str = "What is a stub?", **changes) -> dict:
    said = {"model": "claude-a", "max_tokens": 400}
    return {**said, "messages": [{"role": "user", "content": text}], **changes}


def passage_params(text: str = LEAVE, **changes) -> dict:
    asked = render_passage("people/leave.md", "People > Annual leave", text) + "\n\n" + ASK
    return params(asked, **{"max_tokens": 4000, **changes})


def post(stub: StubProcess, body: dict, key: str = KEY, path="/v1/chat/completions", **headers):
    sent = {"authorization": f"Bearer {key}", **headers}
    return httpx2.post(stub.url + path, json=body, headers=sent, timeout=30, trust_env=False)


def chat(text: str = "What is a stub?", **changes) -> dict:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
    return {"model": "gpt-a", "messages": messages, **changes}


def run_batch(client: anthropic.Anthropic, items: list[dict]) -> tuple[object, dict[str, object]]:
    """Send a batch, wait for its end, return it and its results by custom id."""
    batch = client.messages.batches.create(requests=items)
    wait_until(lambda: is_ended(client, batch.id))
    results = {line.custom_id: line.result for line in client.messages.batches.results(batch.id)}
    return client.messages.batches.retrieve(batch.id), results


def is_ended(client: anthropic.Anthropic, batch_id: str) -> bool:
    return client.messages.batches.retrieve(batch_id).processing_status == "ended"


def items(count: int, prefix: str = "item", **changes) -> list[dict]:
    return [
        {"custom_id": f"{prefix}-{n}", "params": params(f"{prefix} {n}?", **changes)}
        for n in range(count)
    ]


async def ask_all(url: str, texts: list[str], limit: int = 64) -> list[str]:
    """Ask every text with the asynchronous client; return the text or the error of each."""
    gate = asyncio.Semaphore(limit)
    async with anthropic.AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0) as client:

        async def ask(text: str) -> str:
            async with gate:
                try:
                    message = await client.messages.create(**params(text))
                except anthropic.APIError as exc:
                    return type(exc).__name__
                said = message.content[0].text if message.content else ""
                return f"{message.stop_reason}: {said}"

        return await asyncio.gather(*map(ask, texts))


# Tokens and answers


@pytest.mark.parametrize(
    "text",
    ["", " ", "a", "seventeen  words,\n", "12345 é€ “x” ", "\x00_a\u00a0b", "ééééééé 1,000\t"],
)
def test_tokens_join_to_their_text_and_are_as_many_as_counted(text):
    assert "".join(cut_tokens(text)) == text
    assert count_tokens(text) == len(cut_tokens(text))


def test_an_answer_follows_from_its_request_alone(client, stub):
    first = client.messages.create(**params())
    again = client.messages.create(**params())
    with start_stub() as other, connect(other) as elsewhere:
        third = elsewhere.messages.create(**params())
    assert first.content == again.content == third.content
    assert first.content[0].text == "That is about What is a stub."
    assert first.stop_reason == "end_turn"


def test_pairs_are_drawn_from_the_passage_as_many_as_asked_for(client):
    message = client.messages.create(**passage_params(output_config={"format": FORMAT}))
    pairs = json.loads(message.content[0].text)["pairs"]
    assert [(pair["fact"], pair["answer"]) for pair in pairs] == [
        ("Each member of staff has 25 days of annual leave in a year.", "25 days."),
        (
            "Requests go to the line manager at least ten working days ahead.",
            "Ten working days ahead.",
        ),
        ("Up to 5 days may be carried over until 31 March.", "31 March."),
        ("A meal on a business trip is repaid up to £12.50 with a receipt.", "£12.50."),
        ("A: Days: 25", "25."),
    ]
    assert {len(set(pair["questions"])) for pair in pairs} == {3}


def test_pairs_hold_before_the_offline_judge(client):
    sent = passage_params(output_config={"format": FORMAT})
    text = client.messages.create(**sent).content[0].text
    request = make_request(messages=(Message("user", sent["messages"][0]["content"]),))
    response = Response(request.request_id, text, "", "end_turn", 3, 5, 0, "claude-a")
    parsed = parse_answer(request, response)
    chunk = make_chunk(request)
    judged = list(judge_pairs(parsed.pairs, {chunk.chunk_id: chunk}, JudgeParams()))
    assert parsed.rejections == ()
    assert len(parsed.pairs) == 15
    assert [judgement for judgement in judged if judgement.score < 1] == []


def make_chunk(request: Request) -> Chunk:
    return Chunk(
        chunk_id=request.chunk_ids[0],
        document_id="d",
        source="people/leave.md",
        anchor="annual-leave:0",
        headings=("People", "Annual leave"),
        text=LEAVE,
        start=0,
        end=len(LEAVE),
    )


def test_any_other_schema_is_filled(client):
    schema: dict[str, Json] = {
        "type": "object",
        "properties": {"score": {"type": "number"}, "verdict": {"enum": ["good", "bad"]}},
        "required": ["score", "verdict"],
        "additionalProperties": False,
    }
    form = {"format": {"type": "json_schema", "schema": schema}}
    found = json.loads(client.messages.create(**params(output_config=form)).content[0].text)
    assert 0 <= found["score"] <= 1
    assert found["verdict"] in {"good", "bad"}


def test_an_answer_beyond_max_tokens_is_cut_there(client):
    message = client.messages.create(
        **passage_params(max_tokens=20, output_config={"format": FORMAT})
    )
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 20 == count_tokens(message.content[0].text)


def test_answers_have_the_length_asked_for():
    with start_stub(answer_tokens=300) as stub, connect(stub) as client:
        plain = client.messages.create(**params())
        pairs = client.messages.create(**passage_params(output_config={"format": FORMAT}))
    assert plain.usage.output_tokens == pairs.usage.output_tokens == 300
    assert json.loads(pairs.content[0].text)["pairs"]


# Anthropic: what is refused, and how usage is told


@pytest.mark.parametrize(
    ("changes", "status", "kind", "said"),
    [
        ({"extra_body": {"temperature": 0.5}}, 400, "invalid_request_error", "temperature"),
        ({"extra_body": {"top_k": 3}}, 400, "invalid_request_error", "top_k"),
        ({"extra_body": {"colour": 1}}, 400, "invalid_request_error", "colour: Extra inputs"),
        ({"max_tokens": 0}, 400, "invalid_request_error", "max_tokens"),
        ({"messages": []}, 400, "invalid_request_error", "at least one message"),
        ({"model": "claude-b"}, 404, "not_found_error", "model: claude-b"),
        (
            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "{"}]},
            400,
            "invalid_request_error",
            "prefill",
        ),
        (
            {"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 2000}},
            400,
            "invalid_request_error",
            "must be greater than `thinking.budget_tokens`",
        ),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
            400,
            "invalid_request_error",
            "additionalProperties",
        ),
    ],
)
def test_what_the_server_would_refuse_is_refused_in_its_shape(client, changes, status, kind, said):
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(**params(**changes))
    assert (caught.value.status_code, caught.value.type) == (status, kind)
    assert said in caught.value.api_message
    assert caught.value.request_id.startswith("req_")


def test_another_key_is_refused_and_no_key_is_told(stub):
    secret = "sk-never-to-be-seen-elsewhere-4711"
    with connect(stub, key=secret) as stranger, pytest.raises(anthropic.AuthenticationError) as no:
        stranger.messages.create(**params())
    assert no.value.type == "authentication_error"
    assert post(stub, chat(), key=secret).json()["error"]["code"] == "invalid_api_key"
    told = json.dumps([stub.state(), stub.read_log(), no.value.body])
    assert secret not in told
    assert KEY not in told
    assert {len(KEY), len(secret)} <= set(stub.state()["keys_seen"])


def test_thinking_comes_before_the_text_and_is_counted(client):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    message = client.messages.create(**params(max_tokens=2000, thinking=thinking))
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.content[0].signature
    thought = count_tokens(message.content[0].thinking)
    assert message.usage.output_tokens_details.thinking_tokens == thought
    assert message.usage.output_tokens == thought + count_tokens(message.content[1].text)


def test_a_marked_prefix_is_written_once_and_then_read(client, stub):
    mark = {"type": "ephemeral"}
    long = [{"type": "text", "text": "A rule of the house. " * 400, "cache_control": mark}]
    short = [{"type": "text", "text": "A rule of the house. " * 10, "cache_control": mark}]
    before = stub.state()["cost_usd"]
    first, second = (client.messages.create(**params(t, system=long)).usage for t in ("a?", "b?"))
    size = count_tokens(long[0]["text"])
    assert (first.cache_creation_input_tokens, first.cache_read_input_tokens) == (size, 0)
    assert (second.cache_creation_input_tokens, second.cache_read_input_tokens) == (0, size)
    assert first.input_tokens == second.input_tokens < 20
    dollars = (2 * first.input_tokens + size * 1.35) * 2 + 2 * first.output_tokens * 10
    assert math.isclose(stub.state()["cost_usd"] - before, dollars / 1e6, abs_tol=1e-8)
    small = client.messages.create(**params("a?", system=short)).usage
    assert (small.cache_creation_input_tokens, small.cache_read_input_tokens) == (0, 0)


def test_cache_marks_blocks_and_metadata_leave_a_question_the_same():
    blocks = [{"type": "text", "text": "Rule.", "cache_control": {"type": "ephemeral"}}]
    with start_stub() as stub, connect(stub) as client:
        client.messages.create(**params(system="Rule."))
        client.messages.create(**params(system=blocks, metadata={"user_id": "me"}))
        assert (stub.state()["distinct"], stub.state()["paid_twice"]) == (1, 1)
        client.messages.create(**params(system="Rules."))
        client.messages.create(**params(system="Rule.", max_tokens=401))
        assert (stub.state()["distinct"], stub.state()["paid_twice"]) == (3, 1)


def test_tokens_are_counted_as_they_are_then_charged(client):
    sent = passage_params(output_config={"format": FORMAT}, system="Be brief.")
    asked = {name: value for name, value in sent.items() if name != "max_tokens"}
    counted = client.messages.count_tokens(**asked).input_tokens
    assert counted == client.messages.create(**sent).usage.input_tokens


# Batches


def test_a_batch_is_answered_at_half_the_price(client, stub):
    before = stub.state()
    whole = client.messages.create(**params("half 0?"))
    price = stub.state()["cost_usd"] - before["cost_usd"]
    batch, results = run_batch(client, items(1, "half"))
    after = stub.state()
    assert results["half-0"].type == "succeeded"
    assert results["half-0"].message.content == whole.content
    assert results["half-0"].message.usage.service_tier == "batch"
    assert batch.request_counts.model_dump() == {
        "processing": 0,
        "succeeded": 1,
        "errored": 0,
        "canceled": 0,
        "expired": 0,
    }
    assert math.isclose(after["cost_usd"] - before["cost_usd"], price * 1.5)
    assert after["calls"] - before["calls"] == 2
    assert after["paid_twice"] - before["paid_twice"] == 1


def test_results_come_in_another_order_than_the_items(client):
    batch, _ = run_batch(client, items(20, "order"))
    names = [line.custom_id for line in client.messages.batches.results(batch.id)]
    assert names != [f"order-{n}" for n in range(20)]
    assert sorted(names) == sorted(f"order-{n}" for n in range(20))


@pytest.mark.parametrize(
    ("names", "said"), [(["a", "a"], "Duplicate"), (["a b"], "pattern"), (["x" * 65], "pattern")]
)
def test_wrong_names_of_items_are_refused(client, names, said):
    with pytest.raises(anthropic.BadRequestError, match=said):
        client.messages.batches.create(
            requests=[{"custom_id": name, "params": params()} for name in names]
        )


def test_an_item_that_is_wrong_errs_alone(client):
    wrong = {"custom_id": "wrong", "params": {**params(), "temperature": 1}}
    batch, results = run_batch(client, [*items(2, "beside"), wrong])
    assert Counter(result.type for result in results.values()) == {"succeeded": 2, "errored": 1}
    assert results["wrong"].error.error.type == "invalid_request_error"
    assert batch.request_counts.errored == 1


def test_batches_are_listed_newest_first_page_by_page():
    with start_stub(batch_seconds=5) as stub, connect(stub) as client:
        made = [client.messages.batches.create(requests=items(1)).id for _ in range(5)]
        listed = [batch.id for batch in client.messages.batches.list(limit=2)]
        page = client.messages.batches.list(limit=2, before_id=made[1])
        running = client.messages.batches.retrieve(made[0])
        with pytest.raises(anthropic.BadRequestError):
            client.messages.batches.delete(made[0])
    assert listed == made[::-1]
    assert ([batch.id for batch in page.data], page.has_more) == ([made[3], made[2]], True)
    assert (running.processing_status, running.results_url) == ("in_progress", None)
    assert running.request_counts.processing == 1


def test_a_canceled_batch_answers_what_its_time_reached():
    with start_stub(batch_seconds=3) as stub, connect(stub) as client:
        batch = client.messages.batches.create(requests=items(10))
        time.sleep(1)
        assert client.messages.batches.cancel(batch.id).processing_status == "canceling"
        wait_until(lambda: is_ended(client, batch.id))
        counts = client.messages.batches.retrieve(batch.id).request_counts
        assert counts.succeeded == stub.state()["answered"]
        assert counts.succeeded + counts.canceled == 10
        assert 3 <= counts.succeeded <= 9
        assert client.messages.batches.delete(batch.id).type == "message_batch_deleted"
        with pytest.raises(anthropic.NotFoundError):
            client.messages.batches.retrieve(batch.id)


def test_the_plan_decides_what_becomes_of_items_and_submissions():
    shares = {"batch_api_error": 0.2, "batch_invalid": 0.2, "batch_expired": 0.2, "refusal": 0.2}
    with start_stub(plan={"seed": 3, "shares": shares}) as stub, connect(stub) as client:
        batch, results = run_batch(client, items(60))
        kinds = Counter(result.type for result in results.values())
        assert set(kinds) == {"succeeded", "errored", "expired"}
        assert (batch.request_counts.errored, batch.request_counts.expired) == (
            kinds["errored"],
            kinds["expired"],
        )
        errors = {r.error.error.type for r in results.values() if r.type == "errored"}
        assert errors == {"api_error", "invalid_request_error"}
        stub.set_plan({"shares": {"cut": 1}})
        with pytest.raises(anthropic.APIConnectionError):
            client.messages.batches.create(requests=items(2, "lost"))
        assert len(client.messages.batches.list().data) == 2


# OpenAI


def test_a_chat_completion_has_openais_shape(stub):
    found = post(stub, chat()).json()
    choice = found["choices"][0]
    assert found["object"] == "chat.completion"
    assert choice["finish_reason"] == "stop"
    assert choice["message"] == {
        "role": "assistant",
        "content": "That is about What is a stub.",
        "refusal": None,
    }
    size = count_tokens(choice["message"]["content"])
    assert (found["usage"]["completion_tokens"], choice["logprobs"]) == (size, None)
    assert post(stub, chat(max_tokens=3)).json()["choices"][0]["finish_reason"] == "length"


def test_a_chat_fills_a_schema_and_reads_its_cache(stub):
    form = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": SCHEMA}}
    text = passage_params()["messages"][0]["content"]
    body = chat(text, response_format=form)
    body["messages"][0]["content"] = "A rule of the house. " * 400
    first, second = (post(stub, body).json() for _ in range(2))
    assert len(json.loads(first["choices"][0]["message"]["content"])["pairs"]) == 5
    cached = [one["usage"]["prompt_tokens_details"]["cached_tokens"] for one in (first, second)]
    assert cached == [0, 2400 - 2400 % 128]


def test_token_probabilities_join_to_the_content(stub):
    body = chat(logprobs=True, top_logprobs=3, temperature=0.7, seed=4)
    choice = post(stub, body).json()["choices"][0]
    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
    assert (
        bytes(byte for token in tokens for byte in token["bytes"]).decode()
        == (choice["message"]["content"])
    )
    for token in tokens:
        tops = [top["logprob"] for top in token["top_logprobs"]]
        assert tops[0] == token["logprob"]
        assert len(tops) == 3
        assert tops == sorted(tops, reverse=True)
        assert sum(map(math.exp, tops)) < 1
    assert post(stub, body).json()["choices"][0] == choice


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (chat(model="gpt-b"), 404, "model_not_found"),
        (chat(temperature=3), 400, None),
        (chat(top_logprobs=2), 400, None),
        ({"model": "gpt-a"}, 400, None),
    ],
)
def test_a_chat_is_refused_in_openais_shape(stub, body, status, code):
    answer = post(stub, body)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize(
    ("fault", "status", "choice"),
    [
        ("429", 429, None),
        ("500", 500, None),
        ("529", 503, None),
        ("refusal", 200, ("stop", None, True)),
        ("content_filter", 200, ("content_filter", "That is about What", False)),
    ],
)
def test_faults_have_openais_shape_too(fault, status, choice):
    with start_stub(plan={"shares": {fault: 1}, "retry_after": 2.5}) as stub:
        answer = post(stub, chat())
    assert answer.status_code == status
    if choice is None:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert answer.headers.get("retry-after") == ("2.5" if status in {429, 503} else None)
        return
    said = answer.json()["choices"][0]
    content = said["message"]["content"]
    assert (said["finish_reason"], content, bool(said["message"]["refusal"])) == choice


# Limits and faults


def test_more_in_flight_than_allowed_are_told_to_come_back():
    with start_stub(max_concurrent=4, latency=1, retry_after=0.5) as stub:
        found = asyncio.run(ask_all(stub.url, [f"{n}?" for n in range(10)]))
        state = stub.state()
        with connect(stub) as client:
            answer = client.messages.with_raw_response.create(**params())
    assert Counter(said.partition(":")[0] for said in found) == {"RateLimitError": 6, "end_turn": 4}
    assert state["by_status"] == {"200": 4, "429": 6}
    assert 5 <= state["max_in_flight"] <= 10
    assert int(answer.headers["anthropic-ratelimit-requests-remaining"]) > 0


def test_requests_beyond_those_of_a_minute_are_told_when_to_come_back():
    with start_stub(requests_per_minute=3) as stub, connect(stub) as client:
        answers = [client.messages.with_raw_response.create(**params(f"{n}?")) for n in range(3)]
        with pytest.raises(anthropic.RateLimitError) as caught:
            client.messages.create(**params("3?"))
    left = [answer.headers["anthropic-ratelimit-requests-remaining"] for answer in answers]
    assert left == ["2", "1", "0"]
    assert caught.value.response.headers["retry-after"] == "20"
    assert caught.value.type == "rate_limit_error"


def test_tokens_beyond_those_of_a_minute_are_refused():
    with start_stub(tokens_per_minute=100) as stub, connect(stub) as client:
        client.messages.create(**params("word " * 80))
        with pytest.raises(anthropic.RateLimitError):
            client.messages.create(**params("word " * 80))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("429", anthropic.RateLimitError),
        ("500", anthropic.InternalServerError),
        ("529", anthropic.APIStatusError),
        ("cut", anthropic.APIConnectionError),
    ],
)
def test_a_failed_attempt_is_followed_by_a_good_one(fault, error):
    plan = {"shares": {fault: 1}, "retry_after": 3}
    with start_stub(plan=plan) as stub, connect(stub) as client:
        with pytest.raises(error) as caught:
            client.messages.create(**params())
        assert client.messages.create(**params()).stop_reason == "end_turn"
        state = stub.state()
    assert state["by_status"] == {fault: 1, "200": 1}
    assert (state["answered"], state["paid_twice"]) == (1, 0)
    if fault in {"429", "529"}:
        assert caught.value.response.headers["retry-after"] == "3"
        assert caught.value.status_code == int(fault)


def test_spoilt_answers_look_whole_from_outside(client):
    asked = passage_params(output_config={"format": FORMAT})
    with start_stub(plan={"shares": {"truncated_json": 1}}) as stub, connect(stub) as other:
        cut = other.messages.create(**asked)
        stub.set_plan({"shares": {"wrong_schema": 1}, "only_first_attempts": False})
        wrong = other.messages.create(**asked)
        stub.set_plan({"shares": {"refusal": 1}, "only_first_attempts": False})
        refused = other.messages.create(**asked)
    assert cut.stop_reason == wrong.stop_reason == "end_turn"
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.content[0].text)
    assert "pairs" not in json.loads(wrong.content[0].text)
    assert (refused.stop_reason, refused.content) == ("refusal", [])
    assert refused.stop_details.type == "refusal"


def test_a_slow_answer_outlasts_a_short_patience():
    plan = {"shares": {"slow": 1}, "slow_seconds": 1.5}
    with start_stub(plan=plan) as stub, connect(stub, timeout=0.5) as client:
        with pytest.raises(anthropic.APITimeoutError):
            client.messages.create(**params())
        wait_until(lambda: stub.state()["answered"] == 1)
        assert client.messages.create(**params()).stop_reason == "end_turn"
        assert stub.state()["paid_twice"] == 1


def test_a_plan_that_holds_keeps_every_answer_until_the_next():
    holding = start_stub(plan={"hold": True})
    with holding as stub, connect(stub, timeout=60) as client, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.messages.create, **params())
        wait_until(lambda: stub.state()["calls"] == 1)
        time.sleep(0.3)
        assert stub.state()["answered"] == 0
        stub.set_plan({})
        assert asked.result(60).stop_reason == "end_turn"


def test_equal_plans_meet_equal_faults_in_another_process_and_order():
    plan = {"seed": 5, "shares": {"429": 0.2, "500": 0.1, "529": 0.1, "cut": 0.1, "refusal": 0.1}}
    texts = [f"Question {n}?" for n in range(80)]

    def run(asked: list[str], **changes) -> tuple[dict[str, str], list[tuple]]:
        with start_stub(plan={**plan, **changes}) as stub:
            found = dict(zip(asked, asyncio.run(ask_all(stub.url, asked)), strict=True))
            log = stub.read_log()
        return found, sorted((one["fingerprint"], str(one["status"])) for one in log)

    once, again, other = run(texts), run(texts[::-1]), run(texts, seed=6)
    assert once == again
    assert once != other
    kinds = Counter(status for _, status in once[1])
    assert set(kinds) == {"200", "429", "500", "529", "cut"}


def test_the_same_requests_are_refused_for_ever():
    texts = [f"Question {n}?" for n in range(40)]
    with start_stub(plan={"forever_400": 3}) as stub:
        twice = [asyncio.run(ask_all(stub.url, texts, limit=1)) for _ in range(2)]
        assert twice[0] == twice[1]
        assert [said for said in twice[0] if "Error" in said] == ["BadRequestError"] * 3
        stub.restart()
        assert asyncio.run(ask_all(stub.url, texts[::-1], limit=1)) == twice[0][::-1]
        stub.set_plan({"seed": 1, "forever_400": 0.25})
        by_share = asyncio.run(ask_all(stub.url, texts))
        assert by_share == asyncio.run(ask_all(stub.url, texts))
        assert 3 < by_share.count("BadRequestError") < 20
        stub.set_plan({"forever_400_containing": "7?"})
        found = asyncio.run(ask_all(stub.url, texts))
    assert [n for n, said in enumerate(found) if said == "BadRequestError"] == [7, 17, 27, 37]


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"sahres": {}}, "unknown key 'sahres'"),
        ({"shares": {"418": 1}}, "unknown fault '418'"),
        ({"shares": {"429": 0.7, "cut": 0.7}}, "add up to more than 1"),
    ],
)
def test_a_plan_with_a_mistake_is_refused(stub, plan, said):
    with pytest.raises(ValueError, match=said):
        stub.set_plan(plan)


# The process


def test_a_dead_stub_comes_back_on_its_port_and_goes_on_counting():
    with start_stub(plan={"die_after": 2}, batch_seconds=0.1) as stub:
        url, texts = stub.url, ["a?", "b?", "c?"]
        with connect(stub) as client:
            batch, results = run_batch(client, items(2))
        found = asyncio.run(ask_all(url, texts, limit=1))
        assert stub.wait() == 70
        assert [said.partition(":")[0] for said in found] == [
            "end_turn",
            "APIConnectionError",
            "APIConnectionError",
        ]
        stub.restart(plan={})
        assert stub.url == url
        assert stub.state()["answered"] == 3
        asyncio.run(ask_all(url, texts, limit=1))
        with connect(stub) as client:
            known = {r.custom_id: r.result for r in client.messages.batches.results(batch.id)}
        state = stub.state()
    assert known == results
    assert (state["calls"], state["answered"]) == (5, 6)
    assert (state["distinct"], state["paid_twice"], state["batches"]) == (5, 1, 1)


def test_a_batch_outlives_the_server_that_took_it():
    with start_stub(batch_seconds=2) as stub, connect(stub) as client:
        batch = client.messages.batches.create(requests=items(3))
        stub.kill()
        stub.restart()
        assert not is_ended(client, batch.id)
        wait_until(lambda: is_ended(client, batch.id))
        assert len(list(client.messages.batches.results(batch.id))) == 3
        assert (stub.state()["answered"], stub.state()["paid_twice"]) == (3, 0)


def test_the_log_names_each_call_and_its_cost():
    with start_stub() as stub:
        asyncio.run(ask_all(stub.url, ["a?", "a?"], limit=1))
        stub.kill()
        lines = stub.read_log()
        stub.restart(resume=False)
        assert stub.state()["calls"] == 0
    assert [(line["endpoint"], line["status"], line["attempt"]) for line in lines] == [
        ("messages", 200, 1),
        ("messages", 200, 2),
    ]
    assert lines[0]["fingerprint"] == lines[1]["fingerprint"]
    assert lines[0]["cost_usd"] > 0
