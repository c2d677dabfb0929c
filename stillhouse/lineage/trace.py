"""A row, pair, request, chunk, document or prompt, up- and downstream, with a verdict on each model."""

from dataclasses import asdict, dataclass
from pathlib import Path

from stillhouse.base.ids import Json, md5_file
from stillhouse.lineage.trace_down import Step, step_down
from stillhouse.lineage.trace_find import Thing, find_thing
from stillhouse.lineage.trace_models import (
    ModelVerdict,
    Verdict,
    judge_models,
    list_models,
    worst_verdict,
)
from stillhouse.lineage.trace_reach import follow
from stillhouse.lineage.trace_up import step_up


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
            "kind": "document" if self.thing.kind == "skipped file" else self.thing.kind,
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
    thing = find_thing(root, wanted, (row_id for model in listed for row_id in model.rows))
    reach = follow(root, thing)
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
