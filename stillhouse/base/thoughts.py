r"""Reasoning and answer in one text, as a student that reasons first writes them, and back again.

The form is ``<think>``, the reasoning, ``</think>``, an empty line, the answer. The closing tag ends the
reasoning wherever it stands, so one inside of it is written with a backslash, ``<\/think>``, and one
that has backslashes gets one more. Without reasoning the text is the answer alone.
"""

import re
from dataclasses import dataclass
from typing import Final

OPEN: Final = "<think>"
_CLOSE: Final = "</think>"
_INSIDE: Final = re.compile(r"<(\\*)/think>")
_ESCAPED: Final = re.compile(r"<\\(\\*)/think>")


@dataclass(frozen=True, slots=True)
class Thoughts:
    """A text taken apart; without ``finished`` the reasoning did not end, and there is no answer."""

    reasoning: str
    answer: str
    finished: bool = True


def write_thoughts(reasoning: str, answer: str) -> str:
    """Return reasoning and answer as one text, from which ``read_thoughts`` gets back both, whatever they hold."""
    if not reasoning and not answer.startswith(OPEN) and not _begins_to_open(answer):
        return answer
    return f"{OPEN}\n{_INSIDE.sub(_add_backslash, reasoning)}\n{_CLOSE}\n\n{answer}"


def read_thoughts(text: str) -> Thoughts:
    """Return the reasoning and the answer of a text; one that does not begin with the tag is the answer.

    Line ends beside the tags belong to the form and may be missing: models leave them out.
    """
    if _begins_to_open(text):
        return Thoughts("", "", finished=False)
    if not text.startswith(OPEN):
        return Thoughts("", text)
    inside, end, answer = text.removeprefix(OPEN).removeprefix("\n").partition(_CLOSE)
    reasoning = _ESCAPED.sub(_take_backslash, inside)
    if not end:
        return Thoughts(reasoning, "", finished=False)
    return Thoughts(reasoning.removesuffix("\n"), re.sub(r"\A\n{1,2}", "", answer))


def _begins_to_open(text: str) -> bool:
    """Say whether a text ends within the opening tag."""
    return text not in ("", OPEN) and OPEN.startswith(text)


def _add_backslash(found: re.Match[str]) -> str:
    return f"<\\{found[1]}/think>"


def _take_backslash(found: re.Match[str]) -> str:
    return f"<{found[1]}/think>"
