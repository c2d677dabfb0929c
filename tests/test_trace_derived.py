"""A trace goes from a row to what was developed from it, and from that back to its parent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stillhouse.base.records import Pair, Request, Row, list_ancestors, list_steps
from stillhouse.base.requests import DERIVED, read_requests
from stillhouse.base.tables import read_all, write_table
from stillhouse.tracing.trace import trace
from tests.trace_project import LEAVE
from tests.versions_project import Project, make_history_project

EVOLVE = {"steps": ["constraints", "steps"], "tasks": {"recall": 0.5}, "depth": 2, "seed": 29}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("derived")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(root))
        made = make_history_project(root, "small")
        made.set_params({"generate.evolve": EVOLVE})
        made.step("evolved")
        made.train("small")
        yield made


def read_pairs(project: Project) -> dict[str, Pair]:
    pairs = read_all(project.root / "data/generated/pairs.parquet", Pair)
    return {pair.pair_id: pair for pair in pairs}


def read_family(project: Project) -> tuple[Pair, set[str]]:
    """Return a pair that was developed twice, and the ids of all rows that came of it."""
    rows = read_all(project.root / "data/curated/rows.parquet", Row)
    grown = next(row for row in rows if len(list_steps(row.slot_id)) == 2)
    (*_, root) = list_ancestors(grown.slot_id)
    parent = next(pair for pair in read_pairs(project).values() if pair.slot_id == root)
    return parent, {row.row_id for row in rows if root in list_ancestors(row.slot_id)}


def list_ids(steps: Any, kind: str) -> set[str]:
    return {step.id for step in steps if step.kind == kind}


def test_a_row_lists_what_was_developed_from_it_however_often(project: Project) -> None:
    parent, rows = read_family(project)
    found = trace(project.root, parent.pair_id)
    assert len(rows) > 1
    assert list_ids(found.downstream, "row") == rows
    asked = {
        r.request_id
        for r in read_requests(project.root)
        if parent.slot_id in r.slot_id and r.parent_id
    }
    assert list_ids(found.downstream, "request") == asked
    assert found.verdict == "affected"


def test_what_was_developed_shows_its_parent_and_the_steps_prompt(project: Project) -> None:
    parent, rows = read_family(project)
    requests = {one.request_id: one for one in read_requests(project.root)}
    pairs = read_pairs(project)
    child = next(
        pairs[row]
        for row in sorted(rows)
        if requests[pairs[row].request_id].parent_id == parent.pair_id
    )
    found = trace(project.root, child.pair_id)
    (shown,) = [step for step in found.upstream if step.kind == "parent"]
    assert (shown.id, shown.facts["response"]) == (parent.pair_id, parent.response)
    (prompt,) = list_ids(found.upstream, "prompt")
    assert prompt == f"prompts/evolve/{child.task}.md"


def test_the_parents_prompt_and_request_reach_what_was_developed(project: Project) -> None:
    _, rows = read_family(project)
    steps = [one for one in read_requests(project.root) if one.parent_id]
    found = trace(project.root, "prompts/recall.md")
    assert rows <= list_ids(found.downstream, "row")
    assert {one.request_id for one in steps} <= list_ids(found.downstream, "request")
    pairs = read_pairs(project)
    parent = pairs[steps[0].parent_id]
    plain = trace(project.root, parent.request_id)
    assert steps[0].request_id in list_ids(plain.downstream, "request")


def test_a_steps_prompt_reaches_its_own_and_what_came_of_these_alone(project: Project) -> None:
    found = trace(project.root, "prompts/evolve/constraints.md")
    took = {
        one.request_id
        for one in read_requests(project.root)
        if "constraints" in list_steps(one.slot_id)
    }
    assert list_ids(found.downstream, "request") == took
    (own,) = [step for step in found.upstream if step.kind == "prompt"]
    assert own.facts["state"] == "as it was read"


def test_a_document_counts_what_was_developed_from_its_passages(project: Project) -> None:
    found = trace(project.root, LEAVE, whole=False)
    asked = sum(one.slot_id.startswith(LEAVE) for one in read_requests(project.root))
    (counted,) = [tally for tally in found.counted if tally.kind == "request"]
    assert counted.count == asked
    assert {"constraints", "steps"} <= counted.by.keys()


def test_an_id_of_a_derived_request_is_found(project: Project) -> None:
    (first, *_) = read_all(project.root / DERIVED, Request)
    found = trace(project.root, first.request_id)
    assert found.thing.kind == "request"
    assert list_ids(found.upstream, "parent") == {first.parent_id}


def test_a_row_that_was_not_developed_has_no_children(project: Project) -> None:
    developed = {one.parent_id for one in read_requests(project.root)}
    rows = read_all(project.root / "data/dataset/train.parquet", Row)
    alone = next(row for row in rows if row.row_id not in developed and row.task == "recall")
    assert list_ids(trace(project.root, alone.row_id).downstream, "row") == set()


def test_a_project_from_before_pairs_were_developed_is_traced(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.versions_project import copy_project

    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "copy"))
    copy = copy_project(project, tmp_path / "copy")
    write_table(copy.root / DERIVED, Request, [])
    whole = trace(copy.root, LEAVE)
    (copy.root / DERIVED).unlink()
    assert trace(copy.root, LEAVE).downstream == whole.downstream
