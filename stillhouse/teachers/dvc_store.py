"""A remote that DVC reaches (S3, Google, Azure, SSH, HTTP, ...), with DVC's own connection.

The only module that imports DVC: late, for its file systems alone. No repository is opened, so that
nothing waits for the lock that a running ``dvc repro`` holds.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

from stillhouse.teachers.stores import PART, UnreachableError, hide_login, unreachable

T = TypeVar("T")

# Where a file appears under its name only when it is whole. Elsewhere it is written beside its place.
_WHOLE: Final = frozenset(
    {"s3", "gs", "azure", "oss", "gdrive", "http", "https", "webdav", "webdavs"}
)

# Where there are no folders to walk through: all files come in one list, or none.
_FLAT: Final = _WHOLE - {"webdav", "webdavs"}


class DvcStore:
    """A DVC remote as files under names; it connects when it is first used."""

    def __init__(self, name: str, url: str, project: Path) -> None:
        self._name, self._url, self._project = name, url, project

    @property
    def place(self) -> str:
        """The remote's URL, without a password."""
        return hide_login(self._url)

    def list_files(self, folder: str) -> Sequence[str]:
        """Return the names of all files below a folder."""

        def look() -> list[str]:
            fs, root = self._opened
            path = fs.join(root, *folder.split("/"))
            above = len(fs.parts(path))
            fs.fs.invalidate_cache()  # of lists that were made before
            files = fs.find(path) if fs.protocol in _FLAT else _walk(fs, path)
            names = ["/".join(fs.parts(file)[above:]) for file in files]
            return sorted(name for name in names if not name.endswith(PART))

        return self._try(look)

    def fetch(self, name: str, path: Path) -> bool:
        """Download a file."""

        def load() -> bool:
            fs, root = self._opened
            try:
                fs.get_file(fs.join(root, *name.split("/")), str(path))
            except FileNotFoundError:
                return False
            return True

        return self._try(load)

    def put(self, path: Path, name: str) -> None:
        """Upload a file."""

        def send() -> None:
            fs, root = self._opened
            target = fs.join(root, *name.split("/"))
            fs.makedirs(fs.parent(target))
            if fs.protocol in _WHOLE:
                fs.put_file(str(path), target)
                return
            part = fs.join(fs.parent(target), f".{secrets.token_hex(8)}{PART}")
            fs.put_file(str(path), part)
            fs.mv(part, target)

        self._try(send)

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        """DVC's file system, and the path of the remote on it."""
        from dvc.config import Config
        from dvc.fs import get_cloud_fs

        kind, settings, path = get_cloud_fs(Config(str(self._project / ".dvc")), name=self._name)
        fs = kind(**settings)
        if fs.protocol not in _WHOLE and not fs.isdir(path):  # as for ``Folder``
            what = "the folder of the remote is not there"
            raise UnreachableError(what, where=self.place, remedy="make it there, if it is new")
        return fs, path

    def _try(self, action: Callable[[], T]) -> T:
        """Do it; whatever a cloud's library raises becomes one sentence."""
        try:
            return action()
        except UnreachableError:
            raise
        except NotImplementedError as exc:  # HTTP
            raise UnreachableError(
                "a remote of this kind cannot list its files, so answers cannot be shared there",
                where=self.place,
                remedy="name a folder or a remote on S3, Google, Azure or SSH in `journal.remote`",
            ) from exc
        except Exception as exc:
            raise self._explain(exc) from exc

    def _explain(self, exc: Exception) -> UnreachableError:
        from dvc.fs import RemoteMissingDepsError

        if isinstance(exc, RemoteMissingDepsError | ImportError):
            kind = self._url.partition("://")[0]
            return UnreachableError(
                f"DVC's package for {kind} is not installed",
                where=self.place,
                remedy=f"run `pip install 'dvc[{kind}]'`",
            )
        # DVC's errors say what they mean only together with their cause.
        said = str(exc) if str(exc).strip() else repr(exc)
        login, _, behind = self._url.partition("://")[2].partition(self.place.partition("://")[2])
        for secret in filter(None, (login, behind)):
            said = said.replace(secret, "***")
        return unreachable(self.place, said)


def _walk(fs: Any, folder: str) -> Iterator[str]:
    """Yield every file below a folder. Not ``fs.find``, which passes over what it may not read."""
    try:
        entries = fs.ls(folder, detail=True)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry["type"] == "directory":
            yield from _walk(fs, entry["name"])
        else:
            yield entry["name"]
