"""Which thing a name means: a path, a file's name, or an id or the beginning of one."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from stillhouse.base.errors import InputError
from stillhouse.base.records import Rejection
from stillhouse.base.tables import read_table
from stillhouse.lineage.trace_tables import (
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

Kind = Literal["row", "pair", "request", "chunk", "document", "prompt", "skipped file", "model"]

PROMPTS: Final = Path("prompts")
_ID: Final = re.compile(r"[0-9a-f]{4,64}")
_REPEATS: Final = "its text is that of "  # as ingest says it, in the detail of a duplicate
_SHOWN: Final = 3  # candidates named in an error


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """What is traced. ``id`` is a content id; of a prompt or a model its path, of a skipped file its source.

    ``name`` is what a person calls it: a document's source, a prompt's or model's path, else the id.
    ``twin`` is the source of the document that was read in place of a skipped file with the same text.
    """

    kind: Kind
    id: str
    name: str
    twin: str = ""


def find_thing(
    root: Path, wanted: str, listed: Iterable[str] = (), students: Iterable[str] = ()
) -> Thing:
    """Return the one thing that ``wanted`` means in the project at ``root``.

    A student goes before files, so that no table is needed for it; a whole path goes before a file's
    name, and both go before ids.

    Args:
        root: the project.
        wanted: an id, its first four characters or more, a path, or a file's name.
        listed: rows that models list, which may be in no table any more.
        students: the models, by name.

    Raises:
        InputError: nothing is called so, or more than one thing; or a table is missing.
    """
    path = _as_path(root, wanted)
    for name in students:
        if wanted == name or path == f"models/{name}":
            return Thing("model", f"models/{name}", f"models/{name}")
    named = sorted(set(_list_files(root)))
    exact = [thing for thing in named if path in _paths(thing)]
    by_name = [thing for thing in named if Path(thing.name).name == wanted]
    by_id = _find_ids(root, wanted, listed) if _ID.fullmatch(wanted) else []
    found = exact or by_name or by_id
    if len(found) == 1:
        return found[0]
    if found:
        raise _ambiguous(wanted, found)
    raise _unknown(root, wanted, path)


def _list_files(root: Path) -> Iterator[Thing]:
    """Yield documents, files that ingest left out, and prompts, also those nobody asked with."""
    for document in read_table(root / DOCUMENTS, DocumentKey):
        yield Thing("document", document.document_id, document.source)
    for skipped in read_table(root / REJECTIONS[0], Rejection):
        yield Thing("skipped file", skipped.rejected_id, skipped.rejected_id, find_twin(skipped))
    for request in read_table(root / REQUESTS, RequestKey):
        yield Thing("prompt", request.prompt_path, request.prompt_path)
    for path in (root / PROMPTS).glob("*.md"):
        name = (PROMPTS / path.name).as_posix()
        yield Thing("prompt", name, name)


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


def _find_ids(root: Path, start: str, listed: Iterable[str]) -> list[Thing]:
    """Return the things whose id begins so. A pair that became a row is a row."""
    rows = {
        row.row_id
        for table in (CURATED, REVIEWED, *DATASET)
        for row in read_table(root / table, RowKey)
        if row.row_id.startswith(start)
    } | {row_id for row_id in listed if row_id.startswith(start)}
    found = {Thing("row", row_id, row_id) for row_id in rows}
    for pair in read_table(root / PAIRS, PairKey):
        if pair.pair_id.startswith(start) and pair.pair_id not in rows:
            found.add(Thing("pair", pair.pair_id, pair.pair_id))
    for request in read_table(root / REQUESTS, RequestKey):
        if request.request_id.startswith(start):
            found.add(Thing("request", request.request_id, request.request_id))
    for chunk in read_table(root / CHUNKS, ChunkKey):
        if chunk.chunk_id.startswith(start):
            found.add(Thing("chunk", chunk.chunk_id, chunk.chunk_id))
    for document in read_table(root / DOCUMENTS, DocumentKey):
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


def _unknown(root: Path, wanted: str, path: str) -> InputError:
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
    )
