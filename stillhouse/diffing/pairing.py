"""Which differing row of one version is which of the other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stillhouse.base.records import Pair, Row
from stillhouse.diffing.compare import Compared
from stillhouse.diffing.items import Item, read_items, slot_of_item
from stillhouse.diffing.tables import Table
from stillhouse.diffing.upstream import Upstream
from stillhouse.lineage.slots import Pairing, pair_slots

if TYPE_CHECKING:
    import pyarrow as pa

_PAIRED: Final = 200_000  # rows of one version that are paired by what they say; more only by key


def pair_rows(compared: Compared, table: Table, old: Upstream, new: Upstream) -> Pairing:
    """Return the pairs among the differing rows of two versions, and what either has alone.

    A row that still is what it was in the other version, if only as a pair that was filtered out or
    held out there, is no other row's successor, however much alike the two are.
    """
    if table.record not in (Row, Pair):
        return _pair_keys(compared)
    then, now = list(read_items(compared.old)), list(read_items(compared.new))
    pairs = _pair_ids(then, now, old, new)
    taken, given = {i for i, _ in pairs}, {j for _, j in pairs}
    stays, stood = (
        new.find_pairs([item.id for item in then]),
        old.find_pairs([item.id for item in now]),
    )
    free = [i for i, item in enumerate(then) if i not in taken and old.origin(item.id) not in stays]
    fresh = [j for j, item in enumerate(now) if j not in given and new.origin(item.id) not in stood]
    if max(len(free), len(fresh)) <= _PAIRED:
        found = pair_slots(
            [slot_of_item(then[i]) for i in free], [slot_of_item(now[j]) for j in fresh]
        )
        pairs += [(free[first], fresh[second]) for first, second in found.pairs]
    else:
        places = {now[j].slot_id: j for j in fresh}
        pairs += [(i, places[then[i].slot_id]) for i in free if then[i].slot_id in places]
    return _finish(pairs, len(then), len(now))


def _pair_ids(
    then: Sequence[Item], now: Sequence[Item], old: Upstream, new: Upstream
) -> list[tuple[int, int]]:
    """Pair rows that were made of one pair: held out otherwise, moved, or mended by a reviewer."""
    places = {new.origin(item.id): j for j, item in enumerate(now)}
    return [
        (i, places[old.origin(item.id)])
        for i, item in enumerate(then)
        if old.origin(item.id) in places
    ]


def _pair_keys(compared: Compared) -> Pairing:
    old, new = (_list_keys(rows, compared) for rows in (compared.old, compared.new))
    places = {key: number for number, key in enumerate(new)}
    pairs = [(i, places[key]) for i, key in enumerate(old) if key in places]
    return _finish(pairs, len(old), len(new))


def _list_keys(rows: "pa.Table", compared: Compared) -> list[tuple[object, ...]]:
    columns = [rows.column(name).to_pylist() for name in compared.shape.key]
    return list(zip(*columns, strict=True))


def _finish(pairs: Sequence[tuple[int, int]], old: int, new: int) -> Pairing:
    taken, given = {i for i, _ in pairs}, {j for _, j in pairs}
    return Pairing(
        tuple(sorted(pairs)),
        tuple(i for i in range(old) if i not in taken),
        tuple(j for j in range(new) if j not in given),
    )
