"""Where an answer may already lie: the journal, this stage's own output, that of older commits.

Whoever pays must not pay twice, so a teacher that costs is asked only for what none of these holds;
and when one of them should hold answers but cannot be read, nothing is asked at all.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

from stillhouse.base.cache import find_cached, find_caches
from stillhouse.base.errors import InputError
from stillhouse.base.lock import Lock, is_shallow, past_locks, read_lock
from stillhouse.base.records import Response
from stillhouse.base.tables import read_table
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.outcome import look_over

_NAMED: Final = 3
_BLOCK: Final = 256  # answers that are brought into the journal together


# Takes answers as they are found, and says which requests it has now.
Keep: TypeAlias = Callable[[Sequence[Response]], Collection[str]]


@dataclass(frozen=True, slots=True)
class Archive:
    """The stage's earlier outputs, found through ``dvc.lock`` in DVC's cache.

    ``project`` is the working directory, whose lock counts; ``repository`` is where the history
    lies: the same, or its parent when an experiment runs in a temporary folder.
    """

    project: Path = Path()
    repository: Path = Path()
    stage: str = "generate"
    path: str = "data/generated/responses.parquet"

    def read_own(self, wanted: set[str], keep: Keep) -> tuple[str, ...]:
        """Hand over what of ``wanted`` the stage's previous output holds; see ``read_past``."""
        return self._read_locks([read_lock(self.project)], wanted, keep)

    def read_past(self, wanted: set[str], keep: Keep) -> tuple[str, ...]:
        """Hand over what of ``wanted`` the outputs of any commit on any ref hold, newest first.

        Returns:
            A word for each output that could not be read, unless nothing is wanted any more.
        """
        unreadable = self._read_locks(past_locks(self.repository), wanted, keep)
        if wanted and is_shallow(self.repository):
            cut = "what a shallow clone leaves out (`git fetch --unshallow` brings it)"
            return (*unreadable, cut)
        return unreadable

    def _read_locks(self, locks: Iterable[Lock], wanted: set[str], keep: Keep) -> tuple[str, ...]:
        """Take what is found out of ``wanted``."""
        caches = find_caches(self.project, self.repository)
        unreadable: dict[str, None] = {}
        seen = {""}
        for lock in locks:
            md5, file = find_cached(caches, lock.outs_of(self.stage), self.path)
            if md5 in seen:
                continue
            seen.add(md5)
            try:
                for answers in _read_wanted(file, wanted):
                    wanted -= set(keep(answers))
            except InputError:
                unreadable[md5] = None
            if not wanted:
                break
        return tuple(unreadable)


def recall_answers(
    missing: Mapping[str, str],
    *,
    costs: bool,
    journal: Journal,
    archive: Archive,
    allow_repay: bool,
) -> set[str]:
    """Bring answers that earlier outputs hold into the journal; return what is still missing.

    Args:
        missing: task by request id, of requests that the journal has no answer to.
        costs: whether an answer costs money; only then is the whole history searched.
        journal: what was answered here.
        archive: what earlier versions of the stage's output hold.
        allow_repay: go on although an earlier output cannot be read.

    Raises:
        InputError: answers that cost are missing, and an output that may hold them is unreadable.
    """

    def keep(answers: Sequence[Response]) -> set[str]:
        whole = (look_over(missing[answer.request_id], answer) for answer in answers)
        kept = journal.record([answer for answer in whole if isinstance(answer, Response)])
        return {answer.request_id for answer in kept if isinstance(answer, Response)}

    wanted, unreadable = set(missing), list[str]()
    for look in (archive.read_own, archive.read_past) if costs else (archive.read_own,):
        if wanted:
            unreadable += look(wanted, keep)
    if costs and unreadable and not allow_repay and wanted:
        _refuse(len(wanted), unreadable, archive)
    return wanted


def _refuse(missing: int, unreadable: list[str], archive: Archive) -> None:
    names = list(dict.fromkeys(unreadable))
    shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" * (len(names) > _NAMED))
    raise InputError(
        f"{missing} answers that cost money are missing here, and earlier outputs that may hold them "
        f"cannot be read: {shown}",
        where=f"{archive.path} in dvc.lock and its history",
        expected="them in DVC's cache, so that nothing is paid for twice",
        remedy="run `dvc pull` (`dvc fetch --all-commits` for older versions), or pay again with "
        f"`stillhouse stage {archive.stage} --allow-repay` and then run `dvc repro`",
    )


def _read_wanted(file: Path | None, wanted: Collection[str]) -> Iterator[list[Response]]:
    if file is None:
        raise InputError("not in DVC's cache")
    answers = (one for one in read_table(file, Response) if one.request_id in wanted)
    while block := list(islice(answers, _BLOCK)):
        yield block
