"""Models as judges, a stub in their place: what is asked, what is not asked again, what becomes of it."""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from stages import curate, generate, ingest, judge, render, split
from stages import review as review_stage
from stillhouse.base.errors import InputError, TeacherError
from stillhouse.base.files import write_json
from stillhouse.base.ids import md5_file
from stillhouse.base.records import Judgement, Pair, Rejection, Request, Response, Row
from stillhouse.base.runtime import load_runtime
from stillhouse.base.tables import read_all
from stillhouse.planning.plan import Plan, make_plan
from stillhouse.planning.show import to_file, to_json, to_text
from stillhouse.teachers.roster import list_teachers
from tests.claude_project import connect_to
from tests.stub_teacher.process import StubProcess, start_stub
from tests.test_diff import causes_of, compare
from tests.versions_project import Project, copy_project, make_history_project

HAIKU: Final = {"provider": "anthropic", "model": "claude-haiku-5-5"}
JUDGE: Final = "anthropic/claude-haiku-5-5"
BEHIND: Final = (judge, curate, review_stage, split)
ALL: Final = (ingest, render, generate, *BEHIND)
OUTS: Final = tuple(
    f"data/judging/{name}.parquet" for name in ("requests", "responses", "rejections")
)


@pytest.fixture(scope="module")
def stub() -> Iterator[StubProcess]:
    with start_stub() as running, pytest.MonkeyPatch.context() as patch:
        connect_to(running, patch)
        yield running


@pytest.fixture(scope="module")
def judged(stub: StubProcess, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A version whose pairs come from a teacher that costs and were judged by a model, and committed."""
    root = tmp_path_factory.mktemp("judged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(root / ".stillhouse"))
        project = make_history_project(root)
        (root / "data/seed/review.jsonl").write_text("")
        project.set_params(
            {
                "teacher.provider": "anthropic",
                "render.plan.core": {"recall": {"fraction": 1.0, "pairs": 2, "phrasings": 2}},
                "render.plan.other": {"multi_step": {"fraction": 1.0}},
                "judge.judges": [HAIKU],
                "curate.thresholds": {"format": 0.0},
            }
        )
        project.step("judged")
        project.git("tag", "judged")
    return project


@pytest.fixture
def project(judged: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "project/.stillhouse"))
    return copy_project(judged, tmp_path / "project")


def requests_of(project: Project) -> dict[str, Request]:
    return {one.request_id: one for one in read_all(project.root / OUTS[0], Request)}


def asked_by_task(project: Project) -> Counter[str]:
    return Counter(request.task for request in requests_of(project).values())


def seen_of(pair: Pair) -> tuple[object, ...]:
    """What a judge sees of a pair."""
    return (pair.messages, pair.response, pair.chunk_ids)


class Bought:
    """How many answers a stub gave from here on."""

    def __init__(self, stub: StubProcess) -> None:
        self._stub, self._before = stub, stub.state()["answered"]

    def count(self) -> int:
        return int(self._stub.state()["answered"]) - self._before


def test_every_pair_has_a_score_and_a_rationale_for_each_rubric(judged: Project) -> None:
    pairs = {pair.pair_id for pair in read_all(judged.root / "data/generated/pairs.parquet", Pair)}
    judgements = read_all(judged.root / "data/judgements.parquet", Judgement)
    mine = [one for one in judgements if one.judge == JUDGE]
    requests = requests_of(judged)
    assert {(one.pair_id, one.criterion) for one in mine} == {
        (pair_id, criterion) for pair_id in pairs for criterion in ("accuracy", "groundedness")
    }
    assert {requests[one.request_id].task for one in mine} == {
        "judge/accuracy",
        "judge/groundedness",
    }
    assert {one.score for one in mine} == {0.0, 0.25, 0.5, 0.75, 1.0}
    assert all(one.rationale for one in mine)
    responses = read_all(judged.root / OUTS[1], Response)
    assert {one.request_id for one in responses} == requests.keys()
    assert {one.judge for one in judgements} == {JUDGE, "offline/2"}


def test_what_was_judged_is_not_asked_again_and_comes_out_the_same(
    project: Project, stub: StubProcess
) -> None:
    bought, before = Bought(stub), [md5_file(project.root / out) for out in OUTS]
    project.run(BEHIND)
    assert [md5_file(project.root / out) for out in OUTS] == before
    shutil.rmtree(project.root / ".stillhouse")  # the stage's own output holds the answers, too
    project.run(BEHIND)
    assert bought.count() == 0


def test_answers_of_an_older_version_are_found_without_a_journal(
    project: Project, stub: StubProcess
) -> None:
    project.set_params({"judge.judges": []})
    project.step("no models")
    shutil.rmtree(project.root / ".stillhouse")
    project.set_params({"judge.judges": [HAIKU]})
    bought = Bought(stub)
    project.run(BEHIND)
    assert bought.count() == 0


def test_a_prompt_edit_judges_only_the_pairs_that_it_changed(
    project: Project, stub: StubProcess
) -> None:
    before = {seen_of(p) for p in read_all(project.root / "data/generated/pairs.parquet", Pair)}
    known, bought = requests_of(project).keys(), Bought(stub)
    # The stub follows what the prompt asks for: another wording of every fact, the others as before.
    project.edit("prompts/recall.md", "write {{ phrasings }} question", "write 3 question")
    project.run((render, generate))
    teacher = bought.count()
    pairs = read_all(project.root / "data/generated/pairs.parquet", Pair)
    asked = [pair for pair in pairs if pair.task == "recall"]
    changed = {seen_of(pair) for pair in pairs} - before
    project.run(BEHIND)
    assert teacher == len({pair.request_id for pair in asked}) > 0
    assert bought.count() - teacher == 2 * len(changed) == len(requests_of(project).keys() - known)
    assert 0 < len(changed) < len(asked) < len(pairs)


def test_a_rubric_edit_judges_every_pair_anew_and_asks_the_teacher_nothing(
    project: Project, stub: StubProcess
) -> None:
    known, bought = requests_of(project), Bought(stub)
    project.edit("prompts/judge/accuracy.md", "You check", "You look over")
    project.run(ALL)
    count = asked_by_task(project)["judge/accuracy"]
    assert bought.count() == count == asked_by_task(project)["judge/groundedness"]
    new = {name: one for name, one in requests_of(project).items() if name not in known}
    assert {one.task for one in new.values()} == {"judge/accuracy"}
    assert len(new) == count
    project.git("checkout", "--quiet", "--", "prompts")
    project.run(ALL)
    assert bought.count() == count
    assert requests_of(project) == known


def test_another_judge_is_asked_and_the_first_one_not_again(
    project: Project, stub: StubProcess
) -> None:
    bought, before = Bought(stub), len(requests_of(project))
    project.set_params({"judge.judges": [HAIKU, {"provider": "anthropic"}]})
    project.run(BEHIND)
    assert bought.count() == before == len(requests_of(project)) / 2
    judges = {one.judge for one in read_all(project.root / "data/judgements.parquet", Judgement)}
    assert judges == {JUDGE, "anthropic/claude-sonnet-5-5", "offline/2"}


def test_rows_that_a_judge_lets_fall_are_caused_by_the_judge(project: Project) -> None:
    project.set_params({"curate.thresholds": {"format": 0.0, "accuracy": 0.25}})
    project.step("threshold")
    project.set_params({"judge.judges": [HAIKU, {"provider": "anthropic"}]})
    project.step("two judges")
    diff = compare(project, "HEAD~1", "HEAD")
    assert {causes for kind, causes in causes_of(diff) if kind == "removed"} == {("judge",)}
    assert all(name.startswith("judge.judges") for name in diff.names["judge"])


def test_a_rubric_that_lets_rows_fall_is_named(project: Project) -> None:
    project.set_params({"curate.thresholds": {"format": 0.0, "accuracy": 0.5}})
    project.step("threshold")
    project.edit("prompts/judge/accuracy.md", "You check", "You look over")
    project.step("rubric")
    diff = compare(project, "HEAD~1", "HEAD")
    assert {causes for _, causes in causes_of(diff)} == {("judge",)}
    assert set(diff.names["judge"]) == {"prompts/judge"}


def test_a_lost_output_is_not_bought_again_unless_told(project: Project, stub: StubProcess) -> None:
    shutil.rmtree(project.root / ".stillhouse")
    shutil.rmtree(project.root / ".dvc/cache")
    bought = Bought(stub)
    with pytest.raises(InputError, match="stillhouse stage judge --allow-repay"):
        project.run((judge,))
    assert bought.count() == 0


def test_scores_that_cannot_be_read_leave_pairs_unjudged(
    project: Project, stub: StubProcess
) -> None:
    before = len(read_all(project.root / "data/curated/rows.parquet", Row))
    project.edit("prompts/judge/accuracy.md", "You check", "You go through")
    bought = Bought(stub)
    stub.set_plan({"seed": 1, "shares": {"wrong_schema": 1.0}, "only_first_attempts": False})
    try:
        project.run(BEHIND)
    finally:
        stub.set_plan({})
    count = asked_by_task(project)["judge/accuracy"]
    assert bought.count() == 2 * count  # each once more
    unread = read_all(project.root / OUTS[2], Rejection)
    pairs = read_all(project.root / "data/generated/pairs.parquet", Pair)
    assert {one.rejected_id for one in unread} == {pair.pair_id for pair in pairs}
    assert {(one.kind, one.stage, one.reason) for one in unread} == {
        ("judgement", "judge", "malformed_answer")
    }
    assert all(one.detail.startswith(f"{JUDGE} on accuracy: not an object") for one in unread)
    rejections = read_all(project.root / "data/curated/rejections.parquet", Rejection)
    assert Counter(one.reason for one in rejections)["unjudged"] == len(pairs)
    project.set_params({"judge.unjudged": "keep"})
    project.run(BEHIND)
    assert len(read_all(project.root / "data/curated/rows.parquet", Row)) == before


def test_refusals_of_a_judge_name_the_judge_and_may_be_tolerated(
    project: Project, stub: StubProcess
) -> None:
    project.edit("prompts/judge/accuracy.md", "You check", "You weigh")
    stub.set_plan({"seed": 1, "shares": {"refusal": 1.0}, "only_first_attempts": False})
    try:
        with pytest.raises(TeacherError, match=r"`judge.tolerate_refusals`, now 0"):
            project.run((judge,))
        project.set_params({"judge.tolerate_refusals": 10_000})
        project.run((judge,))
    finally:
        stub.set_plan({})
    assert {one.reason for one in read_all(project.root / OUTS[2], Rejection)} == {"refused"}


def test_without_models_no_journal_is_opened_and_the_tables_are_empty(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "nowhere"))
    project.set_params({"judge.judges": []})
    project.run((judge,))
    assert read_all(project.root / OUTS[0], Request) == []
    assert not (tmp_path / "nowhere").exists()


def plan(project: Project, patch: pytest.MonkeyPatch) -> Plan:
    patch.chdir(project.root)
    patch.setattr("stillhouse.planning.plan.check_copy", lambda: None)
    patch.setattr("stillhouse.planning.plan.compare_accepted", lambda root: ())
    return make_plan(Path(), list_teachers(load_runtime()))


def test_a_plan_says_exactly_what_judges_are_asked_while_no_answer_is_missing(
    project: Project, stub: StubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert plan(project, monkeypatch).judging.high == 0
    project.edit("prompts/judge/accuracy.md", "You check", "You look over")
    said, bought = plan(project, monkeypatch), Bought(stub)
    project.run(ALL)
    count = asked_by_task(project)["judge/accuracy"]
    assert (said.judging.low, said.judging.high, said.requests.new) == (count, count, 0)
    assert bought.count() == count
    assert said.judging.least == said.judging.most
    ((model,),) = [said.judging.most.models]
    assert (model.model, model.requests) == ("claude-haiku-5-5", count)
    assert to_json(said)["judge"]["requests"] == [count, count]  # type: ignore[index,call-overload]
    assert any(f"{count:,} requests, $" in line for line in to_text(said) if "Judges" in line)


def test_a_plan_bounds_what_judges_are_asked_about_answers_yet_to_come(
    project: Project, stub: StubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.edit("prompts/recall.md", "You write", "You do write")
    project.edit("prompts/judge/groundedness.md", "You look for", "You search for")
    said = plan(project, monkeypatch).judging
    project.run((ingest, render, generate))
    bought = Bought(stub)
    project.run((judge,))
    assert 0 < said.low < bought.count() < said.high
    assert 0 < (said.least.direct or 0) < (said.most.direct or 0)


def test_a_budget_that_judges_may_exceed_is_not_called_enough(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.edit("prompts/judge/accuracy.md", "You check", "You look over")
    spent = plan(project, monkeypatch).budget.spent
    for more, over in ((0.001, True), (100.0, False)):
        project.set_params({"runtime.budget_usd": round(spent + more, 6)})
        assert plan(project, monkeypatch).budget.over is over


def test_a_plan_that_is_followed_bounds_judges(
    project: Project, stub: StubProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project.edit("prompts/judge/accuracy.md", "You check", "You look over")
    write_json(tmp_path / "plan.json", to_file(plan(project, monkeypatch)))
    monkeypatch.setenv("STILLHOUSE_PLAN", str(tmp_path / "plan.json"))
    project.edit("prompts/judge/groundedness.md", "You look for", "You search for")
    bought = Bought(stub)
    with pytest.raises(InputError, match="judges would be asked"):
        project.run((judge,))
    assert bought.count() == 0
    project.edit("prompts/judge/groundedness.md", "You search for", "You look for")
    project.run((judge,))
    assert bought.count() == asked_by_task(project)["judge/accuracy"]
