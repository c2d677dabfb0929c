"""A tiny model of random weights answers: what it says depends on the request alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from stillhouse.base.records import Message, Request, Response
from stillhouse.base.runtime import Runtime
from stillhouse.teachers.huggingface import LocalModel
from stillhouse.teachers.protocol import Failure
from tests.asking import make_request
from tests.test_teacher_huggingface import stir
from tests.tiny import POSITIONS, build_tiny_model

QUESTIONS = [f"What {'else ' * number}is the capital of Italy?" for number in range(12)]
REQUESTS = [
    make_request(
        teacher="base",
        task="replay",
        messages=(Message("user", question),),
        parameters='{"max_tokens":12}',
    )
    for question in QUESTIONS
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny")
    build_tiny_model(path)
    stir(path)
    return path


@dataclass
class Given:
    """Requests that are handed out once."""

    requests: Sequence[Request]
    stopped = ""

    def put_back(self, requests: Sequence[Request]) -> None:
        self.requests = [*requests, *self.requests]

    @property
    def ended(self) -> bool:
        return not self.requests

    def take(self, most: int) -> Sequence[Request]:
        taken, self.requests = self.requests[:most], self.requests[most:]
        return taken


def ask(folder: Path, requests: Sequence[Request], batch: int) -> dict[str, Response | Failure]:
    teacher = LocalModel(lambda _: folder, Runtime(device="cpu", threads=1, generation_batch=batch))
    replies = [reply for some in teacher.answer(Given(requests)) for reply in some]
    assert all(reply.usd == 0 for reply in replies)
    return {reply.outcome.request_id: reply.outcome for reply in replies}


def test_an_answer_does_not_depend_on_who_else_is_asked(folder: Path) -> None:
    together = ask(folder, REQUESTS, 32)
    assert together.keys() == {request.request_id for request in REQUESTS}
    assert ask(folder, REQUESTS[::-1], 5) == together
    alone = [ask(folder, [request], 1) for request in REQUESTS]
    assert {name: answer for one in alone for name, answer in one.items()} == together


def test_an_answer_that_is_cut_off_says_so(folder: Path) -> None:
    (answer,) = ask(folder, REQUESTS[:1], 1).values()
    assert isinstance(answer, Response)
    cut = answer.output_tokens == 12
    assert answer.stop_reason == ("max_tokens" if cut else "end_turn")
    assert answer.input_tokens > 10


def test_a_prompt_that_does_not_fit_fails_for_good(folder: Path) -> None:
    long = make_request(messages=(Message("user", "word " * POSITIONS),))
    (failure,) = ask(folder, [long], 1).values()
    assert isinstance(failure, Failure)
    assert failure.permanent
    assert f"exceed the window of {POSITIONS}" in failure.error


def test_nothing_is_loaded_when_nothing_is_asked() -> None:
    def refuse(name: str) -> Path:
        raise AssertionError(name)

    assert list(LocalModel(refuse, Runtime()).answer(Given([]))) == []
