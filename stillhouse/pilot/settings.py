"""The parameters of a pilot: less is asked, a probe learns it in minutes, a short exam says what came of it."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from stillhouse.base.dvc_config import find_remote_url
from stillhouse.base.errors import InputError
from stillhouse.base.model_name import NOTHING, list_models
from stillhouse.base.params import PARAMS, STUDENTS, list_keys, load_section
from stillhouse.distill.params import Student
from stillhouse.evaluation.evaluate import EvaluateParams
from stillhouse.evaluation.references import ReferenceParams
from stillhouse.pilot.fractions import Cell
from stillhouse.prompts.plan import RenderParams
from stillhouse.prompts.teacher import TeacherParams
from stillhouse.scaffold.copies import change_params
from stillhouse.teachers.generate import GenerateParams
from stillhouse.teachers.params import load_journal

PROBE: Final = "probe"
STEPS: Final = 60  # of the probe's training: about a minute and a half on two cores
MOST_EPOCHS: Final = 4.0  # more, and few rows are learnt by heart
_WARMUP: Final = 5

# Limits of the gate that say how much there must be. A fraction has less, and where a task's
# minimum raised it, the mix of tasks is another one. What finds bad rows stays as it is.
RELAXED: Final[Mapping[str, object]] = {
    "train_rows_min": 1,
    "validation_rows_min": 0,
    "test_rows_min": 0,
    "rows_per_document_min": 0,
    "untaught_documents_max": 1.0,
    "rows_per_task_min": 0,
    "categories_min": {},
    "abstain_share_max": 1.0,
    "replay_share_max": 1.0,
    "collapse.cluster_entropy_min": 0.0,
    "collapse.diversity_drop_max": 1.0,
    "collapse.mix_drift_max": 1.0,
    "production.categories_moved_max": None,
}
# So much of the exam is asked, where the whole asks more. Gold and general questions are all asked.
_EXAM: Final = {
    "references.passage_questions_per_kind": 5,
    "references.base_test_rows": 20,
    "evaluate.exam.test_rows": 60,
}


def build_params(
    params: Mapping[str, Any], fractions: Mapping[Cell, float], taught_rows: int | None = None
) -> dict[str, object]:
    """Return ``params.yaml`` of the pilot, from that of the whole.

    Args:
        params: of the whole.
        fractions: of each task that is asked.
        taught_rows: rows of train that teach, once they are known, and so how long the probe trains.
    """
    first = params[STUDENTS][choose_probed(params[STUDENTS])]
    settings: dict[str, object] = {
        f"render.plan.{cell.group}.{cell.task}.fraction": fraction
        for cell, fraction in fractions.items()
    }
    settings |= {f"validate.{name}": limit for name, limit in RELAXED.items()}
    settings |= {key: _lessen(params, key, most) for key, most in _EXAM.items()}
    settings["references.bases"] = [first["model"]]
    settings[STUDENTS] = {PROBE: _shorten(first, taught_rows)}
    if remote := _find_remote(params):
        settings["journal.remote"] = remote
    return change_params(params, settings)


def choose_probed(students: Mapping[str, Any]) -> str:
    """Return the student whose recipe a probe takes: the first that needs no other student's training.

    Raises:
        InputError: each needs another.
    """
    for name, student in students.items():
        if student.get("needs", NOTHING) == NOTHING:
            return name
    raise InputError(
        "each student needs another one to be trained before it",
        where=f"{PARAMS}, `{STUDENTS}.<name>.needs`",
        expected="one at least that a model from outside teaches",
    )


def _shorten(student: Mapping[str, Any], taught_rows: int | None) -> dict[str, object]:
    """Return a student's recipe with at most so many steps as a probe takes."""
    recipe = Student.model_validate(student)
    # The whole share of rows that decline: then a step takes the fewest that teach.
    a_step = recipe.batch.taught_a_step(declines=True)
    epochs = MOST_EPOCHS if not taught_rows else (STEPS - 0.5) * a_step / taught_rows
    return {
        **student,
        "epochs": round(min(MOST_EPOCHS, epochs), 6),
        "warmup_steps": min(recipe.warmup_steps, _WARMUP),
    }


def _lessen(params: Mapping[str, Any], key: str, most: int) -> int:
    """Return a limit of the exam, or ``most`` where the whole has none or a higher one."""
    value: Any = params
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return min(value, most) if isinstance(value, int) else most


def _find_remote(params: Mapping[str, Any]) -> str:
    """Return where answers are shared as a full path, where it is a folder beside the project."""
    remote = (params.get("journal") or {}).get("remote")
    if not isinstance(remote, str) or "://" in remote or not Path(remote).is_dir():
        return ""
    if find_remote_url(Path(), remote):
        return ""  # the name of a DVC remote goes before that of a folder
    return str(Path(remote).resolve())


def list_local_bases(params: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the base models that are folders of the project, as they are named."""
    students = params.get(STUDENTS) or {}
    names = [
        (params.get("render") or {}).get("base", ""),
        *((params.get("references") or {}).get("bases") or ()),
        *(name for student in students.values() for name in list_models(student)),
        *_list_teachers(params.get("teacher") or {}),
    ]
    return tuple(
        name
        for name in dict.fromkeys(map(str, names))
        if name and not Path(name).is_absolute() and Path(name).is_dir()
    )


def _list_teachers(teacher: Mapping[str, Any]) -> list[str]:
    members = [teacher, *(teacher.get("others") or ())]
    return [one["model"] for one in members if one.get("provider") == "huggingface"]


def check_fraction(text: str) -> float:
    """Return the fraction that a user typed.

    Raises:
        InputError: it is no number above 0 and up to 1.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise InputError(
            f"--fraction: `{text}` is no fraction",
            expected="a number above 0 and up to 1, such as 0.1",
        )
    return value


def check_sections() -> None:
    """Refuse what would end the pilot only after its answers were paid for.

    Raises:
        InputError: there is no student, or a section that is read here has a mistake.
    """
    students = {name: load_section(f"{STUDENTS}.{name}", Student) for name in list_keys(STUDENTS)}
    choose_probed({name: student.model_dump() for name, student in students.items()})
    load_section("references", ReferenceParams)
    load_section("evaluate", EvaluateParams)
    load_section("render", RenderParams)
    load_section("teacher", TeacherParams)
    load_section("generate", GenerateParams)
    load_journal()
