"""Plain text into blocks: headings that are told by their look, hard-wrapped lines made whole."""

import re
from collections.abc import Sequence
from typing import Final

from stillhouse.corpus.blocks import Block, Heading, Paragraph, clean_lines
from stillhouse.corpus.lines import (
    find_words,
    is_rule,
    measure_width,
    read_group,
)

_NUMBERED: Final = re.compile(r"(\d+(?:\.\d+)*)\.?\s+(\S.*)")
_COLUMN_GAP: Final = re.compile(r" {3,}")
_LONGEST_HEADING: Final = 80  # characters
_MOST_WORDS: Final = 12


def read_plain(text: str) -> list[Block]:
    """Return the blocks of a text without markup.

    A heading is a line underlined with ``===`` (level 1) or ``---`` (level 2), a numbered line
    such as ``3.2 Title`` on its own (level 2 and deeper), or a line in CAPITALS (level 2). The
    document's first lines, where they look like a title, are its heading of level 1.
    """
    groups = _split_groups(clean_lines(text.expandtabs(4)))
    lines = [line for group in groups for line in group]
    width, vocabulary = measure_width(lines), find_words(lines)
    numbered = _find_numbered_headings(groups)
    blocks: list[Block] = []
    for index, group in enumerate(groups):
        if index in numbered:
            blocks.append(numbered[index])
            continue
        title, below = _take_title(group) if index == 0 else ([], group)
        heads, rest = _take_headings(below)
        blocks += [*title, *heads, *read_group(rest, width, vocabulary)]
    return blocks


def _split_groups(text: str) -> list[list[str]]:
    groups: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.strip():
            groups[-1].append(line.rstrip())
        elif groups[-1]:
            groups.append([])
    return [group for group in groups if group]


def _take_title(group: list[str]) -> tuple[list[Block], list[str]]:
    """Return the title block of a document's first group and the lines left of the group.

    Lines in capitals that follow each other are one title (a letterhead); what stands beside them
    after a wide gap is a paragraph below it.
    """
    parts: list[str] = []
    beside: list[Block] = []
    taken = 0
    for line in group:
        first, *others = _COLUMN_GAP.split(line.strip())
        if not _is_capitals(first):
            break
        parts.append(first)
        beside += [Paragraph(other) for other in others]
        taken += 1
    if parts:
        return [Heading(1, ": ".join(parts)), *beside], group[taken:]
    if len(group) == 1 and _looks_like_heading(group[0]) and not _NUMBERED.match(group[0]):
        return [Heading(1, group[0])], []
    return [], group


def _take_headings(group: Sequence[str]) -> tuple[list[Block], Sequence[str]]:
    """Return the headings with which a group begins, and its other lines."""
    heads: list[Block] = []
    while group:
        level = _underline(group[1]) if len(group) > 1 else 0
        if level and len(group[0].strip()) <= _LONGEST_HEADING and not _has_gap(group[0]):
            heads.append(Heading(level, group[0].strip()))
            group = group[2:]
        elif _is_capitals(group[0].strip()):
            heads.append(Heading(2, group[0].strip()))
            group = group[1:]
        else:
            break
    return heads, group


def _underline(line: str) -> int:
    """Return the level of the heading that such a line underlines, or 0."""
    text = line.strip()
    if not is_rule(line) or len(set(text)) > 1:
        return 0
    return 1 if text[0] == "=" else 2


def _has_gap(line: str) -> bool:
    return _COLUMN_GAP.search(line.strip()) is not None


def _find_numbered_headings(groups: list[list[str]]) -> dict[int, Heading]:
    """Return the groups that are one numbered heading; several in a row at one depth are a list."""
    found: dict[int, Heading] = {}
    for index, group in enumerate(groups):
        match = _NUMBERED.fullmatch(group[0].strip()) if len(group) == 1 else None
        if match and match[2][0].isupper() and _looks_like_heading(match[2]):
            found[index] = Heading(min(match[1].count(".") + 2, 6), group[0].strip())
    return {
        index: heading
        for index, heading in found.items()
        if not any(
            other in found and found[other].level == heading.level
            for other in (index - 1, index + 1)
        )
    }


def _is_capitals(text: str) -> bool:
    """Say whether a line is written in capitals and short enough to be a heading."""
    letters = [char for char in text if char.isalpha()]
    capitals = len(letters) >= 4 and all(char.isupper() for char in letters)
    return capitals and _looks_like_heading(text)


def _looks_like_heading(text: str) -> bool:
    text = text.strip()
    short = len(text) <= _LONGEST_HEADING and len(text.split()) <= _MOST_WORDS
    return short and not text.endswith((".", ",", ";", ":")) and not _has_gap(text)
