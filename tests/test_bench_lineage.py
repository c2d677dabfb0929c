"""What lineage is measured with: tables of the real form with known edits, and honest figures."""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bench.invented_project import write_project
from bench.lineage import CASES, check, measure
from bench.lineage_peers import compare_datacompy, join_raw, tally_raw, trace_raw, trace_row_raw
from bench.opened import Project, find_files, open_project
from bench.processes import run
from bench.rows import Edit, choose_rows, write_versions
from stillhouse.base.records import Row
from stillhouse.base.tables import arrow_schema, read_all, write_table

ROWS = 200
DIFF = replace(CASES[0], peers=("raw join",))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return open_project(
        tmp_path_factory.mktemp("bench") / "rows", lambda root: write_project(root, ROWS), settle=0
    )


def test_versions_hold_the_edits_that_were_chosen(tmp_path: Path) -> None:
    paths = write_versions(tmp_path, ROWS)
    old, new = ({row.slot_id: row for row in read_all(path, Row)} for path in paths)
    first, second = choose_rows(ROWS)
    both = old.keys() & new.keys()
    assert (len(old), len(new)) == (len(first.numbers), len(second.numbers)) == (ROWS, ROWS)
    assert len(both) == ROWS - 2
    changed = [slot for slot in both if old[slot] != new[slot]]
    assert len(changed) == sum(second.edits > 0)
    moved = [slot for slot in changed if old[slot].row_id == new[slot].row_id]
    assert len(moved) == sum(second.edits == Edit.HOLDOUT) > 0
    assert all(new[slot].holdout for slot in moved)


def test_every_kind_of_edit_comes_and_most_rows_stay() -> None:
    edits = Counter(Edit(int(edit)) for edit in choose_rows(100_000)[1].edits)
    assert edits.pop(Edit.NONE) > 98_900
    assert set(edits) == set(Edit) - {Edit.NONE}
    assert all(150 <= count <= 200 for count in edits.values())


def test_a_version_has_the_bytes_that_the_writer_of_tables_would_give_it(tmp_path: Path) -> None:
    path, _ = write_versions(tmp_path, ROWS)
    rows = read_all(path, Row)
    write_table(tmp_path / "again.parquet", Row, rows)
    assert (tmp_path / "again.parquet").read_bytes() == path.read_bytes()
    assert [row.row_id for row in rows] == sorted({row.row_id for row in rows})
    assert set(rows[0].__slots__) == set(arrow_schema(Row).names)


def test_peers_count_what_was_edited(project: Project) -> None:
    edits = choose_rows(ROWS)[1].edits
    found = join_raw(project.files)
    assert (found["added"], found["removed"], found["changed"]) == (2, 2, sum(edits > 0))
    assert found["columns"]["holdout"] == sum(edits == Edit.HOLDOUT)
    assert found["columns"]["document_sha256"] == sum(edits == Edit.DOCUMENT)
    assert "filter_sha256" not in found["columns"]


def test_datacompy_finds_the_same_as_the_join(project: Project) -> None:
    pytest.importorskip("datacompy")
    assert compare_datacompy(project.files) == join_raw(project.files)


def test_peers_find_a_document_and_its_models(project: Project) -> None:
    source, train = project.files.thing, Path(project.files.new)
    rows = [row for row in read_all(train, Row) if row.slot_id.startswith(f"{source}|")]
    found = trace_raw(project.files)
    assert found["train"] == len(rows) > 0
    assert next(iter(found["models"].values())) == len(rows)
    assert len(found["models"]) == 2
    row = trace_row_raw(project.files)
    assert set(row.pop("models").values()) <= {0, 1}
    assert set(row.values()) == {1}
    assert tally_raw(project.files)["steps"]["train"] == ROWS


def test_a_case_is_measured_in_turns_with_its_peers(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure(DIFF, project, rounds=1) > 0
    ours, raw = capsys.readouterr().out.splitlines()
    assert "diff" in ours
    assert "target 1.5 x raw join" in ours
    assert "raw join" in raw
    assert "ours is" in raw


def test_another_answer_than_the_peers_is_no_figure(project: Project) -> None:
    case = replace(DIFF, same=lambda ours, peer: bool(ours["counts"]["added"] == peer["added"] + 1))
    with pytest.raises(RuntimeError, match="diff: ours differs from raw join"):
        check(case, project, "raw join")


def test_the_peak_of_a_command_is_its_own(tmp_path: Path) -> None:
    ballast = bytes(200_000_000)
    done = run([sys.executable, "-S", "-c", "print('done')"], tmp_path)
    assert len(ballast) > 0
    assert done.printed == "done\n"
    assert done.memory < 60


def test_files_of_a_project_are_the_bytes_of_both_versions(project: Project) -> None:
    files = find_files(project.root, "a document", "a row")
    old, new = (Path(path).read_bytes() for path in (files.old, files.new))
    assert new == (project.root / "data/dataset/train.parquet").read_bytes() != old
