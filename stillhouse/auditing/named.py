"""What somebody means by a model: a student of the workspace, of an earlier version, or a copy of one."""

from dataclasses import dataclass
from pathlib import Path

from stillhouse.auditing.scope import MODELS
from stillhouse.base.lock import read_lock
from stillhouse.history.resolve import open_workspace, resolve
from stillhouse.history.version import Version
from stillhouse.lineage.model_folder import PROVENANCE


@dataclass(frozen=True, slots=True)
class Named:
    """A version, the student meant within it (empty: all), and the folder of a copy (or None)."""

    version: Version
    student: str
    folder: Path | None
    title: str


def find_named(root: Path, model: str) -> Named:
    """Return what a name means; without a name all of the workspace.

    Raises:
        InputError: nothing, or more than one thing, is called so.
    """
    here = open_workspace(root)
    if not model:
        return Named(here, "", None, here.title)
    student = model.removeprefix("./").removeprefix(f"{MODELS}/").rstrip("/")
    outs = {out for stage in read_lock(root).stages.values() for out in stage.outs}
    folder = f"{MODELS}/{student}"
    if "/" not in student and (folder in outs or (root / folder / PROVENANCE).is_file()):
        return Named(here, student, None, folder)
    version = resolve(root, model)
    path = Path(model).expanduser()
    copy = path if (path / PROVENANCE).is_file() else None
    return Named(version, version.student, copy, version.title)
