"""The plain verdicts on a thing: what ``stillhouse.tracing.trace.trace`` says of the same students."""

from pathlib import Path

from tests.plain_trace.find import Thing, find_thing
from tests.plain_trace.models import ModelVerdict, judge_models, list_models
from tests.plain_trace.past import find_version, follow_thing


def judge_plainly(
    root: Path, wanted: str
) -> tuple[Thing, list[ModelVerdict], dict[str, list[str]]]:
    """Return what a name means, the verdict on each student in ``models/``, and what came of it by kind.

    Raises:
        InputError: nothing or more than one thing is called so.
    """
    listed = list_models(root)
    rows = (row_id for model in listed for row_id in model.rows)
    versions = (find_version(root, m.provenance) if m.provenance else {} for m in listed)
    thing = find_thing(root, wanted, rows, [model.model for model in listed], versions)
    reach = follow_thing(root, thing)
    came = {
        "chunk": [chunk.chunk_id for chunk in reach.chunks],
        "request": [request.request_id for request in reach.requests],
        "pair": [pair.pair_id for pair in reach.pairs],
        "rejection": [rejection.rejected_id for rejection in reach.rejections],
        "row": [row.row_id for row in reach.rows],
    }
    others = {
        kind: [i for i in ids if i != thing.id or kind == "rejection"] for kind, ids in came.items()
    }
    return thing, judge_models(root, listed, reach), others
