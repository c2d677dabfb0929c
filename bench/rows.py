"""Two versions of an invented train table of any length, as ``split`` would have written them.

A million rows take seconds and little memory. The second version has about 1 % each of changed, added
and removed rows: whole documents, requests and rows, for mixed causes.

    python -m bench.rows 1000000 /tmp/rows
"""

import argparse
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bench.invented import (
    Columns,
    Numbers,
    as_messages,
    draw,
    hash_of,
    in_lists,
    join,
    mix,
    name_ids,
    write_columns,
    write_out,
)
from stillhouse.base.records import Row

SHARE: Final = 0.01  # of the rows each: changed, added, removed
PAIRS: Final = 5  # in a request
REQUESTS: Final = 6  # for a chunk
CHUNKS: Final = 5  # in a document
IN_CHUNK: Final = PAIRS * REQUESTS
IN_DOCUMENT: Final = IN_CHUNK * CHUNKS
TASKS: Final = ("recall", "open_book", "multi_step", "exceptions", "abstain")
RUN_WIDE: Final = ("judge_sha256", "filter_sha256", "code_sha256")

_AREAS = ("people", "fleet", "quality", "safety", "sales", "site", "stores", "finance")
_SUBJECTS = (
    *("calibration", "sick leave", "company vehicles", "visitor passes", "night shifts"),
    *("returned instruments", "travel bookings", "hot works", "archive boxes", "training"),
)
_VARIATIONS = ("plain", "brief", "polite", "typo")
_OPENERS = (
    *("How many working days does", "Under what sign is", "By when must", "To whom does"),
    *("What happens when", "I'm trying to find out how quickly", "Who decides whether"),
)
_DOERS = ("the shift lead", "the warden", "a new employee", "the depot office", "a contractor")
_DEEDS = ("file the record of", "return the key for", "sign off the check of", "pay the charge of")
_PLACES = ("in the north depot", "at the gatehouse", "on the second floor", "by the loading bay")


class Edit(IntEnum):
    """What became of a row in the second version."""

    NONE = 0
    DOCUMENT = 1
    PROMPT = 2
    TEACHER = 3
    PARAMETERS = 4
    HOLDOUT = 5


_UNITS = {
    Edit.DOCUMENT: IN_DOCUMENT,
    Edit.HOLDOUT: 1,
}  # rows that change together; else a request's


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows, or other things, of a version: each one's number and its edit."""

    numbers: Numbers
    edits: Numbers

    def at(self, places: npt.NDArray[np.intp]) -> "Block":
        """Return those at some places."""
        return Block(self.numbers[places], self.edits[places])


def write_versions(folder: Path, rows: int, seed: int = 0) -> tuple[Path, Path]:
    """Write ``a.parquet`` and ``b.parquet``; return their paths."""
    paths = folder / "a.parquet", folder / "b.parquet"
    for path, block in zip(paths, choose_rows(rows, seed), strict=True):
        write_rows(path, block)
    return paths


def choose_rows(rows: int, seed: int = 0) -> tuple[Block, Block]:
    """Return all rows of both versions, by number; at least one is changed, added and removed."""
    drawn = np.random.default_rng(seed)
    share = max(1, round(rows * SHARE))
    edits = np.zeros(rows + share, dtype=np.uint64)
    for edit in list(Edit)[1:]:
        unit = _UNITS.get(edit, PAIRS)
        free = np.unique(np.flatnonzero(edits[:rows] == 0) // unit)
        chosen = drawn.permutation(free)[: max(1, round(share / 5 / unit))]
        places = (chosen[:, None] * unit + np.arange(unit)).ravel()
        places = places[places < rows]
        edits[places[edits[places] == 0]] = edit
    removed = drawn.permutation(np.flatnonzero(edits[:rows] == 0))[:share]
    second = np.setdiff1d(np.arange(rows + share), removed).astype(np.uint64)
    first = np.arange(rows, dtype=np.uint64)
    return Block(first, np.zeros_like(first)), Block(second, edits[second])


def write_rows(path: Path, block: Block) -> None:
    """Write a table of rows."""
    ids = name_ids("row", block.numbers, own_edit(block.edits))
    write_columns(path, Row, ids, lambda places: make_columns(block.at(places)))


def own_edit(edits: Numbers) -> Numbers:
    """Return the edits that give a row a new id: where a row is held out says nothing of its text."""
    return np.where(edits == Edit.HOLDOUT, np.uint64(0), edits)


def rewritten(edits: Numbers) -> Numbers:
    """Return the versions of documents and their chunks."""
    return np.where(edits == Edit.DOCUMENT, edits, np.uint64(0))


def make_columns(block: Block) -> Columns:
    """Return the columns of some rows by name."""
    numbers, edits, own = block.numbers, block.edits, own_edit(block.edits)
    request, document, same = numbers // PAIRS, numbers // IN_DOCUMENT, np.zeros_like(numbers)
    texts = make_texts(numbers, own)
    return {
        "row_id": hash_of("row", numbers, own),
        "slot_id": make_slots(numbers),
        "request_id": hash_of("request", request, own),
        "chunk_ids": in_lists(hash_of("chunk", numbers // IN_CHUNK, rewritten(edits))),
        "document_ids": in_lists(hash_of("document", document, rewritten(edits))),
        "task": name_tasks(request),
        "fact_id": hash_of("fact", numbers // 20, same),
        "prompt": as_messages("user", texts["question"]),
        "completion": as_messages("assistant", texts["answer"]),
        "context": texts["context"],
        "reasoning": texts["reasoning"],
        "holdout": pc.if_else(pa.array(edits == Edit.HOLDOUT), "phrasing", ""),
        "prompt_sha256": hash_prompts(request, edits),
        "document_sha256": hash_of("source", document, rewritten(edits)),
        "teacher_sha256": hash_of("teacher", same, (edits == Edit.TEACHER).astype(np.uint64)),
        "parameters_sha256": hash_of("asked", same, (edits == Edit.PARAMETERS).astype(np.uint64)),
        **{name: hash_of(name, same, same) for name in RUN_WIDE},
    }


def make_slots(numbers: Numbers) -> pa.Array:
    """Return the slot ids of rows: that of the request, and two ordinals."""
    return join([make_request_slots(numbers // PAIRS), "0", write_out(numbers % PAIRS)], "|")


def make_request_slots(request: Numbers) -> pa.Array:
    """Return the slot ids of requests: document, anchor, task, variation, persona, sample."""
    chunk = request // REQUESTS
    variation, sample = draw(_VARIATIONS, request, 4), write_out(request % REQUESTS)
    place = (name_sources(chunk // CHUNKS), name_anchors(chunk))
    return join([*place, name_tasks(request), variation, "staff", sample], "|")


def name_sources(document: Numbers) -> pa.Array:
    """Return the paths of documents."""
    return join([draw(_AREAS, document, 5), "/policy-", write_out(document), ".md"])


def name_headings(chunk: Numbers) -> pa.Array:
    """Return the heading of each chunk."""
    return join([draw(_SUBJECTS, chunk, 2), " ", write_out(chunk % CHUNKS)])


def name_anchors(chunk: Numbers) -> pa.Array:
    """Return the place of each chunk in its document."""
    return join([name_headings(chunk), ":0"])


def name_tasks(request: Numbers) -> pa.Array:
    """Return the task of each request."""
    return draw(TASKS, request, 3)


def hash_prompts(request: Numbers, edits: Numbers) -> pa.Array:
    """Return the hash of the prompt file of each request."""
    prompt = mix(request, 3) % len(TASKS)
    return hash_of("prompt", prompt, (edits == Edit.PROMPT).astype(np.uint64))


def make_texts(numbers: Numbers, own: Numbers) -> Columns:
    """Return question and answer, 13 and 15 words; context and reasoning, where a row has them."""
    subject = draw(_SUBJECTS, numbers // IN_DOCUMENT, 1)
    value = write_out(mix(numbers + (own << np.uint64(40)), 6) % 1000)
    doer, deed = draw(_DOERS, numbers, 7), draw(_DEEDS, numbers, 8)
    place = draw(_PLACES, numbers, 9)
    asked = [draw(_OPENERS, numbers, 10), doer, deed, subject, "no.", write_out(numbers), place]
    told = join([doer, "has to", deed, subject, "within", value, "working days", place], " ")
    quoted = join(['The passage says: "', told, '" So the answer is ', value, " working days."])
    return {
        "question": join([join(asked, " "), "?"]),
        "answer": join([told, "."]),
        "context": pc.if_else(pa.array(mix(numbers, 11) % 100 < 3), join([told] * 4, " "), ""),
        "reasoning": pc.if_else(pa.array(mix(numbers, 12) % 100 < 70), quoted, ""),
    }


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
