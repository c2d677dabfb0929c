"""A registered model is found by every name that it has, from its data too, and looking makes nothing."""

from dataclasses import replace
from pathlib import Path

import pytest

from stillhouse.base.errors import InputError
from stillhouse.chronicle.descent import find_descent, to_text
from stillhouse.history.mlflow import Registered, find_models, find_registered
from stillhouse.lineage.entry import read_entry
from stillhouse.lineage.git import GitState
from stillhouse.lineage.params import Register
from tests.lineage_project import UPSTREAM, write_student
from tests.mlflow_store import place_store

PARAMS = Register(experiment="test", model_prefix="test-")
GIT = GitState("c" * 40, "main", ())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two versions of one student and one of another, in a store of its own."""
    return place_store(tmp_path_factory.mktemp("registered"), tmp_path_factory)


@pytest.fixture(scope="module")
def versions(root: Path) -> list[Registered]:
    """``tiny`` 1 and 2 (the one with the alias ``champion``), ``other`` 1."""
    from stillhouse.lineage.registry import connect, register

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("STILLHOUSE_HOME", raising=False)
        patch.delenv("DVC_ROOT", raising=False)
        for student, weights in (("tiny", b"one"), ("tiny", b"two"), ("other", b"three")):
            write_student(root, student, weights=weights)
            register(read_entry(student, root), PARAMS, GIT)
        client, _ = connect()
        client.set_registered_model_alias("test-tiny", "champion", "2")
        run = client.create_run("0")
        client.create_registered_model("foreign")
        client.create_model_version("foreign", str(root), run.info.run_id)
        patch.delenv("MLFLOW_TRACKING_URI")  # MLflow itself has set it
        names = ("models:/test-tiny/1", "models:/test-tiny/2", "models:/test-other/1")
        return [find_registered(root, name) for name in names]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versions: list[Registered]) -> None:
    """What is asked is the project at ``root``, from wherever."""
    monkeypatch.chdir(tmp_path)
    for variable in ("MLFLOW_TRACKING_URI", "STILLHOUSE_HOME", "DVC_ROOT"):
        monkeypatch.delenv(variable, raising=False)


def test_one_model_is_found_by_version_alias_run_logged_model_and_weights(
    root: Path, versions: list[Registered]
) -> None:
    first, second, _ = versions
    entry = read_entry("other", root)
    assert second.aliases == ("champion",)
    assert (first.student, first.commit, first.version) == ("tiny", "c" * 40, 1)
    assert first.weights_sha256 != second.weights_sha256
    assert first.dataset_md5 == entry.provenance.dataset.md5
    assert {path: first.upstream[path] for path in UPSTREAM} == UPSTREAM
    for name in ("models:/test-tiny@champion", "models:/test-tiny/latest", second.run_id):
        assert find_registered(root, name) == replace(second, name=name)
    for name in (f"runs:/{first.run_id}", first.weights_sha256):
        assert find_registered(root, name) == replace(first, name=name)


def test_a_run_without_a_version_still_says_what_it_is(
    root: Path, versions: list[Registered]
) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(versions[0].tracking_uri)
    run = client.create_run("0", tags=client.get_run(versions[0].run_id).data.tags)
    found = find_registered(root, run.info.run_id)
    assert (found.uri, found.version) == (f"runs:/{run.info.run_id}", 0)
    assert found.weights_sha256 == versions[0].weights_sha256


def test_data_lead_to_every_model_that_was_made_of_them(
    root: Path, versions: list[Registered]
) -> None:
    everything = sorted(model.uri for model in versions)
    test = {table.name: table.md5 for table in read_entry("tiny", root).tables}["test"]
    digests = (versions[0].dataset_md5, UPSTREAM["data/requests.parquet"], test)
    for digest in (
        *digests,
        UPSTREAM["data/dataset"],
        UPSTREAM["data/dataset"].removesuffix(".dir"),
    ):
        assert [model.uri for model in find_models(root, digest)] == everything
    assert find_models(root, "f" * 32) == []


def test_the_question_for_models_of_some_data_names_the_registered_ones(
    root: Path, versions: list[Registered]
) -> None:
    found = find_descent(root, versions[0].dataset_md5)
    assert (found.unasked, len(found.registered)) == ("", 3)
    assert [line for line in to_text(found) if line.startswith("models:/test-tiny/2")] == [
        "models:/test-tiny/2 (student tiny): `stillhouse audit models:/test-tiny/2`"
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("models:/test-tny/1", "no registered model is called `test-tny`; expected one of foreign, "
         "test-other, test-tiny; did you mean `test-tiny`?"),
        ("models:/test-tiny/7", "no version of `test-tiny` is called `7`; expected one of 1, 2"),
        ("models:/test-tiny@champ", "no alias of `test-tiny` is called `champ`; expected one of "
         "champion; did you mean `champion`?"),
        ("models:/test-other@champ", "no alias of `test-other` is called `champ`; name a version"),
        ("models:/test-tiny/Production", "no version of `test-tiny` is called `Production`"),
        ("models:/test-tiny", "say which: models:/test-tiny/latest"),
        ("models:/a/b/1", "names no version of a model"),
        ("models:/test-tiny@", "names no version of a model"),
        ("models:/m-" + "0" * 32, "no logged model has the id m-0000"),
        ("0" * 32, "no run has the id 0000"),
        ("runs:/nonsense", "no run has the id nonsense"),
        ("0" * 64, "no registered model has weights of the sha256 0000"),
        ("models:/foreign/1", "was not registered by Stillhouse (its tag `student` is missing)"),
        ("tiny", "is no name of a registered model"),
    ],
)  # fmt: skip
def test_a_name_that_means_nothing_is_one_sentence(root: Path, name: str, said: str) -> None:
    with pytest.raises(InputError) as told:
        find_registered(root, name)
    assert said in str(told.value)


@pytest.mark.parametrize("uri", ["", "sqlite:///none.db", "sqlite:///empty.db"])
def test_looking_makes_no_store(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("empty.db").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    for ask in (
        lambda: find_registered(tmp_path, "models:/x/1"),
        lambda: find_models(tmp_path, "a"),
    ):
        with pytest.raises(InputError, match="there is no MLflow store yet"):
            ask()
    assert [(path.name, path.stat().st_size) for path in tmp_path.iterdir()] == [("empty.db", 0)]


def test_looking_into_a_store_changes_no_file(root: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_size for path in root.rglob("*")}
    find_registered(root, "models:/test-tiny@champion")
    find_models(root, "a" * 32)
    assert {path: path.stat().st_size for path in root.rglob("*")} == before
    assert list(tmp_path.iterdir()) == []
