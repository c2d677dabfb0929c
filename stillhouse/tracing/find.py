"""Which thing a name means: a path, a file's name, or an id or the beginning of one."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from stillhouse.base.errors import InputError, suggest
from stillhouse.tracing.asked import read_asked
from stillhouse.tracing.columns import choose, flag
from stillhouse.tracing.index import Index
from stillhouse.tracing.lexicon import NONE, Numbers
from stillhouse.tracing.tables import (
    CHUNKS,
    CURATED,
    DATASET,
    DERIVED,
    DOCUMENTS,
    PAIRS,
    REJECTIONS,
    REQUESTS,
    REVIEWED,
    SEED,
)

Kind = Literal[
    "row", "pair", "request", "chunk", "document", "prompt", "skipped file", "file", "model"
]

PROMPTS: Final = Path("prompts")
_ID: Final = re.compile(r"[0-9a-f]{4,64}")
ENTRY: Final = re.compile(r"(.*?\.(?:jsonl|ndjson|json))#", re.IGNORECASE)  # corpus/entries.py
_FETCH: Final = "tables that models here were made of are not found and may name it: run `dvc fetch --all-commits`"
_SHOWN: Final = 3  # candidates named in an error
TABLES: Final = (
    *(DOCUMENTS, CHUNKS, REQUESTS, DERIVED, PAIRS, CURATED, REVIEWED),
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
    index: Index,
    root: Path,
    wanted: str,
    listed: Iterable[Numbers] = (),
    students: Sequence[str] = (),
    versions: Callable[[], Sequence[Mapping[Path, Path]]] = tuple,
) -> Thing:
    """Return the one thing that ``wanted`` means in the project at ``root``.

    A student goes before files, so that no table is needed for it; a whole path goes before a file's
    name, and both go before ids. What the workspace has goes before what only models saw.

    Args:
        index: the columns of the tables.
        root: the project.
        wanted: an id, its first four characters or more, a path, or a file's name.
        listed: rows that models list, which may be in no table any more.
        students: the models, by name.
        versions: the tables that each model was made of, as far as they are found; they are looked
            through, and sought, only for what the workspace does not have.

    Raises:
        InputError: nothing is called so, or more than one thing; or a table is missing.
    """
    path = _as_path(root, wanted)
    for name in students:
        if wanted == name or path == f"models/{name}":
            return Thing("model", f"models/{name}", f"models/{name}")
    here = {table: root / table for table in TABLES}
    named = {*_list_files(index, here), *_list_prompts(root)}
    found = _choose(wanted, path, sorted(named))
    if not found and _ID.fullmatch(wanted):
        found = _find_ids(index, here, wanted, listed)
    past = () if found else versions()
    found = found or _find_gone(index, wanted, path, past)
    found = found or _find_gone(index, wanted, path, [here])
    if len(found) == 1:
        return found[0]
    if found:
        raise _ambiguous(wanted, found)
    known = [*(thing.name for thing in named), *(f"models/{name}" for name in students)]
    raise _unknown(root, wanted, path, known, lost=any(DOCUMENTS not in one for one in past))


def _choose(wanted: str, path: str, named: Sequence[Thing]) -> list[Thing]:
    """Return the things with that path, else those whose file is called so."""
    exact = [thing for thing in named if path in _paths(thing)]
    return exact or [thing for thing in named if Path(thing.name).name == wanted]


def _find_gone(
    index: Index, wanted: str, path: str, versions: Iterable[Mapping[Path, Path]]
) -> list[Thing]:
    """Return the things of a name or id in earlier versions, each as in the first that has it."""
    named: dict[tuple[Kind, str], Thing] = {}
    by_id: dict[tuple[Kind, str], Thing] = {}
    for tables in versions:
        try:
            files = (*_list_files(index, tables), *_list_named_by_rows(index, tables))
            for thing in dict.fromkeys(_choose(wanted, path, files)):
                named.setdefault((thing.kind, thing.name), replace(thing, home=tables))
            for thing in _find_ids(index, tables, wanted, ()) if _ID.fullmatch(wanted) else ():
                by_id.setdefault((thing.kind, thing.id), replace(thing, home=tables))
        except InputError:  # of another layout, from before a column was added: it tells nothing
            continue
    return _choose(wanted, path, sorted(named.values())) or sorted(by_id.values())


def _list_files(index: Index, tables: Mapping[Path, Path]) -> Iterator[Thing]:
    """Yield documents, files that ingest left out, files of many documents, and prompts asked with."""
    names: set[str] = set()
    files: dict[str, set[str]] = {}
    if DOCUMENTS in tables:
        documents = index.documents(tables[DOCUMENTS])
        for document, source in _name_pairs(index, documents.document, documents.source):
            yield Thing("document", document, source)
            names.add(source)
            if entry := ENTRY.match(source):
                files.setdefault(entry[1], set())
    for name, twin in _list_skipped(index, tables):
        yield Thing("skipped file", name, name, (twin,) if twin else ())
        names.add(name)
        if entry := ENTRY.match(name):
            files.setdefault(entry[1], set()).update({twin} - {""})
    for name in files.keys() - names:  # else it was read as one table, or not at all
        yield Thing("file", name, name, tuple(sorted(files[name])))
    if asked := read_asked(index, tables):
        for number in np.unique(asked.requests.path).tolist():
            prompt = index.words.texts[number]
            yield Thing("prompt", prompt, prompt)


def _list_skipped(index: Index, tables: Mapping[Path, Path]) -> Iterator[tuple[str, str]]:
    if REJECTIONS[0] in tables:
        skipped, texts = index.skipped(tables[REJECTIONS[0]]), index.words.texts
        for name, twin in zip(skipped.name.tolist(), skipped.twin.tolist(), strict=True):
            yield texts[name], "" if twin == NONE else texts[twin]


def _list_prompts(root: Path) -> Iterator[Thing]:
    """Yield the prompt files, also those nobody asked with."""
    for path in (root / PROMPTS).rglob("*.md"):
        name = path.relative_to(root).as_posix()
        yield Thing("prompt", name, name)


def _list_named_by_rows(index: Index, tables: Mapping[Path, Path]) -> Iterator[Thing]:
    """Yield the documents that passages and rows name, which their own table may lack."""
    if CHUNKS in tables:
        chunks = index.chunks(tables[CHUNKS])
        for document, source in _name_pairs(index, chunks.document, chunks.source):
            yield Thing("document", document, source)
    for table in DATASET:
        if table in tables:
            rows = index.rows(tables[table])
            alone = (rows.documents.lengths() == 1) & (rows.chunks.lengths() > 0)
            documents = rows.documents.values[rows.documents.starts[:-1][alone]]
            for document, source in _name_pairs(index, documents, rows.source[alone]):
                yield Thing("document", document, source)


def _name_pairs(index: Index, ids: Numbers, words: Numbers) -> Iterator[tuple[str, str]]:
    """Yield each distinct (id, word) as texts."""
    both = np.unique(ids.astype(np.int64) << 32 | words.astype(np.int64))
    texts = index.words.texts
    for pair in both.tolist():
        yield index.ids.name(pair >> 32), texts[pair & 0xFFFFFFFF]


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


def _find_ids(
    index: Index, tables: Mapping[Path, Path], start: str, listed: Iterable[Numbers]
) -> list[Thing]:
    """Return the things whose id begins so. A pair that became a row is a row."""
    chosen = flag(index.size, index.ids.find_beginning(start))

    def pick(numbers: Numbers) -> set[str]:
        return set(index.ids.names(numbers[choose(chosen, numbers)]))

    kept = [index.rows(tables[t]).row for t in (CURATED, REVIEWED, *DATASET) if t in tables]
    rows = set[str]().union(*(pick(numbers) for numbers in (*kept, *listed)))
    found = {Thing("row", row_id, row_id) for row_id in rows}
    if PAIRS in tables:
        pairs = pick(index.pairs(tables[PAIRS]).row) - rows
        found |= {Thing("pair", pair_id, pair_id) for pair_id in pairs}
    if calls := read_asked(index, tables):
        asked = pick(calls.requests.request)
        found |= {Thing("request", request_id, request_id) for request_id in asked}
    if CHUNKS in tables:
        passages = pick(index.chunks(tables[CHUNKS]).chunk)
        found |= {Thing("chunk", chunk_id, chunk_id) for chunk_id in passages}
    if DOCUMENTS in tables:
        documents = index.documents(tables[DOCUMENTS])
        mine = choose(chosen, documents.document)
        told = _name_pairs(index, documents.document[mine], documents.source[mine])
        found |= {Thing("document", document_id, source) for document_id, source in told}
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


def _unknown(root: Path, wanted: str, path: str, known: Sequence[str], *, lost: bool) -> InputError:
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
        remedy=_FETCH if lost else suggest(path, sorted(known)),
    )
