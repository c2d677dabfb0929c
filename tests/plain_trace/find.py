"""Which thing a name means: a path, a file's name, or an id or the beginning of one."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, TypeVar

from stillhouse.base.errors import InputError
from stillhouse.base.records import Rejection, split_slot
from stillhouse.base.tables import read_table
from tests.plain_trace.tables import (
    CHUNKS,
    CURATED,
    DATASET,
    DOCUMENTS,
    PAIRS,
    REJECTIONS,
    REQUESTS,
    REVIEWED,
    SEED,
    ChunkKey,
    DocumentKey,
    PairKey,
    RequestKey,
    RowKey,
)

T = TypeVar("T")

Kind = Literal[
    "row", "pair", "request", "chunk", "document", "prompt", "skipped file", "file", "model"
]

PROMPTS: Final = Path("prompts")
_ID: Final = re.compile(r"[0-9a-f]{4,64}")
ENTRY: Final = re.compile(r"(.*?\.(?:jsonl|ndjson|json))#", re.IGNORECASE)  # corpus/entries.py
_REPEATS: Final = "its text is that of "  # as ingest says it, in the detail of a duplicate
_FETCH: Final = "tables that models here were made of are not found and may name it: run `dvc fetch --all-commits`"
_SHOWN: Final = 3  # candidates named in an error
_TABLES: Final = (
    *(DOCUMENTS, CHUNKS, REQUESTS, PAIRS, CURATED, REVIEWED),
    *(*DATASET, REJECTIONS[0]),
)


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """What is traced. ``id`` is a content id; of a prompt or a model its path, of a skipped file its source.

    ``name`` is what a person calls it: a document's source, a prompt's or model's path, else the id.
    A ``file`` is one of JSON whose objects are documents, ``name#...``. ``twins`` are the sources of the
    documents that were read in place of a skipped file, or skipped objects, with the same text.
    ``home`` is table -> file of the version in which a thing stands that the workspace has no more;
    empty for one that is here.
    """

    kind: Kind
    id: str
    name: str
    twins: tuple[str, ...] = ()
    home: Mapping[Path, Path] = field(default_factory=dict, compare=False)

    def covers(self, source: str) -> bool:
        """Whether what was read as ``source`` is of this document or file."""
        inside = self.kind == "file" and source.startswith(f"{self.name}#")
        return inside or source == self.name or source in self.twins

    def locate(self, root: Path, table: Path) -> Path | None:
        """Return the file of a table in the version where the thing stands; None where it is lost."""
        return self.home.get(table) if self.home else root / table


def find_thing(
    root: Path,
    wanted: str,
    listed: Iterable[str] = (),
    students: Iterable[str] = (),
    versions: Iterable[Mapping[Path, Path]] = (),
) -> Thing:
    """Return the one thing that ``wanted`` means in the project at ``root``.

    A student goes before files, so that no table is needed for it; a whole path goes before a file's
    name, and both go before ids. What the workspace has goes before what only models saw.

    Args:
        root: the project.
        wanted: an id, its first four characters or more, a path, or a file's name.
        listed: rows that models list, which may be in no table any more.
        students: the models, by name.
        versions: the tables that each model was made of, as far as they are found; they are looked
            through only for what the workspace does not have.

    Raises:
        InputError: nothing is called so, or more than one thing; or a table is missing.
    """
    path = _as_path(root, wanted)
    for name in students:
        if wanted == name or path == f"models/{name}":
            return Thing("model", f"models/{name}", f"models/{name}")
    here = {table: root / table for table in _TABLES}
    named = {*_list_files(here), *_list_prompts(root)}
    found = _choose(wanted, path, sorted(named))
    if not found and _ID.fullmatch(wanted):
        found = _find_ids(here, wanted, listed)
    past = [] if found else list(versions)
    found = found or _find_gone(wanted, path, past) or _find_gone(wanted, path, [here])
    if len(found) == 1:
        return found[0]
    if found:
        raise _ambiguous(wanted, found)
    raise _unknown(root, wanted, path, lost=any(DOCUMENTS not in tables for tables in past))


def _choose(wanted: str, path: str, named: Sequence[Thing]) -> list[Thing]:
    """Return the things with that path, else those whose file is called so."""
    exact = [thing for thing in named if path in _paths(thing)]
    return exact or [thing for thing in named if Path(thing.name).name == wanted]


def _find_gone(wanted: str, path: str, versions: Iterable[Mapping[Path, Path]]) -> list[Thing]:
    """Return the things of a name or id in earlier versions, each as in the first that has it."""
    named: dict[tuple[Kind, str], Thing] = {}
    by_id: dict[tuple[Kind, str], Thing] = {}
    for tables in versions:
        try:
            for thing in dict.fromkeys((*_list_files(tables), *_list_named_by_rows(tables))):
                named.setdefault((thing.kind, thing.name), replace(thing, home=tables))
            for thing in _find_ids(tables, wanted, ()) if _ID.fullmatch(wanted) else ():
                by_id.setdefault((thing.kind, thing.id), replace(thing, home=tables))
        except InputError:  # of another layout, from before a column was added: it tells nothing
            continue
    return _choose(wanted, path, sorted(named.values())) or sorted(by_id.values())


def _list_files(tables: Mapping[Path, Path]) -> Iterator[Thing]:
    """Yield documents, files that ingest left out, files of many documents, and prompts asked with."""
    names: set[str] = set()
    files: dict[str, set[str]] = {}
    for document in _read(tables, DOCUMENTS, DocumentKey):
        yield Thing("document", document.document_id, document.source)
        names.add(document.source)
        if entry := ENTRY.match(document.source):
            files.setdefault(entry[1], set())
    for skipped in _read(tables, REJECTIONS[0], Rejection):
        name, twins = skipped.rejected_id, {find_twin(skipped)} - {""}
        yield Thing("skipped file", name, name, tuple(twins))
        names.add(name)
        if entry := ENTRY.match(name):
            files.setdefault(entry[1], set()).update(twins)
    for name in files.keys() - names:  # else it was read as one table, or not at all
        yield Thing("file", name, name, tuple(sorted(files[name])))
    for request in _read(tables, REQUESTS, RequestKey):
        yield Thing("prompt", request.prompt_path, request.prompt_path)


def _list_prompts(root: Path) -> Iterator[Thing]:
    """Yield the prompt files, also those nobody asked with."""
    for path in (root / PROMPTS).glob("*.md"):
        name = (PROMPTS / path.name).as_posix()
        yield Thing("prompt", name, name)


def _list_named_by_rows(tables: Mapping[Path, Path]) -> Iterator[Thing]:
    """Yield the documents that passages and rows name, which their own table may lack."""
    for chunk in _read(tables, CHUNKS, ChunkKey):
        yield Thing("document", chunk.document_id, chunk.source)
    for table in DATASET:
        for row in _read(tables, table, RowKey):
            if row.chunk_ids and len(row.document_ids) == 1:
                yield Thing("document", row.document_ids[0], split_slot(row.slot_id)[0])


def _read(tables: Mapping[Path, Path], table: Path, record: type[T]) -> Iterable[T]:
    return read_table(tables[table], record) if table in tables else ()


def find_twin(skipped: Rejection) -> str:
    """Return the source of the document whose text a skipped file has; empty where it has a text of its own."""
    repeats = (skipped.stage, skipped.reason) == ("ingest", "duplicate")
    return skipped.detail.removeprefix(_REPEATS) if repeats else ""


def _as_path(root: Path, wanted: str) -> str:
    """Return ``wanted`` as a path below the project, where it is one."""
    path = Path(wanted)
    if path.is_absolute() and path.is_relative_to(root.resolve()):
        path = path.relative_to(root.resolve())
    return path.as_posix()


def _paths(thing: Thing) -> tuple[str, ...]:
    if thing.kind == "prompt":
        return (thing.name,)
    return (thing.name, (SEED / thing.name).as_posix())


def _find_ids(tables: Mapping[Path, Path], start: str, listed: Iterable[str]) -> list[Thing]:
    """Return the things whose id begins so. A pair that became a row is a row."""
    rows = {
        row.row_id
        for table in (CURATED, REVIEWED, *DATASET)
        for row in _read(tables, table, RowKey)
        if row.row_id.startswith(start)
    } | {row_id for row_id in listed if row_id.startswith(start)}
    found = {Thing("row", row_id, row_id) for row_id in rows}
    for pair in _read(tables, PAIRS, PairKey):
        if pair.pair_id.startswith(start) and pair.pair_id not in rows:
            found.add(Thing("pair", pair.pair_id, pair.pair_id))
    for request in _read(tables, REQUESTS, RequestKey):
        if request.request_id.startswith(start):
            found.add(Thing("request", request.request_id, request.request_id))
    for chunk in _read(tables, CHUNKS, ChunkKey):
        if chunk.chunk_id.startswith(start):
            found.add(Thing("chunk", chunk.chunk_id, chunk.chunk_id))
    for document in _read(tables, DOCUMENTS, DocumentKey):
        if document.document_id.startswith(start):
            found.add(Thing("document", document.document_id, document.source))
    return sorted(found)


def _ambiguous(wanted: str, found: list[Thing]) -> InputError:
    shown = ", ".join(f"{thing.kind} {_shorten(thing.name)}" for thing in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return InputError(
        f"`{wanted}` means {len(found)} things: {shown}{more}",
        remedy="give more of the id or the path",
    )


def _shorten(name: str) -> str:
    return f"{name[:12]}…" if re.fullmatch(r"[0-9a-f]{64}", name) else name


def _unknown(root: Path, wanted: str, path: str, *, lost: bool) -> InputError:
    if wanted and ((root / SEED / path).is_file() or (root / path).is_file()):
        return InputError(
            f"`{wanted}` is a file of which no table tells",
            expected="a document that ingest has read, or a prompt file",
            remedy="run `dvc repro` if it is new",
        )
    return InputError(
        f"nothing is called `{wanted}`",
        expected="a row, pair, request, chunk or document id (or its first 4 characters or more), "
        "a document's path or file name, a prompt file, or models/<student>",
        remedy=_FETCH if lost else "",
    )
