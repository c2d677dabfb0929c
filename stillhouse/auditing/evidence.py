"""Whether a model is what its records say: every link hashed now, or before and untouched since.

Hashing a million rows takes half a minute, so that a check that found nothing wrong is remembered in the folder
that outlives a stage (``base.home``), together with size, times and inode of every file that it read.
Nobody can set back the time at which a file system changed a file's entry, short of setting the clock.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from stillhouse.auditing.digests import Digests
from stillhouse.auditing.links import Link, RememberedDigests, find_links, tell_links
from stillhouse.auditing.places import Places
from stillhouse.auditing.problems import Outcome, Problem, Unchecked, join_outcomes
from stillhouse.auditing.signature import check_signatures
from stillhouse.auditing.student import Student
from stillhouse.auditing.student_files import check_student
from stillhouse.auditing.subject import Subject
from stillhouse.base.errors import MachineError
from stillhouse.base.files import write_json
from stillhouse.base.home import find_home
from stillhouse.base.ids import Json, content_id, sha256_file
from stillhouse.base.params import PARAMS
from stillhouse.history.hashed import Hashed
from stillhouse.lineage import provenance
from stillhouse.lineage.model_folder import PROVENANCE
from stillhouse.lineage.run_key import hash_code

_FOLDER: Final = "audited"
_SETTLED: Final = 2.0  # seconds; what changed within the clock's last tick could change again

Stamps = Mapping[str, tuple[int, int, int, int]]  # path -> size, mtime and ctime in ns, inode


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found out about a model.

    Attributes:
        problems: what is not as the records say.
        unchecked: links that could not be looked at: not verified either.
        checked: how many files, rows and gates were looked at.
        links: every file behind the model.
        provenance_sha256: of ``provenance.json``.
        hashed: when all of it was hashed, in seconds since 1970, if that was before and no file has been
            touched since; None if it was now.
    """

    problems: tuple[Problem, ...]
    unchecked: tuple[Unchecked, ...]
    checked: Mapping[str, int]
    links: tuple[Link, ...]
    provenance_sha256: str
    hashed: float | None

    @property
    def verified(self) -> bool:
        """Whether every link was hashed and is what it should be."""
        return not self.problems and not self.unchecked

    @property
    def files(self) -> dict[Path, Path]:
        """The tables that were found: table -> file."""
        found: dict[Path, Path] = {}
        for link in self.links:
            for inner, file in link.files.items():
                found[Path(link.path) / inner if inner else Path(link.path)] = file
        return found


def gather_evidence(root: Path, subject: Subject, *, full: bool = False) -> Evidence:
    """Hold a model against its records, whose links are hashed as far as they are found.

    Args:
        root: the project.
        subject: the model.
        full: hash everything anew, whatever is remembered.
    """
    digests = Digests() if full else RememberedDigests(Hashed(find_home(root)))
    places = Places(root, digests)
    links = find_links(subject, places)
    problems, unchecked = tell_links(links, subject)
    problems += _check_signatures(root, subject)
    stamps = _stamp(subject.folder, links)
    memory = _name_memory(root, subject, stamps)
    before = None if full else _recall(memory, stamps)
    if before is None:
        outcome = _check(root, subject)
        if outcome.verified:
            _remember(root, memory, stamps, outcome)
    else:
        outcome = Outcome(checked=before[1])
    own, missing = _sort_absent(subject, outcome)
    changed = any(problem.where.startswith(f"{subject.shown}/") for problem in own)
    problems += _check_record(subject, changed=changed)
    told_of = {problem.where for problem in own}
    problems += [one for one in _check_beside(places, subject, links) if one.where not in told_of]
    told = join_outcomes(
        (Outcome(tuple(problems), tuple(unchecked)), Outcome(own, missing, outcome.checked))
    )
    return Evidence(
        problems=told.problems,
        unchecked=_drop_repeats(told.unchecked),
        checked={**told.checked, "files": len(subject.provenance.files), "tables": _count(links)},
        links=tuple(links),
        provenance_sha256=sha256_file(subject.folder / PROVENANCE),
        hashed=before[0] if before else None,
    )


def _check(root: Path, subject: Subject) -> Outcome:
    """Hash everything anew: the folder, its rows, and what the training opened."""
    places = Places(root, Digests())
    checked = check_student(_as_student(subject), places)
    if _is_newer_here(subject, places):
        own = subject.provenance.dataset.path
        kept = [one for one in checked.problems if (one.kind, one.where) != ("rows", own)]
        checked = replace(checked, problems=tuple(kept))
    return checked


def _check_record(subject: Subject, *, changed: bool) -> list[Problem]:
    """Compare what recorded the model with the folder: a ``dvc.lock``, and MLflow where it was asked.

    Where single files were ``changed``, that is told of them and not of the folder.
    """
    problems = []
    if subject.other_md5 and not changed:
        problems.append(
            Problem(
                "unrecorded folder", subject.shown, f"md5 {subject.other_md5} (dvc.lock)",
                f"md5 {subject.md5}, which no dvc.lock of any commit names",
                f"`rm -rf {subject.shown}`, then `dvc checkout {subject.shown}`; or commit the "
                "dvc.lock of its training",
            )
        )  # fmt: skip
    registered = subject.registered
    if registered and registered.provenance_sha256:
        own = sha256_file(subject.folder / PROVENANCE)
        if own != registered.provenance_sha256:
            problems.append(
                Problem(
                    "MLflow", registered.uri, f"provenance sha256 {registered.provenance_sha256}",
                    f"sha256 {own} in {subject.shown}",
                    "name the folder of that version, or register this one (`stillhouse register`)",
                )
            )  # fmt: skip
    return problems


def _check_beside(places: Places, subject: Subject, links: Iterable[Link]) -> Iterator[Problem]:
    """Find files in the workspace that are not what its own ``dvc.lock`` and the model both say.

    Their true bytes were found elsewhere: the model is sound, and yet somebody has changed its data.
    """
    outs = {p: md5 for stage in subject.lock.stages.values() for p, md5 in stage.outs.items()}
    for link in links:
        if not subject.due or not link.md5 or places.find_md5(outs, link.path) != link.md5:
            continue
        for inner, file in link.files.items():
            path = f"{link.path}/{inner}" if inner else link.path
            here = places.root / path
            if here.is_file() and here != file:
                yield Problem(
                    "changed file", path, f"md5 {places.digests.md5(file)} (dvc.lock)",
                    f"md5 {places.digests.md5(here)}", f"`rm {path}`, then `dvc checkout {path}`",
                )  # fmt: skip


def _check_signatures(root: Path, subject: Subject) -> list[Problem]:
    """Return what is wrong with the signatures of these very weights; other versions' are theirs."""
    told = check_signatures([_as_student(subject)], root, required=False, whole=False)
    return [problem for problem in told.problems if problem.where != subject.shown]


def _as_student(subject: Subject) -> Student:
    return Student(subject.student, subject.folder, subject.shown, subject.lock, here=subject.due)


def _is_newer_here(subject: Subject, places: Places) -> bool:
    """Say whether the lock that lies here names another train table, which the model has not seen yet."""
    outs = {p: md5 for stage in subject.lock.stages.values() for p, md5 in stage.outs.items()}
    dataset = subject.provenance.dataset
    return places.find_md5(outs, dataset.path) not in (dataset.md5, "", None)


def _sort_absent(
    subject: Subject, outcome: Outcome
) -> tuple[tuple[Problem, ...], tuple[Unchecked, ...]]:
    """Return problems and what is unchecked: a file that the cache has lost is no wrong file."""
    lost = {f"{subject.shown}/{name}" for name in subject.absent}
    problems = tuple(
        one for one in outcome.problems if not (one.kind == "missing file" and one.where in lost)
    )
    missing = [
        Unchecked(where, "neither in DVC's cache nor in its remote", "`dvc fetch --all-commits`")
        for where in sorted(lost)
    ]
    if not (subject.here or subject.recorded or subject.other_md5):
        why = f"no dvc.lock of any commit here names this folder (md5 {subject.md5})"
        missing.append(Unchecked(subject.shown, why, "audit it in the project that trained it"))
    return problems, (*outcome.unchecked, *missing)


def _drop_repeats(unchecked: Iterable[Unchecked]) -> tuple[Unchecked, ...]:
    """Return one of each place: the links and the check of the student tell of the same files."""
    found: dict[str, Unchecked] = {}
    for item in unchecked:
        found.setdefault(item.where, item)
    return tuple(found.values())


def _count(links: Iterable[Link]) -> int:
    return sum(len(link.files) for link in links if link.state == "hashed")


def _stamp(folder: Path, links: Iterable[Link]) -> dict[str, tuple[int, int, int, int]]:
    """Return what would tell if any file of a model or behind it were touched."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    files += [file for link in links for file in link.files.values()]
    stamps = {}
    for path in files:
        seen = path.stat()
        stamps[os.fspath(path.resolve())] = (
            seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino,
        )  # fmt: skip
    return stamps


def _name_memory(root: Path, subject: Subject, stamps: Stamps) -> Path:
    """Return the file that would remember this check: by what is checked, and by which code."""
    lock = {
        name: {"deps": dict(stage.deps), "outs": dict(stage.outs)}
        for name, stage in subject.lock.stages.items()
    }
    known: dict[str, Json] = {
        "train": subject.provenance.dataset.md5,
        "provenance": sha256_file(subject.folder / PROVENANCE),
        "folder": subject.md5,
        "lock": content_id("lock", lock),
        "here": subject.due,
        "places": sorted(stamps),
        "code": hash_code((Path(__file__).parent, Path(provenance.__file__).parent)),
    }
    return find_home(root) / _FOLDER / f"{content_id('audited', known)[:32]}.json"


def _recall(memory: Path, stamps: Stamps) -> tuple[float, dict[str, int]] | None:
    """Return when a check was made and what it counted, if no file was touched since."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        kept = json.loads(memory.read_bytes())
        if kept["stamps"] == {path: list(stamp) for path, stamp in stamps.items()}:
            counts = {str(name): int(count) for name, count in kept["checked"].items()}
            return float(kept["seconds"]), counts
    return None


def _remember(root: Path, memory: Path, stamps: Stamps, outcome: Outcome) -> None:
    """Write down that a check found nothing wrong, unless a file was touched meanwhile or just before."""
    now = time.time()
    settled = all(now - ctime / 1e9 > _SETTLED for _, _, ctime, _ in stamps.values())
    if not settled or outcome.unchecked or not _is_same(stamps):
        return
    if not (root / PARAMS).is_file() and not memory.parent.parent.is_dir():
        return  # not a project: nothing of ours is left lying about
    kept: Json = {
        "seconds": now,
        "checked": dict(outcome.checked),
        "stamps": {path: list(stamp) for path, stamp in stamps.items()},
    }
    with suppress(MachineError):  # read-only, full: it is only hashed again next time
        write_json(memory, kept)


def _is_same(stamps: Stamps) -> bool:
    for path, stamp in stamps.items():
        seen = Path(path).stat()
        if (seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino) != stamp:
            return False
    return True
