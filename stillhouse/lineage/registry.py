"""MLflow: the only module that writes into it.

Everything here can be done again: an entry is found by what it is (weights and provenance), brought
up to date and never doubled, because DVC may skip the stage or run it twice.
"""

import logging
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stillhouse.base.alone import hold
from stillhouse.base.files import replace_file
from stillhouse.base.home import home
from stillhouse.base.ids import Json, canonical_json
from stillhouse.base.lock import read_lock
from stillhouse.lineage.entry import Entry, Table, clean_key, list_leaves, read_entry
from stillhouse.lineage.git import GitState, read_git
from stillhouse.lineage.params import Register
from stillhouse.lineage.sources import OLD_TYPE, SOURCE_TYPE, Source
from stillhouse.lineage.store import explain_store, find_store, hide_user, prepare_mlflow

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput, Run

_logger = logging.getLogger(__name__)

_BATCH: Final = 1000  # MLflow's limit of metrics in one request
_TAG: Final = 5000  # and of characters in a tag's value
_PARAMETER: Final = 6000
_AUDIT: Final = "audit"
_NOTE: Final = "mlflow.note.content"  # the description of a run
_PATIENCE: Final = 300.0  # seconds; a first database takes some, a far server more


@dataclass(frozen=True, slots=True)
class Registered:
    """Where MLflow keeps a student; ``created`` is false if it was there before."""

    student: str
    run_id: str
    model_name: str
    version: int
    uri: str
    logged_model_id: str
    weights_sha256: str
    provenance_sha256: str
    tracking_uri: str
    created: bool


def register(entry: Entry, params: Register, git: GitState) -> Registered:
    """Log a student with its data and hashes, or bring its existing entry up to date.

    The weights stay where they are: the model version's source is their folder, or, for a server
    that refuses folders of its clients, a logged model without artifacts.
    """
    # Two at once would look it up, find nothing, and both create it.
    with hold(home() / "mlflow.lock", "register", _PATIENCE):
        client, uri = connect()
        with explain_store():
            return _register(client, uri, entry, params, git)


def _register(
    client: "MlflowClient", uri: str, entry: Entry, params: Register, git: GitState
) -> Registered:
    experiment = _open_experiment(client, params.experiment, uri)
    tags = make_tags(entry, git)
    run = _find_run(client, experiment, entry)
    created = run is None
    run = run or client.create_run(experiment, tags=tags, run_name=entry.student)
    model_id = _link_model(client, experiment, run.info.run_id, entry, tags)
    _log(client, run, entry, tags, model_id)
    _log_datasets(client, run, entry, git)
    name = params.name_model(entry.student)
    version = _link_version(client, name, run.info.run_id, entry, tags, (uri, model_id))
    _link_audit(client, run, entry, name, version)
    client.set_terminated(run.info.run_id)
    return Registered(
        student=entry.student,
        run_id=run.info.run_id,
        model_name=name,
        version=version,
        uri=name_version(name, version),
        logged_model_id=model_id,
        weights_sha256=entry.provenance.weights_sha256,
        provenance_sha256=entry.provenance_sha256,
        tracking_uri=hide_user(uri),
        created=created,
    )


def register_student(student: str, root: Path, params: Register) -> Registered:
    """Register a student of the project at ``root`` from its files; errors as ``read_entry``."""
    outs = [out for stage in read_lock(root).stages.values() for out in stage.outs]
    return register(read_entry(student, root), params, read_git(root, outs))


def connect() -> "tuple[MlflowClient, str]":
    """Return a client and its store: ``MLFLOW_TRACKING_URI``, else a database below ``home()``.

    Raises:
        InputError: the store cannot be used: another MLflow's tables, or a server that says no.
    """
    # Half a minute for a server that is gone; without it MLflow waits for minutes and says nothing.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "4")
    prepare_mlflow()
    import mlflow

    with explain_store():
        uri, database = find_store()
        if database and not database.exists():
            # MLflow lays out its tables step by step: a kill in between must leave no half of them.
            with replace_file(database) as part:
                mlflow.MlflowClient(f"sqlite:///{part}")
        mlflow.set_tracking_uri(uri)
        return mlflow.MlflowClient(uri), uri


def make_tags(entry: Entry, git: GitState) -> dict[str, str]:
    """Return what an entry can be found by: hashes first, then the machine's own state."""
    provenance = entry.provenance
    tags = {
        "student": entry.student,
        "weights_sha256": provenance.weights_sha256,
        "provenance_sha256": entry.provenance_sha256,
        "model_md5": entry.model_md5,
        "dataset_md5": provenance.dataset.md5,
        "dataset_sha256": provenance.dataset.sha256,
        "merkle_root": provenance.dataset.merkle_root,
        **provenance.tag_sources(),
        **{f"upstream.{path}": md5 for path, md5 in entry.upstream.items()},
        "git_commit": git.commit or "none",
        "git_branch": git.branch or "none",
        "git_dirty": str(git.dirty).lower(),
        "host": platform.node(),
        "python": platform.python_version(),
    }
    if git.commit:
        tags["mlflow.source.git.commit"] = git.commit
    return {clean_key(key): value[:_TAG] for key, value in tags.items()}


def _find_run(client: "MlflowClient", experiment: str, entry: Entry) -> "Run | None":
    query = (
        f"tags.weights_sha256 = '{entry.provenance.weights_sha256}' "
        f"and tags.provenance_sha256 = '{entry.provenance_sha256}'"
    )
    found = client.search_runs([experiment], query, max_results=1)
    return found[0] if found else None


def _open_experiment(client: "MlflowClient", name: str, uri: str) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    # A local store would otherwise put `mlruns/` into the working directory.
    location = (home() / "mlflow-artifacts").as_uri() if _is_local(uri) else None
    return str(client.create_experiment(name, artifact_location=location))


def _log(
    client: "MlflowClient", run: "Run", entry: Entry, tags: dict[str, str], model_id: str
) -> None:
    from mlflow.entities import Metric, Param, RunTag

    run_id, now = run.info.run_id, int(time.time() * 1000)
    known = run.data.metrics
    metrics = [
        Metric(name, value, now, 0, model_id=model_id)
        for name, value in sorted(entry.metrics.items())
        if known.get(name) != value
    ]
    metrics += _new_points(client, run, entry)
    parameters = [
        Param(key, value[:_PARAMETER]) for key, value in _flat(entry.provenance.parameters)
    ]
    client.log_batch(
        run_id,
        params=[param for param in parameters if param.key not in run.data.params],
        tags=[RunTag(key, value) for key, value in tags.items()],
    )
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _BATCH])


def _new_points(client: "MlflowClient", run: "Run", entry: Entry) -> list[Any]:
    from mlflow.entities import Metric

    names = {f"training.{point.name}" for point in entry.curve} & run.data.metrics.keys()
    known = {
        (name, metric.step)
        for name in names
        for metric in client.get_metric_history(run.info.run_id, name)
    }
    return [
        Metric(f"training.{point.name}", point.value, run.info.start_time, point.step)
        for point in entry.curve
        if (f"training.{point.name}", point.step) not in known
    ]


def _log_datasets(client: "MlflowClient", run: "Run", entry: Entry, git: GitState) -> None:
    """List the tables as the run's inputs; MLflow keeps one dataset for each name and digest."""
    sources = {
        table: Source(table.path, table.md5, git.commit, git.remote) for table in entry.tables
    }
    inputs = [_dataset_input(table, source) for table, source in sources.items()]
    client.log_inputs(run.info.run_id, datasets=inputs)
    listed = client.get_run(run.info.run_id).inputs
    given = [one.dataset for one in listed.dataset_inputs] if listed else []
    old = [dataset for dataset in given if dataset.source_type == OLD_TYPE]
    if old:
        told = {(table.name, table.md5): source.to_json() for table, source in sources.items()}
        _update_sources(client, run.info.experiment_id, old, told)


def _dataset_input(table: Table, source: Source) -> "DatasetInput":
    from mlflow.entities import Dataset, DatasetInput, InputTag

    return DatasetInput(
        Dataset(
            name=table.name,
            digest=table.md5,
            source_type=SOURCE_TYPE,
            source=source.to_json(),
        ),
        tags=[InputTag("mlflow.data.context", table.context)],
    )


def _update_sources(
    client: "MlflowClient",
    experiment: str,
    old: "Sequence[Dataset]",
    told: Mapping[tuple[str, str], str],
) -> None:
    """Bring up to date what an older Stillhouse wrote, which held a path and no md5.

    MLflow's API has no way to change a dataset, and under another name it would stand there twice.
    So it is done in the database itself; behind a server it stays as it is.
    """
    from mlflow.store.tracking.dbmodels.models import SqlDataset
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = client._tracking_client.store  # noqa: SLF001
    if not isinstance(store, SqlAlchemyStore):
        _logger.warning(
            "the datasets that an older Stillhouse registered stay without their way back to the "
            "bytes: MLflow's server cannot change them"
        )
        return
    with store.ManagedSessionMaker(read_only=False) as session:
        for dataset in old:
            if source := told.get((dataset.name, dataset.digest)):
                session.query(SqlDataset).filter_by(
                    experiment_id=int(experiment), name=dataset.name, digest=dataset.digest
                ).update({"dataset_source_type": SOURCE_TYPE, "dataset_source": source})


def _link_model(
    client: "MlflowClient", experiment: str, run_id: str, entry: Entry, tags: dict[str, str]
) -> str:
    """Return the id of the logged model that stands for the weights, without copying them."""
    import mlflow

    found = client.search_logged_models([experiment], f"source_run_id = '{run_id}'", max_results=1)
    if found:
        client.set_logged_model_tags(found[0].model_id, tags)
        return str(found[0].model_id)
    model = mlflow.create_external_model(
        name=entry.student,
        source_run_id=run_id,
        tags=tags,
        params=dict(_flat(entry.provenance.parameters)),
        model_type="student",
        experiment_id=experiment,
    )
    return str(model.model_id)


def _link_version(
    client: "MlflowClient",
    name: str,
    run_id: str,
    entry: Entry,
    tags: dict[str, str],
    place: tuple[str, str],
) -> int:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description="A student, distilled by Stillhouse.")
    except MlflowException as exc:
        if exc.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    for version in client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'"):
        for key, value in tags.items():
            client.set_model_version_tag(name, version.version, key, value)
        return int(version.version)
    uri, model_id = place
    source = entry.folder.resolve().as_uri() if _is_local(uri) else f"models:/{model_id}"
    made = client.create_model_version(name, source, run_id, tags=tags, model_id=model_id)
    return int(made.version)


def name_version(name: str, version: int) -> str:
    """Return MLflow's address of a model version."""
    return f"models:/{name}/{version}"


def _link_audit(client: "MlflowClient", run: "Run", entry: Entry, name: str, version: int) -> None:
    """Say beside run and version how to check them; a description that somebody wrote stays."""
    command = f"stillhouse audit {name_version(name, version)}"
    note = (
        f"`{command}` shows and verifies what it was made of; "
        f"`stillhouse log --data {entry.provenance.dataset.md5}` lists the models trained on the same data."
    )
    client.set_tag(run.info.run_id, _AUDIT, command)
    client.set_model_version_tag(name, str(version), _AUDIT, command)
    if not run.data.tags.get(_NOTE):
        client.set_tag(run.info.run_id, _NOTE, note)
    if not client.get_model_version(name, str(version)).description:
        client.update_model_version(name, str(version), note)


def _flat(parameters: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Yield nested parameters as dotted keys and canonical JSON values; texts stay bare."""
    for key, leaf in sorted(list_leaves(parameters), key=lambda leaf: leaf[0]):
        yield clean_key(key), leaf if isinstance(leaf, str) else canonical_json(_plain(leaf))


def _plain(value: object) -> Any:
    return list(value) if isinstance(value, Sequence) else value


def _is_local(uri: str) -> bool:
    return not uri.startswith(("http:", "https:", "databricks", "uc:"))
