"""What evaluation asks and what it keeps of each answer."""

from dataclasses import dataclass
from typing import Final

from stillhouse.base.ids import content_id

UNANSWERABLE: Final = "unanswerable"


@dataclass(frozen=True, slots=True)
class Item:
    """One question of one set, ready to be asked and scored.

    ``question`` is the bare question, ``prompt`` what the model is shown (with a passage, where
    there is one). ``accepted`` are alternatives: one is enough. ``parts``, where there are any,
    must all occur instead (a test row's answer sentence is judged by the values in it); without
    either, ``min_f1`` decides. ``cluster`` names the fact, so that two wordings of one fact do not
    count as two independent observations.
    """

    set: str
    question_id: str
    kind: str
    scope: str
    task: str
    document: str
    cluster: str
    question: str
    prompt: str
    accepted: tuple[str, ...]
    parts: tuple[str, ...] = ()
    min_f1: float = 0.0
    answerable: bool = True


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer to one question by one reference or student, with its score.

    ``base`` names the base whose reference this is, or the student's base. ``set`` is ``gold``,
    ``gold_open``, ``test`` or ``general``, or of the student ``validation`` or ``dev``; ``reference`` is ``base``, ``student``, ``passage``,
    ``retrieval``, ``lookup`` or ``guess``.
    """

    prediction_id: str
    base: str
    set: str
    reference: str
    question_id: str
    kind: str
    scope: str
    task: str
    document: str
    cluster: str
    question: str
    accepted: tuple[str, ...]
    answer: str
    correct: bool
    f1: float
    abstained: bool


def name_prediction(base_sha256: str, set_name: str, reference: str, question_id: str) -> str:
    """Return the id of a prediction: who was asked what, and where."""
    return content_id("prediction", [base_sha256, set_name, reference, question_id])
