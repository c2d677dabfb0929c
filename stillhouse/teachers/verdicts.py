"""A judge's answer into a score with its rationale, or into an answer of its own."""

from dataclasses import dataclass
from typing import Final

from stillhouse.base.tasks import is_confirming
from stillhouse.teachers.answers import find_json

LOWEST: Final = 1
HIGHEST: Final = 5
_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Scored:
    """A score in [0, 1] and what the judge said of it."""

    score: float
    rationale: str


def read_score(text: str) -> Scored:
    """Return what a judge's answer says: 1 to 5 become 0, 0.25, 0.5, 0.75 and 1.

    Raises:
        ValueError: it is no JSON, or not ``{"rationale": text, "score": 1 to 5}``.
    """
    match find_json(text)[0]:
        case {"score": int() | float() as score, "rationale": str(rationale)} if (
            not isinstance(score, bool) and LOWEST <= score <= HIGHEST
        ):
            share = (score - LOWEST) / (HIGHEST - LOWEST)
            return Scored(round(share, _DIGITS), _clean(rationale))
        case _:
            raise ValueError('not an object {"rationale": "...", "score": 1 to 5}')


def read_answer(text: str) -> str:
    """Return the answer that was given to a pair's question; empty where it was said to be nowhere.

    Raises:
        ValueError: it is no JSON, or not ``{"answer": text}``.
    """
    match find_json(text)[0]:
        case {"answer": str(answer)}:
            return _clean(answer)
        case _:
            raise ValueError('not an object {"answer": "..."}')


def check_verdict(task: str, text: str) -> None:
    """Raise ``ValueError`` unless the text is what a judge was asked for by a request of this task."""
    if is_confirming(task):
        read_answer(text)
    else:
        read_score(text)


def _clean(text: str) -> str:
    """Return a text in one line; half a character, which JSON may hold and no file can, becomes ``?``."""
    return " ".join(text.encode(errors="replace").decode().split())
