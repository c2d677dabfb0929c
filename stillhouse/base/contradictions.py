"""What no single section of params.yaml can see: settings that cannot go together, said before money is spent."""

from collections.abc import Mapping
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.params import PARAMS, STUDENTS

# Methods that need the teacher's probabilities of tokens, and providers that give none of them.
_NEEDS_DISTRIBUTIONS: Final = ("logits", "logits_online", "on_policy")
_GIVES_NONE: Final = {"anthropic": "Claude", "offline": "the offline teacher"}


def check_contradictions(params: Mapping[str, object]) -> None:
    """Refuse a student that learns from token probabilities where nobody gives any.

    A student that names the model whose probabilities it learns (``soft.teacher``) needs none of the
    teacher who writes its rows.
    Sections of other forms than theirs are passed over: their owners say what is wrong with them.

    Raises:
        InputError: the first such student.
    """
    teacher, students = params.get("teacher"), params.get(STUDENTS)
    if not isinstance(teacher, dict) or not isinstance(students, dict):
        return
    name = _GIVES_NONE.get(str(teacher.get("provider", "offline")))
    for student, settings in students.items():
        if not isinstance(settings, dict) or settings.get("soft"):
            continue
        method = settings.get("method")
        if name and method in _NEEDS_DISTRIBUTIONS:
            raise InputError(
                f"`{STUDENTS}.{student}.method` is `{method}`, and {name} gives no probabilities of "
                "tokens to learn from",
                where=str(PARAMS),
                expected="`method: sft`, or `soft: {teacher: <model>}`, a model whose weights are at "
                "hand or that a vLLM server has (`served: true`)",
                remedy="nothing was asked or spent",
            )
