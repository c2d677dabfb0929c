"""What MLflow says of a student against its provenance: tags that somebody edited, other datasets."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from stillhouse.auditing.papers import open_provenance
from stillhouse.auditing.places import Places
from stillhouse.auditing.problems import Outcome, Problem, Unchecked, join_outcomes
from stillhouse.auditing.student import Student
from stillhouse.auditing.student_files import is_recorded
from stillhouse.base.errors import InputError
from stillhouse.base.ids import sha256_file
from stillhouse.base.lock import LOCK
from stillhouse.lineage.entry import clean_key
from stillhouse.lineage.model_folder import PROVENANCE
from stillhouse.lineage.provenance import Provenance
from stillhouse.lineage.store import explain_store, find_store, hide_user, open_store

# An MlflowClient, which `lineage/store.py` makes: no other module imports MLflow.
Client: TypeAlias = Any

# MLflow asks a server that is gone again and again, for minutes.
_PATIENCE: Final = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
_LONGEST: Final = 5000  # characters of a tag's value
_STORE: Final = "MLflow"
_FOLDER: Final = "model_md5"  # of all files, as DVC names the folder


@dataclass(frozen=True, slots=True)
class _Told:
    """Tags of one thing in MLflow, and how people call that thing."""

    where: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Sought:
    """A student as MLflow should know it."""

    student: Student
    provenance: Provenance
    tags: Mapping[str, str]
    run_id: str  # by its registration.json, empty where that is another version's or not there
    model: str  # models:/NAME/VERSION, likewise


def check_registered(students: list[Student], places: Places) -> Outcome:
    """Compare the entries of students with their files; where no store is, none comes to be."""
    root = places.root
    sought = [one for student in students if (one := _seek(student, places)) is not None]
    if not sought:
        return Outcome()
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    uri, database = find_store(root)
    if database is not None and not database.is_file():
        why = "there is no MLflow store on this machine"
        return Outcome(unchecked=(Unchecked(_STORE, why, "`stillhouse register` writes one"),))
    try:
        client, _ = open_store(root)
        with explain_store(root):
            return join_outcomes(_check(client, one) for one in sought)
    except InputError as exc:
        remedy = exc.remedy or "see that the store can be reached"
        told = f"{exc.what} ({hide_user(uri)})"
        lost = Problem("could not be checked", _STORE, "its entries of the students", told, remedy)
        return Outcome((lost,))


def _seek(student: Student, places: Places) -> _Sought | None:
    try:
        provenance = open_provenance(student.folder)
    except InputError:
        return None  # which the check of its files tells
    sha256 = sha256_file(student.folder / PROVENANCE)
    tags = _make_tags(student, provenance, sha256)
    if is_recorded(student, places):
        tags[_FOLDER] = student.recorded
    path = places.root / "reports/students" / student.name / "registration.json"
    told = _read(path) if student.here else {}
    same = told.get("weights_sha256") == provenance.weights_sha256
    ours = same or told.get("provenance_sha256") == sha256
    run_id, model = (str(told.get(key, "")) if ours else "" for key in ("run_id", "uri"))
    return _Sought(student, provenance, tags, run_id, model)


def _make_tags(student: Student, provenance: Provenance, sha256: str) -> dict[str, str]:
    """Return the tags that tell of content; those of git and of a machine are its own."""
    tags = {
        "student": student.name,
        "weights_sha256": provenance.weights_sha256,
        "provenance_sha256": sha256,
        "dataset_md5": provenance.dataset.md5,
        "dataset_sha256": provenance.dataset.sha256,
        "merkle_root": provenance.dataset.merkle_root,
        **provenance.tag_sources(),
        **{f"upstream.{path}": md5 for path, md5 in provenance.upstream.items()},
    }
    return {clean_key(key): value[:_LONGEST] for key, value in tags.items()}


def _check(client: Client, sought: _Sought) -> Outcome:
    runs = list(_find_runs(client, sought))
    versions = list(_find_versions(client, sought, [run.info.run_id for run in runs]))
    shown = sought.student.shown
    if not runs and not versions:
        if sought.run_id:
            return Outcome((_tell_gone(sought),))
        why, remedy = "MLflow has no entry of it", f"`stillhouse register {sought.student.name}`"
        return Outcome(unchecked=(Unchecked(f"{_STORE}: {shown}", why, remedy),))
    told = [
        *(_Told(f"run {run.info.run_id}", run.data.tags) for run in runs),
        *(_Told(f"models:/{one.name}/{one.version}", one.tags) for one in versions),
        *(_Told(f"logged model {one.model_id}", one.tags) for one in _find_logged(client, runs)),
    ]
    problems = [problem for one in told for problem in _compare(one, sought)]
    problems += [problem for run in runs for problem in _compare_datasets(run, sought)]
    return Outcome(tuple(problems), checked={"tags": len(told) * len(sought.tags)})


def _find_runs(client: Client, sought: _Sought) -> Iterator[Any]:
    """Yield the runs of these very files, each once: by hash, or by the run that was written down."""
    experiments = [one.experiment_id for one in client.search_experiments()]
    queries = [f"tags.{key} = '{value}'" for key, value in _name_files(sought)]
    if sought.run_id.isalnum():
        queries.append(f"attributes.run_id = '{sought.run_id}'")
    found = {
        run.info.run_id: run for query in queries for run in client.search_runs(experiments, query)
    }
    yield from (found[run_id] for run_id in sorted(found))


def _find_versions(client: Client, sought: _Sought, runs: list[str]) -> Iterator[Any]:
    queries = [f"tags.{key} = '{value}'" for key, value in _name_files(sought)]
    queries += [f"run_id = '{run_id}'" for run_id in runs]
    found = {
        (one.name, int(one.version)): one
        for query in queries
        for one in client.search_model_versions(query)
    }
    yield from (found[key] for key in sorted(found))


def _find_logged(client: Client, runs: list[Any]) -> Iterator[Any]:
    for run in runs:
        query = f"source_run_id = '{run.info.run_id}'"
        yield from client.search_logged_models([run.info.experiment_id], query)


def _name_files(sought: _Sought) -> Iterator[tuple[str, str]]:
    """Yield the tags that only the very same folder has; students may share their weights."""
    for key in ("provenance_sha256", _FOLDER):
        if value := sought.tags.get(key):
            yield key, value


def _compare(told: _Told, sought: _Sought) -> Iterator[Problem]:
    shown, remedy = sought.student.shown, _tell_remedy(sought)
    for key, value in sought.tags.items():
        found = told.tags.get(key)
        if found != value:
            where = f"{told.where}, tag {key}"
            said = "no such tag" if found is None else found
            source = LOCK if key == _FOLDER else f"{shown}/{PROVENANCE}"
            yield Problem("MLflow tag", where, f"{value} ({source})", said, remedy)


def _compare_datasets(run: Any, sought: _Sought) -> Iterator[Problem]:
    """Compare the digests of the tables that a run lists with those that training opened."""
    provenance = sought.provenance
    folder = Path(provenance.dataset.path).parent
    named = {
        Path(path).stem: d.md5
        for path, d in provenance.inputs.items()
        if Path(path).parent == folder
    }
    if whole := provenance.upstream.get(folder.as_posix()):
        named[folder.name] = whole
    listed = {one.dataset.name: one.dataset.digest for one in run.inputs.dataset_inputs}
    for name, md5 in sorted(named.items()):
        if listed.get(name) != md5:
            where = f"run {run.info.run_id}, dataset {name}"
            expected = f"digest {md5} ({sought.student.shown}/{PROVENANCE})"
            found = f"digest {listed[name]}" if name in listed else "no such dataset"
            yield Problem("MLflow dataset", where, expected, found, _tell_remedy(sought))


def _tell_gone(sought: _Sought) -> Problem:
    where = f"run {sought.run_id}"
    expected = f"the entry {sought.model}, which registration.json of {sought.student.name} names"
    return Problem("MLflow entry", where, expected, "no entry of these files", _tell_remedy(sought))


def _tell_remedy(sought: _Sought) -> str:
    name = sought.student.name
    return (
        f"`stillhouse register {name}` writes the entry anew from the files, once these are right"
    )


def _read(path: Path) -> Mapping[str, object]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
