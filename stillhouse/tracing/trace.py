"""A row, pair, request, chunk, document, prompt or model, up- and downstream, with verdicts on models."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from stillhouse.base.ids import Json
from stillhouse.history.resolve import find_commit
from stillhouse.tracing.down import Downstream, Step, Tally
from stillhouse.tracing.find import Thing, find_thing
from stillhouse.tracing.index import Index
from stillhouse.tracing.listed import Listed, list_models
from stillhouse.tracing.models import ModelVerdict, Verdict, judge_models, worst_verdict
from stillhouse.tracing.objects import Objects
from stillhouse.tracing.opening import with_index
from stillhouse.tracing.past import (
    JUDGED_BY,
    LOOKED_UP_IN,
    find_tables,
    follow_thing,
    list_here,
    want_tables,
)
from stillhouse.tracing.student import judge_heirs, step_down_student, step_up_student
from stillhouse.tracing.tables import DATASET
from stillhouse.tracing.up import step_up


@dataclass(frozen=True, slots=True)
class Part:
    """A table of the dataset that holds rows of the thing; ``md5`` is that of its bytes."""

    path: str
    md5: str
    rows: int


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a thing comes from, what came of it, and which models saw it.

    ``counted`` says how many chunks, requests, pairs and rows came of it, which ``downstream`` lists
    only where that was asked for.
    """

    thing: Thing
    upstream: tuple[Step, ...]
    counted: tuple[Tally, ...]
    downstream: tuple[Step, ...]
    verdict: Verdict
    models: tuple[ModelVerdict, ...]
    datasets: tuple[Part, ...]

    def to_json(self) -> dict[str, Json]:
        """Return what ``stillhouse trace --json`` prints."""
        return {
            "thing": self.thing.name,
            "id": self.thing.id,
            "kind": "document" if self.thing.kind.endswith("file") else self.thing.kind,
            "upstream": [step.to_json() for step in self.upstream],
            "downstream": [step.to_json() for step in self.downstream],
            "verdict": self.verdict,
            "models": [asdict(model) for model in self.models],
            "datasets": [asdict(part) for part in self.datasets],
        }


def trace(root: Path, wanted: str, *, whole: bool = True) -> Trace:
    """Return the trace of what ``wanted`` names in the project at ``root``.

    Without ``whole`` the chunks, requests, pairs and rows are only counted.

    Raises:
        InputError: a table is missing or unreadable, or nothing or more than one thing is meant.
    """
    return with_index(root, lambda index: _trace(index, root, wanted, whole=whole))


def _trace(index: Index, root: Path, wanted: str, *, whole: bool) -> Trace:
    index.prepare(want_tables(list_here(root)))
    listed = list_models(index, root)
    names = [model.model for model in listed]
    rows = [model.rows for model in listed]
    asked = _name_student(root, wanted, listed)
    thing = find_thing(index, root, asked, rows, names, lambda: _open_versions(index, root, listed))
    if thing.kind == "model":
        return _trace_student(index, root, thing, listed)
    reach = follow_thing(index, root, thing)
    models = judge_models(index, root, listed, reach)
    came = Downstream(index, root, reach, listed, models)
    return Trace(
        thing=thing,
        upstream=tuple(step_up(index, root, reach)),
        counted=tuple(came.count()),
        downstream=tuple(came.list_steps() if whole else came.list_others()),
        verdict=worst_verdict(models),
        models=tuple(models),
        datasets=tuple(
            Part(path.as_posix(), index.md5(root / path), len(reach.places[path]))
            for path in DATASET
            if len(reach.places[path])
        ),
    )


def _name_student(root: Path, wanted: str, listed: Sequence[Listed]) -> str:
    """Return the path of the student that ``name@REVISION`` or ``REVISION:name`` means, else ``wanted``."""
    before, colon, after = wanted.rpartition(":")
    name, _, revision = (after, "", before) if colon else wanted.partition("@")
    commit = find_commit(root, revision) if revision else ""
    for model in listed if commit else ():
        if (
            model.model.partition("@")[0] == name.removeprefix("models/")
            and commit in model.commits
        ):
            return f"models/{model.model}"
    return wanted


def _open_versions(index: Index, root: Path, listed: Sequence[Listed]) -> list[Mapping[Path, Path]]:
    """Return the tables of each student's version in which things are looked up."""
    objects, tables = Objects(index, root), (*JUDGED_BY, *LOOKED_UP_IN)
    told = [model.provenance for model in listed]
    found = [find_tables(objects, p, tables) if p else {} for p in told]
    index.prepare(one for version in found for one in want_tables(version, tables))
    return list(found)


def _trace_student(index: Index, root: Path, thing: Thing, listed: list[Listed]) -> Trace:
    """Return the trace of a model: what its rows came from, and the students that began with it."""
    student = next(model for model in listed if f"models/{model.model}" == thing.id)
    heirs = judge_heirs(student, listed)
    return Trace(
        thing=thing,
        upstream=tuple(step_up_student(index, root, student)),
        counted=(),
        downstream=tuple(step_down_student(heirs)),
        # Alone it has no heir that is unknown; nobody can tell of it all the same.
        verdict=worst_verdict(heirs) if student.provenance else "unknown",
        models=tuple(heirs),
        datasets=(),
    )
