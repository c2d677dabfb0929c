"""How a question and its answer are worded: what no careful writer would hand in."""

import re
from collections.abc import Callable
from typing import Final

from stillhouse.base.text import words
from stillhouse.quality.claims import STOPWORDS

_TEMPLATE: Final = re.compile(
    r"\{\{|\}\}|\{%|%\}|\{[a-z_]+\}|\[[A-Z][A-Z_ ]{2,}\]|</?[a-z][^>]*>|\bTODO\b|\bLorem ipsum\b"
)
# An article or a preposition twice in a row comes from a template, hardly ever from a person.
_DOUBLED: Final = re.compile(r"\b(the|a|an|of|in|to|is|for|at|by|on|are)\s+\1\b", re.IGNORECASE)
_MARKUP: Final = re.compile(
    r"\*\*|__|```|`[^`]+`|^\s*#{1,6}\s|^\s*[-*]\s|\|.*\||\]\(", re.MULTILINE
)
_PASSAGE: Final = re.compile(
    r"\b(according to|based on|(?:mentioned|stated|given|described) in)\s+(the|this)\s+(\w+\s)?"
    r"(passage|text|excerpt|context|section|document|paragraph|extract|sentence)\b"
    r"|\b(the|this)\s+(passage|excerpt|extract)\b",
    re.IGNORECASE,
)
_PRONOUN_SUBJECT: Final = re.compile(
    r"^(?:and |so )?(?:what|when|where|who|why|which|how)?(?: \w+){0,2}? ?"
    r"(?:is|are|was|were|do|does|did|must|can|may|should|shall|will|has|have|would) "
    r"(it|this|that|they|these|those|he|she)\b(?! \w+ing\b)"
)
_NAMED_ENOUGH: Final = 3
_DANGLING: Final = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "because",
        "between",
        "but",
        "by",
        "for",
        "from",
        "if",
        "in",
        "into",
        "is",
        "nor",
        "of",
        "or",
        "than",
        "that",
        "the",
        "their",
        "to",
        "was",
        "were",
        "whether",
        "which",
        "with",
        "your",
    ]
)


def find_faults(question: str, answer: str, closed_book: bool, plain_answer: bool) -> list[str]:
    """Return what is wrong with the wording, each in plain words; an empty list is good.

    ``closed_book``: no passage stands beside the question, so it must not speak of one.
    ``plain_answer``: the answer was asked for as plain sentences, without markup.
    """
    faults = [fault for fault, holds in _QUESTION_FAULTS if holds(question)]
    faults += [f"the answer {fault}" for fault, found in _LEFTOVERS if found.search(answer)]
    if plain_answer and _MARKUP.search(answer):
        faults.append("the answer holds markup")
    if closed_book and (_PASSAGE.search(question) or _PASSAGE.search(answer)):
        faults.append("it speaks of a passage that the reader does not have")
    if closed_book and _has_dangling_subject(question):
        faults.append("the question's subject is a pronoun that stands for nothing named")
    return faults


def _has_dangling_subject(question: str) -> bool:
    """Say whether a pronoun is the subject and too little else is named to tell what it means.

    "When must it be reported?" dangles; "How long does it take to repair a buoy?" does not.
    """
    tokens = words(question)
    if not _PRONOUN_SUBJECT.match(" ".join(tokens)):
        return False
    return sum(token not in STOPWORDS for token in tokens) < _NAMED_ENOUGH


def _breaks_off(question: str) -> bool:
    """Say whether the question stops half way; key words without a question mark do not."""
    if question.endswith(("?", ".", "!", '"', "”", ")")):
        return False
    return not question[-1:].isalnum() or words(question)[-1] in _DANGLING


_LEFTOVERS: Final = (
    ("holds a piece of a template", _TEMPLATE),
    ("says a word twice in a row", _DOUBLED),
)
_QUESTION_FAULTS: Final[tuple[tuple[str, Callable[[str], bool]], ...]] = (
    ("the question breaks off", _breaks_off),
    ("the question runs over several lines", lambda text: "\n" in text),
    ("the question holds markup", lambda text: bool(_MARKUP.search(text))),
    *(
        (f"the question {fault}", lambda text, found=found: bool(found.search(text)))
        for fault, found in _LEFTOVERS
    ),
)
