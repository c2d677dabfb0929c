"""MLflow knows a student by the bytes it was made of, once, however often it is told."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stillhouse.base.alone import hold
from stillhouse.base.errors import GateError, InputError, StillhouseError
from stillhouse.lineage.entry import flatten, read_entry
from stillhouse.lineage.git import GitState
from stillhouse.lineage.params import Register
from tests.lineage_project import SCORE, UPSTREAM, write_student
from tests.mlflow_store import place_store

PARAMS = Register(experiment="test", model_prefix="test-")
GIT = GitState("c" * 40, "main", ("params.yaml",))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One empty store for the module: MLflow takes seconds to build its tables."""
    return place_store(tmp_path_factory.mktemp("home"), tmp_path_factory)


@pytest.fixture(autouse=True)
def _use_store(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_HOME", str(store))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_a_student_that_was_not_trained_or_evaluated_is_a_sentence_with_a_remedy(
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError, match="the student was not trained here yet; run `dvc repro`"):
        read_entry("tiny", tmp_path)
    write_student(tmp_path)
    (tmp_path / "reports/students/tiny/metrics.json").unlink()
    with pytest.raises(InputError, match="the student was not evaluated here yet; run `dvc repro`"):
        read_entry("tiny", tmp_path)


def test_a_student_is_found_by_dataset_digest_and_by_every_hash(tmp_path: Path) -> None:
    import mlflow

    from stillhouse.lineage.registry import register

    provenance = write_student(tmp_path)
    entry = read_entry("tiny", tmp_path)
    made = register(entry, PARAMS, GIT)
    again = register(entry, PARAMS, GIT)
    assert (made.created, again.created) == (True, False)
    assert (again.run_id, again.version, again.uri) == (made.run_id, 1, "models:/test-tiny/1")

    for table in entry.tables:
        query = f"dataset.digest = '{table.md5}'"
        runs = mlflow.search_runs(
            search_all_experiments=True, filter_string=query, output_format="list"
        )
        assert [run.info.run_id for run in runs] == [made.run_id]
    assert [table.name for table in entry.tables] == ["train", "validation", "test", "dataset"]

    client = mlflow.MlflowClient()
    hashes = {
        "weights_sha256": provenance.weights_sha256,
        "dataset_md5": provenance.dataset.md5,
        "model_md5": entry.model_md5,
        **{f"upstream.{path}": md5 for path, md5 in UPSTREAM.items()},
    }
    for key, value in hashes.items():
        (version,) = client.search_model_versions(f"tags.`{key}` = '{value}'")
        assert (version.name, int(version.version)) == ("test-tiny", 1)
    assert version.source == (tmp_path / "models" / "tiny").as_uri()
    assert version.tags["base_origin"].startswith("tiny.Q4_1.gguf")
    assert (version.tags["git_commit"], version.tags["git_dirty"]) == ("c" * 40, "true")

    run = client.get_run(made.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["audit"] == version.tags["audit"] == "stillhouse audit models:/test-tiny/1"
    assert f"`stillhouse log --data {provenance.dataset.md5}`" in version.description
    assert run.data.tags["mlflow.note.content"] == version.description
    assert run.data.params == {"batch.taught": "8", "epochs": "2.0", "lora": "null"}
    assert run.data.metrics["sets.gold.student.accuracy"] == SCORE["accuracy"]
    assert run.data.metrics["speed.tokens_per_second"] == 41.5
    curve = client.get_metric_history(made.run_id, "training.cross_entropy")
    assert [(point.step, point.value) for point in curve] == [(10, 2.5), (20, 1.5)]


def test_a_database_of_another_mlflow_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stillhouse.lineage.registry import connect

    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path))
    connect()
    other = tmp_path / "other/.stillhouse/mlflow.db"  # the first stays open in this process
    other.parent.mkdir(parents=True)
    shutil.copy2(tmp_path / ".stillhouse/mlflow.db", other)
    with closing(sqlite3.connect(other)) as base:
        base.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        base.commit()
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "other"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI")  # MLflow itself has set it
    with pytest.raises(InputError, match="move it aside: `stillhouse register` writes all of it"):
        connect()


def test_a_database_whose_layout_was_interrupted_is_laid_out_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    from stillhouse.lineage.registry import connect

    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(mlflow, "MlflowClient", interrupt)
        with pytest.raises(KeyboardInterrupt):
            connect()
    assert list((tmp_path / ".stillhouse").glob("mlflow.db*")) == []
    client, _ = connect()
    assert [found.name for found in client.search_experiments()] == ["Default"]


@pytest.mark.parametrize(
    ("uri", "where", "said"),
    [
        ("http://u:hunter2@localhost:9", "http://localhost:9", "Connection refused"),
        ("http://u:hunter2@[x", "http://[x", "Invalid IPv6 URL"),
        ("foo://u:hunter2@x", "foo://x", "unsupported URI 'foo://x'"),
        ("nodriver://u:hun/ter2@h/db?password=hunter2", "nodriver://h/db", "'nodriver://h/db'"),
    ],
)
def test_a_store_that_cannot_be_reached_is_one_sentence_without_its_password(
    uri: str, where: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stillhouse.lineage.registry import register

    write_student(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(InputError) as told:
        register(read_entry("tiny", tmp_path), PARAMS, GIT)
    assert str(told.value).startswith(f"{where}: MLflow's store cannot be used (")
    assert said in told.value.what
    assert "ter2" not in str(told.value)


def test_a_damaged_database_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stillhouse.lineage.registry import register

    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path))
    database = tmp_path / ".stillhouse/mlflow.db"
    database.parent.mkdir()
    database.write_text("no database\n")
    write_student(tmp_path)
    with pytest.raises(InputError, match=r"\(file is not a database\); move it aside"):
        register(read_entry("tiny", tmp_path), PARAMS, GIT)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://u:p/w@h/db", "postgresql://h/db"),
        ("postgresql://u:p@w@h/db?password=s", "postgresql://h/db"),
        ("https://token@host:5000/path", "https://host:5000/path"),
        ("https://host/path", "https://host/path"),
        ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
        ("databricks", "databricks"),
    ],
)
def test_what_is_kept_of_a_store_holds_no_credentials(uri: str, shown: str) -> None:
    from stillhouse.lineage.store import hide_user

    assert hide_user(uri) == shown


def interrupt(uri: str) -> None:
    """Do the first of the steps in which MLflow lays out a database, and no more."""
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as base:
        base.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        base.commit()
    raise KeyboardInterrupt


def test_a_new_score_updates_the_run_and_other_weights_make_a_version(tmp_path: Path) -> None:
    import mlflow

    from stillhouse.lineage.registry import register

    write_student(tmp_path, "pair")
    first = register(read_entry("pair", tmp_path), PARAMS, GIT)
    speed = tmp_path / "reports/students/pair/speed.json"
    speed.write_text('{"tokens_per_second": 50}')
    assert register(read_entry("pair", tmp_path), PARAMS, GIT).run_id == first.run_id
    metrics = mlflow.MlflowClient().get_run(first.run_id).data.metrics
    assert metrics["speed.tokens_per_second"] == 50

    write_student(tmp_path, "pair", weights=b"other")
    second = register(read_entry("pair", tmp_path), PARAMS, GIT)
    assert (second.created, second.version) == (True, 2)
    assert second.run_id != first.run_id


def test_a_description_that_somebody_wrote_stays(tmp_path: Path) -> None:
    import mlflow

    from stillhouse.lineage.registry import register

    write_student(tmp_path, "noted")
    made = register(read_entry("noted", tmp_path), PARAMS, GIT)
    client = mlflow.MlflowClient()
    client.update_model_version(made.model_name, str(made.version), "the one for the fair")
    client.set_tag(made.run_id, "mlflow.note.content", "mine")
    register(read_entry("noted", tmp_path), PARAMS, GIT)
    version = client.get_model_version(made.model_name, str(made.version))
    assert version.description == "the one for the fair"
    assert client.get_run(made.run_id).data.tags["mlflow.note.content"] == "mine"


def test_a_second_registration_waits_and_then_names_who_is_at_it(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stillhouse.lineage import registry

    write_student(tmp_path)
    monkeypatch.setattr(registry, "_PATIENCE", 0.1)
    with hold(store / ".stillhouse/mlflow.lock", "another"), pytest.raises(StillhouseError) as told:
        registry.register(read_entry("tiny", tmp_path), PARAMS, GIT)
    assert str(told.value).startswith("`register` is already running in this folder (process ")


def test_weights_are_linked_and_never_copied(tmp_path: Path, store: Path) -> None:
    from stillhouse.lineage.registry import register

    write_student(tmp_path, "linked", weights=b"x" * 100_000)
    register(read_entry("linked", tmp_path), PARAMS, GIT)
    kept = [path for path in store.rglob("*") if path.is_file() and path.suffix != ".db"]
    assert {path.name for path in kept} == {"MLmodel", "mlflow.lock"}


def test_weights_other_than_those_of_the_provenance_are_not_registered(tmp_path: Path) -> None:
    write_student(tmp_path)
    (tmp_path / "models/tiny/model.safetensors").write_bytes(b"swapped")
    with pytest.raises(GateError, match=r"`model\.safetensors` is not the file"):
        read_entry("tiny", tmp_path)


def test_metrics_become_flat_keys_without_the_finest_groups() -> None:
    flat = dict(flatten({"gold": SCORE, "student": "x", "open": None, "a (b)": True}))
    assert flat == {
        "gold.n": 40.0,
        "gold.accuracy": 0.75,
        "gold.low": 0.65,
        "gold.high": 0.85,
        "gold.f1": 0.8,
        "gold.by_kind.recall.accuracy": 25 / 30,
        "gold.by_kind_scope.recall/core.accuracy": 0.8,
    }


def test_mlflow_prints_nothing_of_its_own_where_results_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow.environment_variables import MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT

    from stillhouse.lineage.registry import register

    write_student(tmp_path, "quiet")
    register(read_entry("quiet", tmp_path), PARAMS, GIT)
    assert (
        MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.get()
    )  # of the addresses that it has with a server
    assert capsys.readouterr().out == ""
