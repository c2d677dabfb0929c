"""What requests are for, where it is no task of a prompt file: names that no prompt file can have."""

from typing import Final

_JUDGING: Final = "judge/"
CONFIRM: Final = "confirm"


def name_judging(criterion: str) -> str:
    """Return the task of a request that has a pair judged, or (``CONFIRM``) its question answered."""
    return f"{_JUDGING}{criterion}"


def is_judging(task: str) -> bool:
    """Say whether a request asks a judge, whose answer has a form of its own."""
    return task.startswith(_JUDGING)


def is_confirming(task: str) -> bool:
    """Say whether a request has a pair's question answered anew."""
    return task == name_judging(CONFIRM)
