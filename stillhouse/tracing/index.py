"""The index: columns of every table that a trace needs, made once for each md5.

A table is known by the md5 of its bytes, which are hashed again whenever the file was touched
(``history/hashed.py``). What the index file holds is a memory of that, and may go at any time.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import pyarrow as pa

from stillhouse.base.errors import InputError
from stillhouse.base.home import find_home
from stillhouse.base.ids import sha256_file
from stillhouse.base.tables import read_table
from stillhouse.history.hashed import Hashed
from stillhouse.tracing.columns import (
    Chunks,
    Derived,
    Documents,
    Rejections,
    Requests,
    Rows,
    Seen,
    Skipped,
    pack,
    unpack,
)
from stillhouse.tracing.index_file import DamagedError, IndexFile, Look
from stillhouse.tracing.lexicon import NONE, Ids, Words
from stillhouse.tracing.reading import FORMS, Source

T = TypeVar("T")

_SETTLED: Final = 2.0  # seconds; a file that changed later than that could change again unseen


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file and the kind of table that it is, a key of ``FORMS``."""

    path: Path
    form: str


class GrownError(Exception):
    """A table was added whose numbers are behind those that arrays were made for."""


class Index:
    """Columns of tables by file; made where the index file has none of those bytes."""

    def __init__(self, root: Path, file: IndexFile) -> None:
        self._hashed = Hashed(find_home(root))
        self._file = file
        self._ids, self._words = Ids(), Words()
        self._chains = {"ids": 0, "words": 0}
        self._loaded: dict[tuple[str, str], Any] = {}
        self._md5s: dict[Path, str] = {}
        self._fresh: dict[str, tuple[Look, str]] = {}
        self._looks: dict[Path, Look] = {}
        self._size: int | None = None  # how many ids there are, once arrays are made for them
        self._broken: dict[tuple[Path, str], InputError] = {}
        self._once: dict[object, Any] = {}
        self._numbers: dict[str, int] = {}
        self._prepared: dict[Wanted, None] = {}

    def md5(self, path: Path) -> str:
        """Return the md5 of a file's bytes, hashed at most once in this trace."""
        if path not in self._md5s:
            place, seen = os.path.realpath(path), _look(path)
            md5 = self._file.get_md5(place, seen)
            if not md5:
                md5 = self._hashed.md5(path)
                _check_untouched(path, seen)
                if time.time() - seen[2] / 1e9 > _SETTLED:
                    self._fresh[place] = (seen, md5)
            self._md5s[path], self._looks[path] = md5, seen
        return self._md5s[path]

    def keep_md5s(self) -> None:
        """Keep the md5s of the files that were hashed in this trace."""
        if self._fresh:
            with self._file.writing():
                self._file.put_md5s(self._fresh)
            self._fresh.clear()

    @property
    def ids(self) -> Ids:
        """Every content id that a table names, by number."""
        self._freeze()
        return self._ids

    @property
    def words(self) -> Words:
        """Sources, tasks, paths and reasons by number."""
        self._freeze()
        return self._words

    def find_id(self, text: str) -> int:
        """Return the number of an id; NONE where no table names it."""
        if (number := self._numbers.get(text, NONE)) == NONE:
            number = self._numbers[text] = self.ids.find(text)
        return number

    @property
    def size(self) -> int:
        """How many ids have a number: the length of arrays over all of them."""
        return self._freeze()

    def prepare(self, wanted: Iterable[Wanted]) -> None:
        """Make what is missing, so that every number is given when the arrays are compared.

        What cannot be read is told when it is asked for.
        """
        self._size = None
        self._once.clear()
        self._numbers.clear()
        wanted = list(dict.fromkeys(wanted))
        self._prepared |= dict.fromkeys(wanted)
        here = [one for one in wanted if one.path.is_file()]
        missing = [one for one in here if not self._is_known(one)]
        for one in _show(missing):
            try:
                self._make(one)
            except InputError as exc:
                self._broken[(one.path, one.form)] = exc

    def once(self, key: object, make: Callable[[], T]) -> T:
        """Return what ``make`` made of the tables when first asked for under this key."""
        if key not in self._once:
            self._once[key] = make()
        return cast("T", self._once[key])

    def documents(self, path: Path) -> Documents:
        """Return the columns of ``documents.parquet``; these raise ``InputError`` as ``read_table``."""
        return cast("Documents", self._get(path, "documents"))

    def chunks(self, path: Path) -> Chunks:
        """Return the columns of ``chunks.parquet``."""
        return cast("Chunks", self._get(path, "chunks"))

    def requests(self, path: Path) -> Requests:
        """Return the columns of ``requests.parquet``."""
        return cast("Requests", self._get(path, "requests"))

    def derived(self, path: Path) -> Derived:
        """Return the columns of ``derived.parquet``."""
        return cast("Derived", self._get(path, "derived"))

    def rows(self, path: Path) -> Rows:
        """Return the columns of a table of rows."""
        return cast("Rows", self._get(path, "rows"))

    def pairs(self, path: Path) -> Rows:
        """Return the columns of a table of pairs."""
        return cast("Rows", self._get(path, "pairs"))

    def skipped(self, path: Path) -> Skipped:
        """Return what ingest left out."""
        return cast("Skipped", self._get(path, "skipped"))

    def rejections(self, path: Path) -> Rejections:
        """Return what a stage behind ingest rejected."""
        return cast("Rejections", self._get(path, "rejections"))

    def seen(self, path: Path) -> Seen:
        """Return the rows that a student lists."""
        return cast("Seen", self._get(path, "seen"))

    def row_tables(self) -> Iterator[Rows]:
        """Yield every table of rows or pairs that is known in this trace and can be read."""
        for one in list(self._prepared):
            if (
                one.form in ("rows", "pairs")
                and (one.path, one.form) not in self._broken
                and one.path.is_file()
            ):
                yield self._get(one.path, one.form)

    def sha256(self, path: Path) -> str:
        """Return the sha256 of a file's bytes, computed once for each md5."""
        return self.recall(f"sha256 of {self.md5(path)}", lambda: sha256_file(path))

    def recall(self, name: str, make: Callable[[], str]) -> str:
        """Return what is known of some bytes under a name that holds their hash, else make and keep it."""
        told = self._file.get_fact(name)
        if told is None:
            told = make()
            self.keep({name: told})
        return told

    def recall_all(self, names: Iterable[str]) -> dict[str, str]:
        """Return what is known under each name, without the names of which nothing is."""
        told = ((name, self._file.get_fact(name)) for name in names)
        return {name: said for name, said in told if said is not None}

    def keep(self, told: Mapping[str, str]) -> None:
        """Keep what was found out about bytes, under names that hold their hash."""
        if told:
            with self._file.writing():
                for name, said in told.items():
                    self._file.put_fact(name, said)

    def _get(self, path: Path, form: str) -> Any:
        one = Wanted(path, form)
        if broken := self._broken.get((path, form)):
            raise broken
        if not path.is_file():
            _read_to_the_end(one)  # which says what is wrong
        key = (self.md5(path), form)
        if key not in self._loaded:
            if not self._is_known(one):
                self._make(one)
            key = (self.md5(path), form)
            found = self._file.get(*key)
            if found is None:
                raise DamagedError("what was just kept is gone")
            data, ids, words = found
            if self._size is not None and (ids > self._size or words > len(self._words)):
                raise GrownError
            self._loaded[key] = unpack(FORMS[form].columns, data)
        return self._loaded[key]

    def _is_known(self, one: Wanted) -> bool:
        return one.path.is_file() and self._file.has(self.md5(one.path), one.form)

    def _make(self, one: Wanted) -> None:
        """Read a table into the index.

        Raises:
            InputError: it is missing, damaged or of another layout, or changes all the time.
        """
        md5 = self.md5(one.path)
        with self._file.writing():
            self._catch_up()
            known = {"ids": len(self._ids), "words": len(self._words)}
            try:
                data = pack(_read(one, self._ids, self._words))
                _check_untouched(one.path, self._looks[one.path])
                self._keep_numbers(known)
                self._file.put(md5, one.form, data)
            except BaseException:
                self._forget_numbers()
                raise
        if self._size is not None:
            raise GrownError

    def _keep_numbers(self, known: dict[str, int]) -> None:
        for kind, lexicon in (("ids", self._ids), ("words", self._words)):
            first, top = known[kind], len(lexicon)
            if top > first:
                chain = self._chains[kind]
                packed = lexicon.pack(first)
                self._chains[kind] = self._file.add_numbering(kind, first, top, chain, packed)

    def _forget_numbers(self) -> None:
        """Drop numbers that nobody kept; the others are read again."""
        self._ids, self._words = Ids(), Words()
        self._chains = {"ids": 0, "words": 0}

    def _freeze(self) -> int:
        """Take all numbers that there are; what comes later is not for the arrays that are made now."""
        if self._size is None:
            self._catch_up()
            self._size = len(self._ids)
        return self._size

    def _catch_up(self) -> None:
        """Take the numbers that other processes gave."""
        for kind, lexicon in (("ids", self._ids), ("words", self._words)):
            for top, chain, packed in self._file.numbering(kind, len(lexicon)):
                lexicon.extend(packed)
                self._chains[kind] = chain
                if len(lexicon) != top:
                    raise DamagedError("the numbering is torn")


def _read(one: Wanted, ids: Ids, words: Words) -> object:
    form = FORMS[one.form]
    try:
        next(read_table(one.path, form.record), None)  # which looks over the layout
        return form.read(Source(one.path, ids, words))
    except (OSError, pa.ArrowInvalid, pa.ArrowNotImplementedError, KeyError, UnicodeDecodeError):
        _read_to_the_end(one)
        raise


def _read_to_the_end(one: Wanted) -> None:
    """Read a table as any stage does: what is wrong with it is told in the same words."""
    for _ in read_table(one.path, FORMS[one.form].record):
        pass


def _check_untouched(path: Path, seen: Look) -> None:
    if _look(path) != seen:
        remedy = "run it again when the stage is done"
        raise InputError("changes while it is read", where=str(path), remedy=remedy)


def _look(path: Path) -> Look:
    seen = path.stat()
    return seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino


def _show(missing: list[Wanted]) -> Iterable[Wanted]:
    """Yield what is to be read behind a progress bar, on a terminal."""
    if len(missing) < 2 or not sys.stderr.isatty():
        return missing
    from stillhouse.base.stage import show_progress

    return show_progress(missing, "indexing", len(missing))
