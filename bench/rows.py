"""Two versions of an invented train table of any length, as ``split`` would have written them.

Every value follows from a row's number, its edit and the seed, a block at a time, so that a million rows
take seconds and little memory. The second version has changed, added and removed rows, each a share of
the first, for mixed causes.

    python -m bench.rows 1000000 /tmp/rows
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillhouse.base.files import replace_file
from stillhouse.base.records import Row
from stillhouse.base.tables import ROW_GROUP, arrow_schema

Numbers = npt.NDArray[np.uint64]

SHARE = 0.01  # of the rows each: changed, added, removed
BLOCK = 16 * ROW_GROUP
PAIRS = 5  # in a request
REQUESTS = 6  # for a chunk
CHUNKS = 5  # in a document
TASKS = ("recall", "recall", "recall", "open_book", "multi_step", "exception", "abstain")
VARIATIONS = ("plain", "brief", "polite", "typo")
AREAS = ("people", "fleet", "quality", "safety", "sales", "site", "stores", "finance")
SUBJECTS = ("calibration", "sick leave", "company vehicles", "visitor passes", "night shifts")
SUBJECTS += ("returned instruments", "travel bookings", "hot works", "archive boxes", "training")
OPENERS = ("How many working days does", "Under what sign is", "By when must", "To whom does")
OPENERS += ("What happens when", "I'm trying to find out how quickly", "Who decides whether")
DOERS = ("the shift lead", "the warden", "a new employee", "the depot office", "a contractor")
DEEDS = ("file the record of", "return the key for", "sign off the check of", "pay the charge of")
PLACES = ("in the north depot", "at the gatehouse", "on the second floor", "by the loading bay")
RUN_WIDE = ("judge_sha256", "filter_sha256", "code_sha256")


class Edit(IntEnum):
    """What became of a row in the second version."""

    NONE = 0
    PROMPT = 1
    DOCUMENT = 2
    TEACHER = 3
    PARAMETERS = 4
    HOLDOUT = 5


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a version, in the table's order: each one's number and its edit."""

    numbers: Numbers
    edits: Numbers


def write_versions(folder: Path, rows: int, seed: int = 0) -> tuple[Path, Path]:
    """Write ``a.parquet`` and ``b.parquet``; return their paths."""
    first, second = choose_rows(rows, seed)
    paths = folder / "a.parquet", folder / "b.parquet"
    folder.mkdir(parents=True, exist_ok=True)
    for path, block in zip(paths, (first, second), strict=True):
        write_rows(path, block)
    return paths


def choose_rows(rows: int, seed: int = 0) -> tuple[Block, Block]:
    """Return all rows of both versions in no order; at least one row is changed, added and removed."""
    share = max(1, round(rows * SHARE))
    drawn = np.random.default_rng(seed).permutation(rows)
    edits = np.zeros(rows + share, dtype=np.uint64)
    edits[drawn[:share]] = 1 + np.arange(share) % (len(Edit) - 1)
    second = np.setdiff1d(np.arange(rows + share), drawn[share : 2 * share]).astype(np.uint64)
    first = np.arange(rows, dtype=np.uint64)
    return Block(first, np.zeros_like(first)), Block(second, edits[second])


def write_rows(path: Path, block: Block) -> None:
    """Write a table's rows sorted by id, as ``base/tables.py`` writes them."""
    schema, ids = arrow_schema(Row), name_ids("row", block.numbers, own_edit(block.edits))
    order = np.argsort(
        ids[:, 0]
    )  # of 64 bits; the rest of an id decides only where these are equal
    with (
        replace_file(path) as part,
        pq.ParquetWriter(
            part, schema, compression="zstd", store_schema=False, write_page_checksum=True
        ) as writer,
    ):
        for start in range(0, len(order), BLOCK):
            chosen = order[start : start + BLOCK]
            columns = make_columns(Block(block.numbers[chosen], block.edits[chosen]))
            table = pa.table([columns[name] for name in schema.names], schema=schema)
            writer.write_table(table, row_group_size=ROW_GROUP)


def own_edit(edits: Numbers) -> Numbers:
    """Return the edits that give a row a new id: where a row is held out says nothing of its text."""
    return np.where(edits == Edit.HOLDOUT, np.uint64(0), edits)


def make_columns(block: Block) -> dict[str, pa.Array]:
    """Return the columns of some rows by name."""
    numbers, edits, own = block.numbers, block.edits, own_edit(block.edits)
    request, chunk = numbers // PAIRS, numbers // (PAIRS * REQUESTS)
    document = chunk // CHUNKS
    subject = draw(SUBJECTS, document, 1)
    texts = make_texts(numbers, own, subject)
    same = np.zeros_like(numbers)
    rewritten = np.where(edits == Edit.DOCUMENT, edits, 0).astype(np.uint64)
    return {
        "row_id": to_hex(name_ids("row", numbers, own)),
        "slot_id": make_slots(numbers),
        "request_id": to_hex(name_ids("request", request, own)),
        "chunk_ids": in_lists(to_hex(name_ids("chunk", chunk, rewritten))),
        "document_ids": in_lists(to_hex(name_ids("document", document, rewritten))),
        "task": draw(TASKS, request, 3),
        "fact_id": to_hex(name_ids("fact", numbers // 20, same)),
        **texts,
        "holdout": pc.if_else(pa.array(edits == Edit.HOLDOUT), "phrasing", ""),
        "prompt_sha256": stamp("prompt", mix(request, 3) % len(TASKS), edits == Edit.PROMPT),
        "document_sha256": stamp("source", document, edits == Edit.DOCUMENT),
        "teacher_sha256": stamp("teacher", same, edits == Edit.TEACHER),
        "parameters_sha256": stamp("parameters", same, edits == Edit.PARAMETERS),
        **{name: stamp(name, same, same > 0) for name in RUN_WIDE},
    }


def make_slots(numbers: Numbers) -> pa.Array:
    """Return slot ids: document, place in it, task, variation, persona, sample, ordinals."""
    request, chunk = numbers // PAIRS, numbers // (PAIRS * REQUESTS)
    document = chunk // CHUNKS
    anchor = join([draw(SUBJECTS, chunk, 2), "/part ", count(chunk % CHUNKS), ":0"])
    parts = [name_sources(document), anchor, draw(TASKS, request, 3), draw(VARIATIONS, request, 4)]
    ordinals = [count(request % REQUESTS), count(numbers % PAIRS)]
    return pc.binary_join_element_wise(*parts, "staff", "0", *ordinals, "|")


def name_sources(document: Numbers) -> pa.Array:
    """Return the paths of documents."""
    return join([draw(AREAS, document, 5), "/policy-", count(document), ".md"])


def make_texts(numbers: Numbers, own: Numbers, subject: pa.Array) -> dict[str, pa.Array]:
    """Return question, answer, context and reasoning: 13 and 15 words, the others where they are."""
    value = count(mix(numbers + (own << np.uint64(40)), 6) % 1000)
    doer, deed, place = (
        draw(words, numbers, 7 + at) for at, words in enumerate((DOERS, DEEDS, PLACES))
    )
    asked = join(
        [draw(OPENERS, numbers, 10), doer, deed, subject, "no.", count(numbers), place], " "
    )
    told = join([doer, "has to", deed, subject, "within", value, "working days", place], " ")
    quoted = join(['The passage says: "', told, '" So the answer is ', value, " working days."])
    book = join([told] * 4, " ")
    return {
        "prompt": as_messages("user", pc.binary_join_element_wise(asked, "?", "")),
        "completion": as_messages("assistant", pc.binary_join_element_wise(told, ".", "")),
        "context": pc.if_else(pa.array(mix(numbers, 11) % 100 < 3), book, ""),
        "reasoning": pc.if_else(pa.array(mix(numbers, 12) % 100 < 70), quoted, ""),
    }


def mix(numbers: Numbers, salt: int) -> Numbers:
    """Return numbers without a pattern for numbers that have one (splitmix64, Steele et al. 2014)."""
    mixed = numbers.astype(np.uint64) + np.uint64((salt + 1) * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def name_ids(kind: str, numbers: Numbers, versions: Numbers) -> Numbers:
    """Return 32 bytes for each number, four words a row; equal for equal kind, number and version."""
    salt = sum(byte << (at % 7) for at, byte in enumerate(kind.encode())) * 8
    seeds = mix(numbers, salt) + (versions << np.uint64(50))
    return np.stack([mix(seeds, salt + lane) for lane in range(4)], axis=1)


def to_hex(ids: Numbers) -> pa.Array:
    """Return ids as text of 64 digits."""
    digits = ids.astype(">u8").tobytes().hex().encode()
    offsets = np.arange(len(ids) + 1, dtype=np.int32) * 64
    return pa.StringArray.from_buffers(len(ids), pa.py_buffer(offsets), pa.py_buffer(digits))


def stamp(kind: str, numbers: Numbers, edited: npt.NDArray[np.bool_]) -> pa.Array:
    """Return the hashes of what a row was made with."""
    return to_hex(name_ids(kind, numbers, edited.astype(np.uint64)))


def draw(words: Sequence[str], numbers: Numbers, salt: int) -> pa.Array:
    """Return a word for each number, without a pattern."""
    return pa.array(words).take(pa.array(mix(numbers, salt) % len(words)))


def count(numbers: Numbers) -> pa.Array:
    return pa.array(numbers).cast(pa.string())


def join(parts: Sequence[Any], between: str = "") -> pa.Array:
    return pc.binary_join_element_wise(*parts, between)


def as_messages(role: str, contents: pa.Array) -> pa.Array:
    """Return conversations of one message."""
    roles = pa.repeat(pa.scalar(role), len(contents))
    fields = list(arrow_schema(Row).field("prompt").type.value_type)
    return in_lists(pa.StructArray.from_arrays([roles, contents], fields=fields))


def in_lists(values: pa.Array) -> pa.Array:
    """Return lists of one value each."""
    element = pa.field("element", values.type, nullable=False)
    offsets = pa.array(np.arange(len(values) + 1, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, values, type=pa.list_(element))


def main() -> None:
    """Write two versions of as many rows as were asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.rows")
    parser.add_argument("rows", type=int)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    for path in write_versions(arguments.folder, arguments.rows):
        print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
