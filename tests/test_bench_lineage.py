"""The invented versions that lineage is measured with are tables of the real form, with known edits."""

from collections import Counter
from pathlib import Path

from bench.rows import Edit, choose_rows, write_versions
from stillhouse.base.records import Row
from stillhouse.base.tables import arrow_schema, read_all, write_table

ROWS = 500  # 5 rows each are changed, added and removed


def test_versions_hold_as_many_edits_as_they_say(tmp_path: Path) -> None:
    paths = write_versions(tmp_path, ROWS)
    old, new = ({row.slot_id: row for row in read_all(path, Row)} for path in paths)
    both = old.keys() & new.keys()
    assert (len(old), len(new), len(both)) == (ROWS, ROWS, ROWS - 5)
    assert sum(old[slot] != new[slot] for slot in both) == 5
    assert len({row.row_id for row in (*old.values(), *new.values())}) == ROWS + 5 + 4
    assert sum(old[slot].row_id == new[slot].row_id != "" for slot in both) == ROWS - 9


def test_each_kind_of_edit_comes_equally_often() -> None:
    edits = Counter(Edit(int(edit)) for edit in choose_rows(1000)[1].edits)
    assert edits == {Edit.NONE: 990, **{edit: 2 for edit in Edit if edit}}


def test_a_version_has_the_bytes_that_the_writer_of_tables_would_give_it(tmp_path: Path) -> None:
    path, _ = write_versions(tmp_path, ROWS)
    rows = read_all(path, Row)
    write_table(tmp_path / "again.parquet", Row, rows)
    assert (tmp_path / "again.parquet").read_bytes() == path.read_bytes()
    assert [row.row_id for row in rows] == sorted({row.row_id for row in rows})
    assert set(rows[0].__slots__) == set(arrow_schema(Row).names)
