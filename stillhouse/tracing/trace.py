"""A row, pair, request, chunk, document, prompt or model, up- and downstream, with verdicts on models."""

from dataclasses import asdict, dataclass
from pathlib import Path

from stillhouse.base.ids import Json, md5_file
from stillhouse.tracing.down import Step, step_down
from stillhouse.tracing.find import Thing, find_thing
from stillhouse.tracing.models import (
    Listed,
    ModelVerdict,
    Verdict,
    judge_models,
    list_models,
    worst_verdict,
)
from stillhouse.tracing.past import find_version, follow_thing
from stillhouse.tracing.student import judge_heirs, step_down_student, step_up_student
from stillhouse.tracing.up import step_up


@dataclass(frozen=True, slots=True)
class Part:
    """A table of the dataset that holds rows of the thing; ``md5`` is that of its bytes."""

    path: str
    md5: str
    rows: int


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a thing comes from, what came of it, and which models saw it."""

    thing: Thing
    upstream: tuple[Step, ...]
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


def trace(root: Path, wanted: str) -> Trace:
    """Return the trace of what ``wanted`` names in the project at ``root``.

    Raises:
        InputError: a table is missing or unreadable, or nothing or more than one thing is meant.
    """
    listed = list_models(root)
    rows = (row_id for model in listed for row_id in model.rows)
    versions = (find_version(root, m.provenance) if m.provenance else {} for m in listed)
    thing = find_thing(root, wanted, rows, [model.model for model in listed], versions)
    if thing.kind == "model":
        return _trace_student(root, thing, listed)
    reach = follow_thing(root, thing)
    models = judge_models(root, listed, reach)
    return Trace(
        thing=thing,
        upstream=tuple(step_up(root, reach)),
        downstream=tuple(step_down(reach, listed)),
        verdict=worst_verdict(models),
        models=tuple(models),
        datasets=tuple(
            Part(path.as_posix(), md5_file(root / path), len(rows))
            for path, rows in reach.parts.items()
            if rows
        ),
    )


def _trace_student(root: Path, thing: Thing, listed: list[Listed]) -> Trace:
    """Return the trace of a model: what its rows came from, and the students that began with it."""
    student = next(model for model in listed if f"models/{model.model}" == thing.id)
    heirs = judge_heirs(student, listed)
    return Trace(
        thing=thing,
        upstream=tuple(step_up_student(root, student)),
        downstream=tuple(step_down_student(heirs)),
        # Alone it has no heir that is unknown; nobody can tell of it all the same.
        verdict=worst_verdict(heirs) if student.provenance else "unknown",
        models=tuple(heirs),
        datasets=(),
    )
