"""Where the rendered teacher calls lie: those of the plan, and those that develop pairs further."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stillhouse.base.records import Request
from stillhouse.base.tables import read_table

REQUESTS: Final = Path("data/requests.parquet")
# Calls that `generate` makes itself of the answers to others; versions from before it did lack the table.
DERIVED: Final = Path("data/generated/derived.parquet")


def read_requests(root: Path = Path()) -> Iterator[Request]:
    """Yield every teacher call of the project at ``root``: the plan's, then those derived from pairs.

    Raises:
        InputError: the plan's table is missing, or one of the two is unreadable.
    """
    for path in list_requests(root):
        yield from read_table(path, Request)


def list_requests(root: Path = Path()) -> tuple[Path, ...]:
    """Return the tables of teacher calls; the second one where it is there."""
    derived = root / DERIVED
    return (root / REQUESTS, derived) if derived.exists() else (root / REQUESTS,)
