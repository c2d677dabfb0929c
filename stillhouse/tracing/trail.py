"""By which ids a row is known to come of a thing, or known not to, over whole tables at once.

What is told of a row is a number, so that what two tables tell is the greater of the two: ABSENT (no
table has it), UNKNOWN (nobody can tell, which is never taken for no), NO, YES.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stillhouse.tracing.asked import Asked
from stillhouse.tracing.columns import Flags, Requests, Rows, choose, flag
from stillhouse.tracing.find import Thing
from stillhouse.tracing.index import Index
from stillhouse.tracing.lexicon import Numbers

Told = npt.NDArray[np.int8]

ABSENT: Final = -1
UNKNOWN: Final = 0
NO: Final = 1
YES: Final = 2

# Kinds whose rows are told by the passages that they were asked of.
BY_PASSAGE: Final = ("document", "skipped file", "file", "chunk")
BY_ROW: Final = ("row", "pair")


@dataclass(frozen=True, slots=True)
class Passages:
    """A thing's own passages in one version, and all of which is known whether they are its own."""

    own: Flags
    known: Flags


@dataclass(frozen=True, slots=True)
class Trail:
    """The ids by which a row is known to come of the thing, or known not to.

    ``passages`` are the thing's and all of which is known whether they are. A row of any other
    passage may come of the thing: where only ingest ran since a file was renamed, all rows and
    requests are still of passages that no table has any more. ``doubtful`` is request -> prompt file
    (a word) where that may have become the thing: renamed *and* edited. ``sources`` says of each word
    whether what was read under that name is of the thing, ``document`` is its id's.
    """

    thing: Thing
    rows: Flags
    passages: Passages
    requests: Flags
    known_requests: Flags
    prompts: Flags
    doubtful: Mapping[int, int]
    sources: Flags
    document: Flags

    def tell_rows(self, table: Rows) -> Told:
        """Say of each row or pair of a table whether it comes of the thing."""
        if self.thing.kind in BY_ROW:
            own = choose(self.rows, table.row) | choose(self.requests, table.request)[table.group]
            return np.where(own, YES, NO).astype(np.int8)
        return self.tell_groups(table)[table.group]

    def tell_groups(self, table: Rows) -> Told:
        """Say of each group of rows whether it comes of the thing; of a row or pair no group does."""
        asked = choose(self.requests, table.request)
        known = choose(self.known_requests, table.request)
        told = np.where(self._tell_by_place(table), YES, UNKNOWN).astype(np.int8)
        told[(told == UNKNOWN) & self._is_ruled_out(table)] = NO
        told[known | (self.thing.kind == "request")] = NO
        told[asked] = YES
        return told

    def _tell_by_place(self, table: Rows) -> Flags:
        """Say yes of a group whose request is in no table any more, by what it says of itself.

        A slot names the source of one passage; that of another one it does not name.
        """
        own = table.chunks.any_of(self.passages.own)
        if self.thing.kind == "prompt":
            return own | choose(self.prompts, table.prompt)
        if self.thing.kind == "chunk":
            return own
        own |= table.documents.any_of(self.document)
        return own | ((table.chunks.lengths() > 0) & choose(self.sources, table.source))

    def _is_ruled_out(self, table: Rows) -> Flags:
        if self.thing.kind == "prompt":
            return np.zeros(len(table.request), np.bool_)
        return table.chunks.all_of(self.passages.known)


def lay_trail(
    index: Index,
    thing: Thing,
    passages: Passages,
    prompts: Mapping[str, str],
    asked: Asked | None,
    rows: Flags,
) -> tuple[Trail, Flags]:
    """Return the trail of a thing, and which of the requests are its own.

    Args:
        index: which knows the numbers.
        thing: what is followed.
        passages: of the same version as the requests.
        prompts: path -> sha256 of the prompt files of the thing's version; needed only for a prompt.
        asked: all requests of one version; whatever a row names beside them is judged by place,
            and so are those of passages that are not known. None where that table is lost.
        rows: of a row or pair itself and what reviewers made of it.
    """
    size = index.size
    itself = flag(size, [index.find_id(thing.id)])
    sources = find_sources(index, thing)
    nobody = np.zeros(size, np.bool_)
    start = itself if thing.kind == "request" else nobody
    if asked is None:
        trail = Trail(thing, rows, passages, start, nobody, nobody, {}, sources, itself)
        return trail, np.zeros(0, np.bool_)
    requests = asked.requests
    same = choose(itself, requests.request) | (requests.path == index.words.find(thing.id))
    renamed, gone = _compare_prompts(index, thing, prompts, requests)
    own = same | requests.chunks.any_of(passages.own) | renamed
    if thing.kind not in BY_PASSAGE:  # what was developed from a pair is of the same passages
        own = asked.add_children(own, rows)
    doubted = gone & ~own
    told = ~doubted
    if thing.kind == "prompt":
        told &= ~asked.untold
    if thing.kind in BY_PASSAGE:
        told &= requests.chunks.all_of(passages.known)
    doubtful: dict[int, int] = {}
    if own.any():  # the prompt was there, so one that is gone was another
        told |= doubted & ~asked.untold
    else:
        paths = requests.path[doubted].tolist()
        doubtful = dict(zip(requests.request[doubted].tolist(), paths, strict=True))
    trail = Trail(
        thing=thing,
        rows=rows,
        passages=passages,
        requests=start | flag(size, requests.request[own]),
        known_requests=flag(size, requests.request[told]),
        prompts=flag(size, requests.prompt[own]),
        doubtful=doubtful,
        sources=sources,
        document=itself,
    )
    return trail, own


def join_told(told: Told, numbers: Numbers, more: Told) -> None:
    """Add to ``told`` what another table tells of these rows: the greater counts."""
    np.maximum.at(told, numbers, more)


def look_up(told: Told, numbers: Numbers) -> Told:
    """Return what is told of each row; nothing is told of one that no table has."""
    found = told[numbers]
    return np.maximum(found, UNKNOWN)


def find_sources(index: Index, thing: Thing) -> Flags:
    """Say of each word whether what was read under that name is of the thing."""
    return index.once(
        ("sources", thing),
        lambda: np.array([thing.covers(text) for text in index.words.texts], np.bool_),
    )


def _compare_prompts(
    index: Index, thing: Thing, prompts: Mapping[str, str], requests: Requests
) -> tuple[Flags, Flags]:
    """Say which requests were made with the thing's bytes under another name, and whose prompt is gone.

    Gone is one that has neither its name nor its bytes any more, as one renamed and edited.
    """
    count = len(requests.request)
    renamed, gone = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    if thing.kind != "prompt" or not count:
        return renamed, gone
    both = requests.path.astype(np.int64) << 32 | requests.prompt.astype(np.int64)
    kinds, of = np.unique(both, return_inverse=True)
    for place, kind in enumerate(kinds.tolist()):
        path, sha256 = index.words.texts[kind >> 32], index.ids.name(kind & 0xFFFFFFFF)
        mine = of == place
        if prompts.get(thing.id) == sha256 and prompts.get(path) != sha256:
            renamed |= mine
        if path not in prompts and sha256 not in prompts.values():
            gone |= mine
    return renamed, gone
