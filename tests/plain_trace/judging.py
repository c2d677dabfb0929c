"""The plain verdicts on a thing: what ``stillhouse.tracing.trace.trace`` says of the same students."""

from pathlib import Path

from tests.plain_trace.find import Thing, find_thing
from tests.plain_trace.models import ModelVerdict, judge_models, list_models
from tests.plain_trace.past import find_version, follow_thing


def judge_plainly(root: Path, wanted: str) -> tuple[Thing, list[ModelVerdict]]:
    """Return what a name means and the verdict on each student in ``models/``.

    Raises:
        InputError: nothing or more than one thing is called so.
    """
    listed = list_models(root)
    rows = (row_id for model in listed for row_id in model.rows)
    versions = (find_version(root, m.provenance) if m.provenance else {} for m in listed)
    thing = find_thing(root, wanted, rows, [model.model for model in listed], versions)
    return thing, judge_models(root, listed, follow_thing(root, thing))
