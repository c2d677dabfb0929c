"""Where an answer may already lie: the journal, this stage's own output, that of older commits.

Whoever pays must not pay twice, so a teacher that costs is asked only for what none of these holds;
and when one of them should hold answers but cannot be read, nothing is asked at all.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.base.cache import find_cached, find_caches
from stillhouse.base.errors import InputError
from stillhouse.base.lock import Lock, is_shallow, past_locks, read_lock
from stillhouse.base.records import Request, Response
from stillhouse.base.tables import read_table
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.outcome import look_over
from stillhouse.teachers.protocol import Failure

_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Earlier:
    """Answers found in earlier outputs, and a word for each output that could not be read."""

    answers: Mapping[str, Response]
    unreadable: tuple[str, ...]


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

    def read_own(self, wanted: Collection[str]) -> Earlier:
        """Return what of ``wanted`` the stage's previous output holds."""
        return self._read_locks([read_lock(self.project)], set(wanted))

    def read_past(self, wanted: Collection[str]) -> Earlier:
        """Return what of ``wanted`` the outputs of any commit on any ref hold, newest first."""
        earlier = self._read_locks(past_locks(self.repository), set(wanted))
        if is_shallow(self.repository):
            cut = "what a shallow clone leaves out (`git fetch --unshallow` brings it)"
            return Earlier(earlier.answers, (*earlier.unreadable, cut))
        return earlier

    def _read_locks(self, locks: Iterable[Lock], wanted: set[str]) -> Earlier:
        caches = find_caches(self.project, self.repository)
        answers: dict[str, Response] = {}
        unreadable: dict[str, None] = {}
        seen = {""}
        for lock in locks:
            md5, file = find_cached(caches, lock.outs_of(self.stage), self.path)
            if md5 in seen:
                continue
            seen.add(md5)
            try:
                answers |= _read_wanted(file, wanted - answers.keys())
            except InputError:
                unreadable[md5] = None
            if wanted <= answers.keys():
                break
        return Earlier(answers, tuple(unreadable))


def recall_answers(
    wanted: Mapping[str, Request],
    *,
    costs: bool,
    journal: Journal,
    archive: Archive,
    allow_repay: bool,
) -> dict[str, Response]:
    """Return every answer among ``wanted`` that is known, cheapest look first; keep it in the journal.

    Args:
        wanted: requests by id.
        costs: whether an answer costs money; only then is the whole history searched.
        journal: what was answered here.
        archive: what earlier versions of the stage's output hold.
        allow_repay: go on although an earlier output cannot be read.

    Raises:
        InputError: answers that cost are missing, and an output that may hold them is unreadable.
    """
    found = journal.read(wanted)
    unreadable: list[str] = []
    for look in (archive.read_own, archive.read_past) if costs else (archive.read_own,):
        missing = set(wanted) - found.keys()
        if not missing:
            return found
        earlier = look(missing)
        whole = (look_over(wanted[name], answer) for name, answer in earlier.answers.items())
        kept = journal.record([answer for answer in whole if isinstance(answer, Response)])
        found |= {answer.request_id: answer for answer in kept if isinstance(answer, Response)}
        unreadable += earlier.unreadable
    if costs and unreadable and not allow_repay and set(wanted) - found.keys():
        _refuse(len(set(wanted) - found.keys()), unreadable, archive)
    return found


def withdraw_failures(requests: Mapping[str, Request], journal: Journal) -> None:
    """Turn into failures what an earlier version kept as answers: refusals, answers cut off."""
    known = journal.read(requests)
    outcomes = (look_over(requests[name], answer) for name, answer in known.items())
    journal.record([outcome for outcome in outcomes if isinstance(outcome, Failure)])


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


def _read_wanted(file: Path | None, wanted: set[str]) -> dict[str, Response]:
    if file is None:
        raise InputError("not in DVC's cache")
    answers = read_table(file, Response)
    return {answer.request_id: answer for answer in answers if answer.request_id in wanted}
