"""Each way of thinning changes the dataset as its parameter says, and `stillhouse diff` names it as the cause."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from stages import curate, judge, review, split
from stillhouse.base.questions import ask_instead, row_question
from stillhouse.base.records import Judgement, Pair, Row
from stillhouse.base.tables import read_all, write_table
from stillhouse.diffing.diff import Diff, make_diff
from stillhouse.diffing.tables import TABLES
from stillhouse.history.resolve import resolve
from tests.trace_project import LEAVE
from tests.versions_project import Project, copy_project, make_history_project

CURATED: Final = TABLES["curated"].path
TRAIN: Final = TABLES["train"].path
TEST: Final = TABLES["test"].path
SELECTED: Final = {"curate.select.target": 20}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("selection")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(root))
        project = make_history_project(root)
        project.step("before")
    return project


@pytest.fixture
def project(made: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    copied = copy_project(made, tmp_path / "p")
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "p"))
    monkeypatch.chdir(copied.root)
    return copied


def step(project: Project, settings: Mapping[str, object]) -> None:
    project.set_params(settings)
    project.run([curate, review, split])
    project.commit("after")


def compare(project: Project) -> Diff:
    a, b = (resolve(project.root, name, CURATED) for name in ("HEAD~1", "HEAD"))
    return make_diff(a, b, TABLES["curated"])


def rows_of(project: Project, revision: str) -> dict[str, Row]:
    path = resolve(project.root, revision).open(CURATED)
    return {row.row_id: row for row in read_all(path, Row)}


def pairs_of(project: Project) -> list[Pair]:
    return read_all(project.root / "data/generated/pairs.parquet", Pair)


@pytest.mark.parametrize(
    ("settings", "reason", "named"),
    [
        ({"curate.semantic_duplicate": 0.8}, "semantic_duplicate", "curate.semantic_duplicate"),
        (
            {"curate.boundary": {"high": 0.93, "outside": "drop"}},
            "boundary",
            "curate.boundary.high 0.85 -> 0.93",
        ),
        (
            {"curate.clusters": {"count": 3, "cap": 4}},
            "cluster_cap",
            "curate.clusters.cap none -> 4",
        ),
        (
            {"curate.quotas.task.recall": 7},
            "quota",
            "curate.quotas.task.recall none -> 7",
        ),
        (
            {"curate.quotas.document": {"*": 5}},
            "quota",
            "curate.quotas.document.* none -> 5",
        ),
        (
            {"curate.quotas.category.factual": 6},
            "quota",
            "curate.quotas.category.factual none -> 6",
        ),
        (SELECTED, "not_selected", "curate.select.target none -> 20"),
        (
            {"curate.select": {"target": 20, "by": "k_centre"}},
            "not_selected",
            "curate.select.by facility_location -> k_centre",
        ),
    ],
)
def test_rows_that_a_knob_takes_away_are_gone_by_the_filter(
    project: Project, settings: dict[str, Any], reason: str, named: str
) -> None:
    step(project, settings)
    diff = compare(project)
    then, now = rows_of(project, "HEAD~1"), rows_of(project, "HEAD")
    gone = {diff.read(change)[0]["row_id"] for change in diff.changes}  # type: ignore[index]
    assert now.keys() < then.keys()
    assert gone == then.keys() - now.keys()
    assert {change.kind for change in diff.changes} == {"removed"}
    assert {change.why.causes for change in diff.changes} == {("filter",)}
    assert all(f"curate: {reason}: " in change.why.said for change in diff.changes)
    assert all(named in change.why.names["filter"] for change in diff.changes)


def test_a_preference_for_the_boundary_puts_other_rows_into_the_dataset(project: Project) -> None:
    confidences = sorted({one.confidence for one in pairs_of(project) if one.confidence})
    assert len(confidences) > 1
    step(project, {"curate.quotas.task.recall": 7})
    bounds = {"low": confidences[0] - 0.01, "high": confidences[0] + 0.001, "prefer": True}
    step(project, {"curate.boundary": bounds})
    diff = compare(project)
    assert {change.why.causes for change in diff.changes} == {("filter",)}
    assert Counter(change.kind for change in diff.changes).keys() == {"added", "removed"}
    assert all("curate.boundary" in change.why.names["filter"] for change in diff.changes)


def test_several_judges_that_count_otherwise_are_the_judge(project: Project) -> None:
    """The judgements of a second judge stand beside the first's; only how they count changes."""
    path = project.root / "data/judgements.parquet"
    first = read_all(path, Judgement)
    strict = [
        Judgement(one.pair_id, "second", one.criterion, 0.2, "not convinced", "")
        for one in first
        if one.criterion == "groundedness" and one.pair_id < "4"
    ]
    write_table(path, Judgement, [*first, *strict])
    step(project, {})
    before = rows_of(project, "HEAD")
    step(project, {"curate.combine": "mean"})
    diff = compare(project)
    assert rows_of(project, "HEAD").keys() > before.keys()
    assert {(change.kind, change.why.causes) for change in diff.changes} == {("added", ("judge",))}
    assert {change.why.names["judge"] for change in diff.changes} == {"curate.combine min -> mean"}
    assert all(
        change.why.said.startswith("before, curate: groundedness: groundedness 0.20 is below")
        for change in diff.changes
    )


def test_rows_that_give_way_to_those_of_an_edited_document_have_its_cause(project: Project) -> None:
    many = sum(row.task == "recall" for row in rows_of(project, "HEAD").values())
    step(project, {"curate.quotas.task.recall": many - 3})
    path = project.root / f"data/seed/documents/{LEAVE}"
    more = "The leave desk opens at 9:30. Unpaid leave is limited to 14 days. The form is LV-77."
    path.write_text(f"{path.read_text()}\n\n## Desk\n\n{more}\n")
    project.step("edited")
    diff = compare(project)
    quota = [change for change in diff.changes if "curate: quota" in change.why.said]
    assert {change.kind for change in quota} >= {"removed"}
    assert {change.why.causes for change in diff.changes} == {("document",)}


def test_judging_anew_after_an_edit_is_not_taken_for_selection(project: Project) -> None:
    step(project, SELECTED)
    project.set_params({"judge.answer_words_max": 8, "curate.thresholds.length": 1.0})
    project.run([judge, curate, review, split])
    project.commit("stricter")
    diff = compare(project)
    assert {cause for change in diff.changes for cause in change.why.causes} == {"judge"}


def test_a_row_that_followed_another_ones_question_has_the_cause_of_that_row(
    project: Project,
) -> None:
    """Who asks what a held-out row asks is held out, too; without that row it is taught again."""
    asked = next(row for row in read_all(project.root / TEST, Row) if row.holdout == "phrasing")
    path = project.root / CURATED
    rows = read_all(path, Row)
    same = next(r for r in rows if r.task == "multi_step" and r.fact_id != asked.fact_id)
    other = replace(same, prompt=ask_instead(same.prompt, same.context, row_question(asked)))
    write_table(path, Row, [other if row is same else row for row in rows])
    project.run([review, split])
    project.commit("asks the same")
    assert same.row_id in {row.row_id for row in read_all(project.root / TEST, Row)}
    verdict = {"row_id": asked.row_id, "verdict": "reject", "reviewer": "Ada"}
    (project.root / "data/seed/review.jsonl").write_text(f"{json.dumps(verdict)}\n")
    project.run([review, split])
    project.commit("reviewed")
    a, b = (resolve(project.root, name, TRAIN) for name in ("HEAD~1", "HEAD"))
    diff = make_diff(a, b, TABLES["train"])
    assert same.row_id in {
        diff.read(change)[1]["row_id"]  # type: ignore[index]
        for change in diff.changes
        if change.kind == "added"
    }
    assert {change.why.causes for change in diff.changes} == {("review",)}


def test_a_criterion_of_a_model_without_a_threshold_is_said_to_drop_nothing(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    judge_of = [{"provider": "openai", "model": "m"}]
    project.set_params({"judge.judges": judge_of, "judge.rubrics": ["accuracy", "groundedness"]})
    with caplog.at_level("WARNING"):
        project.run([curate])
    told = [record.getMessage() for record in caplog.records]
    assert told == ["no threshold in curate.thresholds: accuracy drops no pair"]
    caplog.clear()
    path = project.root / "data/judgements.parquet"
    first = read_all(path, Judgement)
    more = [
        Judgement(pair.pair_id, "m", "accuracy", 1.0, "right", "") for pair in pairs_of(project)
    ]
    write_table(path, Judgement, [*first, *more])
    project.set_params({"curate.thresholds.accuracy": 0.75})
    project.run([curate])
    assert not caplog.records
