"""PDF pages into blocks: lines by their place and letter size, page furniture left out.

Text in columns and tables is read line by line from left to right: a PDF does not say more.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from pypdf import PageObject, PdfReader
from pypdf.generic import DictionaryObject

from stillhouse.corpus.blocks import Block, Heading, Paragraph, clean
from stillhouse.corpus.lines import find_words, join_lines, measure_width, read_group, starts_item

_HEADING_SIZE: Final = 1.12  # times the body's letter size
_PARAGRAPH_GAP: Final = 1.25  # times the usual distance of lines
_EDGE_LINES: Final = 3  # lines at a page's top and bottom that may be furniture
_PAGE_NUMBER: Final = re.compile(
    r"(?:page\s*)?[-–]?\s*\d+\s*[-–]?(?:\s*(?:of|/)\s*\d+)?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a page: its text, baseline in points from the page's foot, letter size, weight."""

    text: str
    y: float
    size: float
    bold: bool


def read_pdf(data: bytes) -> list[Block]:
    """Return the blocks of a PDF file; a scanned one, without text, has none.

    Raises:
        pypdf.errors.PyPdfError: the file is broken, or encrypted with a password.
    """
    pages = [_read_lines(page) for page in PdfReader(io.BytesIO(data)).pages]
    furniture = _find_furniture(pages)
    pages = [_without_furniture(lines, furniture) for lines in pages]
    lines = [line for page in pages for line in page]
    if not lines:
        return []
    texts = [line.text for line in lines]
    return _read_blocks(_group(pages), lines, measure_width(texts), find_words(texts))


def _read_blocks(
    groups: list[list[Line]], lines: list[Line], width: int, vocabulary: frozenset[str]
) -> list[Block]:
    levels = _heading_levels(lines)
    blocks: list[Block] = []
    for group in groups:
        level = levels.get(_look(group[0]), 0)
        texts = [line.text for line in group]
        if level:
            blocks.append(Heading(level, join_lines(texts, vocabulary)))
            continue
        for block in read_group(texts, width, vocabulary):
            before = blocks.pop() if blocks else None
            blocks += _join_continued(before, block, vocabulary)
    return blocks


def _join_continued(
    before: Block | None, block: Block, vocabulary: frozenset[str]
) -> Iterator[Block]:
    """Yield two blocks, or one where a paragraph goes on in mid-sentence after the end of a page."""
    if isinstance(before, Paragraph) and isinstance(block, Paragraph):
        ended = before.text.endswith((".", "!", "?", ":"))
        if not ended and block.text[:1].islower():
            yield Paragraph(join_lines([before.text, block.text], vocabulary))
            return
    if before is not None:
        yield before
    yield block


def _read_lines(page: PageObject) -> list[Line]:
    """Return a page's lines; fragments on one baseline are one line."""
    lines: list[Line] = []

    def visit(
        text: str, cm: list[float], tm: list[float], font: DictionaryObject | None, size: float
    ) -> None:
        for part in text.split("\n"):
            if not part.strip():
                continue
            line = Line(part, *_place(cm, tm, size), bold=_is_bold(font))
            if lines and abs(lines[-1].y - line.y) < 0.3 * line.size:
                lines[-1] = replace(lines[-1], text=_join_fragments(lines[-1].text, part))
            else:
                lines.append(line)

    visitor: Any = visit  # pypdf's own annotation of a visitor is just Any
    page.extract_text(visitor_text=visitor)
    cleaned = (replace(line, text=clean(line.text)) for line in lines)
    return [line for line in cleaned if line.text]


def _join_fragments(left: str, right: str) -> str:
    return left + right if left.endswith(" ") or right.startswith(" ") else f"{left} {right}"


def _place(cm: Sequence[float], tm: Sequence[float], size: float) -> tuple[float, float]:
    """Return the baseline's height and the letter size in points after both transformations."""
    y = tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
    scale = abs(tm[3] * cm[3]) or 1.0
    return round(y, 1), round(size * scale, 1)


def _is_bold(font: DictionaryObject | None) -> bool:
    return font is not None and "bold" in str(font.get("/BaseFont", "")).lower()


def _find_furniture(pages: list[list[Line]]) -> frozenset[str]:
    """Return the texts, numbers masked, that stand at the edge of at least half of the pages."""
    counts = Counter(mask for page in pages for mask in {_mask(line) for line in _edges(page)})
    needed = max(2, len(pages) / 2)
    return frozenset(mask for mask, count in counts.items() if count >= needed)


def _without_furniture(page: list[Line], furniture: frozenset[str]) -> list[Line]:
    edges = {
        id(line)
        for line in _edges(page)
        if _mask(line) in furniture or _PAGE_NUMBER.fullmatch(line.text)
    }
    return [line for line in page if id(line) not in edges]


def _edges(page: list[Line]) -> list[Line]:
    ordered = sorted(page, key=lambda line: -line.y)
    return ordered[:_EDGE_LINES] + ordered[_EDGE_LINES:][-_EDGE_LINES:]


def _mask(line: Line) -> str:
    return re.sub(r"\d+", "#", line.text.casefold())


def _look(line: Line) -> tuple[float, bool]:
    return line.size, line.bold


def _heading_levels(lines: list[Line]) -> dict[tuple[float, bool], int]:
    """Return the level of each look in which headings are set, the largest letters outermost."""
    letters: Counter[tuple[float, bool]] = Counter()
    for line in lines:
        letters[_look(line)] += len(line.text)
    body_size, body_bold = max(letters, key=lambda look: (letters[look], look))
    larger = sorted(
        (look for look in letters if look[0] >= body_size * _HEADING_SIZE), reverse=True
    )
    if not body_bold and (body_size, True) in letters:
        larger.append((body_size, True))
    return {look: min(level, 6) for level, look in enumerate(larger, start=1)}


def _group(pages: list[list[Line]]) -> list[list[Line]]:
    """Return lines in groups: a new one after a wide gap, at a change of look, at a new page."""
    leading = _usual_leading(pages)
    groups: list[list[Line]] = []
    for page in pages:
        groups += [list(group) for group in _split_page(page, leading)]
    return groups


def _split_page(page: list[Line], leading: float) -> Iterator[list[Line]]:
    group: list[Line] = []
    for line in page:
        if group and _parts(group[-1], line, leading):
            yield group
            group = []
        group.append(line)
    if group:
        yield group


def _parts(before: Line, line: Line, leading: float) -> bool:
    gap = before.y - line.y
    wide = gap > leading * _PARAGRAPH_GAP * max(1.0, line.size / before.size) or gap < 0
    resized = abs(before.size - line.size) > 0.05 * before.size
    # A bold word within a paragraph changes the look of a fragment, not of a line's beginning.
    reset = before.bold != line.bold and not starts_item(line.text)
    return wide or resized or reset


def _usual_leading(pages: list[list[Line]]) -> float:
    gaps = Counter(
        round(before.y - line.y, 1)
        for page in pages
        for before, line in pairwise(page)
        if before.y > line.y
    )
    return max(gaps, key=lambda gap: (gaps[gap], -gap)) if gaps else 0.0
