"""``provenance.json``: which bytes a student was made of, in the student's own folder.

Content hashes only. No clock, run id, git state or absolute path, so that the same inputs give the
same bytes anywhere; what belongs to one run on one machine is a tag in MLflow.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from stillhouse.base import versions
from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text, write_json
from stillhouse.base.ids import Json, content_id, merkle_root, sha256_file
from stillhouse.base.records import Row
from stillhouse.base.tables import read_table, write_sorted
from stillhouse.lineage.inputs import Digest, InputGuard
from stillhouse.lineage.model_folder import (
    PROVENANCE,
    ROWS,
    check_model_folder,
    weights_sha256,
)

# What computes or stores the weights; a new version may change their bytes.
PACKAGES: Final = (
    "accelerate",
    "datasets",
    "numpy",
    "peft",
    "pyarrow",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
    "trl",
)
_OBJECTS: Final = ("files", "inputs", "upstream", "parameters", "packages")


@dataclass(frozen=True, slots=True)
class SeenRow:
    """One row that the student was trained on; ``row_sha256`` covers every column of it."""

    row_id: str
    row_sha256: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """The training table; ``merkle_root`` is over ``row_sha256`` in the table's order."""

    path: str
    md5: str
    sha256: str
    rows: int
    merkle_root: str


@dataclass(frozen=True, slots=True)
class BaseModel:
    """The weights before training; ``origin`` says in words what they really are."""

    name: str
    sha256: str
    origin: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """All of ``provenance.json``.

    ``files`` holds the sha256 of every other file of the folder, ``rows.parquet`` among them;
    ``upstream`` the md5 by which DVC knew each stage's output behind the dataset. ``teachers`` are the
    models whose token probabilities it learned beside the words.
    """

    version: int
    student: str
    weights_sha256: str
    files: Mapping[str, str]
    dataset: Dataset
    inputs: Mapping[str, Digest]
    upstream: Mapping[str, str]
    base: BaseModel
    parameters: Mapping[str, Json]
    packages: Mapping[str, str]
    teachers: tuple[BaseModel, ...] = ()

    def tag_sources(self) -> dict[str, str]:
        """Return the tags by which MLflow finds what goes back to a base, or to a teacher's probabilities."""
        teachers = {f"teacher_{place}": one for place, one in enumerate(self.teachers, start=1)}
        return {
            f"{role}_{name}": str(getattr(one, name))
            for role, one in {"base": self.base, **teachers}.items()
            for name in ("name", "sha256", "origin")
        }


def write_provenance(
    folder: Path,
    *,
    student: str,
    guard: InputGuard,
    train: Path,
    base: BaseModel,
    parameters: Mapping[str, Json],
    upstream: Mapping[str, str],
    teachers: Sequence[BaseModel] = (),
) -> Provenance:
    """Check a trained student's folder and inputs, then write the provenance, as the last file.

    Args:
        folder: where weights and tokenizer have been saved.
        student: its name in ``params.yaml``.
        guard: through which every input was opened, ``train`` among them.
        train: the training table, below the project's root.
        base: the weights that training began with.
        parameters: everything from ``params.yaml`` that shaped the training.
        upstream: path -> md5 from ``dvc.lock``, of all that the dataset was made from; only stage
            outputs are written down.
        teachers: the models whose token probabilities were learned.

    Raises:
        DriftError: an input changed since it was opened.
        GateError: the folder holds what it may not.
    """
    seen = list(hash_rows(read_table(guard.open(train), Row)))
    write_sorted(folder / ROWS, SeenRow, seen)
    (folder / PROVENANCE).unlink(missing_ok=True)
    check_model_folder(folder)
    files = {path.name: sha256_file(path) for path in sorted(folder.iterdir())}
    guard.check()
    name = train.as_posix()
    provenance = Provenance(
        version=versions.PROVENANCE,
        student=student,
        weights_sha256=weights_sha256(files),
        files=files,
        dataset=_dataset(name, guard.opened[name], seen),
        inputs=guard.opened,
        upstream={path: md5 for path, md5 in sorted(upstream.items()) if _is_out(path)},
        base=replace(base, name=plain_name(base.name)),
        parameters={key: _portable(value) for key, value in parameters.items()},
        packages=list_packages(),
        teachers=tuple(replace(one, name=plain_name(one.name)) for one in teachers),
    )
    write_json(folder / PROVENANCE, asdict(provenance))
    check_model_folder(folder)  # once more, for the parameters and the base's origin
    return provenance


def read_provenance(folder: Path) -> Provenance:
    """Return the provenance in a model folder; one of another layout is an ``InputError``."""
    path = folder / PROVENANCE
    try:
        value = json.loads(read_text(path))
        if value["version"] != versions.PROVENANCE:
            raise InputError(
                f"has layout {value['version']}",
                where=str(path),
                expected=f"layout {versions.PROVENANCE}",
                remedy="train the student again with this version",
            )
        if wrong := [name for name in _OBJECTS if not isinstance(value[name], dict)]:
            raise InputError(f"not a provenance (`{wrong[0]}` is no object)", where=str(path))
        value["dataset"] = Dataset(**value["dataset"])
        value["base"] = BaseModel(**value["base"])
        value["teachers"] = tuple(BaseModel(**one) for one in value.get("teachers", ()))
        value["inputs"] = {name: Digest(**digest) for name, digest in value["inputs"].items()}
        return Provenance(**value)
    except (json.JSONDecodeError, KeyError, TypeError) as exc:
        raise InputError(f"not a provenance ({exc})", where=str(path)) from exc


def plain_name(model: str) -> str:
    """Return a model's name, of a folder of the project in one spelling: its path below the root.

    Of one elsewhere on the machine it is the last part alone.
    """
    path = Path(os.path.normpath(model))
    if not path.is_absolute():
        return path.as_posix() if "/" in model else model
    real = path.resolve()
    return real.relative_to(Path.cwd()).as_posix() if real.is_relative_to(Path.cwd()) else path.name


def hash_rows(rows: Iterable[Row]) -> Iterator[SeenRow]:
    """Yield what each row was: any change of any column changes ``row_sha256``."""
    for row in rows:
        yield SeenRow(row.row_id, content_id("row", asdict(row)))


def list_packages() -> dict[str, str]:
    """Return the installed versions of the packages that compute or store weights."""
    return {name: found for name in PACKAGES if (found := _installed(name))}


def _portable(value: Json) -> Json:
    """Shorten absolute paths in parameters: the base's hash says what it was, anywhere."""
    if isinstance(value, str):
        return plain_name(value)
    if isinstance(value, Mapping):
        return {key: _portable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_portable(inner) for inner in value]
    return value


def _is_out(path: str) -> bool:
    """Whether a path upstream is a stage's output: each of those is named in ``validation.json``.

    So training runs again when one changes. Code and seeds may change and leave every table as it
    was; were they named here, the bytes would depend on when the training happened to run.
    """
    return path.startswith(("data/", "reports/")) and not path.startswith("data/seed/")


def _dataset(name: str, digest: Digest, seen: list[SeenRow]) -> Dataset:
    root = merkle_root(row.row_sha256 for row in seen)
    return Dataset(name, digest.md5, digest.sha256, len(seen), root)


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
