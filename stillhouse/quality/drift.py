"""How far the training questions are from what is asked in production, beside what chance gives."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stillhouse.base.text import words

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]

SHOWN: Final = 5
_BY_OPENING: Final = {
    **dict.fromkeys(("how many", "how much", "how long", "how often", "how far"), "how many"),
    **dict.fromkeys(("who", "whom", "whose"), "who"),
    **dict.fromkeys(("what", "which", "what's"), "what"),
    **dict.fromkeys(("when", "where", "why", "how"), ""),  # each is a kind of its own
    **dict.fromkeys(
        ("is", "are", "was", "were", "do", "does", "did", "has", "have", "had", "must", "should"),
        "yes or no",
    ),
    **dict.fromkeys(("can", "could", "may", "might", "will", "would", "am"), "yes or no"),
}


@dataclass(frozen=True, slots=True)
class Drift:
    """How two sets of questions differ.

    Attributes:
        prompts: how many there are of production.
        distance: in [0, 1]: 0 where both are spread alike over the embedding's space.
        null_mean: the mean distance of one half of the production prompts from the other half.
        null_high: 95 % of such halves are closer than that.
        far_share: share of production prompts whose nearest training question is farther than that
            of 95 % of the training questions themselves.
        kinds: share of each kind of question, in training and in production.
        categories: share of each category of task, in training and among the training rows that are
            nearest to a production prompt.
        kinds_moved: share of questions that would have to be of another kind for equal mixes.
        categories_moved: the same of categories.
        farthest: production prompts that are least like anything taught, with the cosine of the
            nearest training question.
    """

    prompts: int
    distance: float
    null_mean: float
    null_high: float
    far_share: float
    kinds: Mapping[str, tuple[float, float]]
    categories: Mapping[str, tuple[float, float]]
    kinds_moved: float
    categories_moved: float
    farthest: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions with their unit vectors, and of training rows the category of their task."""

    texts: Sequence[str]
    vectors: "Vectors"
    categories: Sequence[str] = ()


def measure_drift(train: Questions, production: Questions, splits: int, seed: int) -> Drift:
    """Compare two sets of questions; there must be two of training and four of production at least.

    ``splits`` halvings of the production prompts, drawn with ``seed``, say what chance gives.
    """
    import numpy as np

    nearest = production.vectors @ train.vectors.T
    closest = nearest.argmax(axis=1)
    similar = nearest.max(axis=1)
    null = _halve(production.vectors, splits, np.random.default_rng(seed))
    kinds = _mix(map(name_kind, train.texts), map(name_kind, production.texts))
    categories = _mix(train.categories, (train.categories[place] for place in closest))
    order = sorted(range(len(similar)), key=lambda n: (similar[n], production.texts[n]))
    return Drift(
        prompts=len(production.texts),
        distance=round(energy(train.vectors, production.vectors), 3),
        null_mean=round(float(np.mean(null)), 3),
        null_high=round(float(np.quantile(null, 0.95)), 3),
        far_share=round(float((similar < _usual_low(train.vectors)).mean()), 3),
        kinds=kinds,
        categories=categories,
        kinds_moved=_moved(kinds),
        categories_moved=_moved(categories),
        farthest=tuple((production.texts[n], round(float(similar[n]), 3)) for n in order[:SHOWN]),
    )


def energy(first: "Vectors", second: "Vectors") -> float:
    """Return the energy distance of two samples as a share of what it can be.

    (2 E|X-Y| - E|X-X'| - E|Y-Y'|) / 2 E|X-Y|, without a point's distance from itself, so that two
    samples of one distribution give 0 on average and may come out below (Székely & Rizzo 2013,
    "Energy statistics: a class of statistics based on distances", their coefficient of inhomogeneity).
    """
    between = 2 * float(_distances(first, second).mean())
    within = _mean_within(first) + _mean_within(second)
    return (between - within) / between if between else 0.0


def name_kind(question: str) -> str:
    """Return what kind of question it is by its first words, or ``request`` where it asks for work."""
    said = words(question)
    opening = " ".join(said[:2])
    if opening in _BY_OPENING:
        return _BY_OPENING[opening]
    first = said[0] if said else ""
    if first in _BY_OPENING:
        return _BY_OPENING[first] or first
    return "other question" if question.rstrip().endswith("?") else "request"


def _halve(vectors: "Vectors", splits: int, generator: "np.random.Generator") -> list[float]:
    half = len(vectors) // 2
    found = []
    for _ in range(splits):
        order = generator.permutation(len(vectors))
        found.append(energy(vectors[order[:half]], vectors[order[half:]]))
    return found


def _distances(first: "Vectors", second: "Vectors") -> "npt.NDArray[np.float64]":
    import numpy as np

    products = first.astype(np.float64) @ second.astype(np.float64).T
    lengths: npt.NDArray[np.float64] = np.sqrt(np.maximum(0.0, 2.0 - 2.0 * products))
    return lengths


def _mean_within(vectors: "Vectors") -> float:
    count = len(vectors)
    return float(_distances(vectors, vectors).sum() / (count * (count - 1))) if count > 1 else 0.0


def _usual_low(vectors: "Vectors") -> float:
    """Return the similarity that 95 % of the vectors have to their nearest neighbour, or more."""
    import numpy as np

    products = vectors @ vectors.T
    np.fill_diagonal(products, -1.0)
    return float(np.quantile(products.max(axis=1), 0.05))


def _mix(first: Iterable[str], second: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Return the share of each name in both, by name."""
    counts = Counter(first), Counter(second)
    totals = [max(1, count.total()) for count in counts]
    return {
        name: (round(counts[0][name] / totals[0], 4), round(counts[1][name] / totals[1], 4))
        for name in sorted({*counts[0], *counts[1]})
    }


def _moved(mix: Mapping[str, tuple[float, float]]) -> float:
    """Return the total variation distance of two mixes: half the sum of all differences."""
    return round(sum(abs(a - b) for a, b in mix.values()) / 2, 4)
