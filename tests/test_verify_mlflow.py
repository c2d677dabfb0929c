"""What MLflow says of a student is compared with the student: a tag edited by hand is named."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stillhouse.auditing.named import find_named
from stillhouse.auditing.problems import Outcome
from stillhouse.auditing.verify import Wanted, verify
from stillhouse.base.files import write_json
from stillhouse.history.resolve import open_workspace
from tests.sealed_project import STUDENT, commit, lock_stage, train, write_sealed

REGISTRATION = "reports/students/tiny/registration.json"


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A finished project whose student is registered in the store below it."""
    from dataclasses import asdict

    from stillhouse.lineage.params import Register
    from stillhouse.lineage.registry import register_student

    root = write_sealed(tmp_path_factory.mktemp("mlflow") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(root))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        (root / "reports/students/tiny/training").mkdir()
        curves = root / "reports/students/tiny/training/curves.csv"
        curves.write_text("step,cross_entropy\n10,2.5\n")
        made = register_student(STUDENT, root, Register(experiment="test", model_prefix="test-"))
        shutil.rmtree(curves.parent)
        told = {key: value for key, value in asdict(made).items() if key != "created"}
        write_json(root / REGISTRATION, told)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield root


@pytest.fixture
def root(registered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "project"
    shutil.copytree(registered, copy)
    monkeypatch.setenv("STILLHOUSE_HOME", str(copy))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return copy


def look(root: Path) -> Outcome:
    return verify(open_workspace(root), Wanted(STUDENT))


def run_sql(root: Path, *statements: str) -> None:
    with closing(sqlite3.connect(root / ".stillhouse/mlflow.db")) as database, database:
        for statement in statements:
            assert database.execute(statement).rowcount >= 1


def test_an_entry_that_nobody_edited_is_right(root: Path) -> None:
    outcome = look(root)
    assert (outcome.problems, outcome.unchecked) == ((), ())
    assert outcome.checked["tags"] >= 3 * 10  # of the run, the version and the logged model


def test_an_edited_tag_is_named_with_both_values(root: Path) -> None:
    run_sql(root, "update tags set value = 'f00d' where key = 'merkle_root'")
    (problem,) = look(root).problems
    assert problem.kind == "MLflow tag"
    assert problem.where.startswith("run ")
    assert problem.where.endswith("tag merkle_root")
    assert problem.found == "f00d"
    assert len(problem.expected.split(" ", 1)[0]) == 64


def test_edited_hashes_by_which_the_entry_would_be_found_are_named(root: Path) -> None:
    run_sql(
        root,
        "update tags set value = 'a' where key in ('provenance_sha256', 'model_md5')",
        "update model_version_tags set value = 'b' where key = 'weights_sha256'",
    )
    named = {
        (one.where.partition(" ")[0].partition("/")[0], one.where.rpartition(" ")[2]): one.found
        for one in look(root).problems
    }
    assert named == {
        ("run", "provenance_sha256"): "a",
        ("run", "model_md5"): "a",
        ("models:", "weights_sha256"): "b",
    }


def test_an_edited_digest_of_a_dataset_is_named(root: Path) -> None:
    run_sql(root, "update datasets set digest = 'c0ffee' where name = 'train'")
    (problem,) = look(root).problems
    assert (problem.kind, problem.found) == ("MLflow dataset", "digest c0ffee")


def test_an_entry_that_was_deleted_is_missed(root: Path) -> None:
    run_sql(
        root,
        "delete from model_version_tags",
        "delete from model_versions",
        "update runs set lifecycle_stage = 'deleted'",
    )
    (problem,) = look(root).problems
    assert problem.kind == "MLflow entry"
    (root / REGISTRATION).unlink()
    (unchecked,) = look(root).unchecked
    assert unchecked.remedy == "`stillhouse register tiny`"


def test_without_a_store_it_says_so_and_makes_none(root: Path) -> None:
    (root / ".stillhouse/mlflow.db").unlink()
    (unchecked,) = look(root).unchecked
    assert unchecked.where == "MLflow"
    assert not (root / ".stillhouse/mlflow.db").exists()


def test_a_store_that_cannot_be_read_or_reached_is_a_problem_and_no_traceback(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / ".stillhouse/mlflow.db").write_bytes(b"no database" * 100)
    (problem,) = look(root).problems
    assert (problem.kind, problem.where) == ("could not be checked", "MLflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:hidden@127.0.0.1:9")
    (problem,) = look(root).problems
    assert problem.kind == "could not be checked"
    assert "hidden" not in problem.found


def test_a_registered_model_is_found_in_the_workspace_or_in_the_commit_that_holds_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    named = find_named(root, "models:/test-tiny/1")
    assert (named.version.workspace, named.student) == (True, STUDENT)
    commit(root)
    train(root, b"other weights")
    lock_stage(root, "train@tiny")
    named = find_named(root, "models:/test-tiny/1")
    assert (named.version.workspace, named.version.commit != "") == (False, True)
    outcome = verify(named.version, Wanted(named.student))
    assert (outcome.problems, outcome.checked["rows"]) == ((), 5)
    assert outcome.checked["tags"] >= 3 * 10
    shutil.rmtree(root / ".git")  # no version is known any more, but the cache has the files
    named = find_named(root, "models:/test-tiny/1")
    outcome = verify(named.version, Wanted(named.student))
    assert outcome.problems == ()
    assert [one.where for one in outcome.unchecked] == ["dvc.lock"]
