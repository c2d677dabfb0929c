"""A student's folder is verified against all that was written down when it was made."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from stillhouse.auditing.problems import Problem
from stillhouse.auditing.verify import Wanted, verify, verify_model
from stillhouse.base.ids import merkle_root, sha256_file
from stillhouse.base.tables import read_all, write_sorted
from stillhouse.history.resolve import open_workspace
from stillhouse.lineage.provenance import SeenRow
from tests.sealed_project import STUDENT, write_sealed


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_sealed(tmp_path / "project")


def check(root: Path) -> list[Problem]:
    return verify_model(root, STUDENT, open_workspace(root))


def name(problems: list[Problem]) -> set[tuple[str, str]]:
    return {(problem.kind, problem.where) for problem in problems}


def edit_provenance(root: Path, change: Callable[[dict], None]) -> None:
    path = root / "models" / STUDENT / "provenance.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def test_an_untouched_student_has_no_problem_and_all_of_it_was_looked_at(root: Path) -> None:
    outcome = verify(open_workspace(root), Wanted(STUDENT))
    assert (outcome.problems, outcome.unchecked) == ((), ())
    assert (outcome.checked["students"], outcome.checked["rows"]) == (1, 5)
    assert outcome.checked["gates"] >= 1


def test_one_byte_in_the_weights_is_named(root: Path) -> None:
    weights = root / "models" / STUDENT / "model.safetensors"
    weights.write_bytes(b"wEights")
    (problem,) = [p for p in check(root) if p.where == "models/tiny/model.safetensors"]
    assert problem.kind == "changed file"
    assert sha256_file(weights) in problem.found
    assert "dvc checkout models/tiny" in problem.remedy


def test_a_row_deleted_from_the_list_with_count_and_root_patched_is_named(root: Path) -> None:
    folder = root / "models" / STUDENT
    rows = read_all(folder / "rows.parquet", SeenRow)
    write_sorted(folder / "rows.parquet", SeenRow, rows[:-1])

    def patch(value: dict) -> None:
        value["dataset"]["rows"] = 4
        value["dataset"]["merkle_root"] = merkle_root(row.row_sha256 for row in rows[:-1])
        value["files"]["rows.parquet"] = sha256_file(folder / "rows.parquet")

    edit_provenance(root, patch)
    found = {p.where: p for p in check(root) if p.kind == "rows"}
    assert found.keys() == {"models/tiny/rows.parquet"}
    assert (
        "row 5 (000000000000…) is not among those listed" in found["models/tiny/rows.parquet"].found
    )
