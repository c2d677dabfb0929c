"""The rows that a student lists: counted, hashed and put in order once more."""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from stillhouse.auditing.places import Places
from stillhouse.auditing.problems import Outcome, Problem, Unchecked
from stillhouse.auditing.rows import compare_rows
from stillhouse.auditing.student import Student
from stillhouse.base.errors import InputError
from stillhouse.base.ids import merkle_root
from stillhouse.base.records import Row
from stillhouse.base.stage import show_progress
from stillhouse.base.tables import StoredTable, read_table
from stillhouse.lineage.model_folder import PROVENANCE, ROWS
from stillhouse.lineage.provenance import Provenance, SeenRow, hash_rows


def check_rows(student: Student, provenance: Provenance, places: Places) -> Outcome:
    """Compare the list with the provenance, and with the table whose rows it lists.

    Neither is ever held in memory, unless they differ.
    """
    where = f"{student.shown}/{ROWS}"
    listed = StoredTable(student.folder / ROWS, SeenRow)
    try:
        problems = list(_check_list(student, provenance, listed))
    except InputError as exc:
        lost = Problem("rows", where, "the list of its rows", exc.what, student.put_back)
        return Outcome((lost,))
    dataset = provenance.dataset
    table = places.find(dataset.path, dataset.md5)
    missing: list[Unchecked] = []
    if table is not None:
        problems += _compare(where, dataset.path, listed, table, student.put_back)
    else:
        why = f"the table that {student.shown} was trained on (md5 {dataset.md5}) is not here"
        missing.append(Unchecked(dataset.path, why, "`dvc fetch --all-commits`"))
    here = places.root / dataset.path
    if _is_changed(student, provenance, places) and here != table:
        # To say which rows: that the bytes are others is known.
        remedy = f"`rm -f {dataset.path}`, then `dvc checkout {dataset.path}`"
        problems += _compare(dataset.path, where, listed, here, remedy)
    return Outcome(tuple(problems), tuple(missing), {"rows": len(listed) if table else 0})


def _check_list(
    student: Student, provenance: Provenance, listed: StoredTable[SeenRow]
) -> Iterator[Problem]:
    dataset, where = provenance.dataset, f"{student.shown}/{PROVENANCE}"
    if len(listed) != dataset.rows:
        expected = f"rows {len(listed)}, as {ROWS} lists"
        yield Problem("rows", where, expected, f"rows {dataset.rows}", student.put_back)
    try:
        root = merkle_root(row.row_sha256 for row in listed)
    except ValueError:
        root = "none: a row_sha256 is no hash"
    if root != dataset.merkle_root:
        expected, found = f"merkle_root {root}, over {ROWS}", f"merkle_root {dataset.merkle_root}"
        yield Problem("Merkle root", where, expected, found, student.put_back)


def _compare(
    where: str, other: str, listed: StoredTable[SeenRow], table: Path, remedy: str
) -> Iterator[Problem]:
    expected = f"the rows of {other}, each as it is there and in that order"
    try:
        if _are_equal(listed, table):
            return
        differences = compare_rows(list(listed), list(_hash(table)))
    except InputError as exc:
        differences = [exc.what]
    yield Problem("rows", where, expected, ", ".join(differences), remedy)


def _are_equal(listed: StoredTable[SeenRow], table: Path) -> bool:
    pairs = zip_longest(listed, _hash(table))
    return all(a == b for a, b in show_progress(pairs, "comparing rows", len(listed)))


def _hash(table: Path) -> Iterator[SeenRow]:
    return hash_rows(read_table(table, Row))


def _is_changed(student: Student, provenance: Provenance, places: Places) -> bool:
    """Say whether the table that lies here should be the student's, but has other bytes.

    Of a table that its stage has written anew since, the stages of the lock tell.
    """
    dataset, here = provenance.dataset, places.root / provenance.dataset.path
    locked = student.lock.stages.get(student.stage)
    due = locked is not None and locked.deps.get(dataset.path) == dataset.md5
    if not (student.here and due and here.is_file()):
        return False
    outs = {p: md5 for stage in student.lock.stages.values() for p, md5 in stage.outs.items()}
    return places.digests.md5(here) not in (dataset.md5, places.find_md5(outs, dataset.path))
