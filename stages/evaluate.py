"""evaluate@student: the student sits the exam; metrics beside the references, speed in its own file."""

import sys
from pathlib import Path

from stillhouse.base.files import write_json, write_text
from stillhouse.base.home import home
from stillhouse.base.params import choose_student, load_section
from stillhouse.base.questions import read_dev, read_general, read_gold
from stillhouse.base.records import Chunk, Row
from stillhouse.base.runtime import load_runtime
from stillhouse.base.stage import run_stage, say_counts
from stillhouse.base.tables import read_all, write_table
from stillhouse.distill.bases import check_base, open_base, weights_sha256
from stillhouse.distill.params import Student
from stillhouse.evaluation.answering import answer_both, load_model
from stillhouse.evaluation.evaluate import EvaluateParams, evaluate, write_accuracy
from stillhouse.evaluation.exam import Material, build_exam
from stillhouse.evaluation.records import Prediction
from stillhouse.evaluation.references import Examinee
from stillhouse.evaluation.speed import measure_speed
from stillhouse.evaluation.thinking import Thinker, reasons_first, widen
from stillhouse.execution.tables import load_tables

DATA = Path("data")
EVAL = DATA / "seed" / "eval"


def main() -> None:
    """Write predictions, ``metrics.json``, the plot's CSV and ``speed.json`` of one student."""
    name = choose_student(sys.argv[1:])
    params, runtime = load_section("evaluate", EvaluateParams), load_runtime()
    base = load_section(f"students.{name}", Student).model
    folder, reports = Path("models") / name, Path("reports/students") / name
    check_base(folder)
    exam = build_exam(
        Material(
            gold=read_gold(EVAL / "gold.jsonl"),
            general=read_general(EVAL / "general.jsonl"),
            train=read_all(DATA / "dataset" / "train.parquet", Row),
            test=read_all(DATA / "dataset" / "test.parquet", Row),
            chunks=read_all(DATA / "corpus" / "chunks.parquet", Chunk),
            validation=read_all(DATA / "dataset" / "validation.parquet", Row),
            dev=read_dev(EVAL),
            tables=load_tables(DATA / "seed" / "tables"),
        ),
        params.exam,
    )
    references = read_all(DATA / "references.parquet", Prediction)
    model = load_model(folder, params.answering, runtime)
    thinker = Thinker(model, params.answering, params.reasoning_tokens)
    thinks = reasons_first(folder)
    short_and_long = (
        (thinker.answer, thinker.answer_long) if thinks else answer_both(model, params.answering)
    )
    student = Examinee(base, weights_sha256(folder), *short_and_long)
    done = evaluate(name, student, exam, references, params)
    metrics = {**done.metrics, **({"reasoning": thinker.describe()} if thinks else {})}
    write_table(reports / "evaluation" / "predictions.parquet", Prediction, done.predictions)
    write_text(reports / "plots" / "accuracy.csv", write_accuracy(done.metrics))
    short = [item.prompt for item in exam.general or exam.test]
    original = open_base(base, home() / "bases").folder
    timed = widen(params.answering, params.reasoning_tokens) if thinks else params.answering
    speed = measure_speed(model, folder, original, short, timed)
    write_json(reports / "speed.json", speed)
    write_json(reports / "metrics.json", metrics)
    right = sum(prediction.correct for prediction in done.predictions)
    say_counts(f"evaluate@{name}", asked=len(done.predictions), right=right)


if __name__ == "__main__":
    run_stage(main, student=True)
