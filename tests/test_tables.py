"""A table that was damaged on its way is one sentence, whoever reads it and wherever it is torn."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stillhouse.base.errors import InputError, MachineError
from stillhouse.base.tables import StoredTable, read_all, stored_columns, write_table


@dataclass(frozen=True, slots=True)
class Line:
    line_id: str
    words: tuple[str, ...]


LINES = [Line(f"{n:04}", (f"word {n}", "and", f"word {n + 1}")) for n in range(500)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_table(tmp_path / "lines.parquet", Line, LINES)
    return tmp_path / "lines.parquet"


def truncate(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def flip_page(path: Path) -> None:
    """Invert every byte of the first column's last data page; the footer stays whole."""
    column = pq.read_metadata(path).row_group(0).column(0)
    data = bytearray(path.read_bytes())
    first = column.data_page_offset
    for at in range(first, column.dictionary_page_offset + column.total_compressed_size):
        data[at] ^= 0xFF
    path.write_bytes(data)


def flip_footer(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for at in range(len(data) - 200, len(data) - 8):
        data[at] ^= 0xFF
    path.write_bytes(data)


def count(path: Path) -> int:
    return len(StoredTable(path, Line))


def read(path: Path) -> list[Line]:
    return read_all(path, Line)


@pytest.mark.parametrize("look", [read, count, stored_columns])
@pytest.mark.parametrize("damage", [truncate, flip_footer])
def test_a_damaged_file_is_one_sentence_for_every_reader(
    path: Path, damage: Callable[[Path], None], look: Callable[[Path], object]
) -> None:
    damage(path)
    with pytest.raises(InputError) as caught:
        look(path)
    assert str(caught.value) == (
        f"{path}: not a readable Parquet file; expected the whole file as its stage wrote it; "
        "run `dvc checkout` to put it back, or `dvc repro` to make it again"
    )


def test_a_damaged_page_behind_a_whole_footer_is_one_sentence(path: Path) -> None:
    flip_page(path)
    assert count(path) == len(LINES)
    with pytest.raises(InputError, match="not a readable Parquet file"):
        read(path)


def test_one_flipped_bit_in_any_page_is_never_read_as_other_data(path: Path) -> None:
    whole = path.read_bytes()
    end = len(whole) - 8 - pq.read_metadata(path).serialized_size  # where the footer begins
    seen = {"same": 0, "refused": 0}
    for at in range(4, end, 7):
        data = bytearray(whole)
        data[at] ^= 1 << at % 8
        path.write_bytes(data)
        try:
            assert read(path) == LINES  # what nobody reads, such as a page's statistics
            seen["same"] += 1
        except InputError:
            seen["refused"] += 1
    assert seen["refused"] > 9 * seen["same"]


def test_a_table_of_an_older_version_has_no_checksums_and_is_read(path: Path) -> None:
    pq.write_table(pq.read_table(path), path, compression="zstd", store_schema=False)
    assert read(path) == LINES


def test_a_folder_in_its_place_is_not_called_damage(path: Path) -> None:
    path.unlink()
    path.mkdir()
    with pytest.raises(MachineError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}: a folder stands where a file is expected; move the folder away"
    )


@pytest.mark.parametrize("half", ["\ud83d", "\ud83d\ude00"])
def test_halves_of_characters_are_refused_and_never_joined(tmp_path: Path, half: str) -> None:
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        write_table(tmp_path / "lines.parquet", Line, [Line("0000", ("whole", half))])
    assert list(tmp_path.iterdir()) == []
