"""Every student that there is: in the workspace, and at each commit whose ``dvc.lock`` names one."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from stillhouse.base.lock import Lock, TornLockError, parse_lock, read_lock
from stillhouse.base.model_name import MODELS
from stillhouse.history.commits import Commit, list_commits
from stillhouse.history.objects import read_objects
from stillhouse.lineage.model_folder import PROVENANCE

_BELOW: Final = f"{MODELS.as_posix()}/"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A student as a ``dvc.lock`` names it; ``commit`` is None for the lock that lies here.

    ``md5`` is that of its folder, with ``.dir``.
    """

    student: str
    md5: str
    lock: Lock
    commit: Commit | None


class History:
    """The commits of a project and their locks, read once; a lock is parsed only where it matters."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._parsed: dict[str, Lock] = {}

    @cached_property
    def here(self) -> Lock:
        """The ``dvc.lock`` of the workspace."""
        return read_lock(self.root)

    @cached_property
    def commits(self) -> list[Commit]:
        """All commits of all refs, newest first."""
        return list_commits(self.root)

    def list_folders(self) -> list[str]:
        """Return the names of the students whose folders lie in the workspace."""
        folder = self.root / MODELS
        found = folder.iterdir() if folder.is_dir() else ()
        return sorted(path.name for path in found if (path / PROVENANCE).is_file())

    def list_recorded(self, holding: str = "") -> Iterator[Recorded]:
        """Yield the students that locks name, that of the workspace first, then newest commit first.

        Args:
            holding: only of locks with this text in them, an md5 say: the others are not parsed.
        """
        yield from _list_students(self.here, None)
        for commit in self.commits:
            if commit.lock_blob and holding.encode() in self._texts[commit.lock_blob]:
                yield from _list_students(self.lock_of(commit), commit)

    def list_commits_of(self, text: str) -> list[Commit]:
        """Return the commits whose lock holds a text, newest first."""
        return [
            commit
            for commit in self.commits
            if commit.lock_blob and text.encode() in self._texts[commit.lock_blob]
        ]

    def lock_of(self, commit: Commit) -> Lock:
        """Return a commit's lock; one without stages where it has none that can be read."""
        if commit.lock_blob not in self._parsed:
            try:
                text = self._texts.get(commit.lock_blob, b"").decode()
                self._parsed[commit.lock_blob] = parse_lock(text)
            except (TornLockError, UnicodeDecodeError):
                self._parsed[commit.lock_blob] = Lock({})
        return self._parsed[commit.lock_blob]

    @cached_property
    def _texts(self) -> dict[str, bytes]:
        blobs = list(dict.fromkeys(c.lock_blob for c in self.commits if c.lock_blob))
        found = read_objects(self.root, blobs)
        return {blob: text or b"" for blob, text in zip(blobs, found, strict=True)}


def name_folder(student: str) -> str:
    """Return where a student lies in its project."""
    return f"{_BELOW}{student}"


def _list_students(lock: Lock, commit: Commit | None) -> Iterator[Recorded]:
    for stage in lock.stages.values():
        for out, md5 in stage.outs.items():
            if out.startswith(_BELOW):
                yield Recorded(PurePosixPath(out).name, md5, lock, commit)
