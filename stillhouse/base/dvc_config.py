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
    for path in _list_files(project / ".dvc"):
        config = configparser.ConfigParser(interpolation=None, strict=False)
        if not path.is_file():
            continue
        try:
            config.read_string(read_text(path))
        except configparser.Error:
            continue
        if folder := _get(config, "cache", "dir"):
            # Not `Path.expanduser`: an unknown user stays as it is written, as DVC has it.
            cache = path.parent / os.path.expanduser(folder)  # noqa: PTH111
        default = _get(config, "core", "remote") or default
        found = (_REMOTE.fullmatch(section) for section in config.sections())
        remotes |= dict.fromkeys(match[1] for match in found if match)
    return DvcConfig(cache, tuple(remotes), default)


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
