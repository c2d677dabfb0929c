"""Which students saw a thing, judged by the rows that each lists. What cannot be read is unknown."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from stillhouse.base.errors import StillhouseError
from stillhouse.base.ids import md5_file, sha256_file
from stillhouse.base.lock import read_lock
from stillhouse.base.tables import read_table
from stillhouse.lineage.model_folder import PROVENANCE, ROWS
from stillhouse.lineage.provenance import Provenance, SeenRow, read_provenance
from stillhouse.lineage.trace_reach import Reach
from stillhouse.lineage.trace_tables import DATASET

Verdict = Literal["affected", "clean", "unknown"]

_MODELS: Final = "models"
_VALIDATION: Final = DATASET[1]


@dataclass(frozen=True, slots=True)
class Listed:
    """A student and the ids of the rows that it was trained on.

    ``problem`` says why its list cannot be read or believed, and is empty where it can; then there
    is a provenance.
    """

    model: str
    rows: frozenset[str]
    provenance: Provenance | None
    problem: str


@dataclass(frozen=True, slots=True)
class ModelVerdict:
    """Whether a student saw the thing; ``rows`` of the thing it was trained on; ``why`` in words."""

    model: str
    verdict: Verdict
    rows: int
    why: str


def list_models(root: Path) -> list[Listed]:
    """Return every student that lies in ``models/`` or should, by ``dvc.lock``, in order of name."""
    folder = root / _MODELS
    present = {path.name for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else []
    outs = {out for stage in read_lock(root).stages.values() for out in stage.outs}
    recorded = {PurePosixPath(out).name for out in outs if out.startswith(f"{_MODELS}/")}
    return [_read_model(root, name) for name in sorted({*present, *recorded})]


def judge_models(root: Path, listed: list[Listed], reach: Reach) -> list[ModelVerdict]:
    """Return a verdict on each student: affected if it saw one row, unknown before clean."""
    validation = root / _VALIDATION
    validated = md5_file(validation) if validation.exists() else ""
    verdicts = {model.model: _judge(model, reach, validated) for model in listed}
    for _ in listed:  # a student may have begun with another one's weights, and that with a third's
        verdicts = {
            model.model: _inherit(model, verdicts[model.model], listed, verdicts)
            for model in listed
        }
    return list(verdicts.values())


def worst_verdict(models: list[ModelVerdict]) -> Verdict:
    """Return ``affected`` if any model is, else ``unknown`` if any is, else ``clean``."""
    found = {model.verdict for model in models}
    return "affected" if "affected" in found else "unknown" if "unknown" in found else "clean"


def _read_model(root: Path, name: str) -> Listed:
    folder = root / _MODELS / name
    if not folder.is_dir():
        return Listed(name, frozenset(), None, "not in the workspace; run `dvc checkout`")
    try:
        provenance = read_provenance(folder)
        if wrong := next(_find_strange_files(folder, provenance.files), None):
            problem = f"`{wrong}` is not the file that its provenance names"
            return Listed(name, frozenset(), None, problem)
        rows = frozenset(seen.row_id for seen in read_table(folder / ROWS, SeenRow))
    except (StillhouseError, OSError, ValueError, AttributeError) as exc:
        # A damaged provenance must never look like one that lists nothing.
        return Listed(name, frozenset(), None, f"its provenance cannot be read ({exc})")
    return Listed(name, rows, provenance, "")


def _find_strange_files(folder: Path, named: Mapping[str, str]) -> Iterator[str]:
    """Yield the files that are missing, changed, or not named: then the list may be another's."""
    found = {path.name for path in folder.iterdir()} - {PROVENANCE}
    for name in sorted(found | named.keys() | {ROWS}):
        path = folder / name
        if name not in named or not path.is_file() or sha256_file(path) != named[name]:
            yield name


def _judge(model: Listed, reach: Reach, validated: str) -> ModelVerdict:
    if model.provenance is None:
        return ModelVerdict(model.model, "unknown", 0, model.problem)
    by_id = reach.thing.kind in ("row", "pair")
    own = [row_id for row_id in model.rows if _touched(reach, row_id)]
    if own:
        return ModelVerdict(
            model.model, "affected", len(own), f"trained on {_rows(len(own))} of it"
        )
    steered = reach.parts[_VALIDATION]
    digest = model.provenance.inputs.get(_VALIDATION.as_posix())
    if steered and digest is not None and digest.md5 == validated:
        why = f"{_rows(len(steered))} of it helped to choose when training stopped"
        return ModelVerdict(model.model, "affected", 0, why)
    untold = [] if by_id else [i for i in model.rows if reach.touched.get(i) is None]
    if untold:
        why = (
            f"no table here tells of {_rows(len(untold))} it was trained on; check out the version "
        )
        return ModelVerdict(model.model, "unknown", 0, why + "it was trained from (git, dvc)")
    if digest is not None and digest.md5 != validated:
        why = "its validation rows are not those that lie here"
        return ModelVerdict(model.model, "unknown", 0, why)
    return ModelVerdict(model.model, "clean", 0, f"none of its {_rows(len(model.rows))} is of it")


def _touched(reach: Reach, row_id: str) -> bool | None:
    if row_id == reach.thing.id:  # also of a row that is in no table any more
        return True
    return reach.touched.get(row_id)


def _inherit(
    model: Listed,
    own: ModelVerdict,
    listed: list[Listed],
    verdicts: Mapping[str, ModelVerdict],
) -> ModelVerdict:
    """Return the verdict with that of the student, if any, whose weights training began with."""
    if model.provenance is None or own.verdict == "affected":
        return own
    base = model.provenance.base
    for other in listed:
        same = other.provenance and other.provenance.weights_sha256 == base.sha256
        if same and verdicts[other.model].verdict != "clean":
            verdict = verdicts[other.model].verdict
            if verdict == "unknown" == own.verdict:
                return own
            return replace(own, verdict=verdict, why=f"began with `{other.model}`: {verdict}")
        if same:
            return own
    if own.verdict == "clean" and base.name.startswith(f"{_MODELS}/"):
        why = f"began with `{base.name}`, which has other weights now or is gone"
        return replace(own, verdict="unknown", why=why)
    return own


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
