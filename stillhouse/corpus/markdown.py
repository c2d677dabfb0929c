"""Normalised Markdown read back as spans: what the first characters of each line say it is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["heading", "paragraph", "item", "row", "code"]

_HEADING: Final = re.compile(r"(#{1,6}) (.*)")
_ITEM: Final = re.compile(r" *(?:-|\d{1,9}\.) ")


@dataclass(frozen=True, slots=True)
class Span:
    """One line (or one fenced block) at ``text[start:end]``; ``level`` is a heading's, else 0."""

    kind: Kind
    level: int
    start: int
    end: int


def read_spans(text: str) -> Iterator[Span]:
    """Yield the spans of a text written by ``write_blocks``, in order and without blank lines."""
    position, fence = 0, -1
    for line in text.splitlines(keepends=True):
        start, body = position, line.rstrip("\n")
        position += len(line)
        if body.startswith("```"):
            if fence >= 0:
                yield Span("code", 0, fence, start + len(body))
            fence = start if fence < 0 else -1
        elif fence < 0 and body:
            kind, level = _tell_kind(body)
            yield Span(kind, level, start, start + len(body))
    if fence >= 0:
        yield Span("code", 0, fence, len(text.rstrip("\n")))


def heading_text(line: str) -> str:
    """Return a heading line's text without its marks."""
    found = _HEADING.match(line)
    return found[2] if found else line


def _tell_kind(line: str) -> tuple[Kind, int]:
    if found := _HEADING.match(line):
        return "heading", len(found[1])
    if line.startswith("| "):
        return "row", 0
    return ("item" if _ITEM.match(line) else "paragraph"), 0
