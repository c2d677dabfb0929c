"""Which students saw a thing, judged by the rows that each lists. What cannot be read is unknown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from stillhouse.tracing.index import Index
from stillhouse.tracing.lexicon import Numbers
from stillhouse.tracing.listed import Listed, name_sources
from stillhouse.tracing.past import Past, look_back
from stillhouse.tracing.reach import Reach
from stillhouse.tracing.tables import DATASET
from stillhouse.tracing.trail import UNKNOWN, YES, Told, look_up

# `erased` is to come, from `stillhouse forget`; whatever is not `clean` is worse than it.
Verdict = Literal["affected", "clean", "unknown"]

_VALIDATION: Final = DATASET[1]
_SHOWN: Final = 2  # documents or prompts named in a verdict
_FETCH: Final = (
    "run `dvc fetch --all-commits`, or check out the version it was trained from (git, dvc)"
)


@dataclass(frozen=True, slots=True)
class ModelVerdict:
    """Whether a student saw the thing; ``rows`` of the thing it was trained on; ``why`` in words.

    ``commits`` are those whose ``dvc.lock`` names it, newest first; ``where`` says so in words.
    """

    model: str
    verdict: Verdict
    rows: int
    why: str
    commits: tuple[str, ...] = field(default=(), compare=False)
    weights_sha256: str = field(default="", compare=False)
    where: str = field(default="", compare=False)


def judge_models(
    index: Index, root: Path, listed: list[Listed], reach: Reach
) -> list[ModelVerdict]:
    """Return a verdict on each student: affected if it saw one row, unknown before clean."""
    validation = root / _VALIDATION
    validated = index.md5(validation) if validation.exists() else ""
    verdicts = {model.model: _judge(index, root, model, reach, validated) for model in listed}
    return list(inherit_verdicts(listed, verdicts).values())


def describe_verdict(model: Listed, verdict: Verdict, rows: int, why: str) -> ModelVerdict:
    """Return a verdict on a student with what a person knows it by."""
    weights = model.provenance.weights_sha256 if model.provenance else ""
    return ModelVerdict(model.model, verdict, rows, why, model.commits, weights, model.where)


def inherit_verdicts(
    listed: Sequence[Listed], verdicts: Mapping[str, ModelVerdict]
) -> dict[str, ModelVerdict]:
    """Return the verdicts by model, each with those of the students whose weights its own go back to."""
    found = dict(verdicts)
    by_weights: dict[str, list[str]] = {}
    for model in listed:
        if model.provenance:
            by_weights.setdefault(model.provenance.weights_sha256, []).append(model.model)
    for _ in listed:
        before = found
        found = {m.model: _inherit(m, before[m.model], by_weights, before) for m in listed}
        if found == before:
            break
    return found


def worst_verdict(models: Sequence[ModelVerdict]) -> Verdict:
    """Return ``affected`` if any model is, else ``unknown`` if any is, else ``clean``."""
    found = {model.verdict for model in models}
    return "affected" if "affected" in found else "unknown" if "unknown" in found else "clean"


def _judge(index: Index, root: Path, model: Listed, reach: Reach, validated: str) -> ModelVerdict:
    if model.provenance is None:
        return describe_verdict(model, "unknown", 0, model.problem)
    past = look_back(index, root, model.tables, reach)
    told = _tell(reach, past.told, model.rows)
    own = int(((told == YES) | (model.rows == index.find_id(reach.thing.id))).sum())
    if own:
        return describe_verdict(model, "affected", own, f"trained on {_rows(own)} of it")
    rows = _find_steering(model, reach, past, validated)
    steering = None if rows is None else _tell(reach, past.validation_told, rows)
    steered = 0 if steering is None else int((steering == YES).sum())
    if steered:
        why = f"{_rows(steered)} of it helped to choose when training stopped"
        return describe_verdict(model, "affected", 0, why)
    untold = int((told == UNKNOWN).sum())
    unsteered = steering is not None and bool((steering == UNKNOWN).any())
    if past.doubtful and (untold or unsteered):
        why = _say_doubt(past.doubtful, gone=bool(reach.thing.home))
        return describe_verdict(model, "unknown", 0, why)
    if untold:
        why = f"neither tables here nor DVC's cache tell of {_rows(untold)} it was trained on; "
        return describe_verdict(model, "unknown", 0, why + _FETCH)
    if steering is None or unsteered:
        why = f"neither tables here nor DVC's cache tell of all its validation rows; {_FETCH}"
        return describe_verdict(model, "unknown", 0, why)
    return describe_verdict(model, "clean", 0, f"none of its {_rows(len(model.rows))} is of it")


def _tell(reach: Reach, then: Told, rows: Numbers) -> Told:
    """Say of rows whether they come of the thing: the tables here tell, and those of then."""
    return np.maximum(look_up(reach.touched, rows), look_up(then, rows))


def _find_steering(model: Listed, reach: Reach, past: Past, validated: str) -> Numbers | None:
    """Return the rows that helped to choose when training stopped; None where they are not found."""
    digest = model.provenance.inputs.get(_VALIDATION.as_posix()) if model.provenance else None
    if digest is None:
        return np.empty(0, np.int32)
    return reach.validation if digest.md5 == validated else past.validation


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
    by_weights: Mapping[str, Sequence[str]],
    verdicts: Mapping[str, ModelVerdict],
) -> ModelVerdict:
    """Return the verdict with that of the students, if any, whose weights its own go back to."""
    if model.provenance is None or own.verdict == "affected":
        return own
    # Several students may have equal weights: each of them may be the one.
    found, doubts = [], []
    for did, source in name_sources(model.provenance):
        same = by_weights.get(source.sha256, ())
        found += [(did, verdicts[name]) for name in same]
        doubts += [] if same else [model.doubts.get(source.sha256, "")]
    worst = worst_verdict([verdict for _, verdict in found])
    if worst not in ("clean", own.verdict):
        did, name = next((did, one.model) for did, one in found if one.verdict == worst)
        return replace(own, verdict=worst, why=f"{did} `{name}`: {worst}")
    if own.verdict == "clean" and any(doubts):
        return replace(own, verdict="unknown", why=next(filter(None, doubts)))
    return own


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
