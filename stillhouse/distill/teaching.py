"""What a student is taught by beside words: captured distributions, or teachers that are asked."""

from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedModel

from stillhouse.base.runtime import Runtime
from stillhouse.distill.batches import Targets
from stillhouse.distill.distributions import Distributions, read_distributions
from stillhouse.distill.encode import Encoded, Reading
from stillhouse.distill.parts import REPLAY, TEACHER, Part, name_tokens
from stillhouse.distill.readings import read_readings
from stillhouse.distill.train import attend_plainly


def open_teaching(
    folder: Path, parts: Sequence[Part], train: Sequence[Encoded], runtime: Runtime
) -> tuple[Targets, tuple[PreTrainedModel, ...]]:
    """Return what was captured for a student, and the teachers that are asked while it trains.

    Args:
        folder: ``data/distributions/<student>``.
        parts: the captures that its recipe needs.
        train: the rows to learn; all of them must have been captured as they are.
        runtime: where the teachers run.

    Raises:
        InputError: a capture is missing or torn.
        DriftError: it is of another teacher, tokenizer, template or row than today's; says which.
    """
    found: dict[str, Distributions] = {}
    live: dict[str, Reading] = {}
    teachers: list[PreTrainedModel] = []
    for part in parts:
        place, wanted = folder / part.name, name_tokens(part, train)
        if not part.live:
            found[part.name] = read_distributions(place, part.origin, wanted)
            continue
        live |= read_readings(place, part.origin, wanted)
        for teacher in part.load_models():
            if live:
                attend_plainly(teacher, [len(one.input_ids) for one in live.values()], runtime)
            teachers.append(teacher)
    return Targets(found.get(REPLAY), found.get(TEACHER), live), tuple(teachers)
