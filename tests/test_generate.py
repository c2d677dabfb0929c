import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from stillhouse.base.errors import InputError, TeacherError
from stillhouse.base.records import Request
from stillhouse.teachers.generate import Counts, GenerateParams
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.lookup import Archive
from stillhouse.teachers.protocol import Failure, Reply, Source
from stillhouse.teachers.reader import Reader
from tests.asking import FakeTeacher, Generated, generate, make_request, make_response

REQUESTS = [make_request(number) for number in range(5)]
FIRST, SECOND = (request.request_id for request in REQUESTS[:2])


def run(
    folder: Path, requests: Sequence[Request], failing: Sequence[Failure] = (), tolerate: int = 0
) -> Generated:
    with Journal(folder / "journal.sqlite") as journal:
        return generate(
            requests,
            [
                FakeTeacher(folder / "paid", failing={f.request_id: f for f in failing}),
                FakeTeacher(folder / "free", name="free", costs=False),
                Reader(),
            ],
            journal,
            Archive(folder, folder),
            GenerateParams(tolerate_refusals=tolerate),
        )


def run_with(teacher: FakeTeacher, folder: Path) -> Generated:
    with Journal(folder / "journal.sqlite") as journal:
        return generate(REQUESTS, [teacher], journal, Archive(folder, folder), GenerateParams())


def sent(folder: Path) -> list[str]:
    return FakeTeacher(folder / "paid").read_ledger()


def test_a_second_run_sends_nothing_and_gives_the_same(tmp_path: Path) -> None:
    first, second = run(tmp_path, REQUESTS), run(tmp_path, REQUESTS)
    assert first.counts == Counts(requests=5, answered=0, sent=5)
    assert second.counts == Counts(requests=5, answered=5, sent=0)
    assert (first.pairs, first.rejections) == (second.pairs, second.rejections)
    assert set(first.responses) == set(second.responses)
    assert len(first.pairs) == 5


def test_an_edited_prompt_asks_only_its_own_requests(tmp_path: Path) -> None:
    run(tmp_path, REQUESTS)
    edited = [*REQUESTS[:4], make_request(9)]
    assert run(tmp_path, edited).counts == Counts(requests=5, answered=4, sent=1)
    assert run(tmp_path, REQUESTS).counts.sent == 0


def test_the_output_holds_only_what_this_version_asks(tmp_path: Path) -> None:
    run(tmp_path, REQUESTS)
    assert [r.request_id for r in run(tmp_path, REQUESTS[:1]).responses] == [FIRST]


def test_the_order_of_requests_changes_nothing(tmp_path: Path) -> None:
    forth, back = run(tmp_path / "a", REQUESTS), run(tmp_path / "b", REQUESTS[::-1])
    assert (forth.pairs, forth.rejections) == (back.pairs, back.rejections)


def test_a_passing_failure_ends_the_run_after_the_rest_is_kept(tmp_path: Path) -> None:
    failure = Failure(FIRST, "529 overloaded", permanent=False)
    with pytest.raises(
        TeacherError,
        match=r"1 requests failed .* 529 overloaded; 4 of 5 .* kept, 1 .*; run it again",
    ):
        run(tmp_path, REQUESTS, [failure], tolerate=9)
    assert run(tmp_path, REQUESTS).counts == Counts(requests=5, answered=4, sent=1)
    assert sent(tmp_path).count(FIRST) == 2


def test_refusals_end_the_run_unless_the_parameter_tolerates_them(tmp_path: Path) -> None:
    refusals = [Failure(name, "400 bad", permanent=True) for name in (FIRST, SECOND)]
    with pytest.raises(TeacherError, match="2 requests were refused for good"):
        run(tmp_path, REQUESTS, refusals, tolerate=1)
    generated = run(tmp_path, REQUESTS, refusals, tolerate=2)
    assert {(r.rejected_id, r.reason, r.detail) for r in generated.rejections} == {
        (FIRST, "refused", "400 bad"),
        (SECOND, "refused", "400 bad"),
    }
    assert len(generated.responses) == len(generated.pairs) == 3


def test_a_refusal_is_remembered_counted_and_not_sent_again(tmp_path: Path) -> None:
    refusal = Failure(FIRST, "400 bad", permanent=True)
    first = run(tmp_path, REQUESTS, [refusal], tolerate=1)
    again = run(tmp_path, REQUESTS, [refusal], tolerate=1)
    assert again.counts == Counts(requests=5, answered=4, sent=0)
    assert again.rejections == first.rejections
    assert (again.rejections[0].rejected_id, again.rejections[0].detail) == (FIRST, "400 bad")
    with pytest.raises(
        TeacherError,
        match=r"1 requests were refused for good, first: 400 bad; .* `stillhouse retry`",
    ):
        run(tmp_path, REQUESTS)
    assert sorted(sent(tmp_path)) == sorted(request.request_id for request in REQUESTS)


def test_a_forgotten_refusal_is_asked_again(tmp_path: Path) -> None:
    run(tmp_path, REQUESTS, [Failure(FIRST, "400 bad", permanent=True)], tolerate=1)
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.forget_failures([FIRST])
    assert run(tmp_path, REQUESTS).counts == Counts(requests=5, answered=4, sent=1)


def test_a_teacher_that_stays_silent_has_failed(tmp_path: Path) -> None:
    class Silent(FakeTeacher):
        def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
            assert source.take(1)
            yield from super().answer(source)

    with pytest.raises(TeacherError, match="no outcome"):
        run_with(Silent(tmp_path / "paid"), tmp_path)


def test_what_came_back_before_a_teacher_broke_is_kept(tmp_path: Path) -> None:
    class Broken(FakeTeacher):
        def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
            yield [self.reply(request) for request in source.take(3)]
            raise OSError("cable")

    with pytest.raises(OSError, match="cable"):
        run_with(Broken(tmp_path / "paid"), tmp_path)
    assert run(tmp_path, REQUESTS).counts == Counts(requests=5, answered=3, sent=2)


def test_an_unknown_teacher_is_refused_before_any_is_asked(tmp_path: Path) -> None:
    stranger = replace(REQUESTS[4], teacher="oracle")
    with pytest.raises(
        InputError, match="no teacher `oracle`; expected one of free, offline, paid"
    ):
        run(tmp_path, [*REQUESTS[:4], stranger])
    assert sent(tmp_path) == []


def test_the_offline_teacher_goes_through_the_same_journal_and_reader(tmp_path: Path) -> None:
    question = "<question>\nWho waters the plants?\n</question>"
    request = make_request(
        teacher="offline",
        task="abstain",
        messages=(replace(REQUESTS[0].messages[0], content=question),),
        parameters=json.dumps(
            {"pairs": 1, "phrasings": 1, "style": "Nobody says.", "max_tokens": 9}
        ),
    )
    (pair,) = run(tmp_path, [request]).pairs
    assert pair.messages[0].content == "Who waters the plants?"
    assert pair.response == "Nobody says."
    assert run(tmp_path, [request]).counts == Counts(requests=1, answered=1, sent=0)


class Outrun(FakeTeacher):
    """Fails for the moment with one request, which another process then answers."""

    def reply(self, request: Request) -> Reply:
        if request.request_id != FIRST:
            folder = self.ledger.parent
            with Journal(folder / "journal.sqlite") as other:
                other.record([make_response(REQUESTS[0])], teacher="paid")
        return super().reply(request)


def test_what_failed_here_and_was_answered_elsewhere_is_an_answer(tmp_path: Path) -> None:
    failing = {FIRST: Failure(FIRST, "529 overloaded", permanent=False)}
    (tmp_path / "a").mkdir()
    made = run_with(Outrun(tmp_path / "a" / "paid", failing=failing), tmp_path / "a")
    assert made.rejections == ()
    assert len(made.pairs) == len(REQUESTS)
