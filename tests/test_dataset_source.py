"""From a run in MLflow back to the very bytes of its datasets, wherever they still lie, or nothing."""

import json
import shutil
import tomllib
from hashlib import md5
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from stillhouse.base.cache import name_object
from stillhouse.base.errors import InputError
from stillhouse.history.dataset_source import DvcDatasetSource
from stillhouse.history.version import GoneError
from stillhouse.lineage.entry import Entry, read_entry
from stillhouse.lineage.git import GitState
from stillhouse.lineage.inputs import hash_files, hash_path
from stillhouse.lineage.params import Register
from stillhouse.lineage.registry import Registered
from stillhouse.lineage.sources import Source
from tests.lineage_project import UPSTREAM, write_student
from tests.mlflow_store import place_store

PARAMS = Register(experiment="test", model_prefix="test-")
GIT = GitState("c" * 40, "main", (), "https://git.example.org/handbook.git")
DATASET = Path("data/dataset")
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose student is registered, with its dataset in DVC's cache and a remote."""
    root = place_store(tmp_path_factory.mktemp("source"), tmp_path_factory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(UPSTREAM, DATASET.as_posix(), lay_out(root))
        write_student(root)
    return root


def lay_out(root: Path) -> str:
    """Put the dataset of ``write_student`` into a cache and say the md5 of its folder."""
    write_student(root)
    remote = root / "remote"
    (root / ".dvc").mkdir(exist_ok=True)
    (root / ".dvc/config").write_text(
        f"[core]\n    remote = away\n['remote \"away\"']\n    url = {remote}\n"
    )
    remote.mkdir(exist_ok=True)
    listing = []
    for name, digest in sorted(hash_files(root / DATASET).items()):
        keep(root / ".dvc/cache", digest.md5, (root / DATASET / name).read_bytes())
        listing.append({"md5": digest.md5, "relpath": name})
    whole = hash_path(root / DATASET).md5
    keep(root / ".dvc/cache", whole, json.dumps(listing, sort_keys=True).encode())
    return whole


def keep(store: Path, md5: str, content: bytes) -> None:
    path = store / name_object(md5)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture(scope="module")
def registered(project: Path) -> Registered:
    from stillhouse.lineage.registry import register

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(project))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        made = register(read_entry("tiny", project), PARAMS, GIT)
        use_entry_point(patch)
    return made


def use_entry_point(patch: pytest.MonkeyPatch) -> None:
    """Have MLflow find what pyproject.toml declares, as it does once the package is installed."""
    import mlflow.data.dataset_source_registry as sources

    group = "mlflow.dataset_source"
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][
        group
    ]
    points = [EntryPoint(name, value, group) for name, value in declared.items()]
    patch.setattr(sources, "get_entry_points", {group: points}.__getitem__)
    sources._dataset_source_registry.register_entrypoints()


@pytest.fixture
def clone(project: Path, registered: Registered, tmp_path: Path) -> Path:
    """A copy of the project whose bytes a test may take away."""
    root = tmp_path / "clone"
    shutil.copytree(project, root, ignore=shutil.ignore_patterns(".stillhouse"))
    config = (root / ".dvc/config").read_text()
    (root / ".dvc/config").write_text(config.replace(str(project), str(root)))
    return root


@pytest.fixture
def inputs(registered: Registered) -> dict[str, Any]:
    return read_inputs(registered)


def read_inputs(registered: Registered) -> dict[str, Any]:
    from mlflow import MlflowClient

    run = MlflowClient(registered.tracking_uri).get_run(registered.run_id)
    return {given.dataset.name: given for given in run.inputs.dataset_inputs}


def test_each_dataset_of_a_run_leads_back_to_its_bytes(clone: Path, inputs: dict[str, Any]) -> None:
    from mlflow.data import get_source

    assert sorted(inputs) == ["dataset", "test", "train", "validation"]
    for name, given in inputs.items():
        source = get_source(given)
        found = Path(source.load(project=clone))
        assert hash_path(found).md5 == given.dataset.digest
        assert found == clone / DATASET / ("" if name == "dataset" else f"{name}.parquet")
        assert source.to_dict() == {
            "path": found.relative_to(clone).as_posix(),
            "md5": given.dataset.digest,
            "commit": "c" * 40,
            "repository": "https://git.example.org/handbook.git",
        }


@pytest.mark.parametrize("where", ["cache", "remote"])
@pytest.mark.parametrize("name", ["train", "dataset"])
def test_bytes_that_left_the_workspace_come_from_cache_or_remote(
    where: str, name: str, clone: Path, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.data import get_source

    shutil.rmtree(clone / DATASET)
    if where == "remote":
        shutil.copytree(clone / ".dvc/cache", clone / "remote", dirs_exist_ok=True)
        shutil.rmtree(clone / ".dvc/cache")
    (clone / "notebooks").mkdir()
    monkeypatch.chdir(clone / "notebooks")  # the project is found above
    found = get_source(inputs[name]).load()
    assert hash_path(Path(found)).md5 == inputs[name].dataset.digest
    assert get_source(inputs[name]).load() == found


@pytest.mark.parametrize("name", ["train", "dataset"])
def test_other_bytes_are_never_given_out(name: str, clone: Path, inputs: dict[str, Any]) -> None:
    from mlflow.data import get_source

    (clone / DATASET / "train.parquet").write_bytes(b"other")
    for path in (clone / ".dvc/cache/files/md5").rglob("*"):
        if path.is_file() and path.suffix != ".dir":
            path.write_bytes(b"other")
    with pytest.raises(GoneError, match="neither in DVC's cache nor in its remote"):
        get_source(inputs[name]).load(project=clone)
    assert not (clone / ".stillhouse/datasets").exists() or not list(
        (clone / ".stillhouse/datasets").iterdir()
    )


def test_outside_a_project_the_repository_is_named(
    inputs: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.data import get_source

    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=r"run this in a clone of https://git\.example\.org/handbook"
    ):
        get_source(inputs["train"]).load()


@pytest.mark.parametrize(
    "listing",
    [
        [{"relpath": "../../../evil", "md5": "0" * 32}],
        [{"relpath": "/tmp/evil", "md5": "0" * 32}],
        [{"relpath": "train.parquet", "md5": "../../../../evil/evil"}],
        {"relpath": "train.parquet"},
    ],
)
def test_a_listing_that_leads_elsewhere_is_refused(tmp_path: Path, listing: Any) -> None:
    content = b"evil"
    text = json.dumps(listing).replace("0" * 32, md5(content).hexdigest()).encode()
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    analytics = false\n")
    keep(tmp_path / ".dvc/cache", md5(content).hexdigest(), content)
    whole = md5(text).hexdigest() + ".dir"
    keep(tmp_path / ".dvc/cache", whole, text)
    source = DvcDatasetSource(Source(path="data/dataset", md5=whole))
    with pytest.raises(InputError, match="is no listing of a folder"):
        source.load(tmp_path)
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"uri": "x"}', '{"path": "x", "md5": 1}'])
def test_what_is_no_source_is_one_sentence(text: str) -> None:
    from stillhouse.lineage.sources import parse_source

    with pytest.raises(InputError, match="not a dataset's source"):
        parse_source(text)


def test_a_registration_of_before_is_brought_up_to_date_and_not_doubled(
    project: Path, registered: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput

    from stillhouse.lineage.registry import register

    monkeypatch.setenv("STILLHOUSE_HOME", str(project))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    entry: Entry = read_entry("tiny", project)
    old = Register(experiment="before", model_prefix="before-")
    client = MlflowClient(registered.tracking_uri)
    run = client.create_run(
        client.create_experiment("before", artifact_location=(project / "artifacts").as_uri()),
        tags={
            "weights_sha256": entry.provenance.weights_sha256,
            "provenance_sha256": entry.provenance_sha256,
        },
    )
    uri = {"uri": "data/dataset/train.parquet"}
    table = next(table for table in entry.tables if table.name == "train")
    dataset = Dataset("train", table.md5, "local", json.dumps(uri))
    client.log_inputs(run.info.run_id, [DatasetInput(dataset, [])])
    made = register(entry, old, GIT)
    assert (made.created, made.run_id) == (False, run.info.run_id)
    found = {name: given.dataset for name, given in read_inputs(made).items()}
    assert len(found) == len(client.get_run(made.run_id).inputs.dataset_inputs) == 4
    assert {one.source_type for one in found.values()} == {"stillhouse_dvc"}
    assert found["train"].digest == table.md5
    assert json.loads(found["train"].source)["md5"] == table.md5
