"""Where files lie for several machines: a folder, or whatever DVC can reach as a remote."""

import os
import re
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from stillhouse.base.dvc_config import find_remote_url, read_dvc_config
from stillhouse.base.errors import InputError, StillhouseError, suggest
from stillhouse.base.secrets import hide_secrets

_URL: Final = re.compile(r"\w+://")
_FILE: Final = "file://"
_WHERE: Final = "params.yaml: journal.remote"
# What may stand in front of a URL's path: a host, or an address in brackets, and a port.
_SERVER: Final = re.compile(r"[^:]*(:\d*)?|\[[^]]*\](:\d*)?")
PART: Final = ".part"  # how a file ends that is being written; what ends so is no file yet


class UnreachableError(StillhouseError):
    """A remote cannot be read or written now."""


class Store(Protocol):
    """Files under names such as ``a/b/c``; each is whole or not there."""

    @property
    def place(self) -> str:
        """Where it lies: a path or URL, without any secret."""
        ...

    def list_files(self, folder: str) -> Sequence[str]:
        """Return the names of all files below a folder, from there on; none where it is not there.

        Raises:
            UnreachableError: the store cannot be read. So do the others.
        """
        ...

    def fetch(self, name: str, path: Path) -> bool:
        """Bring a file to a path of this machine; say whether there was one."""
        ...

    def put(self, path: Path, name: str) -> None:
        """Bring a file of this machine to a name."""
        ...


class Folder:
    """A folder that several machines or projects see; it has to be there already.

    An empty folder in the place of a disk that is not mounted would otherwise look like a new one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def place(self) -> str:
        """Where it lies."""
        return str(self._path)

    def list_files(self, folder: str) -> Sequence[str]:
        """Return the names of all files below a folder."""
        self._check()
        root = self._path / folder
        try:
            # Not `rglob`, which passes over what it may not read.
            walk = os.walk(root, onerror=_raise_unless_missing)
            return sorted(
                (Path(at) / name).relative_to(root).as_posix()
                for at, _, names in walk
                for name in names
                if not name.endswith(PART)
            )
        except OSError as exc:
            raise unreachable(self.place, exc) from exc

    def fetch(self, name: str, path: Path) -> bool:
        """Copy a file to a path."""
        self._check()
        try:
            shutil.copyfile(self._path / name, path)
        except FileNotFoundError:
            return False
        except OSError as exc:
            raise unreachable(self.place, exc) from exc
        return True

    def put(self, path: Path, name: str) -> None:
        """Copy a file to a name, beside it first.

        Without a lock, which not every shared folder has: no two writers share a name beside it.
        """
        self._check()
        target = self._path / name
        part = target.with_name(f".{target.name}.{secrets.token_hex(8)}{PART}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with path.open("rb") as source, part.open("wb") as file:
                    shutil.copyfileobj(source, file)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
        except OSError as exc:
            raise unreachable(self.place, exc) from exc

    def _check(self) -> None:
        if not self._path.is_dir():
            raise UnreachableError(
                "the folder of the remote is not there",
                where=self.place,
                remedy=f"mount it, or make it if it is new (`mkdir -p {self.place}`)",
            )


def unreachable(place: str, reason: object) -> UnreachableError:
    """Return an error that names the remote and says in one line why it cannot be used."""
    why = " ".join(hide_secrets(str(reason)).split()) or type(reason).__name__
    return UnreachableError(f"the remote cannot be used ({why})", where=place)


def open_remote(name: str, project: Path) -> Store:
    """Return what ``name`` means in a project: a DVC remote of that name, else a folder.

    Nothing is connected yet. A relative folder is one of the project's.

    Raises:
        InputError: it is neither.
    """
    if url := find_remote_url(project, name):
        return _open_url(name, url, project)
    if not _URL.match(name) and (
        os.sep in name or name.startswith("~") or (project / name).is_dir()
    ):
        return Folder(_find_folder(name, project))
    known, shown = read_dvc_config(project).remotes, hide_login(name)
    raise InputError(
        f"`{shown}` is neither a folder nor a DVC remote",
        where=_WHERE,
        expected=f"a path, or one of the remotes {', '.join(known)}" if known else "a path",
        remedy=suggest(name, known)
        or (
            f"make it a remote with `dvc remote add NAME {shown}`"
            if _URL.match(name)
            else f"write `./{name}` for a folder of the project"
        ),
    )


def hide_login(url: str) -> str:
    """Return a URL without what may be secret in it: the login, and all behind its path.

    Also where it is none that can be taken apart, as with a `/` in its password.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url
    server = re.split("[/?#]", rest, maxsplit=1)[0]
    if "@" in server or not _SERVER.fullmatch(server):
        rest = rest.rpartition("@")[2]
    return f"{scheme}://{re.split('[?#]', rest, maxsplit=1)[0]}"


def _find_folder(name: str, project: Path) -> Path:
    try:
        return (project / Path(name).expanduser()).resolve()
    except (RuntimeError, ValueError) as exc:  # `~` of a user who is not known; a NUL
        raise InputError(
            f"`{name}` is no path ({' '.join(str(exc).split()).rstrip('.')})",
            where=_WHERE,
            expected="the path of a folder",
        ) from exc


def open_default_remote(project: Path) -> Store | None:
    """Return the project's default DVC remote; None where it has none."""
    name = read_dvc_config(project).default
    url = find_remote_url(project, name) if name else ""
    return _open_url(name, url, project) if url else None


def _open_url(name: str, url: str, project: Path) -> Store:
    if url.startswith(_FILE):
        return Folder(Path(url.removeprefix(_FILE)))
    if not _URL.match(url):
        return Folder(Path(url))
    from stillhouse.teachers.dvc_store import DvcStore

    return DvcStore(name, url, project)


def _raise_unless_missing(exc: OSError) -> None:
    if not isinstance(exc, FileNotFoundError):
        raise exc
