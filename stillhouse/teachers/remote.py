"""The journal's remote: answers that were paid for go there while they come, and are sought there first.

A remote holds segments, files that never change, named after their content. So nobody waits for
anybody, equal segments are one file, and a reader needs only those that it has not read.
"""

import re
import sqlite3
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

from stillhouse.base.errors import InputError, StillhouseError
from stillhouse.base.records import Response
from stillhouse.base.stage import log, show_progress
from stillhouse.teachers import outbox
from stillhouse.teachers.answers import PLAIN_TASK
from stillhouse.teachers.database import open_beside
from stillhouse.teachers.heartbeat import beat
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.outcome import look_over
from stillhouse.teachers.params import JournalParams
from stillhouse.teachers.protocol import Failure, Outcome
from stillhouse.teachers.segments import (
    LINE_BYTES,
    SUFFIX,
    Answer,
    Batch,
    Line,
    cut_segments,
    quote,
    read_segment,
    write_line,
    write_segment,
)
from stillhouse.teachers.stores import Store, UnreachableError, open_remote

FOLDER: Final = "stillhouse/answers"
_SEGMENT: Final = re.compile(rf"([0-9a-f]{{2}})/\1[0-9a-f]{{62}}{re.escape(SUFFIX)}")
_TOGETHER: Final = 512  # answers that are taken from the journal, or brought into it, at once
_DOWNLOADS: Final = 8  # at a time
_NAMED: Final = 3


class Remote:
    """Answers of this journal and of others, in a place that all of them reach."""

    def __init__(self, store: Store, journal: Path, upload_seconds: float) -> None:
        self._store, self._journal, self._seconds = store, journal, upload_seconds
        self._error: UnreachableError | None = None
        self._damaged: list[str] = []
        self._told = ""

    def fetch(self, journal: Journal) -> bool:
        """Bring what others have put there into the journal; say whether there was anything.

        What cannot be read is a warning; see ``require``.
        """
        self._error, self._damaged = None, []
        try:
            return self._fetch_new(journal)
        except UnreachableError as exc:
            self._error = exc
            log.warning("the journal's remote was not read: %s", exc)
            return True  # a part of it may have come

    def require(self, missing: int, stage: str) -> None:
        """Refuse to ask for so many answers that cost if the remote may hold them unread.

        Raises:
            StillhouseError: it could not be reached, or a part of it is damaged.
        """
        if missing and (self._error or self._damaged):
            self._refuse(missing, f"pay again with `stillhouse stage {stage} --allow-repay`")

    @contextmanager
    def keep_uploading(self) -> Iterator[None]:
        """Upload every so many seconds while the block runs, and once more when it ends, however."""
        try:
            with beat(self._upload_quietly, self._seconds):
                yield
        finally:
            self._upload_last()

    def upload(self) -> int:
        """Bring there what the journal has and the remote has not; return how many lines.

        Raises:
            StillhouseError: the remote or the journal cannot be used.
        """
        count, left_out = 0, set[str]()
        with open_beside(self._journal) as base:
            while lines := self._read_next(base, left_out):
                for segment in cut_segments(lines.items()):
                    self._put(base, segment)
                    count += len(segment)
        return count

    def _fetch_new(self, journal: Journal) -> bool:
        names = self._list_segments()
        with open_beside(self._journal) as base:
            known = outbox.list_segments(base, self._store.place)
            if gone := known - names:
                self._forget(base, gone, some_left=bool(names))
            if not names - known:
                return False
            count, late = 0, dict[str, Sequence[Line]]()
            while new := sorted(names - known):
                for name, lines in show_progress(self._download(new), "fetching answers", len(new)):
                    count += self._take_answers(lines, journal)
                    if any(isinstance(line, Batch) for line in lines):
                        late[name] = lines
                    else:
                        self._mark(base, name, lines)
                known |= set(new)
                # Before the end of a batch its answers were put there: maybe while the list was
                # made, which then lacks them.
                names = self._list_segments() if late else known
            self._take_batches(late, base)
        log.info("%d answers came from %s", count, self._store.place)
        return True

    def _forget(self, base: sqlite3.Connection, gone: set[str], *, some_left: bool) -> None:
        """Have the answers of files that were removed uploaded again.

        Raises:
            UnreachableError: none is left, as where a disk is not mounted: others' may come back.
        """
        if not some_left:
            raise UnreachableError(
                f"it is empty, and {len(gone)} files of answers were there before",
                where=self._store.place,
                remedy="mount it, or put them back from a copy",
            )
        log.warning(
            "%d files that were in %s are gone: their answers are uploaded again",
            len(gone),
            self._store.place,
        )
        outbox.forget_segments(base, self._store.place, gone)

    def _list_segments(self) -> set[str]:
        names = set(self._store.list_files(FOLDER))
        segments = {name for name in names if _SEGMENT.fullmatch(name)}
        for name in sorted(names - segments)[:_NAMED]:
            log.warning("%s is no file of answers and is left out", self._place(quote(name)))
        return segments

    def _download(self, names: Sequence[str]) -> Iterator[tuple[str, Sequence[Line]]]:
        """Yield what each segment says; several are on their way at a time, few are held."""
        with (
            tempfile.TemporaryDirectory() as folder,
            ThreadPoolExecutor(_DOWNLOADS) as pool,
        ):
            for start in range(0, len(names), _DOWNLOADS):
                some = names[start : start + _DOWNLOADS]
                loaded = pool.map(lambda name: self._load(name, Path(folder)), some)
                yield from zip(some, loaded, strict=True)

    def _load(self, name: str, folder: Path) -> Sequence[Line]:
        """Return what a segment says, nothing where it is damaged."""
        path = folder / name.rpartition("/")[2]
        try:
            if self._store.fetch(f"{FOLDER}/{name}", path):
                return read_segment(path, name, self._place(name))
            said = f"{self._place(name)} was there a moment ago and is gone"
        except InputError as exc:
            said = str(exc)
        finally:
            path.unlink(missing_ok=True)
        log.warning("%s; it is left out", said)
        self._damaged.append(self._place(name))
        return ()

    def _take_answers(self, lines: Sequence[Line], journal: Journal) -> int:
        """Bring the answers of a segment into the journal; return how many they are."""
        answers = [line for line in lines if isinstance(line, Answer)]
        for teacher in sorted({answer.teacher for answer in answers}):
            given = [answer.response for answer in answers if answer.teacher == teacher]
            for start in range(0, len(given), _TOGETHER):
                journal.record(
                    [_look_over(one) for one in given[start : start + _TOGETHER]], teacher=teacher
                )
        return len(answers)

    def _take_batches(
        self, segments: Mapping[str, Sequence[Line]], base: sqlite3.Connection
    ) -> None:
        """Note the batches of segments, ends behind beginnings: segments come in any order."""
        lines = [line for some in segments.values() for line in some]
        batches = [line for line in lines if isinstance(line, Batch)]
        for batch in sorted(batches, key=lambda one: one.ended):
            outbox.take_batch(base, batch)
        for name, some in segments.items():
            self._mark(base, name, some)

    def _mark(self, base: sqlite3.Connection, segment: str, lines: Sequence[Line]) -> None:
        """Count a segment as read, now that all of it is kept.

        What it has a refusal of is not there yet: an answer may come.
        """
        if lines:
            names = [outbox.name_of(line) for line in lines if not _is_refusal(line)]
            outbox.mark_shared(base, self._store.place, segment, names)

    def _read_next(self, base: sqlite3.Connection, left_out: set[str]) -> dict[str, bytes]:
        """Return the next lines to upload, by what they are of: answers; when they are out, batches."""
        most = _TOGETHER + len(left_out)
        answers = _write_lines(outbox.read_missing(base, self._store.place, most), left_out)
        return answers or _write_lines(outbox.read_batches(base, self._store.place), left_out)

    def _put(self, base: sqlite3.Connection, segment: dict[str, bytes]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "segment"
            name = write_segment(list(segment.values()), path)
            self._store.put(path, f"{FOLDER}/{name}")
        outbox.mark_shared(base, self._store.place, name, segment)

    def _upload_quietly(self) -> None:
        """Upload; what prevents it is a warning, and is tried again."""
        try:
            self.upload()
        except (StillhouseError, OSError) as exc:
            if str(exc) != self._told:  # once, not at each beat
                log.warning("answers are not uploaded now, which is tried again: %s", exc)
            self._told = str(exc)

    def _upload_last(self) -> None:
        """Upload; what prevents it is a warning that says what lies here alone."""
        try:
            self.upload()
        except (StillhouseError, OSError) as exc:
            log.warning(
                "%s answers are in this machine's journal alone, not in its remote: %s; the next run "
                "of a stage that asks sends them",
                self._count_missing(),
                exc,
            )

    def _count_missing(self) -> str:
        try:
            with open_beside(self._journal) as base:
                return f"{outbox.count_missing(base, self._store.place):,}"
        except StillhouseError:
            return "some"

    def _place(self, name: str) -> str:
        return f"{self._store.place}/{FOLDER}/{name}"

    def _refuse(self, missing: int, repay: str) -> NoReturn:
        lacking = f"{missing} answers that cost money are missing here, and the journal's remote"
        if self._error:
            raise UnreachableError(
                f"{lacking}, which may hold them, cannot be reached: {self._error.what}",
                where=self._error.where,
                remedy=f"{self._error.remedy or 'run it again when it can be'}, or {repay}",
            ) from self._error
        raise InputError(
            f"{lacking} may hold them in files that cannot be read: {_name(self._damaged)}",
            where=self._store.place,
            remedy=f"put them back from a copy, or remove them, or {repay}",
        )


def open_journal_remote(params: JournalParams, journal: Journal, project: Path) -> Remote | None:
    """Return the remote that ``journal:`` names in a project, None where it names none.

    Raises:
        InputError: it is neither a folder nor a DVC remote.
    """
    if not params.remote:
        return None
    return Remote(open_remote(params.remote, project), journal.path, params.upload_seconds)


def _write_lines(found: Iterable[Line], left_out: set[str]) -> dict[str, bytes]:
    """Return lines by what they are of, but for those that no reader takes: they are left out."""
    lines = {outbox.name_of(line): write_line(line) for line in found}
    for name in [name for name, text in lines.items() if len(text) > LINE_BYTES]:
        del lines[name]
        if name not in left_out:
            log.warning("what there is of %s is too long to be shared", name)
        left_out.add(name)
    return lines


def _look_over(response: Response) -> Outcome:
    """Return an answer, or the refusal that it is: then the answer of another file may follow.

    Whoever fetches a batch for others puts what came into the remote unread. What else is none,
    such as half an answer, shows only to those who know the task.
    """
    return look_over(PLAIN_TASK, response)


def _is_refusal(line: Line) -> bool:
    return isinstance(line, Answer) and isinstance(_look_over(line.response), Failure)


def _name(places: Collection[str]) -> str:
    names = sorted(places)
    return ", ".join(names[:_NAMED]) + f" and {len(names) - _NAMED} more" * (len(names) > _NAMED)
