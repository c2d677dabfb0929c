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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stillhouse.base.ids import sha256_file
from stillhouse.tracing.columns import Chunks, Documents, Flags, choose, flag
from stillhouse.tracing.find import Thing
from stillhouse.tracing.index import Index
from stillhouse.tracing.tables import CHUNKS, DOCUMENTS, REJECTIONS, SEED
from stillhouse.tracing.trail import Passages, find_sources


@dataclass(frozen=True, slots=True)
class Match:
    """A thing's passages in another version, and chunk -> source of those that may be its own."""

    passages: Passages
    doubtful: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class _Sought:
    """What is looked for: the thing, its passages of now, and the source in which they stand.

    ``covered`` says of each word whether it names a source of the thing; ``texts`` are its passages'.
    """

    thing: Thing
    places: Flags
    source: str
    covered: Flags
    texts: Flags

    @property
    def has_entries(self) -> bool:
        """Whether it is of a JSON file whose objects are documents."""
        return self.thing.kind == "file" or "#" in self.source


@dataclass(frozen=True, slots=True)
class _Origins:
    """Ids of then: of the thing's document by name or bytes, and of those that are gone since."""

    same: Flags
    gone: Flags


def match_passages(index: Index, root: Path, tables: Mapping[Path, Path], thing: Thing) -> Match:
    """Return which passages of the version with ``tables`` are those of a document, file or chunk.

    Where a table that would tell is not among ``tables``, no passage is known *not* to be.

    Raises:
        InputError: a table has another layout or is damaged.
    """
    nobody = np.zeros(index.size, np.bool_)
    if CHUNKS not in tables:
        return Match(Passages(nobody, nobody), {})
    standing = thing.locate(root, CHUNKS)
    then = index.chunks(tables[CHUNKS])
    now = index.chunks(standing) if standing else None
    sought = _seek(index, thing, now)
    origins = _find_origins(index, root, tables, sought, now)
    mine = _find_own(index, sought, then, now, origins.same if origins else nobody)
    own, known = flag(index.size, then.chunk[mine]), flag(index.size, then.chunk)
    same_table = thing.home and standing == tables[CHUNKS]
    if same_table or _is_settled(index, sought, then, mine, origins):
        return Match(Passages(own, known), {})
    if origins is None:
        return Match(Passages(own, own), {})
    doubtful = _find_doubtful(index, sought, then, now, origins)
    return Match(Passages(own, known & ~flag(index.size, doubtful.keys())), doubtful)


def find_twins(index: Index, table: Path, chunk_id: str) -> Flags:
    """Return a passage and those with its words under the same headings of its document.

    They make equal requests, which are sent once and name the first of them: what was learned of one
    was learned of each.
    """
    chunks = index.chunks(table)
    itself = flag(index.size, [index.find_id(chunk_id)])
    words = flag(index.size, chunks.words[choose(itself, chunks.chunk)])
    return itself | flag(index.size, chunks.chunk[choose(words, chunks.words)])


def _seek(index: Index, thing: Thing, now: Chunks | None) -> _Sought:
    """Find the passages of now; a passage is one of them with its twins."""
    covered = find_sources(index, thing)
    if now is None:
        none = np.zeros(0, np.bool_)
        return _Sought(thing, none, thing.name, covered, np.zeros(index.size, np.bool_))
    ids = flag(index.size, [index.find_id(thing.id)])
    if thing.kind == "chunk":
        words = flag(index.size, now.words[choose(ids, now.chunk)])
        ids = ids | flag(index.size, now.chunk[choose(words, now.words)])
    places = choose(ids, now.chunk) | choose(ids, now.document)
    if thing.kind.endswith("file"):
        places |= choose(covered, now.source)
    source = thing.name
    if thing.kind == "chunk":
        source = index.words.texts[now.source[places][0]]
        covered = covered | flag(len(covered), [index.words.find(source)])
    return _Sought(thing, places, source, covered, flag(index.size, now.text[places]))


def _find_own(
    index: Index, sought: _Sought, then: Chunks, now: Chunks | None, same: Flags
) -> Flags:
    """Say which passages of then are the thing's."""
    in_document = choose(sought.covered, then.source) | choose(same, then.document)
    alike = choose(sought.texts, then.text)
    if now is None:
        return in_document if sought.thing.kind != "chunk" else alike & False
    others = flag(index.size, now.chunk) & ~flag(index.size, now.chunk[sought.places])
    # A text that stands in its old place as often as before is that place's, wherever else it is.
    left = _count_places(then, alike) - _count_places(now, choose(sought.texts, now.text))
    moved = np.zeros(len(then.chunk), np.bool_)
    for place in np.flatnonzero(alike).tolist():
        moved[place] = (int(then.source[place]), int(then.text[place])) in left
    here = then.source == index.words.find(sought.source)
    own = alike & np.where(here, ~choose(others, then.chunk), in_document | moved)
    return own if sought.thing.kind == "chunk" else own | in_document


def _count_places(chunks: Chunks, chosen: Flags) -> Counter[tuple[int, int]]:
    return Counter(zip(chunks.source[chosen].tolist(), chunks.text[chosen].tolist(), strict=True))


def _is_settled(
    index: Index, sought: _Sought, then: Chunks, mine: Flags, origins: _Origins | None
) -> bool:
    """Whether the thing was found for certain, so that every other passage is another thing's."""
    thing = sought.thing
    if thing.kind == "chunk":
        return bool(mine.any())
    # The objects of a JSON list are named by their numbers, which an insertion shifts.
    twins = flag(len(sought.covered), [index.words.find(twin) for twin in thing.twins])
    named = thing.kind == "file" and choose(sought.covered & ~twins, then.source[mine]).any()
    told = flag(index.size, then.text[mine])
    sure = named or not sought.has_entries or not (sought.texts & ~told).any()
    return bool(sure) and origins is not None and bool(origins.same.any())


def _find_doubtful(
    index: Index, sought: _Sought, then: Chunks, now: Chunks | None, origins: _Origins
) -> dict[int, int]:
    suspects = origins.same if origins.same.any() else origins.gone
    if sought.has_entries:
        suspects = origins.same | origins.gone
    suspected = choose(suspects, then.document)
    texts = flag(index.size, then.text[suspected])
    lost = _count_texts(then, texts) - _count_texts(now, texts)
    return {
        int(then.chunk[place]): int(then.source[place])
        for place in np.flatnonzero(suspected).tolist()
        if int(then.text[place]) in lost
    }


def _count_texts(chunks: Chunks | None, texts: Flags) -> Counter[int]:
    return (
        Counter() if chunks is None else Counter(chunks.text[choose(texts, chunks.text)].tolist())
    )


def _find_origins(
    index: Index, root: Path, tables: Mapping[Path, Path], sought: _Sought, chunks: Chunks | None
) -> _Origins | None:
    """Return which documents of then are the thing's or gone; None where that cannot be told."""
    standing = sought.thing.locate(root, DOCUMENTS)
    if standing is None:
        return None
    now = index.documents(standing)
    own_sha256s = _hash_source(index, root, sought, now, chunks)
    if own_sha256s is None or DOCUMENTS not in tables:
        return None
    then = index.documents(tables[DOCUMENTS])
    named = choose(sought.covered, then.source)
    alike = choose(own_sha256s, then.sha256)
    # The objects of one JSON list all have the file's sha256: then the same place in it counts.
    file, _, part = sought.source.partition("#")
    texts = index.words.texts
    same = alike.copy()
    if sought.thing.kind != "file":
        for place in np.flatnonzero(alike).tolist():
            same[place] = texts[then.source[place]].partition("#")[2] == part
        same = same if same.any() else alike
    names = flag(len(texts), now.source)
    if skipped := sought.thing.locate(root, REJECTIONS[0]):
        names |= flag(len(texts), index.skipped(skipped).name)
    gone = ~choose(names, then.source) & ~choose(flag(index.size, now.sha256), then.sha256)
    if part:
        begins = [texts[source].startswith(f"{file}#") for source in then.source.tolist()]
        gone |= np.array(begins, np.bool_)
    return _Origins(
        flag(index.size, then.document[named | same]), flag(index.size, then.document[gone])
    )


def _hash_source(
    index: Index, root: Path, sought: _Sought, now: Documents, chunks: Chunks | None
) -> Flags | None:
    """Return the sha256 of a document's bytes; of a file those of its objects; None if not told.

    One that no table names has no number, and is that of none of their documents.
    """
    size = index.size
    if sought.thing.kind == "skipped file":
        path = root / SEED / sought.thing.name
        return flag(size, [index.find_id(sha256_file(path))]) if path.is_file() else None
    mine = choose(sought.covered, now.source)
    if sought.thing.kind != "file":
        wanted = np.array([index.find_id(sought.thing.id)], np.int32)
        if chunks is not None and sought.places.any():
            wanted = chunks.document[sought.places][:1]
        mine = choose(flag(size, wanted), now.document)
    return flag(size, now.sha256[mine]) if mine.any() else None
