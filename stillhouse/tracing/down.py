"""What was made of a thing, step by step, all that was rejected among it with the reasons."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stillhouse.base.ids import Json
from stillhouse.base.records import Rejection
from stillhouse.tracing.find import find_twin
from stillhouse.tracing.models import Listed
from stillhouse.tracing.reach import Reach


@dataclass(frozen=True, slots=True)
class Step:
    """One thing on the way and what is told of it. ``id`` is a content id, a path or a name."""

    kind: str
    id: str
    facts: Mapping[str, Json]

    def to_json(self) -> dict[str, Json]:
        """Return the step as one object."""
        return {"kind": self.kind, "id": self.id, **self.facts}


def step_down(reach: Reach, listed: Sequence[Listed]) -> Iterator[Step]:
    """Yield the chunks, requests, pairs, rejections and rows that come of a thing.

    A last step says of how many rows and pairs the tables here cannot tell, if there are any.
    """
    own = reach.thing.id
    for chunk in reach.chunks:
        if chunk.chunk_id != own:
            place: dict[str, Json] = {"start": chunk.start, "end": chunk.end}
            yield Step("chunk", chunk.chunk_id, {"anchor": chunk.anchor, **place})
    for request in reach.requests:
        if request.request_id != own:
            told: dict[str, Json] = {"task": request.task, "slot_id": request.slot_id}
            yield Step("request", request.request_id, told)
    for pair in reach.pairs:
        if pair.pair_id != own:
            yield Step("pair", pair.pair_id, {"task": pair.task, "slot_id": pair.slot_id})
    for rejection in reach.rejections:
        yield _show_rejection(rejection, listed)
    yield from _show_rows(reach, listed)
    untold = sum(touched is None for touched in reach.touched.values())
    if untold:
        yield Step("untold", "rows and pairs", {"count": untold})


def _show_rows(reach: Reach, listed: Sequence[Listed]) -> Iterator[Step]:
    parts = {row.row_id: path.stem for path, rows in reach.parts.items() for row in rows}
    for row in reach.rows:
        if row.row_id != reach.thing.id:
            facts: dict[str, Json] = {
                "task": row.task,
                "part": parts.get(row.row_id, ""),
                "slot_id": row.slot_id,
                "models": _name_models(row.row_id, listed),
            }
            yield Step("row", row.row_id, facts)


def _show_rejection(rejection: Rejection, listed: Sequence[Listed]) -> Step:
    facts: dict[str, Json] = {
        "of": rejection.kind,
        "stage": rejection.stage,
        "reason": rejection.reason,
        "detail": rejection.detail,
        "slot_id": rejection.slot_id,
        "seen": _say_who_saw(rejection, listed),
        "models": _name_models(rejection.rejected_id, listed),
    }
    return Step("rejection", rejection.rejected_id, facts)


def _say_who_saw(rejection: Rejection, listed: Sequence[Listed]) -> str:
    """Say who saw what was dropped; a student of an earlier dataset may well have learned it."""
    if twin := find_twin(rejection):
        return f"as {twin}, which ingest read in its place"
    if rejection.stage == "ingest":
        return "by nobody: ingest did not read it"
    if models := _name_models(rejection.rejected_id, listed):
        return f"by the teacher and in {', '.join(models)}"
    unread = [model.model for model in listed if model.problem]
    if unread:
        return f"by the teacher; unknown: {', '.join(unread)}"
    return "by the teacher, in no model"


def _name_models(row_id: str, listed: Sequence[Listed]) -> list[str]:
    return [model.model for model in listed if row_id in model.rows]
