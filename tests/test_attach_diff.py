"""A student's new version carries what changed in its data since the version before, once."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from stillhouse.base.cache import name_object
from stillhouse.base.formats import SECTION, list_installed
from stillhouse.base.tables import write_table
from stillhouse.cli.main import app
from stillhouse.diffing.attach import attach_diff
from stillhouse.lineage.entry import read_entry
from stillhouse.lineage.git import GitState
from stillhouse.lineage.inputs import hash_path
from stillhouse.lineage.params import Register
from stillhouse.lineage.registry import Registered
from tests import lineage_project
from tests.lineage_project import TRAIN, make_row, write_student
from tests.mlflow_store import place_store

PARAMS = Register(experiment="test", model_prefix="test-")
GIT = GitState("", "", ())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for the module: MLflow takes seconds to build its tables."""
    return place_store(tmp_path_factory.mktemp("home"), tmp_path_factory)


@pytest.fixture
def root(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which is the working directory."""
    monkeypatch.setenv("STILLHOUSE_HOME", str(home))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def register_version(root: Path, student: str, rows: int, *, cached: bool = True) -> Registered:
    """Train a student on rows 1 to ``rows`` and register it."""
    from stillhouse.lineage.registry import register

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lineage_project, "write_table", lambda path, kind, made: write_table(
            path, kind, [make_row(n) for n in range(1, rows + 1)] if path == root / TRAIN else made
        ))  # fmt: skip
        write_student(root, student, weights=f"{rows}".encode())
    if cached:
        cache = root / ".dvc/cache" / name_object(hash_path(root / TRAIN).md5)
        cache.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / TRAIN, cache)
    return register(read_entry(student, root), PARAMS, GIT)


def list_artifacts(made: Registered) -> dict[str, Path]:
    from mlflow import MlflowClient

    client = MlflowClient()
    found = client.list_artifacts(made.run_id, "diff")
    return {file.path: Path(client.download_artifacts(made.run_id, file.path)) for file in found}


def read_tags(made: Registered) -> dict[str, str]:
    from mlflow import MlflowClient

    client = MlflowClient()
    run = client.get_run(made.run_id).data.tags
    version = client.get_model_version(made.model_name, str(made.version)).tags
    shown = {key: run[key] for key in run if key.startswith("diff_")}
    assert shown == {key: version[key] for key in version if key.startswith("diff_")}
    return shown


def test_the_first_version_has_no_diff_and_the_second_one_against_it(root: Path) -> None:
    first = register_version(root, "pair", 5)
    assert attach_diff(root, first) == ""
    assert (list_artifacts(first), read_tags(first)) == ({}, {})
    second = register_version(root, "pair", 7)
    said = attach_diff(root, second)
    assert said.startswith("diff against models:/test-pair/1: 2 of 7 rows change")
    assert read_tags(second) == {"diff_against": "models:/test-pair/1"}
    files = list_artifacts(second)
    assert sorted(files) == ["diff/diff.html", "diff/diff.json", "diff/diff.md"]
    diff = json.loads(files["diff/diff.json"].read_text())
    assert diff["counts"]["added"] == 2
    assert {row["new"]["row_id"] for row in diff["rows"]} == {f"{n:064x}" for n in (6, 7)}
    assert "<script" in files["diff/diff.html"].read_text()
    assert files["diff/diff.md"].read_text().startswith("### Dataset: `models:/test-pair/1")
    assert attach_diff(root, second) == ""  # it is there
    register_version(root, "pair", 9)
    assert attach_diff(root, second) == ""  # and stays what it is


def test_data_that_are_gone_are_a_note_that_goes_when_they_are_back(root: Path) -> None:
    first = register_version(root, "gone", 3, cached=False)
    kept = (root / TRAIN).read_bytes()
    second = register_version(root, "gone", 4)
    said = attach_diff(root, second)
    assert said.startswith("no diff against the previous version: data/dataset/train.parquet: ")
    assert "neither in DVC's cache nor in its remote" in read_tags(second)["diff_unavailable"]
    assert list_artifacts(second) == {}
    md5 = read_entry("gone", root).provenance.dataset.md5
    assert md5 != first.weights_sha256
    (root / "old.parquet").write_bytes(kept)
    cache = root / ".dvc/cache" / name_object(hash_path(root / "old.parquet").md5)
    cache.parent.mkdir(parents=True, exist_ok=True)
    (root / "old.parquet").rename(cache)
    assert attach_diff(root, second).startswith("diff against models:/test-gone/1: 1 of 4 rows")
    assert read_tags(second) == {"diff_against": "models:/test-gone/1"}


def test_an_artifact_store_that_is_gone_leaves_the_registration_standing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    register_version(root, "away", 2)
    second = register_version(root, "away", 3)

    def refuse(*_: object) -> None:
        raise ConnectionError("bucket of me:hunter2 is gone")

    monkeypatch.setattr(MlflowClient, "log_artifacts", refuse)
    assert "artifacts cannot be reached (bucket of" in attach_diff(root, second)
    assert "artifacts cannot be reached" in read_tags(second)["diff_unavailable"]


@pytest.mark.parametrize(("told", "kept"), [("true", 3), ("false", 0)])
def test_the_command_and_the_stage_send_no_text_where_that_is_switched_off(
    told: str, kept: int, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stages import register as stage

    student = f"words-{told}"
    params = {
        "register": {"experiment": "test", "model_prefix": "test-", "diff": told == "true"},
        "students": {student: {}},
        SECTION: list_installed(),
    }
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.setattr("sys.argv", ["register", student])
    register_version(root, student, 2)
    second = register_version(root, student, 3)
    stage.main()
    assert len(list_artifacts(second)) == kept
    kept_names = (root / "reports/students" / student / "registration.json").read_text()
    assert "diff" not in kept_names  # what an output says hangs on no other version
    third = register_version(root, student, 4)
    result = CliRunner().invoke(app, ["register", "--json"])
    assert (result.exit_code, json.loads(result.stdout)[0]["uri"]) == (0, third.uri)
    assert len(list_artifacts(third)) == kept
    assert ("diff against" in result.stderr) == bool(kept)
