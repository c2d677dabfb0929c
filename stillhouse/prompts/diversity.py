"""Which of many texts are kept: one of each cluster of near-equal ones, and as far apart as can be."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]

_DIGITS: Final = 4  # of a cosine: what is behind them depends on the machine


def find_twins(vectors: "Vectors", similarity: float) -> list[tuple[int, float]]:
    """Return for each vector the first kept one that is near enough, and how near.

    A vector is kept where none before it was kept within ``similarity`` (cosine): it then leads a
    cluster of its own and is returned with itself and 1.0. So a text that is added behind others
    changes nothing of them.

    Args:
        vectors: unit vectors, float32, (texts, dimensions).
        similarity: in (0, 1].
    """
    import numpy as np

    kept = np.empty_like(vectors)
    leaders: list[int] = []
    found: list[tuple[int, float]] = []
    for place, vector in enumerate(vectors):
        near = np.round(kept[: len(leaders)] @ vector, _DIGITS)
        best = int(near.argmax()) if leaders else 0
        if leaders and near[best] >= similarity:
            found.append((leaders[best], float(near[best])))
            continue
        kept[len(leaders)] = vector
        leaders.append(place)
        found.append((place, 1.0))
    return found


def choose_spread(vectors: "Vectors", names: Sequence[str], count: int, seed: int) -> list[int]:
    """Return the places of ``count`` vectors that lie far from each other, in the order of places.

    Greedy k-centre (Gonzalez 1985): the first is drawn by the hash of its name, each further one is
    the farthest from all before it; of equal ones that with the smaller hash.
    """
    import numpy as np

    if count >= len(vectors):
        return list(range(len(vectors)))
    order = sorted(range(len(vectors)), key=lambda place: _hash(names[place], seed))
    ranked = vectors[order]
    chosen = [0]
    nearest = np.round(ranked @ ranked[0], _DIGITS)
    while len(chosen) < count:
        nearest[chosen[-1]] = np.inf
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, np.round(ranked @ ranked[chosen[-1]], _DIGITS))
    return sorted(order[place] for place in chosen)


def _hash(name: str, seed: int) -> tuple[bytes, str]:
    return hashlib.blake2b(f"{seed}\n{name}".encode(), digest_size=8).digest(), name
