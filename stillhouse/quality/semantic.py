"""Rows that ask for the same in other words: their embeddings lie close together."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from stillhouse.base.records import Pair
from stillhouse.quality.duplicates import Collision, by_slot, mark_alike, name
from stillhouse.quality.vectors import Vectors


def find_semantic_duplicates(
    pairs: Sequence[Pair], vectors: Vectors, threshold: float
) -> Iterator[Collision]:
    """Yield each pair whose question means almost what a kept one with a lower slot id asks.

    As with near-duplicates, both must have the same answer, passage and fact id, or none.

    Args:
        pairs: in any order.
        vectors: of their questions, one for each pair.
        threshold: the cosine in (0, 1] from which on two questions are one.
    """
    order = sorted(range(len(pairs)), key=lambda place: by_slot(pairs[place]))
    groups: dict[int, list[int]] = defaultdict(list)
    for place, mark in zip(order, mark_alike([pairs[place] for place in order]), strict=True):
        groups[mark].append(place)
    for places in groups.values():
        for late, early, cosine in _find_close(vectors.take(places), threshold):
            kept = pairs[places[early]]
            detail = f"question {cosine:.2f} close in meaning to {name(kept)}, same answer"
            yield Collision(pairs[places[late]], kept, cosine, detail)


def _find_close(vectors: Vectors, threshold: float) -> Iterator[tuple[int, int, float]]:
    """Yield which vectors give way to the first one before them that stays and is close: late, early, cosine.

    Each is compared with those that stay, so that memory is one line of cosines.
    """
    kept = [0]
    for late in range(1, len(vectors)):
        cosines = vectors.take([late]).compare(vectors.take(kept))[0]
        close = np.flatnonzero(cosines >= threshold)
        if len(close):
            yield late, kept[close[0]], float(cosines[close[0]])
        else:
            kept.append(late)
