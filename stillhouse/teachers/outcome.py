"""What came back, looked over before it is kept: a refusal is no answer, nor is half of one."""

from typing import Final

from stillhouse.base.records import Response
from stillhouse.base.tasks import is_judging
from stillhouse.teachers.answers import PLAIN_TASK, load_entries
from stillhouse.teachers.protocol import Failure
from stillhouse.teachers.verdicts import check_verdict

_ENDED: Final = "end_turn"
_REFUSED: Final = "refusal"
_CUT_OFF: Final = {
    "max_tokens": "raise `max_tokens` in the prompt's front matter",
    "model_context_window_exceeded": "take smaller passages (`ingest.max_tokens`)",
}
_SHOWN: Final = 120


def look_over(task: str, response: Response) -> Response | Failure:
    """Return the answer, or the failure that it is; the failure carries what was paid for.

    Plain text (the task ``replay``) may be cut off: its prompt asks for few tokens on purpose. JSON
    that is whole is an answer whatever stands in it; where it makes no pair, its rejection says so.
    A judge's answer is whole where it holds what the judge was asked for.
    """
    name, reason = response.request_id, response.stop_reason
    if reason == _REFUSED:
        said = response.text.strip()[:_SHOWN]
        return Failure(name, f"the teacher refused it: {said!r}", permanent=True, response=response)
    if reason in _CUT_OFF and task != PLAIN_TASK and not _is_whole(task, response.text):
        error = f"the answer was cut off after {response.output_tokens} tokens; {_CUT_OFF[reason]}"
        return Failure(name, error, permanent=True, response=response)
    return response


def is_malformed(task: str, response: Response) -> bool:
    """Say whether an answer that claims to be whole is none: another draw may be one."""
    return (
        task != PLAIN_TASK and response.stop_reason == _ENDED and not _is_whole(task, response.text)
    )


def _is_whole(task: str, text: str) -> bool:
    try:
        if is_judging(task):
            check_verdict(task, text)
        else:
            load_entries(text)
    except ValueError:
        return False
    return True
