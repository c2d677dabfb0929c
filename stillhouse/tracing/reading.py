"""A table's Parquet file into the columns that the index keeps, a column in memory at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stillhouse.base.ids import canonical_json, sha256_text
from stillhouse.base.records import Rejection, split_slot
from stillhouse.base.tables import read_table
from stillhouse.lineage.provenance import SeenRow
from stillhouse.tracing.columns import (
    Chunks,
    Derived,
    Documents,
    Lists,
    Rejections,
    Requests,
    Rows,
    Seen,
    Skipped,
)
from stillhouse.tracing.lexicon import NONE, Ids, Numbers, Words
from stillhouse.tracing.tables import (
    ChunkKey,
    ChunkWords,
    DerivedKey,
    DocumentKey,
    PairKey,
    RequestKey,
    RowKey,
)

_TOGETHER: Final = 1 << 18  # rows of one column in memory at a time
_REPEATS: Final = "its text is that of "  # as ingest says it, in the detail of a duplicate


@dataclass(frozen=True, slots=True)
class Source:
    """A table's file and the numbering that its texts get."""

    path: Path
    ids: Ids
    words: Words

    def id_column(self, name: str) -> Numbers:
        """Return a column of ids."""
        return _join([self.ids.encode(part) for part in self._read(name)])

    def word_column(self, name: str) -> Numbers:
        """Return a column of words."""
        return _join([self.words.encode(part) for part in self._read(name)])

    def id_lists(self, name: str) -> Lists:
        """Return a column of lists of ids."""
        values, lengths = [], []
        for part in self._read(name):
            values.append(self.ids.encode(part.flatten()))
            lengths.append(np.diff(np.asarray(part.offsets)).astype(np.int32))
        starts = np.concatenate([[0], np.cumsum(_join(lengths))]).astype(np.int32)
        return Lists(_join(values), starts)

    def slot_sources(self) -> Numbers:
        """Return the document that each row's slot lies in, as a word."""
        return _join([self._name_sources(part) for part in self._read("slot_id")])

    def _name_sources(self, slots: pa.Array) -> Numbers:
        import pyarrow.compute as pc  # late: a warm index needs none of it

        parts = pc.list_element(pc.split_pattern(slots, "|", max_splits=1), 0)
        coded = parts.dictionary_encode()
        named = [split_slot(text)[0] for text in coded.dictionary.to_pylist()]
        numbers: Numbers = self.words.number(named)[np.asarray(coded.indices)]
        return numbers

    def _read(self, name: str) -> Iterator[pa.Array]:
        with pq.ParquetFile(self.path, page_checksum_verification=True) as file:
            for batch in file.iter_batches(batch_size=_TOGETHER, columns=[name]):
                yield batch.column(0)


def _join(parts: Sequence[Numbers]) -> Numbers:
    whole: Numbers = np.concatenate([np.empty(0, np.int32), *parts])
    return whole


def read_documents(source: Source) -> Documents:
    """Read ``documents.parquet``."""
    return Documents(
        source.id_column("document_id"),
        source.word_column("source"),
        source.id_column("source_sha256"),
    )


def read_chunks(source: Source) -> Chunks:
    """Read ``chunks.parquet``; its texts are only hashed."""
    texts, words = [], []
    for chunk in read_table(source.path, ChunkWords):
        texts.append(sha256_text(chunk.text))
        words.append(sha256_text(canonical_json([chunk.source, *chunk.headings, chunk.text])))
    return Chunks(
        source.id_column("chunk_id"),
        source.id_column("document_id"),
        source.word_column("source"),
        source.ids.encode(pa.array(texts, pa.string())),
        source.ids.encode(pa.array(words, pa.string())),
    )


def read_requests(source: Source) -> Requests:
    """Read ``requests.parquet``."""
    return Requests(
        source.id_column("request_id"),
        source.id_lists("chunk_ids"),
        source.word_column("prompt_path"),
        source.id_column("prompt_sha256"),
        source.word_column("task"),
        source.word_column("teacher"),
        source.word_column("model"),
    )


def read_derived(source: Source) -> Derived:
    """Read ``derived.parquet``."""
    asked = read_requests(source)
    return Derived(
        asked.request,
        asked.chunks,
        asked.path,
        asked.prompt,
        asked.task,
        asked.teacher,
        asked.model,
        source.id_column("parent_id"),
    )


def read_rows(source: Source) -> Rows:
    """Read a table of rows."""
    documents = source.id_lists("document_ids")
    return _group(source, "row_id", documents, source.id_column("prompt_sha256"))


def read_pairs(source: Source) -> Rows:
    """Read a table of pairs."""
    with pq.ParquetFile(source.path) as file:
        count = file.metadata.num_rows
    none = Lists(np.empty(0, np.int32), np.zeros(count + 1, np.int32))
    return _group(source, "pair_id", none, np.full(count, NONE, np.int32))


def read_skipped(source: Source) -> Skipped:
    """Read what ingest left out."""
    rejections = list(read_table(source.path, Rejection))
    names = source.words.number([rejection.rejected_id for rejection in rejections])
    twins = [find_twin(rejection) for rejection in rejections]
    numbers = [int(source.words.number([twin])[0]) if twin else NONE for twin in twins]
    return Skipped(names, np.array(numbers, np.int32))


def read_rejections(source: Source) -> Rejections:
    """Read what a stage behind ingest rejected."""
    return Rejections(
        source.id_column("rejected_id"), source.word_column("stage"), source.word_column("reason")
    )


def read_seen(source: Source) -> Seen:
    """Read the rows that a student lists, each once."""
    return Seen(np.unique(source.id_column("row_id")))


def find_twin(skipped: Rejection) -> str:
    """Return the source of the document whose text a skipped file has; empty where it has a text of its own."""
    repeats = (skipped.stage, skipped.reason) == ("ingest", "duplicate")
    return skipped.detail.removeprefix(_REPEATS) if repeats else ""


def _group(source: Source, key: str, documents: Lists, prompt: Numbers) -> Rows:
    row, task = source.id_column(key), source.word_column("task")
    request, chunks = source.id_column("request_id"), source.id_lists("chunk_ids")
    place = source.slot_sources()
    parts = (request, _number_lists(chunks), _number_lists(documents), place, prompt)
    group, first = _number_together(parts)
    return Rows(
        row=row,
        task=task,
        group=group,
        count=np.bincount(group, minlength=len(first)).astype(np.int32),
        request=request[first],
        chunks=_pick(chunks, first),
        documents=_pick(documents, first),
        source=place[first],
        prompt=prompt[first],
    )


def _number_lists(lists: Lists) -> npt.NDArray[np.int64]:
    """Return a number for each list, the same for equal lists."""
    lengths, starts = lists.lengths(), lists.starts[:-1]
    found = np.full(len(lengths), -1, np.int64)
    alone = lengths == 1
    found[alone] = lists.values[starts[alone]]
    longer: dict[tuple[int, ...], int] = {}
    for place in np.flatnonzero(lengths > 1).tolist():
        found[place] = -2 - longer.setdefault(tuple(lists.at(place)), len(longer))
    return found


def _number_together(parts: tuple[npt.NDArray[Any], ...]) -> tuple[Numbers, npt.NDArray[np.int64]]:
    """Return a number for each row, equal where all parts are, and the first row of each number."""
    count = len(parts[0])
    numbers, many = np.zeros(count, np.int64), 1
    for part in parts:
        inner = np.asarray(pa.array(part).dictionary_encode().indices, np.int64)
        both = numbers * (int(inner.max(initial=0)) + 1) + inner
        coded = pa.array(both).dictionary_encode()
        numbers, many = np.asarray(coded.indices, np.int64), len(coded.dictionary)
    first = np.zeros(many if count else 0, np.int64)
    first[numbers[::-1]] = np.arange(count - 1, -1, -1)
    return numbers.astype(np.int32), first


def _pick(lists: Lists, places: npt.NDArray[np.int64]) -> Lists:
    lengths = lists.lengths()[places]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    steps = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
    return Lists(lists.values[np.repeat(lists.starts[places], lengths) + steps], starts)


@dataclass(frozen=True, slots=True)
class Form:
    """How one kind of table is read: its columns, and the record whose reading tells what is wrong."""

    columns: type
    record: type
    read: Callable[[Source], Any]


FORMS: Final = {
    "documents": Form(Documents, DocumentKey, read_documents),
    "chunks": Form(Chunks, ChunkKey, read_chunks),
    "requests": Form(Requests, RequestKey, read_requests),
    "derived": Form(Derived, DerivedKey, read_derived),
    "rows": Form(Rows, RowKey, read_rows),
    "pairs": Form(Rows, PairKey, read_pairs),
    "skipped": Form(Skipped, Rejection, read_skipped),
    "rejections": Form(Rejections, Rejection, read_rejections),
    "seen": Form(Seen, SeenRow, read_seen),
}
