"""Sentence vectors as whole numbers, so that what is chosen by them is the same on every machine.

A unit vector times 2048, rounded, has a length of about 2**11. Every partial sum of a product of two such
vectors is then a whole number below 2**24, which float32 holds exactly (Cauchy and Schwarz bound the sum of
the absolute products as well): the order in which a processor adds cannot change a bit. What rounding costs
a cosine is below 0.0005.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Embed = Callable[[Sequence[str]], Floats]  # texts -> unit vectors, (texts, dimensions)

_SCALE: Final = 2000  # a little below 2048: rounding may lengthen a vector
_CELLS: Final = 4_000_000  # numbers of one block of products: 16 MB


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of whole numbers, float32, (vectors, dimensions), and the length of each."""

    whole: Floats
    lengths: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.whole)

    def take(self, places: Ints | Sequence[int]) -> "Vectors":
        """Return some of them in the order given."""
        return Vectors(self.whole[places], self.lengths[places])

    def compare(self, others: "Vectors") -> npt.NDArray[np.float64]:
        """Return the cosines to others: float64, (these, others)."""
        cosines: npt.NDArray[np.float64] = (self.whole @ others.whole.T).astype(np.float64)
        cosines /= self.lengths[:, None] * others.lengths[None, :]
        return cosines


def quantise(vectors: npt.NDArray[np.floating]) -> Vectors:
    """Return vectors of any length as whole numbers on a sphere of radius 2000."""
    exact = vectors.astype(np.float64)
    lengths = np.sqrt(np.square(exact).sum(axis=1, keepdims=True))
    whole = np.rint(exact / np.maximum(lengths, 1e-12) * _SCALE)
    squares = np.maximum(np.square(whole).sum(axis=1), 1.0)  # of whole numbers: exact
    return Vectors(whole.astype(np.float32), np.sqrt(squares))


def cut(count: int, width: int) -> Iterator[slice]:
    """Yield slices of ``count`` lines whose products with ``width`` others fit into a block."""
    step = max(1, _CELLS // max(1, width))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
