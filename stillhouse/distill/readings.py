"""What a teacher reads that is asked while a student trains, on disk between the two stages."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.files import write_json
from stillhouse.base.tables import read_all, write_table
from stillhouse.distill.distributions import MANIFEST, Origin, check_origin, check_rows, read_origin
from stillhouse.distill.encode import Reading

READINGS: Final = "readings.parquet"


def write_readings(folder: Path, origin: Origin, rows: Sequence[Reading]) -> None:
    """Write the rows in the order of their ids, and then what they are to be asked of."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / READINGS, Reading, sorted(rows, key=lambda row: row.row_id))
    write_json(folder / MANIFEST, {"origin": origin.describe(), "rows": len(rows)})


def read_readings(folder: Path, origin: Origin, rows: Mapping[str, str]) -> dict[str, Reading]:
    """Return row id -> what the teacher reads; anything that does not match exactly is refused.

    Args:
        folder: what ``write_readings`` wrote.
        origin: of whom they must be meant to be asked.
        rows: row id -> the id of its tokens, of the rows that are needed.

    Raises:
        InputError: nothing was written here, or a row is missing.
        DriftError: teacher, tokenizer, template, vocabulary or a row's tokens are others by now.
    """
    if not (folder / MANIFEST).exists():
        raise InputError("no readings for a teacher", where=str(folder), remedy="run `dvc repro`")
    check_origin(folder, read_origin(folder / MANIFEST), origin)
    known = {row.row_id: row for row in read_all(folder / READINGS, Reading)}
    check_rows(folder, {name: row.tokens_id for name, row in known.items()}, rows)
    return known
