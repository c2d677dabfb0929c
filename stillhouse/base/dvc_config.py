"""DVC's configuration, read as the plain files that it is: of the machine, the user, the project."""

import configparser
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.base.files import read_text

_REMOTE: Final = re.compile(r"""['"]?remote ["']?(.+?)["']*""")
_URL: Final = re.compile(r"\w+://")


@dataclass(frozen=True, slots=True)
class DvcConfig:
    """Where a project's cache lies, its remotes by name, and which one is the default (or none)."""

    cache: Path
    remotes: tuple[str, ...]
    default: str


def read_dvc_config(project: Path) -> DvcConfig:
    """Return what DVC reads for a project; a file that cannot be parsed says nothing.

    A later level shadows an earlier one key by key. A relative cache is one beside its file.

    Raises:
        InputError: a file is not text.
    """
    cache, default = project / ".dvc" / "cache", ""
    remotes: dict[str, None] = {}
    for path, config in _read_files(project / ".dvc"):
        if folder := _get(config, "cache", "dir"):
            cache = path.parent / _expand(folder)
        default = _get(config, "core", "remote") or default
        remotes |= dict.fromkeys(name for name, _ in _list_remotes(config))
    return DvcConfig(cache, tuple(remotes), default)


def find_remote_url(project: Path, name: str) -> str:
    """Return where a DVC remote lies, empty where there is none of that name; as DVC has it.

    That is a URL, or the absolute path of a folder: a relative one is one beside its file. DVC takes
    names of remotes in small letters.

    Raises:
        InputError: a file is not text.
    """
    found = ""
    for path, config in _read_files(project / ".dvc"):
        for remote, section in _list_remotes(config):
            url = _get(config, section, "url")
            if remote.lower() == name.lower() and url:
                found = url if _URL.match(url) else str((path.parent / _expand(url)).resolve())
    return found


def _read_files(dvc: Path) -> Iterator[tuple[Path, configparser.ConfigParser]]:
    for path in _list_files(dvc):
        config = configparser.ConfigParser(interpolation=None, strict=False)
        if not path.is_file():
            continue
        try:
            config.read_string(read_text(path))
        except configparser.Error:
            continue
        yield path, config


def _list_remotes(config: configparser.ConfigParser) -> Iterator[tuple[str, str]]:
    """Yield the name of each remote and the section that describes it."""
    for section in config.sections():
        if match := _REMOTE.fullmatch(section):
            yield match[1], section


def _expand(path: str) -> str:
    # Not `Path.expanduser`: an unknown user stays as it is written, as DVC has it.
    return os.path.expanduser(path)  # noqa: PTH111


def _list_files(dvc: Path) -> Iterator[Path]:
    """Yield the files that DVC reads on Linux, in the order in which they shadow each other."""
    machine = os.environ.get("XDG_CONFIG_DIRS", "").split(":")[0] or "/etc/xdg"
    user = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    yield Path(os.environ.get("DVC_SYSTEM_CONFIG_DIR") or Path(machine) / "dvc") / "config"
    yield Path(os.environ.get("DVC_GLOBAL_CONFIG_DIR") or Path(user) / "dvc") / "config"
    yield dvc / "config"
    yield dvc / "config.local"


def _get(config: configparser.ConfigParser, section: str, key: str) -> str:
    return config.get(section, key, fallback="").strip("\"'")
