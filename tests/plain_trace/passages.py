"""Which passages of an earlier version are those of a thing of now, and which may be.

A document of then is one of now if it has its name (it may have been edited) or its bytes (it may have
been renamed). An id of a passage covers the source's name, so a passage of then is one of now if it
has its id, or its text in the same document, or its text where that text has gone from its old place
(it was moved, or its document was renamed *and* edited).

What is left is a passage of then whose text is nowhere any more: edited, merged, cut elsewhere or
deleted. Whether it became a passage of now that is new, nobody can tell, so it is neither taken for
it nor ruled out (``Match.doubtful``):

* for a passage that is new, where it stood in the document that the new one stands in;
* for a document or passage whose document is new, where it stood in a document that has neither its
  name nor its bytes any more, as a file that was renamed and edited has neither.

A passage that was moved into another document that was there before, and edited on the way, is a new
one: it was of that other document when the student learned it, and a trace of that document says so.

A thing that is gone from the workspace is matched from the version in which it stands: "now" is that
version then, and the workspace one of the others.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from stillhouse.base.ids import sha256_file
from stillhouse.base.records import Rejection
from stillhouse.base.tables import read_table
from tests.plain_trace.find import Thing
from tests.plain_trace.reach import Passages
from tests.plain_trace.tables import (
    CHUNKS,
    DOCUMENTS,
    REJECTIONS,
    SEED,
    DocumentKey,
    find_twins,
)

_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Match:
    """A thing's passages in another version, and chunk id -> source of those that may be its own."""

    passages: Passages
    doubtful: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _ChunkText:
    """The columns of a chunk that are compared."""

    chunk_id: str
    document_id: str
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class _Place:
    """A passage and where it stands; ``text`` is a hash of its words, so that all fit in memory."""

    chunk_id: str
    document_id: str
    source: str
    text: bytes


@dataclass(frozen=True, slots=True)
class _Sought:
    """What is looked for: the thing, its passages of now, and the source in which they stand."""

    thing: Thing
    places: tuple[_Place, ...]
    source: str

    def covers(self, source: str) -> bool:
        return source == self.source or self.thing.covers(source)

    @property
    def has_entries(self) -> bool:
        """Whether it is of a JSON file whose objects are documents."""
        return self.thing.kind == "file" or "#" in self.source

    @property
    def texts(self) -> set[bytes]:
        return {place.text for place in self.places}


@dataclass(frozen=True, slots=True)
class _Documents:
    """Ids of then: of the thing's document by name or bytes, and of those that are gone since."""

    same: frozenset[str]
    gone: frozenset[str]


def match_passages(root: Path, tables: Mapping[Path, Path], thing: Thing) -> Match:
    """Return which passages of the version with ``tables`` are those of a document, file or chunk.

    Where a table that would tell is not among ``tables``, no passage is known *not* to be.

    Raises:
        InputError: a table has another layout or is damaged.
    """
    if CHUNKS not in tables:
        return Match(Passages(_NONE, _NONE), {})
    standing = thing.locate(root, CHUNKS)
    then, now = list(_read_places(tables[CHUNKS])), list(_read_places(standing) if standing else ())
    ids = {thing.id}
    if thing.kind == "chunk" and standing:
        ids |= find_twins(standing, thing.id)
    places = tuple(
        place
        for place in now
        if ids & {place.chunk_id, place.document_id}
        or (thing.kind.endswith("file") and thing.covers(place.source))
    )
    source = places[0].source if thing.kind == "chunk" else thing.name
    sought = _Sought(thing, places, source)
    documents = _find_documents(root, tables, sought)
    own = list(_find_own(sought, then, now, documents.same if documents else _NONE))
    own_ids = frozenset(place.chunk_id for place in own)
    known = frozenset(place.chunk_id for place in then)
    if (thing.home and standing == tables[CHUNKS]) or _is_settled(sought, own, documents):
        return Match(Passages(own_ids, known), {})
    if documents is None:
        return Match(Passages(own_ids, own_ids), {})
    doubtful = _find_doubtful(sought, then, now, documents)
    return Match(Passages(own_ids, known - doubtful.keys()), doubtful)


def _read_places(table: Path) -> Iterator[_Place]:
    for chunk in read_table(table, _ChunkText):
        text = blake2b(chunk.text.encode(), digest_size=16).digest()
        yield _Place(chunk.chunk_id, chunk.document_id, chunk.source, text)


def _find_own(
    sought: _Sought, then: Sequence[_Place], now: Sequence[_Place], same: Collection[str]
) -> Iterator[_Place]:
    """Yield the passages of then that are the thing's."""
    texts = sought.texts
    others = {place.chunk_id for place in now} - {place.chunk_id for place in sought.places}
    # A text that stands in its old place as often as before is that place's, wherever else it is.
    left = Counter((p.source, p.text) for p in then) - Counter((p.source, p.text) for p in now)
    for place in then:
        in_document = sought.covers(place.source) or place.document_id in same
        if in_document and sought.thing.kind != "chunk":
            yield place
        elif place.text not in texts:
            continue
        elif place.source == sought.source:
            if place.chunk_id not in others:
                yield place
        elif in_document or (place.source, place.text) in left:
            yield place


def _is_settled(sought: _Sought, own: Sequence[_Place], documents: _Documents | None) -> bool:
    """Whether the thing was found for certain, so that every other passage is another thing's."""
    if sought.thing.kind == "chunk":
        return bool(own)
    # The objects of a JSON list are named by their numbers, which an insertion shifts.
    named = sought.thing.kind == "file" and any(
        p.source not in sought.thing.twins and sought.covers(p.source) for p in own
    )
    sure = named or not sought.has_entries or sought.texts <= {place.text for place in own}
    return sure and documents is not None and bool(documents.same)


def _find_doubtful(
    sought: _Sought, then: Sequence[_Place], now: Sequence[_Place], documents: _Documents
) -> dict[str, str]:
    lost = Counter(place.text for place in then) - Counter(place.text for place in now)
    suspects = documents.same or documents.gone
    if sought.has_entries:
        suspects = documents.same | documents.gone
    return {
        place.chunk_id: place.source
        for place in then
        if place.text in lost and place.document_id in suspects
    }


def _find_documents(root: Path, tables: Mapping[Path, Path], sought: _Sought) -> _Documents | None:
    """Return which documents of then are the thing's or gone; None where that cannot be told."""
    standing = sought.thing.locate(root, DOCUMENTS)
    if standing is None:
        return None
    now = {document.document_id: document for document in read_table(standing, DocumentKey)}
    own_sha256s = _hash_source(root, sought, now)
    if not own_sha256s or DOCUMENTS not in tables:
        return None
    then = list(read_table(tables[DOCUMENTS], DocumentKey))
    named = [document for document in then if sought.covers(document.source)]
    alike = [document for document in then if document.source_sha256 in own_sha256s]
    # The objects of one JSON list all have the file's sha256: then the same place in it counts.
    file, _, part = sought.source.partition("#")
    same = [document for document in alike if document.source.partition("#")[2] == part] or alike
    if sought.thing.kind == "file":
        same = alike
    names = {document.source for document in now.values()}
    if skipped := sought.thing.locate(root, REJECTIONS[0]):
        names |= {rejection.rejected_id for rejection in read_table(skipped, Rejection)}
    sha256s = {document.source_sha256 for document in now.values()}
    gone = {
        document.document_id
        for document in then
        if (document.source not in names and document.source_sha256 not in sha256s)
        or (part and document.source.startswith(f"{file}#"))
    }
    return _Documents(frozenset(d.document_id for d in (*named, *same)), frozenset(gone))


def _hash_source(root: Path, sought: _Sought, now: Mapping[str, DocumentKey]) -> set[str]:
    """Return the sha256 of a document's bytes; of a file those of its objects; empty if not told."""
    if sought.thing.kind == "file":
        return {
            document.source_sha256 for document in now.values() if sought.covers(document.source)
        }
    if sought.thing.kind == "skipped file":
        path = root / SEED / sought.thing.name
        return {sha256_file(path)} if path.is_file() else set()
    wanted = sought.places[0].document_id if sought.places else sought.thing.id
    return {now[wanted].source_sha256} if wanted in now else set()
