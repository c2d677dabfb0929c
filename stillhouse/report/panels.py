"""The plots: who answers how much of the same questions, and in words who was asked only a part."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from stillhouse.evaluation.records import Prediction
from stillhouse.report.page import Line, Panel
from stillhouse.report.scores import REFERENCES, Metrics, Score
from stillhouse.report.summary import percent

_WANTED: Final = (
    ("Core facts, closed book", "gold", "by_kind_scope", "recall/core"),
    ("All gold questions, closed book", "gold", "", ""),
    ("With the passage, held-out documents", "gold_open", "by_scope", "held_out"),
    ("With the passage, all gold questions", "gold_open", "", ""),
    ("New wordings of taught facts", "test", "by_kind", "phrasing"),
    ("Facts left out of training, closed book", "test", "by_kind", "fact"),
    ("Facts left out of training, with the passage", "test", "by_kind", "fact_open"),
    ("Everyday questions", "general", "", ""),
)


def build_panels(
    metrics: Metrics, own: Sequence[Prediction], references: Sequence[Prediction]
) -> Iterator[Panel]:
    """Yield a panel for each set of questions.

    The student is asked everything, so whoever was asked as many questions was asked the same ones. A
    reference that was asked fewer stands in no plot beside it, but in a sentence that compares the
    two on what both were asked.

    Args:
        metrics: the figures.
        own: the student's predictions.
        references: those of its base, and those that need no model.
    """
    shown: set[tuple[object, ...]] = set()
    for title, set_name, by, group in _WANTED:
        scores = {
            reference: score
            for reference in REFERENCES
            if (score := metrics.find(set_name, reference, by, group))
        }
        if (student := scores.get("student")) is None:
            continue
        lines = tuple(
            Line(reference, REFERENCES[reference], score)
            for reference, score in scores.items()
            if score.n == student.n
        )
        same = (set_name, *((line.reference, line.score.n, line.score.accuracy) for line in lines))
        if same in shown:  # a set that is all one group is no second panel
            continue
        shown.add(same)
        asked = [p for p in (*own, *references) if p.set == set_name and _group(p, by) == group]
        partly = tuple(
            _compare(reference, score, student, asked)
            for reference, score in scores.items()
            if score.n != student.n
        )
        yield Panel(title, f"n = {student.n}", lines, partly)


def _group(prediction: Prediction, by: str) -> str:
    kind, scope = prediction.kind, prediction.scope
    return {"by_kind": kind, "by_scope": scope, "by_kind_scope": f"{kind}/{scope}"}.get(by, "")


def _compare(reference: str, score: Score, student: Score, asked: Iterable[Prediction]) -> str:
    """Say how a reference does on the part that it was asked, and how the student does on that part."""
    found = list(asked)
    part = {p.question_id for p in found if p.reference == reference}
    there = [p.correct for p in found if p.reference == "student" and p.question_id in part]
    says = f"{REFERENCES[reference]}, asked {score.n} of these {student.n}: "
    says += percent(score.accuracy)
    return f"{says}; the student on those {percent(sum(there) / len(there))}" if there else says
