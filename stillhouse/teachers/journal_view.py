"""The journal as somebody sees it who may only look: nothing in its folder changes by it."""

import math
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from stillhouse.base import versions
from stillhouse.teachers.database import Database, explain_unusable
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.layout import lay_out
from stillhouse.teachers.money import Account
from stillhouse.teachers.owner import Owner


class JournalView(Journal):
    """A journal that can be read and refuses to be written; one that is not there is empty.

    One of an older layout is read from a temporary copy in the layout of now.
    """

    def __init__(self, path: Path) -> None:
        """Open the journal at ``path``.

        Raises:
            InputError: the file is no journal, or of another layout than this version knows.
        """
        with explain_unusable(path):
            self._use(Database(path, _open(path)))

    def release(self) -> None:
        """Give back nothing: a view holds no leases."""

    def find_submitted(self, request_ids: Collection[str]) -> set[str]:
        """Return which of the requests wait for the answers of a batch that was submitted."""
        with self._database.explained():
            return self._read_batched(request_ids)

    def read_account(self, window_seconds: float = math.inf) -> Account:
        """Return the account as the next to ask will find it.

        What processes that have ended left in flight is reserved no more, and counts as spent.
        """
        account = super().read_account(window_seconds)
        query = (
            "SELECT total(expected), total(reserved), place, pid, started, max(expires) FROM leases"
            " WHERE reserved > 0 GROUP BY place, pid, started"
        )
        spent, reserved = account.spent, account.reserved
        with self._database.explained():
            for expected, held, *owner, expires in self._database.wait_for(query).fetchall():
                if not self._is_live(Owner(*owner), expires):
                    spent, reserved = spent + expected, reserved - held
        return Account(spent, reserved, account.batched)

    def copy_to(self, path: Path) -> None:
        """Write all of it to a new file, which may be opened as a journal."""
        with self._database.explained(), closing(sqlite3.connect(path)) as base:
            self._base.backup(base)


def _open(path: Path) -> sqlite3.Connection:
    if not path.exists():
        return _lay_out_copy(None, path)
    base = _connect(path)
    (layout,) = base.execute("PRAGMA user_version").fetchone()
    if layout == versions.JOURNAL:
        base.execute("PRAGMA query_only = ON")
        return base
    try:
        return _lay_out_copy(base, path)
    finally:
        base.close()


def _connect(path: Path) -> sqlite3.Connection:
    """Open the file in the way that leaves nothing beside it; in a locked folder as it lies there."""
    uri = path.resolve().as_uri()
    try:
        base = sqlite3.connect(f"{uri}?mode=rw", uri=True, isolation_level=None)
        base.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        base = sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, isolation_level=None)
    return base


def _lay_out_copy(base: sqlite3.Connection | None, path: Path) -> sqlite3.Connection:
    copy = sqlite3.connect("", isolation_level=None)  # a temporary file without a name
    if base is not None:
        base.backup(copy)
    lay_out(copy, path)
    copy.execute("PRAGMA query_only = ON")
    return copy
