"""One student's exam: it answers, its replies are scored, and beside it stand the references."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import Field

from stillhouse.base.errors import InputError
from stillhouse.base.ids import Json
from stillhouse.base.params import Params
from stillhouse.evaluation.answering import Answering
from stillhouse.evaluation.coverage import find_covered
from stillhouse.evaluation.exam import Exam, ExamParams, map_sources
from stillhouse.evaluation.executing import settle
from stillhouse.evaluation.metrics import summarise, tabulate
from stillhouse.evaluation.records import Prediction
from stillhouse.evaluation.references import Examinee, ask
from stillhouse.evaluation.thinking import ROOM


class EvaluateParams(Params):
    """What is asked, how it is answered, and what counts as having been taught.

    ``reasoning_tokens`` is the room for what a student writes before its answer, if it reasons first.
    """

    answering: Answering
    exam: ExamParams
    reasoning_tokens: int = Field(default=ROOM, ge=1, le=4096)
    coverage_words: int = Field(default=1, ge=0)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A student's predictions and the metrics made of them and of the references."""

    predictions: tuple[Prediction, ...]
    metrics: Mapping[str, Json]


def evaluate(
    name: str,
    student: Examinee,
    exam: Exam,
    references: Iterable[Prediction],
    params: EvaluateParams,
) -> Evaluation:
    """Ask the student everything, score it, and sum up.

    Args:
        name: the student's name.
        student: itself: the name of its base, the sha256 of its own weights, how to ask it.
        exam: what is asked.
        references: predictions of every base; those of other bases are left out.
        params: as above.

    Raises:
        InputError: the references know nothing of the student's base.
    """
    beside = [p for p in references if p.base in ("", student.base)]
    if exam.items and not any(p.base == student.base for p in beside):
        raise InputError(
            f"no references of the base `{student.base}`",
            where="data/references.parquet",
            remedy=f"add `{student.base}` to `references.bases` in params.yaml",
        )
    # The sealed sets in the batches that the base was asked in, then what is the student's alone.
    sealed = (exam.gold, exam.gold_open, exam.test, exam.general)
    steering = [items for items in (exam.validation, exam.dev) if items]
    own = [
        prediction
        for items in (*sealed, *steering)
        for prediction in ask(student, items, "student", exam.common)
    ]
    material = exam.material
    own = settle(own, material.test, material.tables)
    sources = map_sources(material.chunks)
    covered = find_covered(material.gold, material.train, sources, params.coverage_words)
    return Evaluation(tuple(own), summarise(name, [*own, *beside], covered, params.seed))


def write_accuracy(metrics: Mapping[str, Json]) -> str:
    """Return the CSV of ``dvc plots``: one line for each set and reference, with its interval."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["set", "reference", "row", "accuracy", "low", "high", "n"])
    for set_name, reference, found in tabulate(metrics):
        numbers = (f"{number:.6g}" for number in (found.value, found.low, found.high))
        writer.writerow(
            [set_name, reference, f"{set_name}: {reference} (n = {found.n})", *numbers, found.n]
        )
    return text.getvalue()
