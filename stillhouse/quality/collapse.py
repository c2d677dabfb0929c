"""Signs that a dataset has become monotonous: few wordings, few subjects, answers that decline.

All figures are of a sample drawn by hash, and those that count words of equally many words: the share
of distinct n-grams falls with the length of a text, so that longer and shorter ones cannot be compared.
"""

import hashlib
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from stillhouse.base.declining import DECLINES
from stillhouse.base.text import normalise, words

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]  # unit vectors: (texts, dimensions)

WORDS_COUNTED: Final = 5000
EXEMPT: Final = ("abstain", "replay")  # tasks whose rows teach nothing of the documents
_ROUNDS: Final = 50  # of k-means, which has settled long before
# Who declines to do what was asked, in the first person; what a document leaves open is in DECLINES.
_REFUSES: Final = re.compile(
    r"\b(?:i|we)(?:(?: am|'m| are|'re) (?:un|not )able to| can ?not| can't| could(?: not|n't)| will not| won't"
    r"|(?: must| have to)?(?: respectfully)? decline to)(?: \w+ly)? (?:help(?! but)|assist|provide|give|offer"
    r"|share|discuss|advise|comply|fulfil|do (?:that|this|so)|comment|respond)\b"
    r"|\bas an ai\b"
)
_ANSWERS: Final = re.compile(r"(?:yes|no)(?:[,.;:!]| *[-–—]|$)")  # "No handbook says so." is none
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Figures:
    """What is measured of a sample of rows; shares in [0, 1], lengths as mean numbers of words.

    Attributes:
        distinct_1: share of words that are the first of their kind (Li et al. 2016).
        distinct_2: the same of pairs of neighbouring words.
        distinct_3: the same of three.
        repeated_openings: share of questions that begin with the same words as another one.
        self_similarity: mean cosine of two different questions, in [-1, 1].
        cluster_entropy: how evenly the questions lie among the clusters of the corpus: 1 is evenly,
            0 all in one (entropy over the logarithm of the number of clusters).
        refusal_share: share of answers that decline.
        question_words: mean words of a question.
        answer_words: mean words of an answer.
    """

    distinct_1: float
    distinct_2: float
    distinct_3: float
    repeated_openings: float
    self_similarity: float
    cluster_entropy: float
    refusal_share: float
    question_words: float
    answer_words: float


@dataclass(frozen=True, slots=True)
class Corpus:
    """What is measured of passages, for comparison; ``centres`` are those of its clusters."""

    distinct_1: float
    distinct_2: float
    distinct_3: float
    self_similarity: float
    cluster_entropy: float
    centres: "npt.NDArray[np.float64]"


def draw_by_hash(items: Iterable[T], name: Callable[[T], str], most: int, seed: int) -> list[T]:
    """Return at most so many items, those with the lowest hash of their name, in that order.

    Whatever else is added or taken away, an item keeps its hash: two versions share most of a sample.
    """

    def number(item: T) -> bytes:
        return hashlib.blake2b(f"{seed}\n{name(item)}".encode(), digest_size=8).digest()

    return sorted(items, key=number)[:most]


def measure_rows(
    said: Sequence[tuple[str, str]], vectors: "Vectors", corpus: Corpus, opening: int
) -> Figures:
    """Return the figures of questions with their answers.

    Args:
        said: question and answer of each row.
        vectors: of the questions, in the same order.
        corpus: whose clusters the questions are counted in.
        opening: words that are a question's opening.
    """
    questions = [question for question, _ in said]
    texts = [f"{question} {answer}" for question, answer in said]
    return Figures(
        distinct_1=distinct_share(texts, 1),
        distinct_2=distinct_share(texts, 2),
        distinct_3=distinct_share(texts, 3),
        repeated_openings=_share_repeated(" ".join(words(q)[:opening]) for q in questions),
        self_similarity=mean_similarity(vectors),
        cluster_entropy=even_share(_nearest(vectors, corpus.centres), len(corpus.centres)),
        refusal_share=round(sum(refuses(answer) for _, answer in said) / max(1, len(said)), 4),
        question_words=_mean_words(questions),
        answer_words=_mean_words([answer for _, answer in said]),
    )


def measure_corpus(texts: Sequence[str], vectors: "Vectors", clusters: int, seed: int) -> Corpus:
    """Return the figures of passages, in at most ``clusters`` groups of four passages or more."""
    centres = find_centres(vectors, min(clusters, max(1, len(texts) // 4)), seed)
    return Corpus(
        distinct_1=distinct_share(texts, 1),
        distinct_2=distinct_share(texts, 2),
        distinct_3=distinct_share(texts, 3),
        self_similarity=mean_similarity(vectors),
        cluster_entropy=even_share(_nearest(vectors, centres), len(centres)),
        centres=centres,
    )


def distinct_share(texts: Iterable[str], length: int, most: int = WORDS_COUNTED) -> float:
    """Return distinct n-grams over all n-grams of the first ``most`` words; none crosses a text.

    Li, Galley, Brockett, Gao and Dolan (2016), "A diversity-promoting objective function".
    """
    met: set[tuple[str, ...]] = set()
    total = left = 0
    left = most
    for text in texts:
        said = words(text)[:left]
        left -= len(said)
        grams = list(zip(*(said[start:] for start in range(length)), strict=False))
        met.update(grams)
        total += len(grams)
        if left <= 0:
            break
    return round(len(met) / total, 4) if total else 0.0


def mean_similarity(vectors: "Vectors") -> float:
    """Return the mean cosine over all pairs of two different unit vectors; 0 for fewer than two."""
    count = len(vectors)
    if count < 2:
        return 0.0
    total = vectors.sum(axis=0, dtype="float64")
    # The sum of all products of two is the squared length of the sum; each with itself gives 1.
    return round(float((total @ total - count) / (count * (count - 1))), 3)


def find_centres(vectors: "Vectors", clusters: int, seed: int) -> "npt.NDArray[np.float64]":
    """Return the centres of k-means with seeded k-means++ starts (Arthur & Vassilvitskii 2007).

    At most ``clusters``: each is the nearest one of some vector, and no two are of equal vectors.
    """
    import numpy as np
    from scipy.cluster.vq import kmeans2

    points = vectors.astype(np.float64)
    clusters = min(clusters, len(np.unique(points, axis=0)))
    if clusters < 2:
        return points.mean(axis=0, keepdims=True) if len(points) else np.zeros((1, 1))
    generator = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of an empty cluster, which goes below
        centres, _ = kmeans2(points, clusters, iter=_ROUNDS, minit="++", rng=generator)
    found: npt.NDArray[np.float64] = centres[sorted(set(_nearest(vectors, centres)))]
    return found


def even_share(labels: Iterable[int], clusters: int) -> float:
    """Return the entropy of the labels over that of an even spread: 1 with fewer than two clusters."""
    import math

    counts = Counter(labels)
    if clusters < 2 or not counts:
        return 1.0
    shares = [count / counts.total() for count in counts.values()]
    return round(-sum(share * math.log(share) for share in shares) / math.log(clusters) + 0.0, 3)


def refuses(answer: str) -> bool:
    """Say whether an answer declines: it uses words of declining or refusing, and holds no figure.

    What begins with yes or no answers, whatever else it says.
    """
    said = normalise(answer)
    if _ANSWERS.match(said) or any(char.isdigit() for char in said):
        return False
    return bool(DECLINES.search(said) or _REFUSES.search(said))


def _nearest(vectors: "Vectors", centres: "npt.NDArray[np.float64]") -> list[int]:
    if not len(vectors):
        return []
    # Squared distance without the vector's own length, which is the same for every centre.
    distances = (centres**2).sum(axis=1) - 2 * vectors.astype("float64") @ centres.T
    return [int(label) for label in distances.argmin(axis=1)]


def _share_repeated(openings: Iterable[str]) -> float:
    counts = Counter(openings)
    repeated = sum(count for count in counts.values() if count > 1)
    return round(repeated / max(1, counts.total()), 4)


def _mean_words(texts: Sequence[str]) -> float:
    return round(sum(len(words(text)) for text in texts) / max(1, len(texts)), 4)
