"""Everything hashed again: what is wrong in a project, and what to do about it.

``dvc status`` believes the size and time of a file, and never opens what its cache holds.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from stillhouse.auditing.closure import Recorded, check_chain, check_declared, check_params
from stillhouse.auditing.digests import Digests
from stillhouse.auditing.echoes import drop_echoes
from stillhouse.auditing.folders import open_folder
from stillhouse.auditing.gate import check_gate_here, check_locked_gate
from stillhouse.auditing.objects import (
    Named,
    check_cache,
    check_remote,
    look_at_remote,
    open_default,
)
from stillhouse.auditing.places import Places
from stillhouse.auditing.problems import Outcome, Problem, Unchecked, join_outcomes
from stillhouse.auditing.registered import check_registered
from stillhouse.auditing.runs import Run, check_runs, list_runs
from stillhouse.auditing.scope import MODELS, choose_stages, list_stages, list_students
from stillhouse.auditing.signature import KIND, check_signatures
from stillhouse.auditing.student import Student
from stillhouse.auditing.student_files import check_student, list_inputs
from stillhouse.auditing.workspace import Workspace
from stillhouse.base.errors import GateError, InputError
from stillhouse.base.lock import LOCK
from stillhouse.history.commits import list_commits, read_locks
from stillhouse.history.resolve import open_workspace
from stillhouse.history.version import Version


class AbsentError(InputError):
    """The student that somebody named is nowhere on this machine."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How far a verification goes, beyond what the version itself names.

    Attributes:
        student: only this one and what it was made of; empty for all that there is.
        all_commits: the objects that any commit's ``dvc.lock`` names.
        remote: whether the default DVC remote has the objects, and has them right.
        signature: whether a student that nobody signed is a problem.
    """

    student: str = ""
    all_commits: bool = False
    remote: bool = False
    signature: bool = False


def verify_model(
    root: Path, student: str, version: Version, folder: Path | None = None
) -> list[Problem]:
    """Return what is wrong with a student and with all that it was made of; nothing if all is well.

    Nothing is believed that was hashed before, and nothing is fetched. A student that is not on this
    machine is a problem; a table behind it that is not is none (its hashes still have to agree).

    Args:
        root: the project.
        student: its name in ``params.yaml``.
        version: as ``stillhouse.history.resolve`` returns it; the workspace, or an earlier one.
        folder: where the student's files lie, if they are an exported copy.
    """
    try:
        outcome = verify(replace(version, root=root), Wanted(student), folder)
    except AbsentError as exc:
        expected, remedy = "the files of the student", exc.remedy or ""
        return [Problem("not here", f"{MODELS}/{student}", expected, exc.what, remedy)]
    return list(outcome.problems)


def verify(version: Version, wanted: Wanted, folder: Path | None = None) -> Outcome:
    """Return what is wrong in a version, what could not be looked at, and how much was looked at.

    Raises:
        AbsentError: the student that is wanted is neither here nor in DVC's cache.
        InputError: nothing was run yet, a file of the project cannot be read, no stage writes that
            student, or there is no remote to look at.
    """
    return _Verification(version, wanted, folder).run()


def check_before_signing(root: Path, student: str) -> Path:
    """Return a student's folder in the working directory if nothing is wrong with it.

    Raises:
        GateError: something is; signatures, which may be of an earlier version, do not count.
        AbsentError: it does not lie there.
        InputError: as ``verify``.
    """
    folder = root / MODELS / student
    if not folder.is_dir():
        raise AbsentError(
            "no such student", where=str(folder), remedy="run `dvc repro` or `dvc pull`"
        )
    outcome = verify(open_workspace(root), Wanted(student))
    wrong = [one for one in outcome.problems if one.kind != KIND]
    if wrong:
        raise GateError(
            f"not signed, because it is not verified ({wrong[0].kind}: {wrong[0].where})",
            where=folder.as_posix(),
            remedy=f"`stillhouse verify {student}` names all that is wrong",
        )
    return folder


class _Verification:
    """One verification: what it looks at is collected before the first byte is read."""

    def __init__(self, version: Version, wanted: Wanted, folder: Path | None) -> None:
        self._version, self._wanted, self._folder = version, wanted, folder
        self._places = Places(version.root, Digests())
        student = wanted.student
        # Of a copy, or a model that MLflow knows, no version of the pipeline may be known.
        self._unknown = bool(student) and not version.workspace and not version.lock.stages
        self._every = [] if self._unknown else list_stages(version)
        some = student and not self._unknown
        chosen = choose_stages(self._every, student) if some else self._every
        self._recorded = Recorded(chosen, version.lock)
        self._workspace = Workspace(self._recorded, self._places) if version.workspace else None

    def run(self) -> Outcome:
        version, named = self._version, self._name_objects()
        runs = list_runs(self._places, self._recorded, whole=not self._wanted.student)
        with ExitStack() as stack:
            students, absent = self._open_students(stack)
            if self._wanted.student and absent:
                one = absent[0]
                raise AbsentError(one.why, where=one.where, remedy=one.remedy)
            self._read(students, list(named.paths), runs)
            parts = [
                self._check_lock(),
                *self._check_objects(named),
                check_runs(runs, self._recorded, self._places, current=version.workspace),
                *(check_student(student, self._places) for student in students),
                check_registered(students, self._places),
                self._check_signatures(students),
            ]
            if self._workspace:
                parts.append(self._workspace.check())
            if self._unknown:
                why = (
                    "no version is known whose pipeline made it: only its own files were looked at"
                )
                parts.append(Outcome(unchecked=(Unchecked(LOCK, why, "`git fetch --unshallow`"),)))
            found = join_outcomes([*parts, _tell_absent(absent, parts)])
        counts = {**found.checked, "bytes": self._places.digests.bytes}
        return Outcome(tuple(drop_echoes(found.problems)), found.unchecked, counts)

    def _read(self, students: Sequence[Student], md5s: Sequence[str], runs: Sequence[Run]) -> None:
        """Hash all that will be asked for, in one go."""
        root = self._version.root
        paths = [root / path for path in (self._workspace.paths if self._workspace else ())]
        paths += [found for md5 in md5s if (found := self._places.look_up(md5))]
        paths += [found for run in runs for found in run.objects(self._places)]
        both = [path for one in students for path in one.folder.iterdir() if path.is_file()]
        inputs = [root / path for one in students for path in list_inputs(one)]
        both += [path for path in inputs if path.is_file()]
        self._places.digests.read(paths, both)

    def _name_objects(self) -> Named:
        named = Named()
        for stage, locked in self._recorded.pairs():
            cached = {out.path for out in stage.outs if out.cached}
            for path, md5 in locked.outs.items():
                if path in cached:
                    named.add(stage.name, path, md5, self._places)
        if self._wanted.all_commits:
            self._name_past(named)
        return named

    def _name_past(self, named: Named) -> None:
        """Add the objects that the locks of all commits name."""
        root = self._version.root
        uncached = {out.path for stage in self._every for out in stage.outs if not out.cached}
        blobs = dict.fromkeys(commit.lock_blob for commit in list_commits(root))
        for _, lock in read_locks(root, [blob for blob in blobs if blob]):
            for stage in lock.stages.values():
                for path, md5 in stage.outs.items():
                    if path not in uncached:
                        named.add(stage.name, path, md5, self._places, past=True)

    def _open_students(self, stack: ExitStack) -> tuple[list[Student], list[Unchecked]]:
        """Return the students whose files are here or in the cache, and those that are nowhere."""
        version, found, absent = self._version, [], []
        names = [self._wanted.student]
        if not self._wanted.student:
            names = list_students(self._every, version.root if version.workspace else None)
        for name in names:
            shown = f"{MODELS}/{name}"
            here = version.root / shown if version.workspace else None
            folder = self._folder or here
            if folder is None or not folder.is_dir():
                md5 = version.named.get(shown) or self._recorded.outs.get(shown, "")
                folder = open_folder(stack, self._places, md5)
            if folder is None:
                why = "neither in the working directory nor whole in DVC's cache"
                absent.append(Unchecked(shown, why, self._places.tell_pull(shown)))
                continue
            ours = version.workspace and self._folder is None
            told = shown if self._folder is None else str(self._folder)
            found.append(Student(name, folder, told, version.lock, here=ours))
        return found, absent

    def _check_lock(self) -> Outcome:
        recorded = self._recorded
        problems = list(check_locked_gate(recorded, self._places))
        if self._workspace:
            names = [stage.name for stage in self._every]
            # Of one student: that others are no longer declared is not its matter.
            problems += check_declared(recorded, [] if self._wanted.student else names)
            problems += check_params(recorded, self._version.root)
            problems += check_gate_here(recorded, self._places)
        return join_outcomes((check_chain(recorded, self._places), Outcome(tuple(problems))))

    def _check_objects(self, named: Named) -> Iterator[Outcome]:
        remote = None
        if self._wanted.remote:
            remote = look_at_remote(open_default(self._version.root), named)
            yield check_remote(remote, named, self._places)
        yield check_cache(named, self._places, self._holds, remote)

    def _check_signatures(self, students: Sequence[Student]) -> Outcome:
        root, wanted = self._version.root, self._wanted
        return check_signatures(students, root, required=wanted.signature, whole=not wanted.student)

    def _holds(self, path: str, md5: str) -> bool:
        return self._workspace is not None and self._workspace.holds(path, md5)


def _tell_absent(absent: Sequence[Unchecked], parts: Sequence[Outcome]) -> Outcome:
    """Return the students that are nowhere, without those of which the cache's check told already."""
    told = {one.where for part in parts for one in part.unchecked}
    return Outcome(unchecked=tuple(one for one in absent if one.where not in told))
