"""What MLflow is told about a student, read from files alone, so that it can be told again."""

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.base.errors import GateError, InputError
from stillhouse.base.files import read_text
from stillhouse.base.ids import Json
from stillhouse.base.lock import read_lock
from stillhouse.lineage.inputs import Digest, combine, hash_files, hash_path
from stillhouse.lineage.model_folder import PROVENANCE
from stillhouse.lineage.provenance import Provenance, read_provenance

# Of a score by kind, task or scope, one number; documents are many, and lie in metrics.json.
_GROUPED: Final = re.compile(r"\.by_(?:kind|task|scope|kind_scope)\.")
_TOO_FINE: Final = ".by_document."
_NOT_A_KEY: Final = re.compile(r"[^\w.\- :/]")
_CONTEXTS: Final = {"train": "training", "validation": "validation", "test": "evaluation"}


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a training curve."""

    name: str
    step: int
    value: float


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the dataset as MLflow lists it: its DVC md5 is the digest."""

    name: str
    path: str
    md5: str
    context: str


@dataclass(frozen=True, slots=True)
class Entry:
    """Everything about one student that MLflow shows.

    ``model_md5`` is its folder's DVC md5; ``upstream`` what its provenance names and, as long as
    ``dvc.lock`` still tells of the same run, the md5 of the seeds, prompts and code behind that.
    """

    student: str
    folder: Path
    model_md5: str
    provenance: Provenance
    provenance_sha256: str
    upstream: Mapping[str, str]
    metrics: Mapping[str, float]
    curve: tuple[Point, ...]
    tables: tuple[Table, ...]


def read_entry(student: str, root: Path) -> Entry:
    """Return a student's entry, its weights checked against its provenance.

    Raises:
        InputError: the student has not been trained or evaluated.
        GateError: the folder's files are not those that the provenance names.
    """
    folder, reports = root / "models" / student, root / "reports" / "students" / student
    if not (folder / PROVENANCE).is_file():
        raise InputError(
            "file not found: the student was not trained here yet",
            where=str(folder / PROVENANCE),
            remedy="run `dvc repro`, or `dvc pull` where another machine did",
        )
    provenance = read_provenance(folder)
    digests = _verify(folder, provenance)
    return Entry(
        student=student,
        folder=folder,
        model_md5=combine(digests.items()).md5,
        provenance=provenance,
        provenance_sha256=digests[PROVENANCE].sha256,
        upstream=_upstream(provenance, root),
        metrics={
            **dict(flatten(_read_report(reports / "metrics.json"))),
            **dict(flatten(_read_report(reports / "speed.json"), "speed")),
        },
        curve=tuple(read_curve(reports / "training" / "curves.csv")),
        tables=tuple(_tables(provenance, root)),
    )


def flatten(value: Json, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the finite numbers of a JSON value by dotted key, as MLflow allows keys to be."""
    for key, leaf in list_leaves(value, prefix):
        if isinstance(leaf, int | float) and not isinstance(leaf, bool) and math.isfinite(leaf):
            grouped = _GROUPED.search(key) and not key.endswith(".accuracy")
            if not grouped and _TOO_FINE not in key:
                yield clean_key(key), float(leaf)


def list_leaves(value: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield what is no mapping, or an empty one, by the dotted keys that lead there."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from list_leaves(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def clean_key(key: str) -> str:
    """Return a key as MLflow allows it to be: other characters become underscores."""
    return _NOT_A_KEY.sub("_", key)


def read_curve(path: Path) -> Iterator[Point]:
    """Yield the values of ``curves.csv`` (``step`` and one column for each curve, gaps empty)."""
    for line, record in enumerate(csv.DictReader(read_text(path).splitlines()), start=2):
        try:
            step = int(record.pop("step"))
            for name, value in record.items():
                if value:
                    yield Point(name, step, float(value))
        except (KeyError, ValueError) as exc:
            raise InputError(
                "not a curve", where=f"{path}:{line}", expected="`step` and numbers"
            ) from exc


def _upstream(provenance: Provenance, root: Path) -> dict[str, str]:
    known = dict(provenance.upstream)
    found = read_lock(root).upstream_of(Path(provenance.dataset.path).parent)
    same = all(found.get(path) == md5 for path, md5 in known.items())
    return {**found, **known} if same else known


def _verify(folder: Path, provenance: Provenance) -> dict[str, Digest]:
    digests = hash_files(folder)
    found = {name: digest.sha256 for name, digest in digests.items() if name != PROVENANCE}
    wanted = dict(provenance.files)
    wrong = sorted(name for name in found.keys() | wanted if found.get(name) != wanted.get(name))
    if wrong:
        raise GateError(
            f"`{wrong[0]}` is not the file that its provenance names",
            where=str(folder),
            expected=f"sha256 {wanted.get(wrong[0], 'of no such file')}",
            remedy="run `dvc checkout` or train again",
        )
    return digests


def _tables(provenance: Provenance, root: Path) -> Iterator[Table]:
    """Yield train and validation as they were opened, test as it lies there, and their folder."""
    folder = Path(provenance.dataset.path).parent
    for name, context in _CONTEXTS.items():
        path = (folder / f"{name}.parquet").as_posix()
        if path in provenance.inputs:
            yield Table(name, path, provenance.inputs[path].md5, context)
        elif (root / path).exists():
            yield Table(name, path, hash_path(root / path).md5, context)
    if (whole := provenance.upstream.get(folder.as_posix())) is not None:
        yield Table(folder.name, folder.as_posix(), whole, "dataset")


def _read_report(path: Path) -> Json:
    if not path.exists():
        raise InputError(
            "file not found: the student was not evaluated here yet",
            where=str(path),
            remedy="run `dvc repro`, or `dvc pull` where another machine did",
        )
    try:
        value: Json = json.loads(read_text(path))
    except json.JSONDecodeError as exc:
        raise InputError(f"not JSON ({exc.msg})", where=str(path)) from exc
    return value
