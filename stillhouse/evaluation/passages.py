"""Which passage is laid before a model: the right one, or the one that BM25 finds."""

import logging
from collections.abc import Iterable, Sequence
from functools import lru_cache

from stillhouse.base.questions import Question
from stillhouse.base.records import Chunk
from stillhouse.evaluation.matching import find_answer
from stillhouse.evaluation.values import Token, canonical_tokens, content_words, prepare


def find_passage(question: Question, chunks: Iterable[Chunk]) -> str:
    """Return the text that answers a gold question, or nothing where no source is named.

    That is, of its sources' chunks, one with an accepted answer in it, and of those the one with
    most words of the question. Questions over several documents get the best chunk of each of two.
    """
    own = [chunk for chunk in chunks if chunk.source in question.sources]
    ranked = sorted(own, key=lambda chunk: _rank(question, chunk))
    if question.kind not in ("multi_step", "exception"):
        return show(ranked[:1])
    best: dict[str, Chunk] = {}
    for chunk in ranked:
        best.setdefault(chunk.source, chunk)
    chosen = list(best.values())[:2] if len(best) > 1 else ranked[:2]
    return show(chosen)


def show(chunks: Sequence[Chunk]) -> str:
    """Return chunks as one passage."""
    return "\n\n".join(chunk.text.strip() for chunk in chunks)


def retrieve(questions: Sequence[str], chunks: Sequence[Chunk]) -> list[Chunk]:
    """Return for each question the best chunk of the whole corpus by BM25; headings count as text."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    texts = [f"{' '.join(chunk.headings)}\n{chunk.text}" for chunk in chunks]
    index = bm25s.BM25()
    index.index(_split(texts), show_progress=False)
    places, _ = index.retrieve(_split(questions), k=1, sorted=True, show_progress=False)
    return [chunks[int(place)] for place in places[:, 0]]


def _split(texts: Sequence[str]) -> list[list[str]]:
    """Return each text's content words, in the canonical notation of values; never none at all."""
    return [sorted(content_words(text)) or [""] for text in texts]


@lru_cache(maxsize=8192)  # each question looks at all chunks of its sources
def _read(text: str) -> tuple[list[Token], frozenset[str]]:
    return canonical_tokens(prepare(text)), frozenset(content_words(text))


def _rank(question: Question, chunk: Chunk) -> tuple[bool, int, str, int]:
    tokens, words = _read(chunk.text)
    answered = any(find_answer(tokens, answer) is not None for answer in question.answers)
    headings = content_words(" ".join(chunk.headings))
    shared = content_words(question.question) & (words | headings)
    return (not answered, -len(shared), chunk.source, chunk.start)
