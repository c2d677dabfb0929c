"""The blocks of a document, and the one way in which they are written as Markdown.

Every reader, whatever its format, returns blocks; ``write_blocks`` alone knows how they look. So
the chunker and all that follows read one dialect, in which a line's first characters say what it is.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_INVISIBLE: Final = re.compile(
    "[\u00ad\u200b-\u200f\u2028-\u202e\u2060\ufeff]|[\x00-\x08\x0b-\x1f\x7f]|[\ud800-\udfff]"
)
# What would be read as another kind of block at the start of a paragraph is escaped there.
_MISREAD: Final = re.compile(r"^(#{1,6} |[-*+] |> |\||```)|^(\d{1,9})([.)] )")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1 (outermost) to 6."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text, without line breaks once it is written."""

    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """One list item; ``number`` is None in an unordered list, ``depth`` 0 in an outermost one."""

    text: str
    number: int | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; the first row holds the column names."""

    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Text whose line breaks count."""

    text: str


Block = Heading | Paragraph | Item | Table | Code


def write_blocks(blocks: Iterable[Block]) -> str:
    """Return the blocks as normalised Markdown, ending in one newline; empty ones are left out."""
    parts: list[str] = []
    before: Block | None = None
    for block in blocks:
        written = _write(block)
        if not written:
            continue
        if before is not None:
            parts.append("\n" if isinstance(before, Item) and isinstance(block, Item) else "\n\n")
        parts.append(written)
        before = block
    return "".join([*parts, "\n"]) if parts else ""


def clean(text: str) -> str:
    """Return ``text`` on one line: NFC, plain spaces, nothing invisible."""
    return " ".join(clean_lines(text).split())


def clean_lines(text: str) -> str:
    """Return ``text`` in NFC with plain spaces and newlines and nothing invisible."""
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(" " if char != "\n" and char.isspace() else char for char in text)
    return _INVISIBLE.sub("", text)


def first_heading(blocks: Iterable[Block]) -> str:
    """Return the text of the first heading that is not empty, or an empty text."""
    titles = (clean(block.text) for block in blocks if isinstance(block, Heading))
    return next((title for title in titles if title), "")


def _write(block: Block) -> str:
    if isinstance(block, Table):
        return "\n".join(_write_rows(block.rows))
    if isinstance(block, Code):
        text = clean_lines(block.text).strip("\n").replace("```", "` ` `")
        return f"```\n{text}\n```" if text.strip() else ""
    text = clean(block.text)
    if not text:
        return ""
    if isinstance(block, Heading):
        return f"{'#' * min(max(block.level, 1), 6)} {text}"
    if isinstance(block, Item):
        marker = "-" if block.number is None else f"{block.number}."
        return f"{'  ' * block.depth}{marker} {text}"
    return _MISREAD.sub(
        lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}", text
    )


def _write_rows(rows: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    width = max((len(row) for row in rows), default=0)
    for index, row in enumerate(rows):
        cells = [clean(cell).replace("|", "\\|") for cell in row] + [""] * (width - len(row))
        yield "| " + " | ".join(cells) + " |"
        if index == 0:
            yield "| " + " | ".join(["---"] * width) + " |"
