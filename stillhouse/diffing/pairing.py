"""Which differing row of one version is which of the other.

By the pair that both were made of, then by place and question, then by ``lineage.slots``, which pairs
what is left over by its words. Of what it finds in another place only that counts which is the same
question: rows of one template ("How long is the leave of apprentices?", "... of senior engineers?")
read alike and are different rows.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from rapidfuzz.distance import Indel

from stillhouse.base.records import Pair, Row, split_slot
from stillhouse.base.text import words
from stillhouse.diffing.compare import Compared
from stillhouse.diffing.items import Item, read_items, slot_of_item
from stillhouse.diffing.tables import Table
from stillhouse.diffing.upstream import Upstream
from stillhouse.lineage.slots import Pairing, pair_slots

if TYPE_CHECKING:
    import pyarrow as pa

_PAIRED: Final = 200_000  # rows of one version that are paired by what they say; more only by key
_ALIKE: Final = 0.75  # share of a question's words in common, in their order
_PASSAGE: Final = 2  # parts of a slot that name its passage: source and anchor
_Pairs: TypeAlias = list[tuple[int, int]]
_Place: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """The differing rows of a table of rows or pairs in both versions, and which is which."""

    old: list[Item]
    new: list[Item]
    pairing: Pairing


def pair_items(compared: Compared, old: Upstream, new: Upstream) -> Rows:
    """Return which differing row of A is which of B, and what either has alone.

    A row that still is what it was in the other version, if only as a pair that was filtered out or
    held out there, is no other row's successor, however much alike the two are.
    """
    then, now = read_items(compared.old), read_items(compared.new)
    if _order(now) < _order(then):  # what is paired does not depend on who is called A
        return Rows(then, now, _turn(_pair(now, then, new, old)))
    return Rows(then, now, _pair(then, now, old, new))


def _order(items: Sequence[Item]) -> list[tuple[str, str]]:
    return [(item.slot_id, item.text) for item in items]


def _pair(then: list[Item], now: list[Item], old: Upstream, new: Upstream) -> Pairing:
    was, came = [old.origin(item.id) for item in then], [new.origin(item.id) for item in now]
    pairs = _pair_equal(was, came)
    free, fresh = _leave(pairs, len(then), len(now))
    stays, stood = new.find_pairs([was[i] for i in free]), old.find_pairs([came[j] for j in fresh])
    free = [i for i in free if was[i] not in stays]
    fresh = [j for j in fresh if came[j] not in stood]
    for key in (_by_place, _by_source, _by_question):
        found = _pair_equal([key(then[i]) for i in free], [key(now[j]) for j in fresh])
        pairs += [(free[i], fresh[j]) for i, j in found]
        taken, given = {i for i, _ in pairs}, {j for _, j in pairs}
        free, fresh = [i for i in free if i not in taken], [j for j in fresh if j not in given]
    # What is left may be a place that was rewritten, or a row that was edited where its passage went.
    free, fresh = _Moves(pairs, then, now).choose(free, fresh, then, now)
    if max(len(free), len(fresh)) <= _PAIRED:
        alike = pair_slots(
            [slot_of_item(then[i]) for i in free], [slot_of_item(now[j]) for j in fresh]
        ).pairs
        likely = [(free[i], fresh[j]) for i, j in alike]
        pairs += choose_same(likely, pairs, then, now)
    else:
        pairs += [
            (free[i], fresh[j])
            for i, j in _pair_equal(
                [then[i].slot_id for i in free], [now[j].slot_id for j in fresh]
            )
        ]
    return _finish(pairs, len(then), len(now))


def _by_place(item: Item) -> tuple[str, ...]:
    return item.slot_id, item.question


def _by_source(item: Item) -> tuple[str, ...]:
    return item.source, item.task, item.question


def _by_question(item: Item) -> tuple[str, ...]:
    return item.task, item.question


def pair_keys(compared: Compared) -> Pairing:
    """Return which differing row of A is which of B by the table's key alone."""
    old, new = (_list_keys(rows, compared) for rows in (compared.old, compared.new))
    return _finish(_pair_equal(old, new), len(old), len(new))


def has_items(table: Table) -> bool:
    """Whether a table is of rows or pairs, which can be known again in another place."""
    return table.record in (Row, Pair)


def choose_same(likely: _Pairs, sure: _Pairs, then: Sequence[Item], now: Sequence[Item]) -> _Pairs:
    """Return those of the likely pairs that are one row.

    That is a row in its old place, one that asks the same question, or a question that reads alike in
    the place where the passage went: where most of the rows say that are paired for sure.
    """
    chosen = [
        (i, j)
        for i, j in likely
        if then[i].slot_id == now[j].slot_id
        or (then[i].task, then[i].question) == (now[j].task, now[j].question)
    ]
    moves = _Moves([*sure, *chosen], then, now)
    rest = sorted({*likely} - {*chosen})
    return chosen + [
        (i, j)
        for i, j in rest
        if moves.agree(then[i], now[j])
        and (_has_place(then[i], now[j]) or _reads_alike(then[i], now[j]))
    ]


def _has_place(old: Item, new: Item) -> bool:
    """Whether two rows stand in one place of their passages."""
    return split_slot(old.slot_id)[_PASSAGE:] == split_slot(new.slot_id)[_PASSAGE:]


def _reads_alike(old: Item, new: Item) -> bool:
    first, second = words(old.question), words(new.question)
    if old.task != new.task or _numbers(first) != _numbers(second):
        return False
    return Indel.normalized_similarity(first, second, score_cutoff=_ALIKE) >= _ALIKE


def _numbers(found: Sequence[str]) -> list[str]:
    return [word for word in found if any(char.isdigit() for char in word)]


class _Moves:
    """Where passages and documents went, by the rows of theirs that are paired for sure."""

    def __init__(self, pairs: _Pairs, then: Sequence[Item], now: Sequence[Item]) -> None:
        passages: dict[_Place, Counter[_Place]] = defaultdict(Counter)
        sources: dict[_Place, Counter[_Place]] = defaultdict(Counter)
        for i, j in pairs:
            old, new = (split_slot(item.slot_id)[:_PASSAGE] for item in (then[i], now[j]))
            passages[old][new] += 1
            sources[old[:1]][new[:1]] += 1
        self._passages, self._sources = _elect(passages), _elect(sources)

    def choose(
        self, free: Sequence[int], fresh: Sequence[int], then: Sequence[Item], now: Sequence[Item]
    ) -> tuple[list[int], list[int]]:
        """Return those of the rows that have any of the other version in the place of their passage."""
        there = {split_slot(now[j].slot_id)[:_PASSAGE] for j in fresh}
        went = {i: self._follow(split_slot(then[i].slot_id)[:_PASSAGE]) for i in free}
        came = {place for places in went.values() for place in places}
        return (
            [i for i in free if there & set(went[i])],
            [j for j in fresh if split_slot(now[j].slot_id)[:_PASSAGE] in came],
        )

    def _follow(self, place: _Place) -> tuple[_Place, ...]:
        """Return where a passage may have gone."""
        moved = self._passages.get(place)
        source = self._sources.get(place[:1], place[:1])
        return tuple(dict.fromkeys([place, *([moved] if moved else [(*source, *place[1:])])]))

    def agree(self, old: Item, new: Item) -> bool:
        """Whether the passage of one row went where the other one stands."""
        first, second = (split_slot(item.slot_id)[:_PASSAGE] for item in (old, new))
        if first in self._passages or first == second:
            return self._passages.get(first, first) == second
        return self._sources.get(first[:1], first[:1]) == second[:1] and first[1:] == second[1:]


def _turn(found: Pairing) -> Pairing:
    pairs = tuple(sorted((j, i) for i, j in found.pairs))
    return Pairing(pairs, found.added, found.removed)


def _elect(votes: Mapping[_Place, Counter[_Place]]) -> dict[_Place, _Place]:
    return {
        old: min(found, key=lambda other: (-found[other], other)) for old, found in votes.items()
    }


def _pair_equal(old: Sequence[object], new: Sequence[object]) -> _Pairs:
    places = {key: j for j, key in reversed(list(enumerate(new)))}
    found: _Pairs = []
    for i, key in enumerate(old):
        if (j := places.pop(key, None)) is not None:
            found.append((i, j))
    return found


def _leave(pairs: _Pairs, old: int, new: int) -> tuple[list[int], list[int]]:
    taken, given = {i for i, _ in pairs}, {j for _, j in pairs}
    return [i for i in range(old) if i not in taken], [j for j in range(new) if j not in given]


def _list_keys(rows: "pa.Table", compared: Compared) -> list[object]:
    columns = [rows.column(name).to_pylist() for name in compared.shape.key]
    if all(compared.shape.types[name] in ("string", "int64") for name in compared.shape.key):
        return list(zip(*columns, strict=True))
    return [repr(key) for key in zip(*columns, strict=True)]  # no hash: a list; not itself: NaN


def _finish(pairs: _Pairs, old: int, new: int) -> Pairing:
    removed, added = _leave(pairs, old, new)
    return Pairing(tuple(sorted(pairs)), tuple(removed), tuple(added))
