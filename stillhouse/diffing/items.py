"""What a row is to those who explain it: its ids, the hashes that were recorded of it, and its words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from stillhouse.base.questions import question_of
from stillhouse.base.records import Message, Pair, Request, split_slot
from stillhouse.lineage.slots import Slot, slot_of_request

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
    question: str
    answer: str
    text: str
    hashes: Mapping[str, str]

    @property
    def source(self) -> str:
        """The document, or the file of questions, that its slot names."""
        return split_slot(self.slot_id)[0]


def read_items(table: "pa.Table") -> list[Item]:
    """Return the rows of a table of rows or pairs, in its order.

    Column by column: a record for each would take several times as long.
    """
    names = set(table.schema.names)
    rows = "completion" in names

    def column(name: str, none: Any) -> list[Any]:
        if name in names:
            return list(table.column(name).to_pylist())
        return [none] * table.num_rows

    hashes = (*ROW_HASHES, *RUN_HASHES) if rows else ()
    recorded = [column(f"{name}_sha256", "") for name in hashes]
    answers = column("completion", ()) if rows else column("response", "")
    return [
        Item(
            item_id,
            slot_id,
            request_id,
            tuple(chunk_ids),
            tuple(document_ids),
            task,
            fact_id,
            question,
            answer := _read_answer(said),
            f"{question}\n{answer}",
            dict(zip(hashes, values, strict=True)),
        )
        for item_id, slot_id, request_id, chunk_ids, document_ids, task, fact_id, question, said, values in zip(
            column("row_id" if rows else "pair_id", ""),
            column("slot_id", ""),
            column("request_id", ""),
            column("chunk_ids", ()),
            column("document_ids", ()),
            column("task", ""),
            column("fact_id", ""),
            map(
                _read_question, column("prompt" if rows else "messages", ()), column("context", "")
            ),
            answers,
            zip(*recorded, strict=True) if rows else [()] * table.num_rows,
            strict=True,
        )
    ]


def _read_question(turns: Sequence[Mapping[str, str]], context: str) -> str:
    return question_of([Message(turn["role"], turn["content"]) for turn in turns], context)


def _read_answer(said: Sequence[Mapping[str, str]] | str) -> str:
    if isinstance(said, str):
        return said
    return said[-1]["content"] if said else ""


def item_of_pair(pair: Pair) -> Item:
    """Return a pair as an item."""
    question = question_of(pair.messages, pair.context)
    return Item(
        pair.pair_id,
        pair.slot_id,
        pair.request_id,
        pair.chunk_ids,
        (),
        pair.task,
        pair.fact_id,
        question,
        pair.response,
        f"{question}\n{pair.response}",
        {},
    )


def slot_of_item(item: Item) -> Slot:
    """Return an item as pairing sees it."""
    return Slot(item.slot_id, item.text)


def slot_of(request: Request) -> Slot:
    """Return a request as pairing sees it."""
    return slot_of_request(request)
