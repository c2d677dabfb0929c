"""How long a pilot's stages took, and how much longer the exam of the whole is than the probe's."""

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from stillhouse.base.params import load_section
from stillhouse.base.tables import read_table
from stillhouse.evaluation.evaluate import EvaluateParams
from stillhouse.evaluation.records import Prediction
from stillhouse.evaluation.references import ReferenceParams
from stillhouse.pilot.report import ExamSize, Measured
from stillhouse.pilot.run import Note, remember_seconds
from stillhouse.pilot.settings import PROBE

_FILE: Final = "seconds.json"
_SENT: Final = "sent"


def keep_seconds(place: Path, fraction: float, sent: int) -> Note:
    """Return what writes a stage's seconds down as it ends, so that a killed pilot keeps them.

    Args:
        place: the folder that outlives the copy.
        fraction: of the whole; another one takes other times.
        sent: requests without an answer: what ``generate`` takes its time for.
    """

    def note(stage: str, seconds: float) -> None:
        told = {stage: seconds}
        if stage == "generate":
            if not sent:
                return  # it only read what was known: that says nothing about asking
            told[_SENT] = sent
        remember_seconds(place / _FILE, f"{fraction:g}", told)

    return note


def measure_time(place: Path, copy: Path, fraction: float, *, passed: bool) -> Measured:
    """Return what is known of the time, also from earlier pilots on the same fraction.

    Args:
        place: the folder that outlives the copy.
        copy: where the tables lie.
        fraction: of the whole.
        passed: whether the gate did, and so whether a probe was trained.
    """
    known = remember_seconds(place / _FILE, f"{fraction:g}", {})
    sent = round(known.pop(_SENT, 0.0))
    if not passed:
        return Measured(known, sent)
    curves = copy / f"reports/students/{PROBE}/training/curves.csv"
    with curves.open(encoding="utf-8", newline="") as file:
        steps = max((int(line["step"]) for line in csv.DictReader(file)), default=0)
    return Measured(known, sent, steps, *size_exams(copy))


def size_exams(copy: Path) -> tuple[ExamSize, ExamSize]:
    """Return how many prompts models answered in the pilot, and how many in the whole at most."""
    by_base = [
        prediction
        for prediction in read_table(copy / "data/references.parquet", Prediction)
        if prediction.reference in ("base", "passage", "retrieval")
    ]
    evaluation = copy / f"reports/students/{PROBE}/evaluation/predictions.parquet"
    own = list(read_table(evaluation, Prediction))
    references = load_section("references", ReferenceParams)
    test_rows = load_section("evaluate", EvaluateParams).exam.test_rows
    base_rows = test_rows if references.base_test_rows is None else references.base_test_rows
    asked_base = [p for p in by_base if p.reference == "base" and p.set != "test"]
    gold = [p for p in asked_base if p.set == "gold"]
    with_passage = 2 * _count_passages(gold, references.passage_questions_per_kind)
    closed = sum(p.set != "test" for p in own)
    return (
        ExamSize(len(by_base), len(own)),
        ExamSize(len(asked_base) + min(base_rows, test_rows) + with_passage, closed + test_rows),
    )


def _count_passages(gold: Iterable[Prediction], limit: int | None) -> int:
    """Return how many questions a base is asked with a passage: core recall whole, else a sample."""
    groups = Counter((prediction.kind, prediction.scope) for prediction in gold)
    return sum(
        count if limit is None or group == ("recall", "core") else min(count, limit)
        for group, count in groups.items()
    )
