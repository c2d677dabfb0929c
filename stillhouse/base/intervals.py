"""How sure a share is."""

import math
from statistics import NormalDist
from typing import Final

CONFIDENCE: Final = 0.95


def wilson(share: float, size: float) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927).

    Args:
        share: of the observations, in [0, 1].
        size: how many independent observations it rests on, more than 0; need not be whole.
    """
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    middle = (share + z**2 / (2 * size)) / (1 + z**2 / size)
    half = math.sqrt(share * (1 - share) / size + (z / (2 * size)) ** 2) * z / (1 + z**2 / size)
    return max(0.0, middle - half), min(1.0, middle + half)
