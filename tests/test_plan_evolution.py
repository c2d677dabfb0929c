"""A plan knows the calls that develop answered pairs exactly, and of all others how many may come."""

import json
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from stages import generate
from stillhouse.base.errors import InputError
from stillhouse.base.records import Request
from stillhouse.base.requests import DERIVED, REQUESTS
from stillhouse.base.tables import read_all
from stillhouse.planning.causes import Former, explain_requests
from stillhouse.planning.evolving import Evolving, foresee_evolution
from stillhouse.planning.judging import Known
from stillhouse.teachers.estimate import Estimator
from stillhouse.teachers.follow import KEY, describe_requests, read_followed
from stillhouse.teachers.journal_view import JournalView
from stillhouse.teachers.lookup import Archive
from stillhouse.teachers.params import load_teachers
from tests.versions_project import Project, copy_project, make_history_project

EVOLVE: dict[str, Any] = {"steps": ["constraints", "steps"], "tasks": {"recall": 0.5}, "depth": 2}
CLAUDE = {"provider": "anthropic", "model": "claude-sonnet-5-5"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("planned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(root))
        project = make_history_project(root)
        project.set_params({"generate.evolve": EVOLVE})
        yield project


@pytest.fixture
def project(made: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The plan's requests are answered, and nothing was developed."""
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "copy"))
    return copy_project(made, tmp_path / "copy")


def foresee(project: Project, scratch: Path) -> Evolving:
    scratch.mkdir()
    with JournalView(project.root / ".stillhouse/journal.sqlite") as journal:
        known = Known(
            root=project.root,
            scratch=scratch,
            foreseen=None,  # type: ignore[arg-type]
            journal=journal,
            costs={"anthropic": True, "offline": False},
            estimator=Estimator(journal.read_rates(), load_teachers(project.root / "params.yaml")),
            archive=Archive(),
        )
        return foresee_evolution(known, project.root / REQUESTS)


def list_known(found: Evolving) -> set[str]:
    return {request.request_id for table in found.known for request in table}


def run(project: Project) -> list[Request]:
    with chdir(project.root):
        generate.main()
    return read_all(project.root / DERIVED, Request)


def forget(project: Project, count: int) -> None:
    """Take the answers to some requests out of the journal."""
    names = [one.request_id for one in read_all(project.root / REQUESTS, Request)][:count]
    path = project.root / ".stillhouse/journal.sqlite"
    import sqlite3

    with sqlite3.connect(path) as database:
        for name in names:
            database.execute("DELETE FROM answers WHERE request_id = ?", (name,))


def test_calls_about_pairs_that_are_there_are_known_exactly(
    project: Project, tmp_path: Path
) -> None:
    found = foresee(project, tmp_path / "first")
    derived = run(project)
    first = {one.request_id for one in derived if one.slot_id.count("|") == 8}
    assert (
        list_known(found) == first
    )  # of the second round nobody knows before the first is answered
    assert found.more >= len(derived) - len(first) > 0
    after = foresee(project, tmp_path / "second")
    assert list_known(after) == {one.request_id for one in derived}
    assert after.more == 0


def test_what_comes_is_never_more_than_the_plan_says(project: Project, tmp_path: Path) -> None:
    forget(project, 12)
    found = foresee(project, tmp_path / "first")
    derived = run(project)
    known = list_known(found)
    assert len(derived) > len(known)
    assert len({one.request_id for one in derived} - known) <= found.more


def test_calls_that_may_come_have_a_price_where_their_teacher_has_one(
    project: Project, tmp_path: Path
) -> None:
    project.set_params({"teacher": CLAUDE})
    found = foresee(project, tmp_path / "first")
    (model,) = found.most.models
    assert (model.model, model.requests) == ("claude-sonnet-5-5", found.more)
    assert found.most.direct is not None
    assert found.most.direct > 0


def test_without_steps_nothing_is_looked_at(project: Project, tmp_path: Path) -> None:
    project.set_params({"generate.evolve": {**EVOLVE, "steps": [], "tasks": {}}})
    (project.root / REQUESTS).unlink()
    assert foresee(project, tmp_path / "first") == Evolving((), (), 0, foresee_nothing())


def foresee_nothing() -> Any:
    from stillhouse.planning.money import Cost

    return Cost((), 0)


def test_a_new_call_comes_of_the_parameters(project: Project) -> None:
    derived = run(project)
    plan = read_all(project.root / REQUESTS, Request)
    former = Former(plan, [chunk for one in plan for chunk in one.chunk_ids], frozenset())
    names = {one.request_id for one in derived}
    caused = explain_requests([*plan, *derived], names, former)
    assert caused.counts == {"parameters": len(derived)}
    assert set(caused.named["parameters"]) == {"constraints", "steps"}


def test_a_followed_plan_allows_calls_that_develop_what_it_could_not_know(
    project: Project, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    with chdir(project.root):
        file.write_text(json.dumps({KEY: describe_requests(["a"], derived=2)}))
        followed = read_followed(file)
    followed.in_round(0).check(["a"])
    with pytest.raises(InputError, match="1 of 2 requests to be sent are not in the plan"):
        followed.in_round(0).check(["a", "b"])
    followed.in_round(1).check(["b", "c"])
    with pytest.raises(InputError, match="3 of 3 requests"):
        followed.in_round(1).check(["b", "c", "d"])


def test_generate_refuses_to_develop_more_than_the_plan_allows(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "plan.json"
    with chdir(project.root):
        file.write_text(json.dumps({KEY: describe_requests([], derived=1)}))
    monkeypatch.setenv("STILLHOUSE_PLAN", str(file))
    before = (project.root / DERIVED).read_bytes()
    with pytest.raises(InputError, match="are not in the plan that is to be followed"):
        run(project)
    assert (project.root / DERIVED).read_bytes() == before


def test_all_rounds_together_send_no_more_than_a_plan_bounds(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({"to_be_sent": describe_requests(["a"], 3)}))
    followed = read_followed(tmp_path / "plan.json")
    followed.in_round(0).check(["a"])
    followed.in_round(1).check(["b", "c"])
    followed.in_round(1).check(["b", "c"])  # those that had to be asked again
    with pytest.raises(InputError, match="2 of 2 requests to be sent are not in the plan"):
        followed.in_round(2).check(["d", "e"])
    followed.in_round(2).check(["d"])
