"""Names of base models in parameters; a student of the same project is none."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator

MODELS: Final = Path("models")  # where the students of a project lie, each in a folder of its name
NOTHING: Final = "data/seed/nothing.txt"  # what a student waits for that needs no other one


def is_student(name: str, root: Path = Path()) -> bool:
    """Say whether a model's name, in any spelling, leads into the ``models/`` of the project at ``root``."""
    return Path(os.path.realpath(root / name)).is_relative_to(os.path.realpath(root / MODELS))


def list_models(student: Mapping[str, Any]) -> list[str]:
    """Return the models that a student's section names, as it names them: its base, then its teachers.

    The section may be unchecked: what is not a name is passed over. Teachers that are other students,
    or lie on a server, are not among them.
    """
    soft = student.get("soft")
    teachers = None
    if isinstance(soft, Mapping) and soft.get("served") is not True:
        teachers = soft.get("teacher")
    named = teachers if isinstance(teachers, list) else [teachers]
    bases = [student.get("model"), *(one for one in named if one and not is_student(str(one)))]
    return [name for name in bases if isinstance(name, str) and name]


def refuse_student(name: str) -> str:
    """Refuse a student's folder: no stage depends on it, so its training would come too late or not count.

    Raises:
        ValueError: the name leads into ``models/``.
    """
    if is_student(name):
        raise ValueError(
            f"{name} is a student of this project, and DVC would not know that anything begins with "
            "it; copy that folder out of models/, as to bases/first, and name the copy (a new name "
            "for other weights: DVC looks at the name and not into the folder)"
        )
    return name


BaseName = Annotated[str, AfterValidator(refuse_student)]
