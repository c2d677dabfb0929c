"""The tables of the journal, and how an older journal is brought up to them."""

import sqlite3
from pathlib import Path
from typing import Final

from stillhouse.base import versions
from stillhouse.base.errors import InputError

_LAYOUT: Final = """
CREATE TABLE answers (
    request_id TEXT PRIMARY KEY, text TEXT NOT NULL, reasoning TEXT NOT NULL,
    stop_reason TEXT NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL, model TEXT NOT NULL
) STRICT;
CREATE TABLE failures (
    request_id TEXT PRIMARY KEY, error TEXT NOT NULL, permanent INTEGER NOT NULL,
    attempts INTEGER NOT NULL
) STRICT;
CREATE TABLE leases (
    request_id TEXT PRIMARY KEY, place TEXT NOT NULL, pid INTEGER NOT NULL, started TEXT NOT NULL,
    expires REAL NOT NULL
) STRICT;
"""
# What was paid for and is no answer: refusals, answers that were cut off. Nothing reads them back.
_ADDED_IN_2: Final = """
CREATE TABLE unusable (
    request_id TEXT NOT NULL, text TEXT NOT NULL, reasoning TEXT NOT NULL,
    stop_reason TEXT NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL, model TEXT NOT NULL
) STRICT;
"""
# A lease carries what its request may cost at most and is likely to. `spending` is the account: an
# entry for each call that was billed, and one (`lost`) for each that a process left behind unanswered.
# `batches`: `name` is the server's, or empty between the decision to submit and the server's word;
# place, pid and started are of the process that submits. `batched`: requests without an outcome yet.
# `shared`: what a remote has (a request's answer, a batch), and in which of its `segments`: files that
# were read or written here. Answers without a teacher's name are older than teachers that cost.
_ADDED_IN_3: Final = """
ALTER TABLE answers ADD COLUMN confidences TEXT NOT NULL DEFAULT '[]';
ALTER TABLE answers ADD COLUMN teacher TEXT NOT NULL DEFAULT '';
ALTER TABLE unusable ADD COLUMN confidences TEXT NOT NULL DEFAULT '[]';
ALTER TABLE leases ADD COLUMN expected REAL NOT NULL DEFAULT 0;
ALTER TABLE leases ADD COLUMN reserved REAL NOT NULL DEFAULT 0;
CREATE TABLE spending (
    at REAL NOT NULL, request_id TEXT NOT NULL, kind TEXT NOT NULL, usd REAL NOT NULL,
    teacher TEXT NOT NULL, model TEXT NOT NULL, task TEXT NOT NULL, characters INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL
) STRICT;
CREATE INDEX spending_by_time ON spending (at, usd);
CREATE INDEX spending_by_task ON spending (model, task, characters, input_tokens, output_tokens, cache_read, cache_write);
CREATE TABLE batches (
    batch INTEGER PRIMARY KEY, teacher TEXT NOT NULL, name TEXT NOT NULL, submitted REAL NOT NULL,
    requests INTEGER NOT NULL, ended INTEGER NOT NULL, place TEXT NOT NULL DEFAULT '',
    pid INTEGER NOT NULL DEFAULT 0, started TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE batched (
    request_id TEXT PRIMARY KEY, batch INTEGER NOT NULL, expected REAL NOT NULL,
    reserved REAL NOT NULL, model TEXT NOT NULL DEFAULT '', task TEXT NOT NULL DEFAULT '',
    characters INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX answers_to_share ON answers (teacher, request_id)
    WHERE teacher NOT IN ('', 'offline', 'base');
CREATE INDEX batched_by_batch ON batched (batch);
CREATE TABLE shared (
    remote TEXT NOT NULL, name TEXT NOT NULL, segment TEXT NOT NULL, PRIMARY KEY (remote, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX shared_by_segment ON shared (remote, segment);
CREATE TABLE segments (
    remote TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (remote, name)
) STRICT, WITHOUT ROWID;
"""
# From each layout to the next, the first from an empty file.
_STEPS: Final = (_LAYOUT, _ADDED_IN_2, _ADDED_IN_3)


def lay_out(base: sqlite3.Connection, path: Path) -> None:
    """Bring the tables of the open transaction to this version's layout.

    Raises:
        InputError: the file has a layout that this version does not know.
    """
    (layout,) = base.execute("PRAGMA user_version").fetchone()
    if not 0 <= layout <= versions.JOURNAL:
        raise InputError(
            f"the journal has layout {layout}",
            where=str(path),
            expected=f"layout {versions.JOURNAL} or an older one",
            remedy="use the version of this program that wrote it, "
            "or name another folder in STILLHOUSE_HOME",
        )
    for statement in filter(str.strip, "".join(_STEPS[layout:]).split(";")):
        base.execute(statement)
    if layout != versions.JOURNAL:
        base.execute(f"PRAGMA user_version = {versions.JOURNAL}")
