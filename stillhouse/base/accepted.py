"""The formats that the answers below ``home()`` were made with.

``formats:`` of params.yaml alone cannot notice every bump: where newer code is merged, its params.yaml
is merged with it. So the journal's folder remembers what was accepted on this machine, and a fresh
folder, which holds no answer to lose, takes what it finds.
"""

import json
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text, write_json
from stillhouse.base.formats import FormatChange, explain_changes, list_installed

ACCEPTED: Final = "formats.json"


def check_accepted(home: Path) -> None:
    """Refuse formats that nobody accepted here; going back to accepted ones is no upgrade.

    Args:
        home: the folder of the journal.

    Raises:
        InputError: the installed code has other formats than any that were accepted.
    """
    if not (home / ACCEPTED).exists():
        accept_installed(home)
    elif changes := compare_accepted(home):
        raise InputError(
            explain_changes(changes),
            where=str(home / ACCEPTED),
            remedy="`stillhouse upgrade` shows all of it and accepts it, or go back to the version "
            "of the code that the answers were made with",
        )


def compare_accepted(home: Path) -> tuple[FormatChange, ...]:
    """Return how the installed formats differ from those accepted last; nothing where they are known."""
    known, installed = _read(home / ACCEPTED), list_installed()
    if not known or installed in known:
        return ()
    return tuple(
        FormatChange(name, known[-1][name], number)
        for name, number in installed.items()
        if known[-1][name] != number
    )


def accept_installed(home: Path) -> None:
    """Remember the installed formats as accepted, after those that were accepted before."""
    known, installed = _read(home / ACCEPTED), list_installed()
    others = [formats for formats in known if formats != installed]
    write_json(home / ACCEPTED, {"accepted": [*others, installed]})


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
