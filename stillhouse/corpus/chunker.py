"""Documents into chunks that follow headings and paragraphs and stay where they are.

A section that fits the budget is one chunk. One that does not gives its own text and its
subsections one after the other. A text that is still too long is cut where a hash of the
neighbouring text is smallest, then each side again (content-defined, as a treap is built). So a
cut depends on what stands beside it and not on how much stands before it: after an insertion the
cuts elsewhere fall as they fell, where cutting greedily would move all that follow.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field

from stillhouse.base.ids import Json, content_id
from stillhouse.base.params import Params
from stillhouse.base.records import Chunk, Document
from stillhouse.corpus.markdown import Span, heading_text, read_spans
from stillhouse.corpus.pieces import Piece, cut_pieces
from stillhouse.corpus.tokens import estimate_tokens

# No cut leaves less than this part of the budget on a side while another cut is as mild.
_SMALLEST_PART: Final = 0.25
_SLASH: Final = "∕"  # stands for a slash inside a heading, where slashes part headings


class IngestParams(Params):
    """``ingest:`` in params.yaml; ``max_tokens`` is a chunk's budget by ``estimate_tokens``.

    ``max_file_mb`` is the most millions of bytes of a file (of JSON Lines: of a line) that is read;
    ``unreadable`` says whether files that cannot be read are left out or end the stage.
    """

    max_tokens: int = Field(default=220, ge=16)
    max_file_mb: float = Field(default=32, gt=0)
    unreadable: Literal["skip", "refuse"] = "skip"


@dataclass(frozen=True, slots=True)
class _Stretch:
    """``text[start:end]`` under a heading path, in one chunk or, if it is too long, in several."""

    headings: tuple[str, ...]
    start: int
    end: int


def chunk_document(document: Document, max_tokens: int) -> list[Chunk]:
    """Return the chunks of one document; ``document.text[c.start:c.end] == c.text`` for each."""
    text = document.text
    ordinals: Counter[tuple[str, ...]] = Counter()
    occurrences: Counter[tuple[tuple[str, ...], str]] = Counter()
    chunks = []
    for stretch in _find_stretches(text, max_tokens):
        for start, end in _cut_stretch(text, stretch, max_tokens):
            path, body = stretch.headings, text[start:end]
            anchor = "/".join(part.replace("/", _SLASH) for part in path) + f":{ordinals[path]}"
            chunk_id = _chunk_id(document.source, path, body, occurrences[path, body])
            ordinals[path] += 1
            occurrences[path, body] += 1
            chunks.append(
                Chunk(
                    chunk_id, document.document_id, document.source, path, anchor, start, end, body
                )
            )
    return chunks


def _chunk_id(source: str, headings: tuple[str, ...], text: str, occurrence: int) -> str:
    content: dict[str, Json] = {
        "source": source,
        "headings": headings,
        "text": text,
        "occurrence": occurrence,
    }
    return content_id("chunk", content)


def _find_stretches(text: str, budget: int) -> Iterator[_Stretch]:
    """Yield sections that fit whole, and the own text of those that do not."""
    headings = [span for span in read_spans(text) if span.kind == "heading"]
    if not headings or text[: headings[0].start].strip():
        end = headings[0].start if headings else len(text)
        yield from _trim(text, _Stretch((), 0, end))
    path: list[tuple[int, str]] = []
    covered = 0
    ends = _section_ends(headings, len(text))
    for index, span in enumerate(headings):
        path = [(level, title) for level, title in path if level < span.level]
        path.append((span.level, heading_text(text[span.start : span.end])))
        if span.start < covered:
            continue
        titles = tuple(title for _, title in path)
        own_end = headings[index + 1].start if index + 1 < len(headings) else len(text)
        whole_end = ends[index]
        fits = estimate_tokens(text[span.end : whole_end].strip()) <= budget
        covered = whole_end if fits else own_end
        yield from _trim(text, _Stretch(titles, span.end, covered))


def _section_ends(headings: list[Span], length: int) -> list[int]:
    """Return where each section ends: at the next heading that is not below its own."""
    ends = [length] * len(headings)
    waiting: list[int] = []
    for index, span in enumerate(headings):
        while waiting and headings[waiting[-1]].level >= span.level:
            ends[waiting.pop()] = span.start
        waiting.append(index)
    return ends


def _trim(text: str, stretch: _Stretch) -> Iterator[_Stretch]:
    """Yield the stretch without white space at its ends, unless nothing is left."""
    body = text[stretch.start : stretch.end]
    start = stretch.start + len(body) - len(body.lstrip("\n"))
    end = stretch.start + len(body.rstrip())
    if start < end:
        yield _Stretch(stretch.headings, start, end)


def _cut_stretch(text: str, stretch: _Stretch, budget: int) -> list[tuple[int, int]]:
    """Return the bounds of the chunks of a stretch, in order."""
    if estimate_tokens(text[stretch.start : stretch.end]) <= budget:
        return [(stretch.start, stretch.end)]
    pieces = cut_pieces(text, stretch.start, stretch.end, budget)
    sums = [0]
    for piece in pieces:
        sums.append(sums[-1] + piece.tokens)
    ranks = [_rank(text, piece) for piece in pieces]
    bounds, waiting = [], [(0, len(pieces))]
    while waiting:
        first, last = waiting.pop()
        if last - first == 1 or sums[last] - sums[first] <= budget:
            bounds.append((pieces[first].start, pieces[last - 1].end))
            continue
        middle = _choose_cut(sums, ranks, first, last, budget)
        waiting += [(middle, last), (first, middle)]
    return bounds


def _choose_cut(
    sums: list[int], ranks: list[tuple[int, bytes]], first: int, last: int, budget: int
) -> int:
    """Return the cut of the lowest rank; for equal ones (repeated text) the one nearest the middle."""
    part = budget * _SMALLEST_PART
    cuts = range(first + 1, last)
    roomy = [i for i in cuts if min(sums[i] - sums[first], sums[last] - sums[i]) >= part]
    return min(roomy or cuts, key=lambda i: (ranks[i], abs(2 * i - first - last)))


def _rank(text: str, piece: Piece) -> tuple[int, bytes]:
    """Return how mild a cut before the piece is, then a number drawn from the piece's own text."""
    body = text[piece.start : piece.end].encode()
    return piece.cut, hashlib.blake2b(body, digest_size=8).digest()
