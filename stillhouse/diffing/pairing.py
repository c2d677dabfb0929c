"""Which differing row of one version is which of the other.

By the pair that both were made of, then by place and question, then by ``lineage.slots``, which pairs
what is left over by its words. Of what it finds in another place only that counts which is the same
question: rows of one template ("How long is the leave of apprentices?", "... of senior engineers?")
read alike and are different rows.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

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
_Pairs = list[tuple[int, int]]


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
    was, came = [old.origin(item.id) for item in then], [new.origin(item.id) for item in now]
    pairs = _pair_equal(was, came)
    free, fresh = _leave(pairs, len(then), len(now))
    stays, stood = new.find_pairs([was[i] for i in free]), old.find_pairs([came[j] for j in fresh])
    free = [i for i in free if was[i] not in stays]
    fresh = [j for j in fresh if came[j] not in stood]
    asked = [
        [(side[k].slot_id, side[k].question) for k in left]
        for side, left in ((then, free), (now, fresh))
    ]
    pairs += [(free[i], fresh[j]) for i, j in _pair_equal(*asked)]
    taken, given = {i for i, _ in pairs}, {j for _, j in pairs}
    free, fresh = [i for i in free if i not in taken], [j for j in fresh if j not in given]
    if max(len(free), len(fresh)) <= _PAIRED:
        found = pair_slots(
            [slot_of_item(then[i]) for i in free], [slot_of_item(now[j]) for j in fresh]
        ).pairs
        likely = [(free[i], fresh[j]) for i, j in found]
        pairs += _choose_same(likely, pairs, then, now)
    else:
        pairs += [
            (free[i], fresh[j])
            for i, j in _pair_equal(
                [then[i].slot_id for i in free], [now[j].slot_id for j in fresh]
            )
        ]
    return Rows(then, now, _finish(pairs, len(then), len(now)))


def pair_keys(compared: Compared) -> Pairing:
    """Return which differing row of A is which of B by the table's key alone."""
    old, new = (_list_keys(rows, compared) for rows in (compared.old, compared.new))
    return _finish(_pair_equal(old, new), len(old), len(new))


def has_items(table: Table) -> bool:
    """Whether a table is of rows or pairs, which can be known again in another place."""
    return table.record in (Row, Pair)


def _choose_same(likely: _Pairs, sure: _Pairs, then: Sequence[Item], now: Sequence[Item]) -> _Pairs:
    """Return those of the likely pairs that are one row: of one place, one question, or one passage.

    A passage is where most of the rows that are paired for sure say that it went.
    """
    chosen = [
        (i, j)
        for i, j in likely
        if then[i].slot_id == now[j].slot_id or _is_same_question(then[i], now[j])
    ]
    moved = _follow_passages([*sure, *chosen], then, now)
    rest = sorted({*likely} - {*chosen})
    return chosen + [(i, j) for i, j in rest if _stands_alike(then[i], now[j], moved)]


def _is_same_question(old: Item, new: Item) -> bool:
    if old.task != new.task:
        return False
    if old.question == new.question:
        return True
    first, second = words(old.question), words(new.question)
    if _numbers(first) != _numbers(second):
        return False
    return Indel.normalized_similarity(first, second, score_cutoff=_ALIKE) >= _ALIKE


def _numbers(found: Sequence[str]) -> list[str]:
    return [word for word in found if any(char.isdigit() for char in word)]


def _follow_passages(
    pairs: _Pairs, then: Sequence[Item], now: Sequence[Item]
) -> dict[tuple[str, ...], tuple[str, ...]]:
    votes: dict[tuple[str, ...], Counter[tuple[str, ...]]] = defaultdict(Counter)
    for i, j in pairs:
        old, new = (split_slot(item.slot_id)[:_PASSAGE] for item in (then[i], now[j]))
        votes[old][new] += 1
    return {
        old: min(found, key=lambda other: (-found[other], other)) for old, found in votes.items()
    }


def _stands_alike(old: Item, new: Item, moved: dict[tuple[str, ...], tuple[str, ...]]) -> bool:
    then, now = split_slot(old.slot_id), split_slot(new.slot_id)
    return then[_PASSAGE:] == now[_PASSAGE:] and moved.get(then[:_PASSAGE]) == now[:_PASSAGE]


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
    return list(zip(*columns, strict=True))


def _finish(pairs: _Pairs, old: int, new: int) -> Pairing:
    removed, added = _leave(pairs, old, new)
    return Pairing(tuple(sorted(pairs)), tuple(removed), tuple(added))
