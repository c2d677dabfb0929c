"""A student's folder against its own provenance, and the provenance against ``dvc.lock``."""

from collections.abc import Iterator
from typing import Final

from stillhouse.auditing.gate import check_gate
from stillhouse.auditing.papers import open_provenance
from stillhouse.auditing.places import Places
from stillhouse.auditing.problems import Outcome, Problem, join_outcomes
from stillhouse.auditing.student import Student
from stillhouse.auditing.student_rows import check_rows
from stillhouse.base.errors import InputError
from stillhouse.lineage.inputs import Digest, combine
from stillhouse.lineage.model_folder import PROVENANCE, weights_sha256
from stillhouse.lineage.provenance import Provenance
from stillhouse.planning.hashes import hash_listing

EDITED: Final = "edited during the run"
UPSTREAM: Final = "upstream"


def check_student(student: Student, places: Places) -> Outcome:
    """Compare all that lies in a student's folder with its provenance, and that with the lock."""
    where = f"{student.shown}/{PROVENANCE}"
    try:
        provenance = open_provenance(student.folder)
    except InputError as exc:
        lost = Problem("provenance", where, "a whole provenance", exc.what, student.put_back)
        return Outcome((lost,), checked={"students": 1})
    own = [
        *_check_files(student, provenance, places),
        *_check_weights(student, provenance, where),
        *_check_sha256(student, provenance, places),
    ]
    if is_recorded(student, places):
        own += _check_inputs(student, provenance, where)
        own += _check_upstream(student, provenance, places)
    return join_outcomes(
        (
            Outcome(tuple(own), checked={"students": 1}),
            check_rows(student, provenance, places),
            check_gate(student, provenance, places),
        )
    )


def list_inputs(student: Student) -> list[str]:
    """Return what a student's training opened, by its provenance; nothing of an unreadable one."""
    try:
        return list(open_provenance(student.folder).inputs)
    except InputError:
        return []


def _check_files(student: Student, provenance: Provenance, places: Places) -> Iterator[Problem]:
    """Compare the sha256 of every file with the one that the provenance names."""
    found = {path.name for path in student.folder.iterdir()} - {PROVENANCE}
    for name in sorted(found | provenance.files.keys()):
        path, where = student.folder / name, f"{student.shown}/{name}"
        wanted = provenance.files.get(name)
        sha256 = places.digests.sha256(path) if path.is_file() else None
        if wanted is None:
            expected = "no such file (its provenance.json)"
            yield Problem("unexpected file", where, expected, "a file or folder", student.put_back)
        elif sha256 is None:
            told = places.digests.tell_failure(path)
            expected = f"sha256 {wanted} (its provenance.json)"
            yield Problem("missing file", where, expected, told, student.put_back)
        elif sha256 != wanted:
            expected = f"sha256 {wanted} (its provenance.json)"
            yield Problem("changed file", where, expected, f"sha256 {sha256}", student.put_back)


def _check_weights(student: Student, provenance: Provenance, where: str) -> Iterator[Problem]:
    """Compute again what the provenance says about itself."""
    weights = weights_sha256(dict(provenance.files))
    told = [
        ("weights_sha256", weights, provenance.weights_sha256),
        ("student", student.name, provenance.student),
    ]
    opened = provenance.inputs.get(provenance.dataset.path)
    if opened is not None:
        told += [
            ("dataset.md5", opened.md5, provenance.dataset.md5),
            ("dataset.sha256", opened.sha256, provenance.dataset.sha256),
        ]
    for name, right, said in told:
        if right != said:
            expected, found = f"{name} {right}, by the rest of it", f"{name} {said}"
            yield Problem("provenance", where, expected, found, student.put_back)


def _check_sha256(student: Student, provenance: Provenance, places: Places) -> Iterator[Problem]:
    """Compare the sha256 of what training opened: two files may be made to share an md5."""
    for path, digest in provenance.inputs.items():
        sha256 = _hash_input(path, digest.md5, places)
        if sha256 not in (None, digest.sha256):
            expected = f"sha256 {digest.sha256} ({student.shown}/{PROVENANCE})"
            told = f"sha256 {sha256}, with the same md5 {digest.md5}"
            yield Problem("changed file", path, expected, told, student.retrain)


def _hash_input(path: str, md5: str, places: Places) -> str | None:
    """Return the sha256 of a file or folder as ``lineage/inputs.py`` has it; None where it is not here."""
    if not md5.endswith(".dir"):
        found = places.find(path, md5)
        return places.digests.sha256(found) if found else None
    files = {}
    for name, own in (places.list_folder(md5) or {}).items():
        inner = places.find(f"{path}/{name}", own)
        sha256 = places.digests.sha256(inner) if inner else None
        if sha256 is None:
            return None
        files[name] = Digest(own, sha256)
    return combine(files.items()).sha256 if files else None


def is_recorded(student: Student, places: Places) -> bool:
    """Say whether it is this provenance that ``dvc.lock`` recorded, and not that of another run."""
    listing = places.list_folder(student.recorded)
    if listing is not None:
        return listing.get(PROVENANCE) == places.digests.md5(student.folder / PROVENANCE)
    files = sorted(path.name for path in student.folder.iterdir() if path.is_file())
    return student.recorded == hash_listing(
        {name: places.digests.md5(student.folder / name) or "" for name in files}
    )


def _check_inputs(student: Student, provenance: Provenance, where: str) -> Iterator[Problem]:
    """Compare what the training opened with what DVC, which hashes afterwards, says that it read."""
    locked = student.lock.stages.get(student.stage)
    if locked is None:
        return
    for path, digest in provenance.inputs.items():
        md5 = locked.deps.get(path)
        if md5 is None:
            expected = f"an input that dvc.lock names for {student.stage}"
            yield Problem("provenance", where, expected, f"`{path}`", student.put_back)
        elif md5 != digest.md5:
            yield Problem(
                EDITED,
                path,
                f"md5 {digest.md5}, which {student.stage} opened ({where})",
                f"md5 {md5}, which dvc.lock says it read: edited before the stage ended, or "
                "dvc.lock was edited",
                student.retrain,
            )


def _check_upstream(student: Student, provenance: Provenance, places: Places) -> Iterator[Problem]:
    """Compare the tables behind the dataset, as they were then, with those that the lock names."""
    outs = {p: md5 for stage in student.lock.stages.values() for p, md5 in stage.outs.items()}
    dataset = provenance.dataset
    if places.find_md5(outs, dataset.path) != dataset.md5:
        return  # trained on an older table: the lock's own stages tell of that
    for path, md5 in provenance.upstream.items():
        now = places.find_md5(outs, path)
        if now and now != md5:
            yield Problem(
                UPSTREAM,
                path,
                f"md5 {md5}, of which {student.shown} was made (its provenance.json)",
                f"md5 {now} (dvc.lock)",
                "`dvc repro`",
            )
