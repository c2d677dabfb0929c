"""The two files of a table that are compared; a version from before there was such a table has none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from stillhouse.base.errors import StillhouseError
from stillhouse.base.tables import write_table
from stillhouse.diffing.tables import Table
from stillhouse.history.version import GoneError, Version


@contextmanager
def open_both(a: Version, b: Version, table: Table) -> Iterator[tuple[Path, Path]]:
    """Yield where the table of A and that of B lie; in place of one that never was, an empty one.

    Raises:
        GoneError: neither version has such a table, or the bytes of one are nowhere.
    """
    with TemporaryDirectory(prefix="stillhouse-diff-") as folder:
        lacking = [_lacks(version, table) for version in (a, b)]
        if all(lacking) or not any(lacking) or table.record is None:
            yield a.open(table.path), b.open(table.path)
            return
        empty = Path(folder) / "empty.parquet"
        write_table(empty, table.record, [])
        yield (
            empty if lacking[0] else a.open(table.path),
            empty if lacking[1] else b.open(table.path),
        )


def _lacks(version: Version, table: Table) -> bool:
    """Whether a version surely never wrote a later table: its stage did not, or not into its folder."""
    if not table.later:
        return False
    try:
        version.open(table.path)
    except GoneError:
        folder = PurePosixPath(table.path).parent.as_posix()
        try:
            return not version.md5_of(folder) or version.list_folder(folder) is not None
        except StillhouseError:
            return False
    return False
