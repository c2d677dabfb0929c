"""A refusal and half an answer are failures; whatever was paid for is kept all the same."""

import json
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from stillhouse.base.errors import TeacherError
from stillhouse.base.records import Request, Response
from stillhouse.teachers.generate import GenerateParams
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.lookup import Archive
from stillhouse.teachers.outcome import look_over
from stillhouse.teachers.protocol import Outcome
from tests.asking import FakeTeacher, Generated, generate, make_request, make_response

REQUEST = make_request()
WHOLE = make_response(REQUEST)
CUT = replace(WHOLE, text='{"pairs": [{"fact": "x", "quest', stop_reason="max_tokens")
REFUSED = replace(WHOLE, text="I will not.", stop_reason="refusal")


class Answers(FakeTeacher):
    response: Response = CUT

    def say(self, request: Request) -> Outcome:
        return replace(self.response, request_id=request.request_id)


def run(folder: Path, response: Response, tolerate: int = 0) -> Generated:
    teacher = Answers(folder / "ledger")
    teacher.response = response
    with Journal(folder / "j") as journal:
        params = GenerateParams(tolerate_refusals=tolerate)
        return generate([REQUEST], [teacher], journal, Archive(folder, folder), params)


def read_unusable(folder: Path) -> list[tuple[object, ...]]:
    with Journal(folder / "j") as journal:
        rows = journal._base.execute("SELECT * FROM unusable").fetchall()
    return [(*row[:-1], tuple(json.loads(row[-1]))) for row in rows]


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (CUT, "cut off after 5 tokens; raise `max_tokens` in the prompt's front matter"),
        (replace(CUT, text=""), "cut off after 5 tokens"),
        (replace(CUT, text="[" * 100_000), "cut off after 5 tokens"),
        (replace(CUT, stop_reason="model_context_window_exceeded"), "take smaller passages"),
        (REFUSED, "the teacher refused it: 'I will not.'"),
        (replace(REFUSED, text=""), "the teacher refused it"),
    ],
)
def test_a_response_that_is_no_answer_ends_the_run_and_is_kept(
    tmp_path: Path, response: Response, said: str
) -> None:
    with pytest.raises(TeacherError, match="1 requests were refused for good") as end:
        run(tmp_path, response)
    assert said in str(end.value)
    assert read_unusable(tmp_path) == [astuple(response)]


def test_a_tolerated_cut_is_a_rejection_and_no_response(tmp_path: Path) -> None:
    generated = run(tmp_path, CUT, tolerate=1)
    assert (generated.responses, generated.pairs) == ((), ())
    (rejection,) = generated.rejections
    assert rejection.reason == "refused"
    assert "cut off after 5 tokens" in rejection.detail


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        (replace(REQUEST, task="replay"), replace(CUT, text="The capital of")),
        (REQUEST, replace(WHOLE, stop_reason="max_tokens")),
        (REQUEST, replace(WHOLE, text="no JSON at all")),
        (REQUEST, replace(WHOLE, text='{"pairs": [{"fact": "x", "quest')),
    ],
    ids=["plain text", "whole at the limit", "prose", "broken without a cut"],
)
def test_an_answer_stays_one(request_: Request, response: Response) -> None:
    assert look_over(request_.task, response) == response


@pytest.mark.parametrize("response", [CUT, REFUSED])
def test_what_an_earlier_version_kept_as_an_answer_is_none(
    tmp_path: Path, response: Response
) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.record([response])
    with pytest.raises(TeacherError, match="1 requests were refused for good"):
        run(tmp_path, response)
    with Journal(tmp_path / "j") as journal:
        assert journal.read([REQUEST.request_id]) == {}
    assert read_unusable(tmp_path) == [astuple(response)]
    assert FakeTeacher(tmp_path / "ledger").read_ledger() == []  # known, so not paid for again
