"""A vLLM server as the teacher of probabilities: the same numbers as the model at hand, or nothing."""

import json
import logging
import math
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml

from stages import capture as stage
from stillhouse.base.byte_store import ByteStore
from stillhouse.base.errors import InputError, MachineError, StillhouseError, TeacherError
from stillhouse.base.model_name import list_models
from stillhouse.base.params import parse_section
from stillhouse.base.records import Chunk, Row
from stillhouse.base.runtime import Runtime
from stillhouse.base.tables import write_table
from stillhouse.distill.bases import open_base
from stillhouse.distill.capture import Sources, capture_by, capture_rows
from stillhouse.distill.distributions import Captured, Origin, read_distributions
from stillhouse.distill.encode import Reading, encode_rows
from stillhouse.distill.loading import load_model, load_tokenizer
from stillhouse.distill.params import Student
from stillhouse.distill.parts import TEACHER, choose_rows, list_parts, name_tokens
from stillhouse.teachers import served
from stillhouse.teachers.params import TeachersParams, VllmAccess
from stillhouse.teachers.prompt_logprobs import log_rest, read_answer
from stillhouse.teachers.served import ask_served
from tests.making import make_chunk, make_pair, make_row
from tests.stub_vllm import StubVllm, serve_vllm
from tests.test_distill_capture import make_rows
from tests.tiny import TEMPLATE, build_tiny_model

K = 8
RUNTIME = Runtime(device="cpu", threads=1, retries=3, concurrency=4, timeout_seconds=20)
ROOT = Path(__file__).parent.parent
SOFT = {"teacher": "big", "served": True, "temperature": 1, "top_k": K}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("big")
    build_tiny_model(place)
    return place


@pytest.fixture
def stub(folder: Path) -> Iterator[StubVllm]:
    with serve_vllm(StubVllm(folder)) as stub:
        yield stub


@pytest.fixture
def origin(folder: Path) -> Origin:
    vocabulary = load_model(folder).config.vocab_size
    return Origin("big", "w", "t", "c", "c", vocabulary, "prompt", K, (1.0,))


def ask(
    stub: StubVllm,
    rows: Sequence[Reading],
    origin: Origin,
    place: Path,
    runtime: Runtime = RUNTIME,
    **access: Any,
) -> tuple[list[Captured], int]:
    """Capture rows from the server into a store; return them and how many were asked for."""
    reached = VllmAccess(**{"base_url": stub.url, **access})
    asked = ask_served(origin, load_tokenizer(stub.folder), reached, runtime)
    read, new = capture_by(asked, rows, origin, Sources(ByteStore(place / "store.sqlite")))
    return read([row.row_id for row in rows]), new


def count_kept(place: Path, rows: Sequence[Reading], origin: Origin) -> int:
    """Return how many of the rows a new process would find."""
    missing: list[Reading] = []
    sources = Sources(ByteStore(place / "store.sqlite"))
    capture_by(lambda more, _: missing.extend(more), rows, origin, sources)
    return len(rows) - len(missing)


def test_a_server_gives_what_the_same_model_at_hand_gives(
    stub: StubVllm, folder: Path, origin: Origin, tmp_path: Path
) -> None:
    rows = make_rows(12)
    found, new = ask(stub, rows, origin, tmp_path)
    store = Sources(ByteStore(tmp_path / "local.sqlite"))
    read, _ = capture_rows(rows, origin, lambda: [load_model(folder)], store, RUNTIME)
    assert new == 12
    outside = 0
    for row, ours, theirs in zip(rows, read([row.row_id for row in rows]), found, strict=True):
        assert torch.equal(theirs.ids, ours.ids)
        assert torch.allclose(theirs.log_probs.float(), ours.log_probs.float(), atol=4e-3)
        assert torch.allclose(theirs.tails, ours.tails, atol=1e-5)
        assert (theirs.ids.shape, theirs.hidden.shape) == ((row.tokens, K), (row.tokens, 0, 0))
        completion = torch.tensor(row.input_ids[row.start :])
        outside += int((theirs.ids != completion.unsqueeze(-1)).all(-1).sum())
    assert outside > 20  # tokens that the server adds to its k: they are not kept


def test_what_is_asked_is_plain_and_about_tokens(
    stub: StubVllm, origin: Origin, tmp_path: Path
) -> None:
    (row,) = rows = make_rows(1)
    ask(stub, rows, origin, tmp_path)
    assert stub.bodies == [
        {
            "model": "big",
            "prompt": list(row.input_ids),
            "max_tokens": 1,
            "prompt_logprobs": K,
            "temperature": 1.0,
            "top_p": 1.0,
            "top_k": -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
        }
    ]


def test_failures_that_pass_are_tried_again_and_no_row_is_asked_twice(
    stub: StubVllm, origin: Origin, tmp_path: Path
) -> None:
    rows = make_rows(10)
    stub.faults.extend([429, 0, 503, "cut", 0, 500, "drop", 429])
    assert len(ask(stub, rows, origin, tmp_path)[0]) == 10
    assert sorted(stub.prompts) == sorted(row.input_ids for row in rows)


def test_as_many_rows_are_in_flight_as_runtime_allows(
    stub: StubVllm, origin: Origin, tmp_path: Path
) -> None:
    stub.together = 4
    ask(stub, make_rows(16), origin, tmp_path)
    assert stub.most_in_flight == 4


def test_a_capture_that_was_cut_short_goes_on_where_it_was(
    stub: StubVllm, origin: Origin, tmp_path: Path
) -> None:
    rows = make_rows(12)
    stub.faults.extend([0] * 5 + [500] * 50)
    with pytest.raises(TeacherError, match=r"gave no answer .*what came is kept"):
        ask(stub, rows, origin, tmp_path, RUNTIME.model_copy(update={"retries": 0}))
    kept = count_kept(tmp_path, rows, origin)
    assert 5 <= kept < 12
    stub.faults.clear()
    assert ask(stub, rows, origin, tmp_path)[1] == 12 - kept
    assert sorted(stub.prompts) == sorted(row.input_ids for row in rows)


def test_an_answer_is_on_disk_before_the_next_row_is_asked(
    stub: StubVllm, origin: Origin, tmp_path: Path
) -> None:
    rows, seen = make_rows(6), list[int]()

    def look(answer: Any) -> Any:
        seen.append(count_kept(tmp_path, rows, origin))
        return answer

    stub.spoil = look
    ask(stub, rows, origin, tmp_path, RUNTIME.model_copy(update={"concurrency": 1}))
    assert seen == [0, 1, 2, 3, 4, 5]


def test_answers_that_cannot_be_kept_end_the_asking(
    stub: StubVllm, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ByteStore, "write", lambda *_: None)  # as on a full disk
    with pytest.raises(MachineError, match="could not be kept"):
        ask(stub, make_rows(9), origin, tmp_path)
    assert stub.asked["/v1/completions"] == 1


def test_the_deadline_keeps_what_came(
    stub: StubVllm, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, rows = [0.0], make_rows(9)

    def take_ten_seconds(answer: Any) -> Any:
        now[0] += 10
        return answer

    stub.spoil = take_ten_seconds
    monkeypatch.setattr(served, "time", SimpleNamespace(monotonic=lambda: now[0]))
    short = RUNTIME.model_copy(update={"deadline_minutes": 0.5, "concurrency": 1})
    with pytest.raises(TeacherError, match="the time is up"):
        ask(stub, rows, origin, tmp_path, short)
    assert count_kept(tmp_path, rows, origin) == 4


@pytest.mark.parametrize("old", [False, True])
def test_more_log_probabilities_than_the_server_gives_are_one_sentence(
    stub: StubVllm, origin: Origin, tmp_path: Path, old: bool
) -> None:
    stub.old_errors = old
    with pytest.raises(InputError) as told:
        ask(stub, make_rows(9), replace(origin, top_k=64), tmp_path)
    assert str(told.value) == (
        "students.<name>.soft.top_k: the server gives at most 20 log-probabilities of a token; expected "
        "at most 20, and it is 64; begin the server with `--max-logprobs 64`, or lower `soft.top_k`"
    )
    assert stub.asked["/v1/completions"] == 1


def entries(answer: Any) -> list[Any]:
    found: list[Any] = answer["choices"][0]["prompt_logprobs"]
    return found


def drop_best(answer: Any) -> None:
    best = min(entries(answer)[-1].items(), key=lambda one: one[1]["rank"])[0]
    del entries(answer)[-1][best]
    last = max(entries(answer)[-1].items(), key=lambda one: one[1]["rank"])[0]
    del entries(answer)[-1][last]


def shift(answer: Any) -> None:
    found = entries(answer)
    found[1:] = [*found[2:], found[1]]


def change_values(change: Callable[[float], object]) -> Callable[[Any], None]:
    def spoil(answer: Any) -> None:
        for told in entries(answer)[-1].values():
            told["logprob"] = change(told["logprob"])

    return spoil


def swap_prompt(answer: Any) -> None:
    found = entries(answer)
    found[1], found[2] = found[2], found[1]


def add_strangers(answer: Any) -> None:
    entries(answer)[-1].update({str(t): {"logprob": -50.0, "rank": 500} for t in range(5, 8)})


SPOILT: dict[str, tuple[Callable[[Any], object], str]] = {
    "no choices": (lambda a: a.update(choices=[]), "has no `prompt_logprobs`"),
    "null": (lambda a: a["choices"][0].update(prompt_logprobs=None), "has no `prompt_logprobs`"),
    "short": (lambda a: entries(a).pop(), r"is about \d+ tokens of \d+"),
    "long": (lambda a: entries(a).append({}), r"is about \d+ tokens of \d+"),
    "shifted": (shift, r"is about another token|token that is not its own"),
    "a prompt in another order": (
        swap_prompt,
        r"token [12] is about another token|token that is not its own",
    ),
    "an empty entry of the prompt": (
        lambda a: entries(a)[1].clear(),
        "the entry of token 1 is about another token",
    ),
    "no entry of the prompt": (
        lambda a: entries(a).__setitem__(1, None),
        "token 1 has no log-probabilities",
    ),
    "other tokens beside it": (add_strangers, rf"log-probabilities, {K} were asked for"),
    "an empty entry": (lambda a: entries(a)[-1].clear(), "is about another token"),
    "no entry": (lambda a: entries(a).__setitem__(-1, None), r"token \d+ has no log-probabilities"),
    "no number": (change_values(lambda _: "much"), "has no log-probabilities"),
    "nothing": (change_values(lambda _: None), "has no log-probabilities"),
    "not a number": (change_values(lambda _: math.nan), "are no log-probabilities"),
    "raw logits": (change_values(lambda value: value + 12), "are no log-probabilities"),
    "probabilities": (change_values(lambda value: math.exp(value) - 1), "add up to more than one"),
    "another vocabulary": (
        lambda a: entries(a)[-1].__setitem__("99999", {"logprob": -1.0, "rank": 1}),
        "names tokens beyond the",
    ),
    "too few": (drop_best, rf"has \d log-probabilities of {K}|is about another token"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_an_answer_that_is_not_what_was_asked_for_is_never_kept(
    stub: StubVllm, origin: Origin, tmp_path: Path, how: str
) -> None:
    spoil, said = SPOILT[how]

    def change(answer: Any) -> Any:
        spoil(answer)
        return answer

    rows, stub.spoil = make_rows(5), change
    with pytest.raises(TeacherError, match=said):
        ask(stub, rows, origin, tmp_path)
    assert (stub.asked["/v1/completions"], count_kept(tmp_path, rows, origin)) == (1, 0)


def test_a_refusal_for_good_waits_for_the_rows_in_flight(
    stub: StubVllm, origin: Origin, tmp_path: Path
) -> None:
    stub.latency = 0.05
    stub.faults.extend([0, 0, 422])
    rows = make_rows(12)
    with pytest.raises(TeacherError, match=r"the vLLM server refuses it \(422 it is too much"):
        ask(stub, rows, origin, tmp_path)
    assert count_kept(tmp_path, rows, origin) == len(stub.prompts) >= 3


def test_a_server_of_another_tokenizer_is_refused_by_the_first_token_that_differs(
    folder: Path, origin: Origin, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    build_tiny_model(other)
    told = json.loads((other / "tokenizer.json").read_text())
    names = told["model"]["vocab"]
    names["T"], names["U"], names["c"], names["d"] = (names[n] for n in ("U", "T", "d", "c"))
    (other / "tokenizer.json").write_text(json.dumps(told))
    with (
        serve_vllm(StubVllm(folder, tokenizer=other)) as stub,
        pytest.raises(
            InputError, match=r"token \d+ of a probe is \d+ there and \d+ \('[cdTU]'\) here"
        ),
    ):
        ask(stub, make_rows(2), origin, tmp_path)
    assert stub.asked["/v1/completions"] == 0


def test_a_server_that_does_not_cut_text_is_warned_of_once(
    folder: Path, origin: Origin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serve_vllm(StubVllm(folder, lacks=("/tokenize", "/v1/models"))) as stub:
        assert ask(stub, make_rows(3), origin, tmp_path)[1] == 3
    (warning,) = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert "that big has the student's tokenizer was not checked" in warning.getMessage()


def test_another_chat_template_is_warned_of(
    folder: Path, origin: Origin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serve_vllm(StubVllm(folder, template=TEMPLATE.replace("<|im_end|>", ""))) as stub:
        ask(stub, make_rows(3), origin, tmp_path)
    (warning,) = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert "the server's chat template is not the student's" in warning.getMessage()


def test_a_model_that_the_server_does_not_have_is_refused(
    stub: StubVllm, origin: Origin, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"no model `bigg`; expected one of big; did you mean"):
        ask(stub, make_rows(1), replace(origin, teacher="bigg"), tmp_path)


def test_a_row_that_the_server_cannot_read_is_refused_before_any_is_asked(
    folder: Path, origin: Origin, tmp_path: Path
) -> None:
    rows = make_rows(9)
    longest = max(len(row.input_ids) for row in rows)
    with serve_vllm(StubVllm(folder, max_model_len=longest)) as stub:
        with pytest.raises(
            InputError, match=f"has {longest} tokens; expected at most {longest - 1}"
        ):
            ask(stub, rows, origin, tmp_path)
        assert stub.asked["/v1/completions"] == 0
        stub.lacks = ("/v1/models",)
        with pytest.raises(InputError, match="the server reads no row so long"):
            ask(stub, rows, origin, tmp_path)


def test_hidden_states_and_temperatures_that_no_server_gives_are_refused_unasked(
    stub: StubVllm, origin: Origin, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="a server gives no hidden states"):
        ask(stub, make_rows(1), replace(origin, layers=(1,), hidden=32), tmp_path)
    with pytest.raises(InputError, match="other temperatures from; expected 1"):
        ask(stub, make_rows(1), replace(origin, temperatures=(1.0, 2.0)), tmp_path)
    assert not stub.asked


def test_a_key_is_sent_and_shown_nowhere(
    folder: Path,
    origin: Origin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("MY_SERVER", "sesame-0123456789")
    with serve_vllm(StubVllm(folder, key="sesame-0123456789")) as stub:
        ask(stub, make_rows(3), origin, tmp_path, key="MY_SERVER")
        monkeypatch.setenv("MY_SERVER", "sesame-9876543210")
        with pytest.raises(TeacherError, match="the vLLM server refuses every request") as told:
            ask(stub, make_rows(3, seed=1), origin, tmp_path, key="MY_SERVER")
        assert "no key like Bearer ***" in str(told.value)
        monkeypatch.delenv("MY_SERVER")
        with pytest.raises(InputError, match="there is no key for the server; expected MY_SERVER"):
            ask(stub, make_rows(3, seed=1), origin, tmp_path, key="MY_SERVER")
    assert "sesame" not in caplog.text
    assert b"sesame" not in (tmp_path / "store.sqlite").read_bytes()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (None, "there is no address of the server"),
        ("ftp://host/v1", "the address of the server is none"),
        ("host:8000", "the address of the server is none|cannot be reached"),
        ("http://name:word@host/v1", "holds a name or a password"),
        ("http://[::1", "cannot be reached"),
    ],
)
def test_an_address_that_is_none_is_one_sentence(
    stub: StubVllm, origin: Origin, tmp_path: Path, address: str | None, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        ask(stub, make_rows(1), origin, tmp_path, base_url=address)


def test_a_server_that_is_not_there_is_one_sentence(
    stub: StubVllm, origin: Origin, tmp_path: Path
) -> None:
    patient = RUNTIME.model_copy(update={"retries": 1})
    with pytest.raises(TeacherError, match=r"gave no answer \(http://127.0.0.1:9: "):
        ask(stub, make_rows(1), origin, tmp_path, patient, base_url="http://127.0.0.1:9/v1")


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
def test_the_address_may_end_in_v1(
    stub: StubVllm, origin: Origin, tmp_path: Path, ending: str
) -> None:
    address = stub.url.removesuffix("/v1") + ending
    assert ask(stub, make_rows(1), origin, tmp_path, base_url=address)[1] == 1


def test_a_key_in_the_place_of_its_variable_is_not_shown() -> None:
    with pytest.raises(InputError) as told:
        parse_section("teachers", TeachersParams, {"vllm": {"key": "sk-secret 1"}})
    assert "`teachers.vllm.key`" in str(told.value)
    assert "sk-secret" not in str(told.value)


@pytest.mark.parametrize("mass", [1e-9, 1e-5, 0.3, 0.5, 0.99])
def test_what_is_left_to_the_others_keeps_its_digits(mass: float) -> None:
    p = torch.tensor([[1 - mass, mass * 2**-20]], dtype=torch.float64)
    wanted = max(
        math.log1p(-float(p.sum())) if mass > 1e-4 else math.log(mass * (1 - 2**-20)),
        math.log(2**-24),
    )
    assert math.isclose(float(log_rest(p.log(), 9)), wanted, rel_tol=1e-6, abs_tol=1e-9)


def test_nothing_left_is_little_and_no_others_are_nothing() -> None:
    sure = torch.tensor([[0.0, -9999.0], [1e-6, -40.0]])
    assert log_rest(sure, 3).tolist() == [pytest.approx(math.log(2**-24))] * 2
    assert log_rest(sure, 2).tolist() == [-math.inf] * 2


def test_the_servers_order_holds_among_equals() -> None:
    told = {str(token): {"logprob": -1.0, "rank": rank} for token, rank in ((4, 3), (7, 1), (9, 2))}
    message = {"choices": [{"prompt_logprobs": [None, told]}]}
    row = Reading("r" * 64, "t" * 64, (1, 4), 1)
    origin = Origin("big", "", "", "", "", 10, "prompt", 2, (1.0,))
    assert read_answer(message, row, origin).ids.tolist() == [[7, 9]]


def test_a_token_beyond_the_likeliest_is_the_rows_own_or_the_answer_is_of_another_row() -> None:
    row = Reading("r" * 64, "t" * 64, (1, 4), 1)
    origin = Origin("big", "", "", "", "", 10, "prompt", 2, (1.0,))

    def read(*values: tuple[int, float]) -> list[list[int]]:
        told = {str(token): {"logprob": value} for token, value in values}
        return read_answer(
            {"choices": [{"prompt_logprobs": [None, told]}]}, row, origin
        ).ids.tolist()  # type: ignore[no-any-return]

    assert read((7, -1.0), (9, -2.0), (4, -3.0)) == [[7, 9]]
    assert read((4, -1.0), (9, -2.0)) == [[4, 9]]
    with pytest.raises(TeacherError, match="a token that is not its own"):
        read((4, -1.0), (9, -2.0), (7, -3.0))


def make_student(folder: Path, **soft: object) -> Student:
    shipped = yaml.safe_load((ROOT / "params.yaml").read_text())["students"]["smollm2"]
    changed = {"model": str(folder), "method": "logits", "soft": {**SOFT, **soft}}
    return parse_section("students.tiny", Student, {**shipped, **changed})


@pytest.mark.parametrize(
    ("soft", "said"),
    [
        ({"temperature": 2}, "`served: true` needs `temperature: 1`"),
        ({"temperature": [1, 2]}, "`served: true` needs `temperature: 1`"),
        ({"teacher": ["big", "bigger"]}, "`served: true` takes one teacher, and 2 are named"),
        ({"served": False, "revision": "x"}, "`revision` is for `served: true`"),
        ({"revision": ""}, "`students.tiny.soft.revision` is ''"),
        ({"hidden": {"layers": [[1, 1]]}}, "`served: true` gives no hidden states"),
    ],
)
def test_parameters_that_no_server_can_meet_are_refused(
    folder: Path, soft: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        make_student(folder, **soft)


@pytest.mark.parametrize("method", ["logits_online", "on_policy"])
def test_a_method_that_asks_while_it_trains_is_refused(folder: Path, method: str) -> None:
    shipped = make_student(folder).model_dump(mode="json")
    with pytest.raises(InputError, match=f"`method: {method}` asks its teacher while it trains"):
        parse_section("students.tiny", Student, {**shipped, "method": method})


def find_origin(folder: Path, place: Path, **soft: object) -> Origin:
    params, base = make_student(folder, **soft), open_base(str(folder), place)
    (part,) = [one for one in list_parts(params, base, fail_to_open) if one.name == TEACHER]
    assert part.served
    return part.origin


def fail_to_open(name: str) -> Any:
    raise AssertionError(f"{name} lies on a server, and nothing of it is opened")


def test_a_served_teacher_is_its_name_and_what_is_said_of_it(folder: Path, tmp_path: Path) -> None:
    origin = find_origin(folder, tmp_path)
    assert (
        origin.weights_sha256 == "no hash: on a server, known by name only; no revision was stated"
    )
    assert origin.teacher_template_sha256 == origin.template_sha256
    others = [
        find_origin(folder, tmp_path, teacher="other"),
        find_origin(folder, tmp_path, revision="fp8 of 2026-05"),
        find_origin(folder, tmp_path, top_k=4),
        find_origin(folder, tmp_path, reads="passage"),
    ]
    assert len({json.dumps(one.describe()) for one in (origin, *others)}) == 5
    assert others[1].weights_sha256.endswith("known by name only; revision fp8 of 2026-05")


def test_a_student_is_told_whose_weights_nobody_hashed(folder: Path, tmp_path: Path) -> None:
    base = open_base(str(folder), tmp_path)
    served = list_parts(make_student(folder), base, fail_to_open)[-1]
    at_hand = list_parts(make_student(folder, served=False), base, lambda _: base)[-1]
    (told,) = served.describe_teachers()
    assert told == ("big", "", served.origin.weights_sha256)
    assert at_hand.describe_teachers() == [(base.name, base.sha256, base.origin)]


def test_models_at_hand_are_looked_for_and_served_ones_are_not(folder: Path) -> None:
    named = make_student(folder).model_dump(mode="json")
    assert list_models(named) == [str(folder)]
    named["soft"]["served"] = False
    assert list_models(named) == [str(folder), "big"]


@pytest.fixture
def project(stub: StubVllm, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the stage can run, as the tests' own process."""
    chunk = make_chunk()
    questions = [f"How many days of leave are there in year {n}?" for n in range(3)]
    rows = [make_row(make_pair(text, "27.5 days.", [chunk])) for text in questions]
    rows.append(make_row(make_pair("What is red?", "A colour.", task="replay")))
    write_table(tmp_path / stage.TRAIN, Row, rows)
    write_table(tmp_path / stage.CHUNKS, Chunk, [chunk])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["capture", "tiny"])
    write_params(folder, stub.url)
    return tmp_path


def write_params(folder: Path, address: str, **soft: object) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    student = params["students"]["smollm2"]
    changed = {"model": str(folder), "method": "logits", "soft": {**SOFT, **soft}}
    params["students"] = {"tiny": {**student, **changed}}
    params["teachers"]["vllm"]["base_url"] = address
    params["runtime"] |= {"retries": 0, "device": "cpu"}
    Path("params.yaml").write_text(yaml.safe_dump(params))


def test_the_stage_captures_from_the_server_and_training_reads_it(
    project: Path, stub: StubVllm, folder: Path
) -> None:
    stage.main()
    place = project / "data/distributions/tiny/teacher"
    student, base = make_student(folder), open_base(str(folder), project)
    (part,) = [one for one in list_parts(student, base, fail_to_open) if one.served]
    rows = stage.read_all(stage.TRAIN, Row)
    encoded = encode_rows(rows, load_tokenizer(folder), 512)
    wanted = name_tokens(part, encoded)
    found = read_distributions(place, part.origin, wanted)
    (first, *_) = choose_rows(part, rows, encoded, dict)
    with torch.inference_mode():
        logits = load_model(folder)(torch.tensor([first.input_ids])).logits[0, first.start - 1 : -1]
    assert torch.equal(found.of_row(first.row_id).ids, logits.topk(K).indices)
    assert len(wanted) == 3
    written = b"".join(path.read_bytes() for path in place.rglob("*") if path.is_file())
    assert stub.url.encode() not in written
    assert stub.url.removeprefix("http://").removesuffix("/v1").encode() not in written
    assert "known by name only" in (place / "manifest.json").read_text()


def test_the_stage_asks_once_and_for_what_another_passage_or_revision_makes_new(
    project: Path, stub: StubVllm, folder: Path
) -> None:
    def count() -> int:
        before = len(stub.prompts)
        stage.main()
        return len(stub.prompts) - before

    assert [count(), count()] == [3, 0]
    write_params(folder, stub.url.removesuffix("/v1"))
    assert count() == 0  # the address is no part of what was captured
    write_params(folder, "http://127.0.0.1:9")
    assert count() == 0  # nor is a server asked for nothing
    write_params(folder, stub.url, reads="passage")
    assert count() == 3
    longest, shortest = max(stub.prompts, key=len), min(stub.prompts, key=len)
    assert len(longest) > len(shortest) + 15
    write_params(folder, stub.url, revision="b2")
    assert count() == 3


def test_a_capture_that_is_killed_has_kept_each_answer_that_came(
    project: Path, stub: StubVllm
) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["runtime"]["concurrency"] = 1
    Path("params.yaml").write_text(yaml.safe_dump(params))
    code = "from stages import capture; capture.main()"
    command = [sys.executable, "-c", code, "tiny"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "STILLHOUSE_HOME": str(project)}
    killed: list[subprocess.Popen[bytes]] = []

    def kill_at_the_third(answer: Any) -> Any:
        if len(stub.bodies) == 3:
            killed[0].kill()
            killed[0].wait()
        return answer

    stub.spoil = kill_at_the_third
    killed.append(subprocess.Popen(command, env=environment))
    assert killed[0].wait(120) == -signal.SIGKILL
    assert not (project / "data/distributions/tiny/teacher/manifest.json").exists()
    stage.main()
    asked = [tuple(body["prompt"]) for body in stub.bodies]
    assert len(asked) == 4
    assert asked[3] == asked[2]  # whose answer never came; those of the first two are not asked for
    assert len(set(asked)) == 3


def test_the_stages_mistakes_are_errors_of_the_user(
    project: Path, stub: StubVllm, folder: Path
) -> None:
    write_params(folder, stub.url, top_k=50)
    with pytest.raises(StillhouseError, match="begin the server with `--max-logprobs 50`"):
        stage.main()
    assert not (project / "data/distributions/tiny/teacher/manifest.json").exists()


def test_shards_have_the_mode_of_other_files(project: Path) -> None:
    stage.main()
    files = [path for path in (project / "data/distributions").rglob("*") if path.is_file()]
    assert len(files) == 7
    assert len({stat.S_IMODE(path.stat().st_mode) for path in files}) == 1


def test_a_row_longer_than_a_teacher_at_hand_can_read_is_refused_before_it_is_loaded(
    project: Path, folder: Path, tmp_path: Path
) -> None:
    short = tmp_path / "short"
    build_tiny_model(short)
    config = json.loads((short / "config.json").read_text())
    (short / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 30}))
    (short / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    write_params(folder, "", teacher=str(short), served=False, reads="passage")
    with pytest.raises(InputError) as told:
        stage.main()
    said = str(told.value)
    assert "3 of 3 rows are longer than the teacher" in said
    assert "expected at most 30, with prompt and answer; choose a teacher that reads more" in said
    assert not (project / "data/distributions/tiny/teacher").exists()
