"""Names of base models in parameters; a student of the same project is none."""

import os
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator

MODELS: Final = Path("models")  # where the students of a project lie, each in a folder of its name


def is_student(name: str, root: Path = Path()) -> bool:
    """Say whether a model's name, in any spelling, leads into the ``models/`` of the project at ``root``."""
    return Path(os.path.realpath(root / name)).is_relative_to(os.path.realpath(root / MODELS))


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
