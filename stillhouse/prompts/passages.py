"""Passages inside a prompt: written and read back by the same few lines.

    <passage source="people/annual-leave.md" section="Annual leave > Carrying over">
    text
    </passage>

Whoever renders a passage (prompts, evaluation) and whoever reads one (the offline teacher) import
this module, so that the two never drift apart.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

SECTION_SEPARATOR: Final = " > "

_OPENING: Final = r'<passage source="([^"\n]*)" section="([^"\n]*)">\n'
_PASSAGE: Final = re.compile(_OPENING + r"(.*?)\n</passage>", re.DOTALL)
# A document may itself hold a passage tag (a text about prompts, or an attack): one backslash
# after the bracket keeps it from ending or opening a passage, and reading takes it off again.
_TAG: Final = re.compile(r"<(\\*)(/?)(?=passage|question)", re.IGNORECASE)
_DEFUSED_TAG: Final = re.compile(r"<\\(\\*)(/?)(?=passage|question)", re.IGNORECASE)
Told: TypeAlias = Literal["answer", "fact"]
_PUT, _TAKE = r"<\\\1\2", r"<\1\2"
_TOLD: Final[Mapping[Told, re.Pattern[str]]] = {
    "answer": re.compile(r"<answer>\n(.*?)\n</answer>", re.DOTALL),
    "fact": re.compile(r"<fact>\n(.*?)\n</fact>", re.DOTALL),
}
_TOLD_TAG: Final = {name: re.compile(rf"<(\\*)(/?)(?={name})", re.IGNORECASE) for name in _TOLD}
_TOLD_DEFUSED: Final = {
    name: re.compile(rf"<\\(\\*)(/?)(?={name})", re.IGNORECASE) for name in _TOLD
}
_QUESTION: Final = re.compile(r"<question>\n(.*?)\n</question>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage as it stands in a prompt; ``section`` is the heading path joined by `` > ``."""

    source: str
    section: str
    text: str


def join_section(headings: tuple[str, ...]) -> str:
    """Return a heading path as one line, outermost heading first."""
    return SECTION_SEPARATOR.join(headings)


def render_passage(source: str, section: str, text: str) -> str:
    """Return the passage as a tagged block; a passage tag inside ``text`` is defused."""
    attributes = f'source="{_escape(source)}" section="{_escape(section)}"'
    return f"<passage {attributes}>\n{_defuse(text)}\n</passage>"


def parse_passages(text: str) -> list[Passage]:
    """Return the passages of a prompt in their order, with the texts given to ``render_passage``."""
    return [
        Passage(
            source=html.unescape(found[1]),
            section=html.unescape(found[2]),
            text=_restore(found[3]),
        )
        for found in _PASSAGE.finditer(text)
    ]


def render_question(question: str) -> str:
    """Return a question that the teacher is told of as a tagged block, defused like a passage."""
    return f"<question>\n{_defuse(question.strip())}\n</question>"


def parse_questions(text: str) -> list[str]:
    """Return the questions of a prompt as they were given to ``render_question``."""
    return [_restore(found[1]) for found in _QUESTION.finditer(text)]


def render_told(name: Told, text: str) -> str:
    """Return what a pair to be developed says (its answer, its fact) as a tagged block, defused."""
    return f"<{name}>\n{_TOLD_TAG[name].sub(_PUT, _defuse(text.strip()))}\n</{name}>"


def parse_told(name: Told, text: str) -> list[str]:
    """Return the blocks of a prompt as they were given to ``render_told``; a passage holds none."""
    found = _TOLD[name].finditer(_PASSAGE.sub("", text))
    return [_restore(_TOLD_DEFUSED[name].sub(_TAKE, one[1])) for one in found]


def cut_told(text: str) -> str:
    """Return a prompt without the blocks of ``render_told``."""
    for pattern in _TOLD.values():
        text = pattern.sub("", text)
    return text


def _defuse(text: str) -> str:
    return _TAG.sub(r"<\\\1\2", text)


def _restore(text: str) -> str:
    return _DEFUSED_TAG.sub(r"<\1\2", text)


def _escape(value: str) -> str:
    """Return a value that fits between quotation marks; a ``>`` stays, it parts a heading path."""
    return html.escape(" ".join(value.split()), quote=True).replace("&gt;", ">")
