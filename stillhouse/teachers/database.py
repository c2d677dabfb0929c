"""The SQLite file below the journal: shared by processes, waited for in turns, whole after a power cut."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.teachers.layout import lay_out

BUSY_SECONDS: Final = 60.0  # for which another process's writing is waited for ...
_TURN_SECONDS: Final = 0.2  # ... in turns: within one, SQLite does not let Ctrl-C through


class Database:
    """An open journal file, and how it is waited for and written."""

    def __init__(self, path: Path, base: sqlite3.Connection) -> None:
        """Take the open connection ``base`` to the file at ``path``, in autocommit."""
        self.path, self.base = path, base
        self._durable = True

    def close(self) -> None:
        """Close it."""
        self.base.close()

    def set_durable(self, durable: bool) -> None:
        """Have each commit survive a power cut (milliseconds), or only the end of this process."""
        self._durable = durable
        self._sync(durable)

    def wait_for(
        self, statement: str, *values: str | float, patience: float | None = None
    ) -> sqlite3.Cursor:
        """Execute a statement for which another process may have to be waited; Ctrl-C ends that."""
        deadline = time.monotonic() + (BUSY_SECONDS if patience is None else patience)
        while True:
            try:
                return self.base.execute(statement, values)
            except sqlite3.OperationalError as exc:
                if not is_busy(exc) or time.monotonic() > deadline:
                    raise
            time.sleep(_TURN_SECONDS / 10)

    @contextmanager
    def passing_transaction(self) -> Iterator[None]:
        """Write what a power cut may take: leases, which it ends anyway. That spares the disk a wait."""
        self._sync(False)
        try:
            with self.transaction():
                yield
        finally:
            self._sync(self._durable)

    @contextmanager
    def transaction(self, patience: float | None = None) -> Iterator[None]:
        """Write all that the block writes, or nothing; wait so many seconds for another's writing.

        Raises:
            InputError: SQLite refuses it; nothing of it is written.
        """
        with self.explained():
            self.wait_for("BEGIN IMMEDIATE", patience=patience)
            try:
                yield
            except BaseException:
                if self.base.in_transaction:  # SQLite itself ends it where the disk is full
                    self.base.execute("ROLLBACK")
                raise
            self.base.execute("COMMIT")

    def explained(self) -> AbstractContextManager[None]:
        """Turn what SQLite refuses within the block into an error that a user can read."""
        return explain_unusable(self.path)

    def _sync(self, durable: bool) -> None:
        self.base.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")


def open_shared(path: Path) -> Database:
    """Open the journal at ``path``, on a local disk, and lay it out if it is new.

    Raises:
        InputError: the file is no journal, or of another layout than this version knows.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with explain_unusable(path):
        base = sqlite3.connect(path, timeout=_TURN_SECONDS, isolation_level=None)
        database = Database(path, base)
        database.wait_for("PRAGMA journal_mode = WAL")
        database.set_durable(True)
        with database.transaction():
            lay_out(base, path)
    return database


@contextmanager
def explain_unusable(path: Path) -> Iterator[None]:
    """Turn what SQLite refuses within the block into an error that a user can read."""
    try:
        yield
    except sqlite3.Error as exc:
        raise InputError(
            f"the journal cannot be used ({exc})",
            where=str(path),
            expected="a SQLite file on a local disk with room left",
            remedy="free the disk, or name another folder in STILLHOUSE_HOME",
        ) from exc


@contextmanager
def open_beside(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield another connection to a journal that is laid out: for another thread, or to read it only.

    Each statement is a transaction of its own, unless one is begun.
    """
    with explain_unusable(path):
        base = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        with closing(base):
            yield base


def is_busy(error: BaseException | None) -> bool:
    """Whether SQLite says that another process has the file; its finer codes count as well."""
    code: int = getattr(error, "sqlite_errorcode", 0)  # Python's own errors of this kind have none
    return code & 0xFF == sqlite3.SQLITE_BUSY
