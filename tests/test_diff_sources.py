"""Logs, instructions and focus change the dataset as they say, and `diff` names the file as the cause."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from stillhouse.base.records import Chunk, Rejection, Request, split_slot
from stillhouse.base.tables import read_all
from stillhouse.diffing.diff import make_diff
from stillhouse.diffing.tables import TABLES
from stillhouse.history.resolve import resolve
from stillhouse.planning.causes import Former, explain_requests
from tests.trace_project import LEAVE, read_rows
from tests.versions_project import Project, copy_project, make_history_project

LOGS = [
    {"id": "start", "prompt": "When does the leave year begin?"},
    {"id": "same", "prompt": "When does the leave year start?"},
    {"id": "book", "prompt": "How long may a book from the technical library be borrowed?"},
]
QUIZ = {
    "id": "quiz",
    "instruction": "Write a quiz question about the passage.",
    "category": "creative",
}
PLAN = {
    "core": {"recall": {"fraction": 0.5, "pairs": 3, "phrasings": 3}, "instructions": {"fraction": 1.0}},
    "other": {"recall": {"fraction": 0.5, "pairs": 3, "phrasings": 3}},
    "questions": {"production": {"fraction": 1.0}},
}  # fmt: skip


def write_lines(root: Path, name: str, lines: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (root / "data/seed" / name).write_text(text)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("sources") / "project"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(root))
        project = make_history_project(root)
        write_lines(root, "prompts.jsonl", LOGS)
        write_lines(root, "instructions.jsonl", [QUIZ])
        project.set_params({"render.plan": PLAN})
        (root / "data/seed/review.jsonl").write_text("")
        project.step("logs and instructions")
    return project


@pytest.fixture
def project(made: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "home"))
    # What was embedded once is not embedded again.
    shutil.copytree(made.root / ".stillhouse", tmp_path / "home/.stillhouse")
    return copy_project(made, tmp_path / "project")


def compare(project: Project) -> set[tuple[str, str, tuple[str, ...], str]]:
    """Return kind, task, causes and the first cause's name of all rows of curate that differ."""
    project.step("a change")
    a, b = resolve(project.root, "HEAD~1"), resolve(project.root, "HEAD")
    return {
        (one.kind, one.task, one.why.causes, one.why.names.get(one.why.causes[0], ""))
        for one in make_diff(a, b, TABLES["curated"]).changes
    }


def focus(project: Project, *weights: dict[str, Any]) -> None:
    path = project.root / "data/seed/focus.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "weights": list(weights)}))


def find_former(project: Project) -> Former:
    requests = read_all(project.root / "data/requests.parquet", Request)
    chunks = read_all(project.root / "data/corpus/chunks.parquet", Chunk)
    return Former(requests, [chunk.chunk_id for chunk in chunks], frozenset())


def plan_causes(project: Project, former: Former) -> set[str]:
    """Return the causes that the plan would have told of the requests that are new since then."""
    requests = read_all(project.root / "data/requests.parquet", Request)
    stood = {one.request_id for one in former.requests}
    fresh = {one.request_id for one in requests} - stood
    return set(explain_requests(requests, fresh, former).counts)


PROMPTS, INSTRUCTIONS = "data/seed/prompts.jsonl", "data/seed/instructions.jsonl"


def test_the_log_and_the_instructions_are_in_the_dataset(made: Project) -> None:
    rows = read_rows(made.root / "data/curated/rows.parquet")
    asked = {split_slot(row.slot_id)[1]: row for row in rows if row.task == "production"}
    assert set(asked) == {"start", "book"}
    assert asked["start"].completion[-1].content == "The leave year begins on 1 March."
    assert asked["start"].prompt[-1].content == "When does the leave year begin?"
    quiz = [row for row in rows if row.task == "instructions"]
    assert {split_slot(row.slot_id)[0] for row in quiz} == {LEAVE}
    assert all(row.context in row.prompt[-1].content for row in quiz)
    (unused,) = read_all(made.root / "data/unused_prompts.parquet", Rejection)
    assert (unused.rejected_id, unused.reason) == ("same", "semantic_duplicate")


def test_an_edited_or_added_line_of_the_log_is_the_cause(project: Project) -> None:
    edited = {"id": "start", "prompt": "Hi, on what date does the leave year begin?"}
    added = {
        "id": "carry",
        "prompt": "How many days may a person carry over into the next leave year?",
    }
    write_lines(project.root, "prompts.jsonl", [edited, *LOGS[1:], added])
    assert compare(project) == {
        ("changed", "production", ("document",), PROMPTS),
        ("added", "production", ("document",), PROMPTS),
    }


def test_a_line_that_goes_takes_its_row_along(project: Project) -> None:
    write_lines(project.root, "prompts.jsonl", LOGS[:2])
    assert compare(project) == {("removed", "production", ("document",), PROMPTS)}


def test_another_similarity_is_a_parameter(project: Project) -> None:
    project.set_params({"render.logs.similarity": 0.9999})
    ((kind, task, causes, name),) = compare(project)
    assert (kind, task, causes) == ("added", "production", ("parameters",))
    assert "render.logs" in name


def test_fewer_passages_for_each_question_of_the_log_are_a_parameter(project: Project) -> None:
    former = find_former(project)
    project.set_params({"render.logs.passages": 1})
    found = compare(project)
    assert plan_causes(project, former) == {"parameters"}
    assert {(task, causes, name) for _, task, causes, name in found} == {
        ("production", ("parameters",), "render.logs.passages 3 -> 1")
    }


def test_another_draw_of_instructions_is_sampling(project: Project) -> None:
    lines = [
        {**QUIZ, "id": f"quiz-{n}", "instruction": QUIZ["instruction"] + " Go on." * n}
        for n in range(4)
    ]
    write_lines(project.root, "instructions.jsonl", lines)
    project.step("more to draw from")
    former = find_former(project)
    project.set_params({"render.instructions.seed": 3})
    found = compare(project)
    assert plan_causes(project, former) == {"sampling"}
    assert {(task, causes, name) for _, task, causes, name in found} == {
        ("instructions", ("sampling",), "render.instructions.seed 0 -> 3")
    }


def test_an_edited_instruction_is_the_cause(project: Project) -> None:
    other = {**QUIZ, "instruction": "Make up a quiz question about the passage."}
    write_lines(project.root, "instructions.jsonl", [other])
    assert compare(project) == {("changed", "instructions", ("document",), INSTRUCTIONS)}


def test_an_added_instruction_is_the_cause_where_it_was_drawn(project: Project) -> None:
    true = {**QUIZ, "id": "true", "instruction": "Make a true statement about the passage."}
    write_lines(project.root, "instructions.jsonl", [QUIZ, true])
    found = compare(project)
    assert ("added", "instructions", ("document",), INSTRUCTIONS) in found
    assert {(task, causes, name) for _, task, causes, name in found} == {
        ("instructions", ("document",), INSTRUCTIONS)
    }


def count_recall(project: Project, source: str) -> int:
    rows = read_rows(project.root / "data/curated/rows.parquet")
    return sum(row.task == "recall" and row.slot_id.startswith(f"{source}|") for row in rows)


def test_a_weight_adds_rows_and_wordings_with_focus_as_the_cause(project: Project) -> None:
    focus(project, {"task": "recall", "weight": 2})
    assert compare(project) == {("added", "recall", ("parameters",), "data/seed/focus.yaml")}
    before = count_recall(project, LEAVE)
    focus(project, {"task": "recall", "weight": 2}, {"source": LEAVE, "weight": 2})
    found = compare(project)
    assert {(task, causes, name) for _, task, causes, name in found} <= {
        ("recall", ("parameters",), "data/seed/focus.yaml"),
        ("instructions", ("parameters",), "data/seed/focus.yaml"),
    }
    assert count_recall(project, LEAVE) > 1.5 * before
