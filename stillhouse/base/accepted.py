"""The formats that the answers below ``home()`` were made with, where the code is the project's own.

``formats:`` of params.yaml alone cannot notice every bump: where newer code is merged into a copy of
the repository, its params.yaml is merged with it. So the journal's folder remembers what was accepted
on this machine, and a fresh folder, which holds no answer to lose, takes what it finds.

In a project of ``stillhouse init`` no merge brings code: its numbers change where somebody accepts
them, and a colleague or a CI runner follows by pulling that. Nothing is remembered there.
"""

import json
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text, write_json
from stillhouse.base.formats import FormatChange, explain_changes, list_installed
from stillhouse.base.home import find_home
from stillhouse.base.library import LIBRARY

_ACCEPTED: Final = "formats.json"


def check_accepted(root: Path) -> None:
    """Refuse formats that nobody accepted here; going back to accepted ones is no upgrade.

    Args:
        root: the project's folder.

    Raises:
        InputError: the installed code has other formats than any that were accepted.
    """
    if not _find_record(root).exists():
        accept_installed(root)
    elif changes := compare_accepted(root):
        raise InputError(
            explain_changes(changes),
            where=str(_find_record(root)),
            remedy="`stillhouse upgrade` shows all of it and accepts it, or go back to the version "
            "of the code that the answers were made with",
        )


def compare_accepted(root: Path) -> tuple[FormatChange, ...]:
    """Return how the installed formats differ from those accepted last; nothing where they are known."""
    if (root / LIBRARY).exists():
        return ()
    known, installed = _read(_find_record(root)), list_installed()
    if not known or installed in known:
        return ()
    return tuple(
        FormatChange(name, known[-1][name], number)
        for name, number in installed.items()
        if known[-1][name] != number
    )


def accept_installed(root: Path) -> None:
    """Remember the installed formats as accepted, after those that were accepted before."""
    if (root / LIBRARY).exists():
        return
    path, installed = _find_record(root), list_installed()
    others = [formats for formats in _read(path) if formats != installed]
    write_json(path, {"accepted": [*others, installed]})


def _find_record(root: Path) -> Path:
    return find_home(root) / _ACCEPTED


def _read(path: Path) -> list[dict[str, int]]:
    """Return what was accepted, the last at the end; a format that came later counts as 1."""
    if not path.exists():
        return []
    try:
        accepted = json.loads(read_text(path))["accepted"]
        first = dict.fromkeys(list_installed(), 1)
        return [
            {name: int(one.get(name, number)) for name, number in first.items()} for one in accepted
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise InputError(
            "not the record of accepted formats",
            where=str(path),
            expected='{"accepted": [{"ids": 1, …}]}',
            remedy="remove it: the formats of the next run are then taken as accepted",
        ) from exc
