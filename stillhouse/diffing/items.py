"""What a row is to those who explain it: its ids, the hashes that were recorded of it, and its words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from stillhouse.base.packing import builder
from stillhouse.base.questions import question_of
from stillhouse.base.records import Pair, Request, Row, split_slot
from stillhouse.lineage.slots import Slot, slot_of_request, slot_of_row

if TYPE_CHECKING:
    import pyarrow as pa

# Hash of a row -> the cause that it names; in the order in which causes are told.
ROW_HASHES: Final = ("prompt", "document", "teacher", "parameters")
RUN_HASHES: Final = ("judge", "filter", "code")


@dataclass(frozen=True, slots=True)
class Item:
    """A row or a pair in one version.

    ``hashes`` are those of ``ROW_HASHES`` and ``RUN_HASHES``; a pair has none. ``text`` is what it is
    known again by: its question and answer.
    """

    id: str
    slot_id: str
    request_id: str
    chunk_ids: tuple[str, ...]
    document_ids: tuple[str, ...]
    task: str
    fact_id: str
    answer: str
    text: str
    hashes: Mapping[str, str]

    @property
    def source(self) -> str:
        """The document, or the file of questions, that its slot names."""
        return split_slot(self.slot_id)[0]


def read_items(table: "pa.Table") -> Iterator[Item]:
    """Yield the rows of a table of rows or pairs, in its order."""
    record: type[Row | Pair] = Row if "completion" in table.schema.names else Pair
    build: Any = builder(record)
    for batch in table.to_batches():
        for values in batch.to_pylist():
            made = build(values)
            yield item_of_row(made) if isinstance(made, Row) else item_of_pair(made)


def item_of_row(row: Row) -> Item:
    """Return a row as an item."""
    hashes = {name: getattr(row, f"{name}_sha256") for name in (*ROW_HASHES, *RUN_HASHES)}
    answer = row.completion[-1].content if row.completion else ""
    return Item(
        row.row_id,
        row.slot_id,
        row.request_id,
        row.chunk_ids,
        row.document_ids,
        row.task,
        row.fact_id,
        answer,
        slot_of_row(row).text,
        hashes,
    )


def item_of_pair(pair: Pair) -> Item:
    """Return a pair as an item."""
    text = f"{question_of(pair.messages, pair.context)}\n{pair.response}"
    return Item(
        pair.pair_id,
        pair.slot_id,
        pair.request_id,
        pair.chunk_ids,
        (),
        pair.task,
        pair.fact_id,
        pair.response,
        text,
        {},
    )


def slot_of_item(item: Item) -> Slot:
    """Return an item as pairing sees it."""
    return Slot(item.slot_id, item.text)


def slot_of(request: Request) -> Slot:
    """Return a request as pairing sees it."""
    return slot_of_request(request)
