"""Which students saw a thing, judged by the rows that each lists. What cannot be read is unknown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from stillhouse.base.errors import StillhouseError
from stillhouse.base.ids import md5_file, sha256_file
from stillhouse.base.lock import read_lock
from stillhouse.base.model_name import is_student
from stillhouse.base.tables import read_table
from stillhouse.distill.bases import LOCAL_ORIGIN
from stillhouse.lineage.model_folder import PROVENANCE, ROWS
from stillhouse.lineage.provenance import BaseModel, Provenance, SeenRow, read_provenance
from tests.plain_trace.past import Past, Told, look_back
from tests.plain_trace.reach import Reach, join_told
from tests.plain_trace.tables import DATASET

Verdict = Literal["affected", "clean", "unknown"]

_MODELS: Final = "models"
_VALIDATION: Final = DATASET[1]
_SHOWN: Final = 2  # documents or prompts named in a verdict
_FETCH: Final = (
    "run `dvc fetch --all-commits`, or check out the version it was trained from (git, dvc)"
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A student and the ids of the rows that it was trained on.

    ``problem`` says why its list cannot be read or believed, and is empty where it can; then there
    is a provenance. ``base_doubt`` says why its base may have seen what no row tells of, and is empty where it cannot.
    """

    model: str
    rows: frozenset[str]
    provenance: Provenance | None
    problem: str
    base_doubt: str = ""


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
    verdicts = {model.model: _judge(root, model, reach, validated) for model in listed}
    return list(inherit_verdicts(listed, verdicts).values())


def inherit_verdicts(
    listed: Sequence[Listed], verdicts: Mapping[str, ModelVerdict]
) -> dict[str, ModelVerdict]:
    """Return the verdicts by model, each with what it began with: that student's, or a third one's."""
    found = dict(verdicts)
    for _ in listed:
        found = {
            model.model: _inherit(model, found[model.model], listed, found) for model in listed
        }
    return found


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
    return Listed(name, rows, provenance, "", _doubt_base(root, provenance.base))


def _doubt_base(root: Path, base: BaseModel) -> str:
    """Return why a base that is no student here may have seen the thing all the same; empty if it may not.

    What comes from a hub or a package is a third one's; a local folder is that only while it lies
    there to be looked into. Of one outside the project a provenance holds the last part of the path.
    """
    if is_student(base.name, root):
        return f"began with `{base.name}`, which has other weights now or is gone"
    if (root / base.name / PROVENANCE).is_file():
        return f"began with the student `{base.name}`, whose weights none in `{_MODELS}/` has"
    if base.origin == LOCAL_ORIGIN and not (root / base.name).is_dir():
        return f"began with the folder `{base.name}`, which is not here: what it saw cannot be told"
    return ""


def _find_strange_files(folder: Path, named: Mapping[str, str]) -> Iterator[str]:
    """Yield the files that are missing, changed, or not named: then the list may be another's."""
    found = {path.name for path in folder.iterdir()} - {PROVENANCE}
    for name in sorted(found | named.keys() | {ROWS}):
        path = folder / name
        if name not in named or not path.is_file() or sha256_file(path) != named[name]:
            yield name


def _judge(root: Path, model: Listed, reach: Reach, validated: str) -> ModelVerdict:
    if model.provenance is None:
        return ModelVerdict(model.model, "unknown", 0, model.problem)
    told, steering, past = _tell_rows(root, model, model.provenance, reach, validated)
    own = [row_id for row_id in model.rows if row_id == reach.thing.id or told.get(row_id)]
    if own:
        return ModelVerdict(
            model.model, "affected", len(own), f"trained on {_rows(len(own))} of it"
        )
    steered = [row_id for row_id, touched in (steering or {}).items() if touched]
    if steered:
        why = f"{_rows(len(steered))} of it helped to choose when training stopped"
        return ModelVerdict(model.model, "affected", 0, why)
    untold = [row_id for row_id in model.rows if told.get(row_id) is None]
    if past.doubtful and (untold or None in (steering or {}).values()):
        why = _say_doubt(past.doubtful, gone=bool(reach.thing.home))
        return ModelVerdict(model.model, "unknown", 0, why)
    if untold:
        why = (
            f"neither tables here nor DVC's cache tell of {_rows(len(untold))} it was trained on; "
        )
        return ModelVerdict(model.model, "unknown", 0, why + _FETCH)
    if steering is None or None in steering.values():
        why = f"neither tables here nor DVC's cache tell of all its validation rows; {_FETCH}"
        return ModelVerdict(model.model, "unknown", 0, why)
    return ModelVerdict(model.model, "clean", 0, f"none of its {_rows(len(model.rows))} is of it")


def _tell_rows(
    root: Path, model: Listed, provenance: Provenance, reach: Reach, validated: str
) -> tuple[Told, Told | None, Past]:
    """Return by id whether a student's rows, and those that steered it, come of the thing.

    The tables here tell, and those that it was made of where these are other ones and are found. None
    in place of the second: its validation rows are not found.
    """
    past = look_back(root, provenance, reach)
    then = past.validation or {}
    digest = provenance.inputs.get(_VALIDATION.as_posix())
    steering: Told | None = {}
    if digest is not None:
        steering = reach.validation if digest.md5 == validated else past.validation
    if steering is not None:
        steering = {i: join_told(reach.touched.get(i), then.get(i)) for i in steering}
    train = {i: join_told(reach.touched.get(i), past.train.get(i)) for i in model.rows}
    return train, steering, past


def _say_doubt(sources: Sequence[str], *, gone: bool) -> str:
    named = ", ".join(f"`{source}`" for source in sources[:_SHOWN])
    more = f" and {len(sources) - _SHOWN} more" if len(sources) > _SHOWN else ""
    if gone:
        return f"it learned rows of {named}{more}, which may have come of this; compare the two"
    return (
        f"it learned rows of {named}{more}, changed or gone since, and this may have come of that; "
        "compare the two"
    )


def _inherit(
    model: Listed,
    own: ModelVerdict,
    listed: Sequence[Listed],
    verdicts: Mapping[str, ModelVerdict],
) -> ModelVerdict:
    """Return the verdict with that of the student, if any, whose weights training began with."""
    if model.provenance is None or own.verdict == "affected":
        return own
    base = model.provenance.base
    # Several students may have equal weights: each of them may be the one it began with.
    same = [
        verdicts[other.model]
        for other in listed
        if other.provenance and other.provenance.weights_sha256 == base.sha256
    ]
    if same:
        worst = worst_verdict(same)
        if worst in ("clean", own.verdict):
            return own
        name = next(verdict.model for verdict in same if verdict.verdict == worst)
        return replace(own, verdict=worst, why=f"began with `{name}`: {worst}")
    if own.verdict == "clean" and model.base_doubt:
        return replace(own, verdict="unknown", why=model.base_doubt)
    return own


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
