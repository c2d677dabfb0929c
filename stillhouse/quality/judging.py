"""What of the judges is part of a row's identity, and what becomes of a pair that one could not judge."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from stillhouse.base.ids import Json
from stillhouse.base.records import Rejection
from stillhouse.prompts.judging import UNCONFIRMED
from stillhouse.quality.judge import JudgeParams

UNJUDGED: Final = "judgement"  # kind of the rejections in data/judging: a pair without a score
_MODELS_ONLY: Final = ("judges", "rubrics", "seed", "samples", "unjudged")
_EXECUTING: Final = ("execute_code", "execute_seconds", "execute_memory_mb")
_NO_MATTER: Final = {"tolerate_refusals", "ask_again"}  # of how it is asked, not what comes out


def describe_judge(params: JudgeParams, rubrics: Mapping[str, str]) -> dict[str, Json]:
    """Return what of the judges is part of each row's ``judge_sha256``.

    ``rubrics`` holds the sha256 of each rubric file by name. Without models it is what it was before
    there were any, so that rows made then stay as they are.
    """
    unset = set() if params.likelihood.model else {"likelihood"}
    unset |= {name for name in _EXECUTING if name not in params.model_dump(exclude_defaults=True)}
    said: dict[str, Json] = params.model_dump(mode="json", exclude=_NO_MATTER | unset)
    if not params.models:
        return {name: value for name, value in said.items() if name not in _MODELS_ONLY}
    judges: list[Json] = [
        {"provider": one.provider, "model": one.model_name, **one.sampling} for one in params.models
    ]
    return {**said, "judges": judges, "rubrics": dict(sorted(rubrics.items()))}


def find_unjudged(rejections: Iterable[Rejection], params: JudgeParams) -> dict[str, str]:
    """Return why each pair that has to go was not judged, by its id.

    ``rejections`` are those of ``data/judging``. Empty where ``judge.unjudged`` keeps such pairs. A pair that
    only has no confidence is judged, and stays.
    """
    said: dict[str, list[str]] = defaultdict(list)
    for rejection in rejections if params.unjudged == "reject" else ():
        if rejection.kind == UNJUDGED and rejection.reason != UNCONFIRMED:
            said[rejection.rejected_id].append(f"{rejection.reason}: {rejection.detail}")
    return {pair_id: "; ".join(details) for pair_id, details in said.items()}
