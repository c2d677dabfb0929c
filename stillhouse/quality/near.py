"""Which of many texts are worded almost like an earlier one that stays, found exactly and on arrays.

Texts are sets of three-word shingles, and alike is a Jaccard index. Nothing is sketched, so nothing is
missed: of two sets with index t or more, the rarest ``size - ceil(t * size) + 1`` members of each share
at least one (the prefix filter: Chaudhuri, Ganti & Kaushik 2006; Bayardo, Ma & Srikant 2007; Xiao et al.
2008), and every pair that shares one is then counted out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillhouse.base.text import words

Ints = npt.NDArray[np.int64]

SHINGLE: Final = 3
_PRODUCTS: Final = 2_000_000  # meetings that are looked at together
_COUNTED: Final = 200_000  # pairs that are counted out together
_FEW: Final = 64
_SLACK: Final = 1e-9  # a threshold such as 0.7 is no binary number: rounding may not lose a pair


@dataclass(frozen=True, slots=True)
class Shingled:
    """Sets of whole numbers: those of text ``i`` are ``members[starts[i]:starts[i + 1]]``, rarest first."""

    starts: Ints
    members: Ints

    @property
    def sizes(self) -> Ints:
        """How many members each set has."""
        return np.diff(self.starts)


@dataclass(frozen=True, slots=True)
class Twin:
    """The earlier text that stays, by its place, and the Jaccard index of the two."""

    place: int
    similarity: float


def find_twins(texts: Sequence[str], marks: Sequence[int], threshold: float) -> Mapping[int, Twin]:
    """Return place -> twin of every text that gives way to an earlier one.

    Texts are looked at in their order. One gives way to the first text before it that stayed, has the
    same mark, and whose three-word shingles have a Jaccard index of at least ``threshold``, in (0, 1].
    """
    if not texts:
        return {}
    whole = shingle(texts, marks)
    firsts, alike = _unite_equal(whole)
    found = _resolve(_take(whole, firsts), threshold)
    twins: dict[int, Twin] = {}
    for place, known in enumerate(alike):
        twin = found.get(known)
        if twin is not None:
            twins[place] = Twin(firsts[twin.place], twin.similarity)
        elif firsts[known] != place:
            twins[place] = Twin(firsts[known], 1.0)
    return twins


def shingle(texts: Sequence[str], marks: Sequence[int]) -> Shingled:
    """Return the sets of three-word shingles of texts; no set shares a member with one of another mark.

    A text of fewer words is one shingle, of all that it has.
    """
    known: dict[str, int] = {}
    spelled = [[known.setdefault(word, len(known) + 1) for word in words(text)] for text in texts]
    lengths = np.fromiter((max(len(one), SHINGLE) for one in spelled), np.int64, len(spelled))
    flat = np.fromiter(
        (number for one in spelled for number in (one + [0] * (SHINGLE - len(one)))),
        np.int64,
        int(lengths.sum()),
    )
    counts = lengths - SHINGLE + 1
    owners = np.repeat(np.arange(len(texts)), counts)
    at = np.arange(len(owners)) + (SHINGLE - 1) * owners
    named = np.asarray(marks, dtype=np.int64)[owners]
    for step in range(SHINGLE):
        named = _number(named, flat[at + step])
    return _order(owners, named, len(texts))


def _number(first: Ints, second: Ints) -> Ints:
    """Return one number for each pair of numbers, equal for equal pairs and counting from zero."""
    paired = first * (int(second.max(initial=0)) + 1) + second
    numbers: Ints = np.unique(paired, return_inverse=True)[1]
    return numbers


def _order(owners: Ints, named: Ints, count: int) -> Shingled:
    """Return the sets with their members numbered by how few sets have them."""
    kinds = int(named.max()) + 1
    once = np.sort(owners * kinds + named)
    owners, named = np.divmod(once[np.diff(once, prepend=-1) > 0], kinds)
    rank = np.empty(kinds, dtype=np.int64)
    rank[np.argsort(np.bincount(named, minlength=kinds), kind="stable")] = np.arange(kinds)
    owners, members = np.divmod(np.sort(owners * kinds + rank[named]), kinds)
    starts = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=count))])
    return Shingled(starts.astype(np.int64), members)


def _unite_equal(whole: Shingled) -> tuple[list[int], list[int]]:
    """Return the first place of each distinct set, and for each place which distinct set it has."""
    known: dict[bytes, int] = {}
    firsts: list[int] = []
    alike: list[int] = []
    for place, (start, end) in enumerate(zip(whole.starts, whole.starts[1:], strict=False)):
        number = known.setdefault(whole.members[start:end].tobytes(), len(known))
        if number == len(firsts):
            firsts.append(place)
        alike.append(number)
    return firsts, alike


def _take(whole: Shingled, places: Sequence[int]) -> Shingled:
    """Return some of the sets, in the order given."""
    chosen = np.asarray(places, dtype=np.int64)
    sizes = whole.sizes[chosen]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    within = np.arange(int(starts[-1])) - np.repeat(starts[:-1], sizes)
    return Shingled(starts, whole.members[np.repeat(whole.starts[chosen], sizes) + within])


@dataclass(frozen=True, slots=True)
class _Sets:
    """Distinct sets, as rows of sparse matrices (sets, members) of ones, and what bounds an index above.

    ``rare`` holds the prefixes. ``parities`` are 256 bits of each set: bit ``h`` says whether an odd number
    of its members fall on it, so that two sets differ in at least as many members as their bits do
    (Sandes, Teodoro & Melo 2017).
    """

    every: Any
    rare: Any
    sizes: Ints
    parities: npt.NDArray[np.uint64]
    threshold: float


def _resolve(sets: Shingled, threshold: float) -> Mapping[int, Twin]:
    """Return the twins of distinct sets; a set that gave way is compared with none that follows."""
    twins: dict[int, Twin] = {}
    _settle(_prepare(sets, threshold), np.arange(len(sets.sizes)), twins)
    return twins


def _settle(sets: _Sets, places: Ints, twins: dict[int, Twin]) -> Ints:
    """Note the twins of some sets among themselves; return the places of those that stay.

    Half by half where they would meet too often: what gives way to the first half meets nothing more.
    """
    if len(places) < _FEW or _count_meetings(sets, places, places).sum() <= _PRODUCTS:
        _drop(sets, places, places, twins)
        return _list_staying(places, twins)
    half = len(places) // 2
    first = _settle(sets, places[:half], twins)
    second = places[half:]
    meetings = np.cumsum(_count_meetings(sets, second, first))
    parts = np.searchsorted(meetings, np.arange(_PRODUCTS, meetings[-1], _PRODUCTS))
    for part in np.split(second, parts):
        if len(part):
            _drop(sets, part, first, twins)
    return np.concatenate([first, _settle(sets, _list_staying(second, twins), twins)])


def _list_staying(places: Ints, twins: Mapping[int, Twin]) -> Ints:
    return np.array([place for place in places.tolist() if place not in twins], dtype=np.int64)


def _count_meetings(sets: _Sets, places: Ints, others: Ints) -> Ints:
    """Return with how many of some sets each of others shares members of its prefix, counted by member."""
    met = np.bincount(sets.rare[others].indices, minlength=sets.rare.shape[1])
    counted: Ints = sets.rare[places] @ met
    return counted


def _drop(sets: _Sets, places: Ints, others: Ints, twins: dict[int, Twin]) -> None:
    """Note which sets give way to the first of some earlier ones that stays and is alike."""
    met = (sets.rare[places] @ sets.rare[others].T).tocoo()
    late, early = _keep_possible(sets, places[met.row], others[met.col])
    order = np.lexsort((early, late))
    late, early = late[order], early[order]
    for start in range(0, len(late), _COUNTED):
        part = slice(start, start + _COUNTED)
        for one, other, similarity in _verify(sets, late[part], early[part]):
            if one not in twins and other not in twins:
                twins[one] = Twin(other, similarity)


def _keep_possible(sets: _Sets, late: Ints, early: Ints) -> tuple[Ints, Ints]:
    """Leave out the pairs that cannot be alike by their sizes or their bits."""
    ordered = early < late
    late, early = late[ordered], early[ordered]
    both = sets.sizes[late] + sets.sizes[early]
    differ = np.zeros(len(late), dtype=np.int64)
    for word in sets.parities:
        differ += np.bitwise_count(word[late] ^ word[early])
    # With d members in one set alone, the index is at most (both - d) / (both + d).
    possible = both - differ >= sets.threshold * (both + differ) - _SLACK
    return late[possible], early[possible]


def _verify(sets: _Sets, late: Ints, early: Ints) -> list[tuple[int, int, float]]:
    """Return which pairs are alike, with their Jaccard indices, in their order."""
    shared = np.asarray(sets.every[late].multiply(sets.every[early]).sum(axis=1)).ravel()
    similarity = shared / (sets.sizes[late] + sets.sizes[early] - shared)
    alike = similarity >= sets.threshold
    found = (late[alike], early[alike], similarity[alike])
    return list(zip(*(column.tolist() for column in found), strict=True))


def _prepare(sets: Shingled, threshold: float) -> _Sets:
    sizes = sets.sizes
    needed = np.ceil(threshold * sizes - _SLACK).astype(np.int64)
    kept = np.minimum(sizes, sizes - needed + 1)
    within = np.arange(len(sets.members)) - np.repeat(sets.starts[:-1], sizes)
    rare = within < np.repeat(kept, sizes)
    count = int(sets.members.max()) + 1
    return _Sets(
        _as_matrix(sets.members, sets.starts, count),
        _as_matrix(sets.members[rare], np.concatenate([[0], np.cumsum(kept)]), count),
        sizes,
        _fold_parities(sets),
        threshold,
    )


def _as_matrix(members: Ints, starts: Ints, count: int) -> Any:
    ones = np.ones(len(members), dtype=np.int32)
    shape = (len(starts) - 1, count)
    return sparse.csr_array((ones, members.astype(np.int32), starts.astype(np.int32)), shape=shape)


def _fold_parities(sets: Shingled) -> npt.NDArray[np.uint64]:
    """Return four words of bits for each set: uint64, (4, sets)."""
    spread = sets.members.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # Knuth, vol. 3, 6.4
    bits = np.uint64(1) << (spread >> np.uint64(58))
    lanes = (spread >> np.uint64(56)) & np.uint64(3)
    return np.stack(
        [
            np.bitwise_xor.reduceat(np.where(lanes == lane, bits, np.uint64(0)), sets.starts[:-1])
            for lane in np.arange(4, dtype=np.uint64)
        ]
    )
