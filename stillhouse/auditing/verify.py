"""Everything hashed again: what is wrong in a project, and what to do about it.

``dvc status`` believes the size and time of a file, and never opens its cache.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from stillhouse.auditing.digests import Digests
from stillhouse.auditing.places import Places
from stillhouse.auditing.problems import Outcome, Problem
from stillhouse.auditing.student import Student
from stillhouse.auditing.student_files import check_student

if TYPE_CHECKING:
    from stillhouse.history.version import Version


def verify_model(
    root: Path, student: str, version: "Version", folder: Path | None = None
) -> list[Problem]:
    """Return what is wrong with a student and with all that it was made of; nothing if all is well.

    Nothing is believed that was hashed before. What is not on this machine is no problem and is
    not told of; nothing is fetched.

    Args:
        root: the project.
        student: its name in ``params.yaml``.
        version: as ``stillhouse.history.resolve`` returns it; the workspace, or an earlier one.
        folder: where the student's files lie, if not at ``models/<student>``: an exported copy.
    """
    return list(examine_model(root, student, version, folder).problems)


def examine_model(
    root: Path, student: str, version: "Version", folder: Path | None = None
) -> Outcome:
    """Return as ``verify_model`` does, and also what could not be looked at and what was counted."""
    places = Places(root, Digests())
    shown = f"models/{student}"
    found = Student(student, folder or root / shown, shown, version.lock, here=version.workspace)
    return check_student(found, places)
