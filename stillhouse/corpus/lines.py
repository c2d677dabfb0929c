"""Lines of text without markup into blocks: what plain text and PDF pages have in common."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from stillhouse.corpus.blocks import Block, Item, Paragraph, Table

_MARKER: Final = re.compile(
    r"""\s*(?:
        (?P<bullet>[-*+•‣▪◦·–—])            # - item
      | (?P<box>\[[ xX]?\])                 # [ ] item
      | (?P<number>\d{1,3})[.)]             # 1. item
      | (?P<label>\d+(?:\.\d+)+\.?          # 2.1 clause
            | \([a-z0-9]{1,4}\) )           # (a) clause
    )\s+(?=\S)""",
    re.VERBOSE,
)
_GAP: Final = re.compile(r" {2,}")
_RULE: Final = re.compile(r"[-=_+|:~ ]{3,}")
_LABELLED: Final = re.compile(r"[A-Z][^:.;!?]{1,70}: \S")
_WORD: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def find_words(lines: Sequence[str]) -> frozenset[str]:
    """Return the words of all lines, in lower case, to tell a hyphen from a broken word."""
    return frozenset(word.lower() for line in lines for word in _WORD.findall(line))


def measure_width(lines: Sequence[str]) -> int:
    """Return the column at which the text seems to be wrapped: its longer lines' length."""
    lengths = sorted(len(line) for line in lines if line.strip())
    return lengths[len(lengths) * 9 // 10] if lengths else 0


def is_rule(line: str) -> bool:
    """Say whether a line only draws a rule."""
    text = line.strip()
    return bool(_RULE.fullmatch(text)) and any(mark in text for mark in "-=_~")


def starts_item(line: str) -> bool:
    """Say whether a line begins with the mark of a list item."""
    return _MARKER.match(line) is not None


def join_lines(lines: Sequence[str], vocabulary: frozenset[str]) -> str:
    """Return hard-wrapped lines as one, with words that were broken at a line's end made whole.

    ``vocabulary`` decides between a broken word and a hyphen of its own: whichever form the
    document uses elsewhere; a form that it never uses is taken for a broken word.
    """
    text = ""
    for line in (line.strip() for line in lines):
        if text and not _ends_in_hyphen(text, line):
            text += " "
        elif text and not _keeps_hyphen(text, line, vocabulary):
            text = text[:-1]
        text += line
    return text


def read_group(lines: Sequence[str], width: int, vocabulary: frozenset[str]) -> Iterator[Block]:
    """Yield the blocks of lines that no blank line parts: a table, items, paragraphs."""
    lines = [line for line in lines if line.strip()]
    if columns := _read_columns(lines):
        yield from columns
        return
    lines = [line for line in lines if not is_rule(line)]
    bounds = [*(i for i, line in enumerate(lines) if starts_item(line)), len(lines)]
    yield from _read_paragraphs(lines[: bounds[0]], width, vocabulary)
    for begin, end in pairwise(bounds):
        yield _read_item(join_lines(lines[begin:end], vocabulary))


def _read_item(text: str) -> Item:
    found = _MARKER.match(text)
    assert found is not None
    rest = text[found.end() :]
    if found["label"]:  # other places refer to a clause by its label, so it stays
        return Item(f"{found['label']} {rest}")
    return Item(rest, int(found["number"]) if found["number"] else None)


def _read_columns(lines: Sequence[str]) -> list[Block]:
    """Return a table where a rule follows the head, items where aligned lines have none, or []."""
    rows = [_GAP.split(line.strip()) for line in lines if not is_rule(line)]
    if len(rows) < 2 or len(rows[0]) < 2 or len({len(row) for row in rows}) > 1:
        return []
    if any(starts_item(line) for line in lines):
        return []
    head = next((i for i, line in enumerate(lines) if not is_rule(line)), 0)
    if head + 1 < len(lines) and is_rule(lines[head + 1]):
        return [Table(tuple(tuple(row) for row in rows))]
    return [Item(f"{row[0].rstrip(':')}: {', '.join(row[1:])}") for row in rows]


def _read_paragraphs(
    lines: Sequence[str], width: int, vocabulary: frozenset[str]
) -> Iterator[Block]:
    """Yield paragraphs; lines that were broken on purpose stay apart, labelled ones become items."""
    breaks = [i for i in range(1, len(lines)) if _is_deliberate(lines[i - 1], lines[i], width)]
    bounds = [0, *breaks, len(lines)]
    texts = [join_lines(lines[begin:end], vocabulary) for begin, end in pairwise(bounds)]
    texts = [text for text in texts if text]
    labelled = len(texts) > 1 and all(_LABELLED.match(text) for text in texts)
    yield from (Item(text) if labelled else Paragraph(text) for text in texts)


def _is_deliberate(line: str, following: str, width: int) -> bool:
    """Say whether the break after ``line`` was meant: the next word would have fitted on it."""
    line, following = line.rstrip(), following.strip()
    if len(line) + 1 + len(following.split(maxsplit=1)[0]) > width:
        return False
    ends = line.endswith((".", "!", "?", ":", ";")) and following[:1].isupper()
    return ends or _LABELLED.match(following) is not None


def _ends_in_hyphen(text: str, following: str) -> bool:
    return len(text) > 1 and text[-1] == "-" and text[-2].isalpha() and following[:1].isalpha()


def _keeps_hyphen(text: str, following: str, vocabulary: frozenset[str]) -> bool:
    if not following[:1].islower():
        return True
    left = _WORD.findall(text.rsplit(maxsplit=1)[-1][:-1])[-1].lower()
    right = _WORD.findall(following.split(maxsplit=1)[0])[0].lower()
    return f"{left}-{right}" in vocabulary and left + right not in vocabulary
