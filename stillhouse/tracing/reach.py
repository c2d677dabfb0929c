"""What came of a thing: its chunks, requests, pairs, rejections and rows, by the tables' ids."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stillhouse.base.fixes import is_fix
from stillhouse.base.ids import sha256_file
from stillhouse.base.questions import question_of
from stillhouse.base.records import Rejection
from stillhouse.tracing.asked import read_asked
from stillhouse.tracing.columns import Chunks, Flags, choose, flag
from stillhouse.tracing.find import PROMPTS, Thing
from stillhouse.tracing.index import Index
from stillhouse.tracing.lexicon import Numbers
from stillhouse.tracing.passages import find_twins
from stillhouse.tracing.picking import pick_records
from stillhouse.tracing.tables import (
    CHUNKS,
    CURATED,
    DATASET,
    DERIVED,
    PAIRS,
    REJECTIONS,
    REQUESTS,
    REVIEWED,
    AnsweredRow,
    Decision,
    as_rejection,
    read_decisions,
)
from stillhouse.tracing.trail import (
    ABSENT,
    BY_ROW,
    YES,
    Passages,
    Told,
    Trail,
    find_sources,
    join_told,
    lay_trail,
)

Places = npt.NDArray[np.int64]

ROW_TABLES = (CURATED, REVIEWED, *DATASET)


@dataclass(frozen=True, slots=True)
class Reach:
    """All that comes of a thing in the workspace.

    ``places`` says where its records stand in each table. ``touched`` says of *every* row and pair in
    the workspace, by its number, whether it comes of the thing; ``validation`` are the rows of that
    table. ``requests`` are the thing's.
    """

    thing: Thing
    places: Mapping[Path, Places]
    rejections: tuple[Rejection, ...]
    decisions: tuple[Decision, ...]
    touched: Told
    validation: Numbers


def follow(index: Index, root: Path, thing: Thing, known: Passages | None = None) -> Reach:
    """Return what came of a thing, as the tables of the project at ``root`` tell it.

    ``known`` holds the passages here of a thing that is of another version.

    Raises:
        InputError: a table is missing or unreadable.
    """
    chunks = index.chunks(root / CHUNKS)
    mine = choose(known.own, chunks.chunk) if known else _are_of(index, chunks, thing)
    decisions = read_decisions(root)
    own = flag(index.size, chunks.chunk[mine])
    if thing.kind == "chunk" and not known:
        own = find_twins(index, root / CHUNKS, thing.id)
    known = known or Passages(own, flag(index.size, chunks.chunk))
    calls = read_asked(index, {table: root / table for table in (REQUESTS, DERIVED, PAIRS)})
    assert calls is not None
    fixes = name_rows(index, thing, [root / table for table in (REVIEWED, *DATASET)])
    prompts = hash_prompts(index, root, thing)
    trail, asked = lay_trail(index, thing, known, prompts, calls, fixes)
    places = {
        CHUNKS: np.flatnonzero(mine),
        REQUESTS: np.flatnonzero(asked[: calls.plain]),
        DERIVED: np.flatnonzero(asked[calls.plain :]),
    }
    touched = np.full(index.size, ABSENT, np.int8)
    ids = np.zeros(index.size, np.bool_)
    for table in (PAIRS, *ROW_TABLES):
        columns = index.pairs(root / table) if table == PAIRS else index.rows(root / table)
        told = trail.tell_rows(columns)
        # A pair says less of itself than a row: what one of them tells, they tell.
        join_told(touched, columns.row, told)
        places[table] = np.flatnonzero(told == YES)
        ids[columns.row[places[table]]] = True
    dropped = _find_rejections(index, root, thing, trail, ids)
    judged = _find_decisions(index, decisions, ids)
    refused = _find_decisions(index, decisions, ids | trail.requests, new_too=False)
    return Reach(
        thing=thing,
        places=places,
        rejections=(*dropped, *(as_rejection(d) for d in refused if d.verdict == "reject")),
        decisions=tuple(judged),
        touched=touched,
        validation=index.rows(root / DATASET[1]).row,
    )


def _are_of(index: Index, chunks: Chunks, thing: Thing) -> Flags:
    number = index.find_id(thing.id)
    if thing.kind.endswith("file"):
        return choose(find_sources(index, thing), chunks.source)
    mine: Flags = np.zeros(len(chunks.chunk), np.bool_)
    if thing.kind in ("document", "chunk"):
        mine = (chunks.document if thing.kind == "document" else chunks.chunk) == number
    return mine


def name_rows(index: Index, thing: Thing, tables: Iterable[Path]) -> Flags:
    """Return a row or pair, and what reviewers' fixes made of it in the tables, at any time."""
    own = flag(index.size, [])
    if thing.kind not in BY_ROW:
        return own
    own[index.find_id(thing.id)] = True
    for table in tables:
        own |= flag(index.size, _find_fixes(index, thing, table))
    return own


def _find_fixes(index: Index, thing: Thing, path: Path) -> list[int]:
    """Return the rows of a table that a reviewer made of a row, whose request they keep.

    What one row says is the same in every table that has it, so that it is read once.
    """
    table = index.rows(path)
    asked = index.once(("asked", thing), lambda: _find_asked(index, thing))
    # A row that is in no table any more may have been asked by any request.
    alike = choose(asked, table.request)[table.group] if asked.any() else table.row >= 0
    looked: dict[int, bool] = index.once(("fixes", thing), dict)
    unread = [
        place for place in np.flatnonzero(alike).tolist() if int(table.row[place]) not in looked
    ]
    for row, place in zip(pick_records(path, AnsweredRow, np.array(unread)), unread, strict=True):
        looked[int(table.row[place])] = _is_fix(row, thing.id)
    return [row for row in table.row[alike].tolist() if looked[row]]


def _is_fix(row: AnsweredRow, of: str) -> bool:
    question = question_of(row.prompt, row.context)
    return bool(row.completion) and is_fix(row.row_id, of, row.completion[0].content, question)


def _find_asked(index: Index, thing: Thing) -> Flags:
    """Return the requests of a row or pair, in whatever table of any version it stands."""
    number = index.find_id(thing.id)
    asked = [table.request[table.group[table.row == number]] for table in index.row_tables()]
    return flag(index.size, np.concatenate([np.empty(0, np.int32), *asked]))


def hash_prompts(index: Index, root: Path, thing: Thing) -> dict[str, str]:
    """Return path -> sha256 of the prompt files that there are now, or were where a gone thing stands."""
    if not thing.home:
        return {
            path.relative_to(root).as_posix(): sha256_file(path)
            for path in (root / PROMPTS).rglob("*.md")
        }
    return read_prompts(index, thing.home)


def read_prompts(index: Index, tables: Mapping[Path, Path]) -> dict[str, str]:
    """Return path -> sha256 of the prompts that a version's requests were made with."""
    asked = read_asked(index, tables)
    if asked is None:
        return {}
    requests = asked.requests
    both = np.unique(np.stack([requests.path, requests.prompt]), axis=1)
    texts, ids = index.words.texts, index.ids
    return {texts[path]: ids.name(prompt) for path, prompt in both.T.tolist()}


def _find_rejections(
    index: Index, root: Path, thing: Thing, trail: Trail, ids: Flags
) -> Iterator[Rejection]:
    """Yield the thing's rejections: of a file its own, else those of its requests, pairs and rows."""
    left_out, *others = REJECTIONS
    skipped = index.skipped(root / left_out)
    if thing.kind.endswith("file"):
        mine = choose(find_sources(index, thing), skipped.name)
        yield from pick_records(root / left_out, Rejection, np.flatnonzero(mine))
    for table in others:
        rejections = index.rejections(root / table)
        mine = choose(ids | trail.requests, rejections.rejected)
        yield from pick_records(root / table, Rejection, np.flatnonzero(mine))


def _find_decisions(
    index: Index, decisions: list[Decision], ids: Flags, *, new_too: bool = True
) -> Iterator[Decision]:
    """Yield the decisions about a row that is chosen, or that made one."""
    numbers = index.ids.find_all([d.row_id for d in decisions] + [d.new_id for d in decisions])
    for decision in decisions:
        named = (decision.row_id, decision.new_id) if new_too else (decision.row_id,)
        if any(ids[numbers[name]] for name in named if name in numbers):
            yield decision
