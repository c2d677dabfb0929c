"""The passages that a question of production is answered from: BM25 over all that may be taught."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final

from stillhouse.base.records import Chunk
from stillhouse.base.text import words

# Words of every question: beside a few rare words their weight is noise.
_COMMON: Final = frozenset(
    words(
        "a about am an and any are as at be been but by can could did do does for from get had has "
        "have hello hey hi how i i'd i'm i've if in into is it it's just know like me my need no not "
        "of on one or our please so some tell thank thanks that the their them then there they this "
        "to up us want was we were what what's when where which who whom whose why will with would "
        "you your"
    )
)


def find_passages(
    questions: Sequence[str], chunks: Iterable[Chunk], count: int
) -> list[tuple[Chunk, ...]]:
    """Return for each question the ``count`` best chunks that share a word with it, best first.

    BM25 as bm25s has it (Lucene's variant, k1 1.5, b 0.75); headings count as text. ``chunks`` is
    walked twice; only the words and the chunks that are found are held. Equal scores fall to the
    smaller chunk id.
    """
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    ids: list[str] = []
    texts: list[list[str]] = []
    for chunk in chunks:
        ids.append(chunk.chunk_id)
        texts.append(_split(f"{' '.join(chunk.headings)}\n{chunk.text}") or [""])
    if not ids or not questions:
        return [() for _ in questions]
    index = bm25s.BM25()
    index.index(texts, show_progress=False)
    known = set(index.vocab_dict) - {""}
    queries = [[word for word in _split(question) if word in known] for question in questions]
    best = [[ids[place] for place in _rank(index, query, ids)[:count]] for query in queries]
    return _gather(best, chunks)


def _rank(index: Any, query: list[str], ids: Sequence[str]) -> list[int]:
    """Return the places of the chunks with a score above nothing, best first."""
    import numpy as np

    if not query:
        return []
    scores = np.round(np.asarray(index.get_scores(query), dtype=np.float64), 4)
    found: list[int] = np.flatnonzero(scores > 0).tolist()
    return sorted(found, key=lambda place: (-scores[place], ids[place]))


def _gather(found: list[list[str]], chunks: Iterable[Chunk]) -> list[tuple[Chunk, ...]]:
    wanted = {name for names in found for name in names}
    held = {chunk.chunk_id: chunk for chunk in chunks if chunk.chunk_id in wanted}
    return [tuple(held[name] for name in names) for names in found]


def _split(text: str) -> list[str]:
    """Return the words that tell something, plurals and verb forms cut to one stem where that is plain."""
    return [_stem(word) for word in words(text) if word not in _COMMON]


def _stem(word: str) -> str:
    """Return a word without ``'s``, ``s``, ``ing`` or ``ed``: a rough stem, equal on both sides."""
    word = word.removesuffix("'s")
    if word.endswith("ss"):
        return word
    for ending, least in (("ing", 4), ("ed", 4), ("es", 4), ("s", 3), ("e", 4)):
        if word.endswith(ending) and len(word) - len(ending) >= least:
            return word[: -len(ending)]
    return word
