"""Every teacher that requests may name, and the terms on which this machine asks them."""

from pathlib import Path

from stillhouse.base.home import home
from stillhouse.base.runtime import Runtime
from stillhouse.distill.bases import open_base
from stillhouse.teachers.claude import Claude
from stillhouse.teachers.desk import Terms
from stillhouse.teachers.estimate import Estimator
from stillhouse.teachers.huggingface import HuggingFace, LocalModel
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.money import Budget
from stillhouse.teachers.openai_compatible import OpenaiCompatible
from stillhouse.teachers.params import load_teachers
from stillhouse.teachers.protocol import Teacher
from stillhouse.teachers.reader import Reader


def list_teachers(runtime: Runtime) -> list[Teacher]:
    """Return all teachers; none connects anywhere or loads anything before it is asked."""
    teachers = load_teachers()
    return [
        Reader(),
        LocalModel(_open_folder, runtime),
        HuggingFace(_open_folder, runtime),
        Claude(teachers, runtime),
        OpenaiCompatible(teachers, runtime),
    ]


def _open_folder(model: str) -> Path:
    return open_base(model, home() / "bases").folder


def make_terms(runtime: Runtime, journal: Journal) -> Terms:
    """Return what ``runtime:`` allows, with estimates learnt from the journal."""
    budget = runtime.budget_usd
    minutes = runtime.deadline_minutes
    return Terms(
        estimator=Estimator(journal.read_rates(), load_teachers()),
        budget=None if budget is None else Budget(budget, runtime.window_seconds),
        deadline_seconds=None if minutes is None else minutes * 60,
        batch=runtime.batch,
    )
