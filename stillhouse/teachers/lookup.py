"""Where an answer may already lie: this stage's own output, that of older commits, DVC's remote.

Whoever pays must not pay twice, so a teacher that costs is asked only for what none of these holds;
and when one of them should hold answers but cannot be read, nothing is asked at all.
"""

import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

from stillhouse.base.cache import (
    find_cached,
    find_caches,
    find_inner,
    find_out,
    is_whole,
    name_object,
)
from stillhouse.base.errors import InputError
from stillhouse.base.lock import Lock, is_shallow, is_unreadable, past_locks, read_lock
from stillhouse.base.records import Response
from stillhouse.base.stage import log
from stillhouse.base.tables import read_table
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.outcome import look_over
from stillhouse.teachers.stores import Store, UnreachableError, open_default_remote

_NAMED: Final = 3
_REQUESTS: Final = "data/requests.parquet"
_JUDGE: Final = "judge"
_CUT: Final = "what a shallow clone leaves out (`git fetch --unshallow` brings it)"
_REFUSED: Final = "a history that git does not show here (`git log` says why)"
_BLOCK: Final = 256  # answers that are brought into the journal together


# Takes answers as they are found, and says which requests it has now.
Keep: TypeAlias = Callable[[Sequence[Response]], Collection[str]]


@dataclass(frozen=True, slots=True)
class Unread:
    """An earlier output that could not be read: its md5, and where within it the answers lie."""

    md5: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Archive:
    """The stage's earlier outputs, found through ``dvc.lock`` in DVC's cache, or in its remote.

    ``project`` is the working directory, whose lock counts; ``repository`` is where the history
    lies: the same, or its parent when an experiment runs in a temporary folder.
    """

    project: Path = Path()
    repository: Path = Path()
    stage: str = "generate"
    path: str = "data/generated/responses.parquet"

    def read_own(self, wanted: set[str], keep: Keep, teacher: str = "") -> tuple[Unread, ...]:
        """Hand over what of ``wanted`` the stage's previous output holds; see ``read_past``."""
        return self._read_locks([read_lock(self.project)], wanted, keep, teacher)

    def read_past(self, wanted: set[str], keep: Keep, teacher: str = "") -> tuple[Unread, ...]:
        """Hand over what of ``wanted`` the outputs of any commit on any ref hold, newest first.

        Returns:
            Each output that may hold this teacher's answers and could not be read, unless nothing
            is wanted any more.
        """
        return self._read_locks(past_locks(self.repository), wanted, keep, teacher)

    def read_remote(
        self, unread: Sequence[Unread], wanted: set[str], keep: Keep
    ) -> tuple[Unread, ...]:
        """Hand over what of ``wanted`` these outputs hold in the project's default DVC remote.

        Only what is needed is fetched, into a temporary file. Nothing goes into DVC's cache.

        Returns:
            Each that is not there, either, or not whole, or everything if the remote cannot be used.
        """
        store = open_default_remote(self.repository) if unread else None
        if store is None:
            return tuple(unread)
        lost: list[Unread] = []
        with tempfile.TemporaryDirectory() as folder:
            for number, one in enumerate(unread):
                try:
                    file = _fetch(store, one, Path(folder) / "output")
                    _take(file, wanted, keep)
                except UnreachableError as exc:
                    log.warning("earlier answers are not sought in DVC's remote: %s", exc)
                    return (*lost, *unread[number:])
                except InputError:
                    lost.append(one)
                if not wanted:
                    break
        return tuple(lost)

    def _list_locks(self) -> Iterator[Lock]:
        yield read_lock(self.project)
        yield from past_locks(self.repository)

    def _read_locks(
        self, locks: Iterable[Lock], wanted: set[str], keep: Keep, teacher: str
    ) -> tuple[Unread, ...]:
        """Take what is found out of ``wanted``."""
        caches = find_caches(self.project, self.repository)
        unread: list[Unread] = []
        seen, askers = {""}, None
        for lock in locks:
            outs = lock.outs_of(self.stage)
            md5, file = find_cached(caches, outs, self.path)
            if md5 in seen:
                continue
            try:
                _take(file, wanted, keep)
            except InputError:
                askers = askers or _Askers(self._list_locks(), self.stage)
                if not askers.may_hold(lock, teacher):
                    continue  # another version may name the same output, and the teacher
                unread.append(Unread(*find_out(outs, self.path)))
            seen.add(md5)
            if not wanted:
                break
        return tuple(unread)


_FREE_ONLY: Final = frozenset({"offline"})


def list_asked(lock: Lock) -> frozenset[str] | None:
    """Return the teachers that a version's requests go to, by the parameters of its `render`.

    Versions without the section ``teacher`` are older than all teachers that cost. None where it
    cannot be told.
    """
    render = lock.stages.get("render")
    if render is None:
        return None
    told = {key: value for file in render.params.values() for key, value in file.items()}
    section = told.get("teacher")
    if section is None:
        return None if any(key.startswith("teacher.") for key in told) else _FREE_ONLY
    if not isinstance(section, dict):
        return None
    others = section.get("others") or ()
    members = [section, *(other for other in others if isinstance(other, dict))]
    return frozenset(str(member.get("provider", "offline")) for member in members)


def list_judges(lock: Lock) -> frozenset[str] | None:
    """Return the judges that a version's stage `judge` asked, by the parameters that it ran with.

    A version whose section ``judge`` names no ``judges`` is older than judges that cost. None where it
    cannot be told.
    """
    stage = lock.stages.get(_JUDGE)
    told = (
        {key: value for file in stage.params.values() for key, value in file.items()}
        if stage
        else {}
    )
    section = told.get("judge")
    if not isinstance(section, dict):
        return None
    judges = [judge for judge in section.get("judges") or () if isinstance(judge, dict)]
    return _FREE_ONLY | {str(judge.get("provider", "offline")) for judge in judges}


def _knows_teachers(lock: Lock) -> bool:
    """Say whether a version is of a pipeline that had teachers to choose from."""
    render = lock.stages.get("render")
    files = render.params.values() if render else ()
    return render is None or any(key.startswith("teacher") for file in files for key in file)


class _Askers:
    """Says which versions of the stage's output may hold a teacher's answers.

    An output was made of the requests that its stage read, which an older version's `render` may
    have written: between two stages ``dvc.lock`` names the new requests beside the old answers.
    """

    def __init__(self, locks: Iterable[Lock], stage: str) -> None:
        self._stage = stage
        self._by_requests: dict[str, set[str] | None] = {}
        for lock in locks:
            asked, made = list_asked(lock), lock.outs_of("render").get(_REQUESTS, "")
            known = self._by_requests.get(made, set())
            self._by_requests[made] = None if None in (asked, known) else {*known, *asked}  # type: ignore[misc]

    def may_hold(self, lock: Lock, teacher: str) -> bool:
        """Say whether it may; yes where that cannot be told."""
        if self._stage == _JUDGE:
            judges = list_judges(lock)
            return not teacher or judges is None or teacher in judges
        if teacher and not _knows_teachers(lock):
            return teacher in _FREE_ONLY
        stage = lock.stages.get(self._stage)
        read = stage.deps.get(_REQUESTS, "") if stage else ""
        asked = self._by_requests.get(read) if read else None
        return not teacher or asked is None or teacher in asked


def recall_answers(
    missing: Mapping[str, str],
    *,
    costs: bool,
    journal: Journal,
    archive: Archive,
    allow_repay: bool,
    teacher: str = "",
) -> set[str]:
    """Bring answers that earlier outputs hold into the journal; return what is still missing.

    Args:
        missing: task by request id, of requests that the journal has no answer to.
        costs: whether an answer costs money; only then is the whole history searched.
        journal: what was answered here.
        archive: what earlier versions of the stage's output hold.
        allow_repay: go on although an earlier output cannot be read.
        teacher: who was asked, by the name in requests.

    Raises:
        InputError: answers that cost are missing, and an output that may hold them is unreadable.
    """

    def keep(answers: Sequence[Response]) -> set[str]:
        whole = (look_over(missing[answer.request_id], answer) for answer in answers)
        found = [answer for answer in whole if isinstance(answer, Response)]
        kept = journal.record(found, teacher=teacher)
        return {answer.request_id for answer in kept if isinstance(answer, Response)}

    wanted, unread = _look_back(missing, archive, keep, teacher, costs=costs)
    if wanted and unread and not allow_repay:
        _refuse(len(wanted), unread, archive)
    return wanted


def find_recalled(
    missing: Mapping[str, str], *, costs: bool, archive: Archive, teacher: str = ""
) -> tuple[set[str], tuple[str, ...]]:
    """Return what ``recall_answers`` would leave missing, and write nothing.

    Returns:
        The requests that are found nowhere, and a word for each output that may hold some of them
        and cannot be read: with a teacher that costs ``recall_answers`` then refuses to go on.
    """

    def keep(answers: Sequence[Response]) -> set[str]:
        whole = (look_over(missing[answer.request_id], answer) for answer in answers)
        return {answer.request_id for answer in whole if isinstance(answer, Response)}

    wanted, unread = _look_back(missing, archive, keep, teacher, costs=costs)
    return wanted, tuple(unread) if wanted else ()


def _look_back(
    missing: Collection[str], archive: Archive, keep: Keep, teacher: str, *, costs: bool
) -> tuple[set[str], list[str]]:
    """Look through earlier outputs.

    Returns:
        What is still missing and, of a teacher that costs, a word for each output that is unread.
    """
    wanted = set(missing)
    unread = archive.read_own(wanted, keep, teacher)
    if not costs or not wanted:
        return wanted, []
    unread = tuple(dict.fromkeys((*unread, *archive.read_past(wanted, keep, teacher))))
    if wanted:
        unread = archive.read_remote(unread, wanted, keep)
    cut = (_CUT,) if wanted and is_shallow(archive.repository) else ()
    if wanted and is_unreadable(archive.repository):
        cut = (*cut, _REFUSED)
    return wanted, [*(one.md5 for one in unread), *cut]


def _refuse(missing: int, names: Sequence[str], archive: Archive) -> None:
    shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" * (len(names) > _NAMED))
    raise InputError(
        f"{missing} answers that cost money are missing here, and earlier outputs that may hold them "
        f"cannot be read: {shown}",
        where=f"{archive.path} in dvc.lock and its history",
        expected="them in DVC's cache, so that nothing is paid for twice",
        remedy="run `dvc pull` (`dvc fetch --all-commits` for older versions), or pay again with "
        f"`stillhouse stage {archive.stage} --allow-repay` and then run `dvc repro`",
    )


def _take(file: Path | None, wanted: set[str], keep: Keep) -> None:
    """Keep what a table holds of what is wanted, and take it out of that."""
    if file is None:
        raise InputError("not in DVC's cache")
    answers = (one for one in read_table(file, Response) if one.request_id in wanted)
    while block := list(islice(answers, _BLOCK)):
        wanted -= set(keep(block))


def _fetch(store: Store, output: Unread, path: Path) -> Path:
    """Bring the table within an output from a DVC remote to ``path``."""
    md5 = output.md5
    if output.place:
        md5 = find_inner(_fetch_object(store, md5, path), output.place)
    return _fetch_object(store, md5, path)


def _fetch_object(store: Store, md5: str, path: Path) -> Path:
    if not md5 or not store.fetch(name_object(md5), path) or not is_whole(path, md5):
        raise InputError("not whole in DVC's remote", where=store.place)
    return path
