"""Groups of rows that ask for similar things: spherical k-means over their embeddings."""

import random
from typing import Final

import numpy as np

from stillhouse.quality.vectors import Floats, Ints, Vectors, cut, quantise

_ROUNDS: Final = 25


def find_clusters(vectors: Vectors, count: int, seed: int) -> Ints:
    """Return the cluster of each vector, from 0 on: int64, (vectors,).

    Spherical k-means (Dhillon & Modha 2001) begun by k-means++ (Arthur & Vassilvitskii 2007), until nothing
    moves or 25 rounds are over. All sums are of whole numbers: the result is the same on every machine. A
    cluster that loses its last row keeps its centre; so there may be fewer than ``count``.

    Args:
        vectors: of the rows.
        count: of clusters; with as many rows or fewer each row is its own.
        seed: of the first centres.
    """
    if len(vectors) <= count:
        return np.arange(len(vectors))
    whole = vectors.whole
    centres = whole[_draw_centres(whole, count, random.Random(seed))]
    nearest = _find_nearest(whole, centres)
    for _ in range(_ROUNDS):
        centres = _move(whole, nearest, centres)
        before, nearest = nearest, _find_nearest(whole, centres)
        if np.array_equal(before, nearest):
            break
    return nearest


def _draw_centres(vectors: Floats, count: int, rng: random.Random) -> list[int]:
    """Draw each next centre with a probability in proportion to its squared distance from the last ones."""
    chosen = [rng.randrange(len(vectors))]
    square = _square_distances(vectors, chosen[-1])
    while len(chosen) < count:
        total = int(square.sum())
        if not total:  # all that is left is equal to a centre
            break
        at = np.searchsorted(np.cumsum(square), rng.randrange(total), side="right")
        chosen.append(int(at))
        square = np.minimum(square, _square_distances(vectors, chosen[-1]))
    return chosen


def _square_distances(vectors: Floats, place: int) -> Ints:
    apart = (vectors - vectors[place]).astype(np.int64)
    squares: Ints = np.square(apart).sum(axis=1)
    return squares


def _find_nearest(vectors: Floats, centres: Floats) -> Ints:
    parts = [(vectors[part] @ centres.T).argmax(axis=1) for part in cut(len(vectors), len(centres))]
    return np.concatenate(parts).astype(np.int64)


def _move(vectors: Floats, nearest: Ints, centres: Floats) -> Floats:
    """Return the centres as the directions of the sums of their vectors."""
    sums = np.zeros(centres.shape, dtype=np.float64)  # of whole numbers: exact
    np.add.at(sums, nearest, vectors.astype(np.float64))
    filled = np.bincount(nearest, minlength=len(centres)) > 0
    moved = centres.copy()
    moved[filled] = quantise(sums[filled]).whole
    return moved
