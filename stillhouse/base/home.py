"""Where the journal, checkpoints and converted weights lie; never hashed by DVC."""

import os
from pathlib import Path


def home() -> Path:
    """Return the folder of everything that outlives a stage, making it where it is missing.

    ``$STILLHOUSE_HOME``, else ``$DVC_ROOT`` (under ``--temp`` that is the parent repository: wanted,
    so that experiments share what was paid for), else the working directory; plus ``.stillhouse``.
    """
    path = find_home(Path())
    path.mkdir(parents=True, exist_ok=True)
    return path


def find_home(root: Path) -> Path:
    """Return the folder that ``home`` would make in the project at ``root``, without making it."""
    place = os.environ.get("STILLHOUSE_HOME") or os.environ.get("DVC_ROOT") or root
    return Path(place).resolve() / ".stillhouse"
