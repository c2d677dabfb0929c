"""A given number of rows that stand for all of them, and how well they do."""

import random
from dataclasses import dataclass
from math import log
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from stillhouse.quality.vectors import Ints, Vectors, cut

By = Literal["k_centre", "facility_location"]
# Each step of facility location looks at so many drawn rows that it gains at least 1 - 1/e - 0.05 of what the
# best choice would (Mirzasoleiman et al. 2015).
_EPSILON: Final = 0.05
_SHARES: Final = (0.5, 0.6, 0.7, 0.8, 0.9)
_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Coverage:
    """How near the rows of a pool are to those that were chosen, as cosines.

    ``within`` is the share of the pool with a chosen row at that cosine or nearer.
    """

    mean: float
    farthest: float
    within: dict[str, float]


def select(vectors: Vectors, ranks: Ints, target: int, by: By, seed: int) -> list[int]:
    """Return the places of ``target`` vectors in the order in which they were chosen.

    Those of rank 0 come first, and only when these are used up those of rank 1, and so on.

    k-centre takes whatever is farthest from all that was taken (Gonzalez 1985), which bounds how far any
    row is from the nearest chosen one by twice the best bound. Facility location takes what raises the mean
    cosine of all rows to their nearest chosen one most, among a seeded draw at each step (stochastic greedy).

    Args:
        vectors: of the rows.
        ranks: int64, (vectors,), from 0 on.
        target: how many; at least as many as there are: all.
        by: ``k_centre`` or ``facility_location``.
        seed: of the draws.
    """
    chosen: list[int] = []
    near = np.full(len(vectors), -1.0)  # cosine of each row to its nearest chosen one
    for rank in np.unique(ranks):
        among = np.flatnonzero(ranks == rank)
        wanted = min(target - len(chosen), len(among))
        choose = _choose_centres if by == "k_centre" else _choose_facilities
        chosen += choose(vectors, among, near, wanted, random.Random(seed))
    return chosen


def _choose_centres(
    vectors: Vectors, among: Ints, near: npt.NDArray[np.float64], wanted: int, rng: random.Random
) -> list[int]:
    chosen: list[int] = []
    taken = np.zeros(len(vectors), dtype=bool)
    for _ in range(wanted):
        if not chosen and near.max() < 0:  # nothing is chosen yet
            place = int(among[rng.randrange(len(among))])
        else:
            place = int(among[np.where(taken[among], np.inf, near[among]).argmin()])
        chosen.append(place)
        taken[place] = True
        np.maximum(near, vectors.take([place]).compare(vectors)[0], out=near)
    return chosen


def _choose_facilities(
    vectors: Vectors, among: Ints, near: npt.NDArray[np.float64], wanted: int, rng: random.Random
) -> list[int]:
    left, chosen = among.tolist(), list[int]()
    drawn = max(1, round(len(left) / max(1, wanted) * log(1 / _EPSILON)))
    np.maximum(near, 0.0, out=near)
    for _ in range(wanted):
        places = [_swap_out(left, rng) for _ in range(min(drawn, len(left)))]
        best, cosines = _find_most_gained(vectors, places, near)
        chosen.append(places.pop(best))
        np.maximum(near, cosines, out=near)
        left += places
    return chosen


def _find_most_gained(
    vectors: Vectors, places: list[int], near: npt.NDArray[np.float64]
) -> tuple[int, npt.NDArray[np.float64]]:
    """Return which of some places raises ``near`` most (the first of equal ones), and its cosines to all."""
    best, most, found = 0, -1.0, near
    for part in cut(len(places), len(vectors)):
        cosines = vectors.take(places[part]).compare(vectors)
        gains = np.rint(np.maximum(cosines - near, 0.0) * 2**30).sum(axis=1)  # whole numbers: exact
        if gains.max() > most:
            at = int(gains.argmax())
            best, most, found = part.start + at, float(gains[at]), cosines[at]
    return best, found


def _swap_out(places: list[int], rng: random.Random) -> int:
    """Take out a drawn place; what stood last moves there."""
    at = rng.randrange(len(places))
    places[at], places[-1] = places[-1], places[at]
    return places.pop()


def find_nearest(vectors: Vectors, chosen: list[int]) -> tuple[Ints, npt.NDArray[np.float64]]:
    """Return for each vector which chosen one is nearest (its place), and their cosine."""
    among = np.asarray(sorted(chosen), dtype=np.int64)
    places = np.zeros(len(vectors), dtype=np.int64)
    cosines = np.zeros(len(vectors))
    for part in cut(len(vectors), len(among)):
        block = vectors.take(np.arange(part.start, part.stop)).compare(vectors.take(among))
        best = block.argmax(axis=1)
        places[part] = among[best]
        cosines[part] = block[np.arange(len(best)), best]
    return places, cosines


def measure_coverage(cosines: npt.NDArray[np.float64]) -> Coverage:
    """Return how well chosen rows cover a pool, by the cosine of each row to the nearest chosen one."""
    return Coverage(
        mean=round(float(cosines.mean()), _DIGITS),
        farthest=round(float(cosines.min()), _DIGITS),
        within={
            f"{share:.1f}": round(float((cosines >= share - 1e-9).mean()), _DIGITS)
            for share in _SHARES
        },
    )
