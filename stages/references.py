"""references: what needs no student, on the same exam: bases, passages, a look-up, a guess."""

from functools import partial
from pathlib import Path

from stillhouse.base.home import home
from stillhouse.base.params import load_section
from stillhouse.base.questions import read_general, read_gold
from stillhouse.base.records import Chunk, Row
from stillhouse.base.runtime import load_runtime
from stillhouse.base.stage import run_stage, say_counts
from stillhouse.base.tables import read_all, write_table
from stillhouse.distill.bases import open_base
from stillhouse.evaluation.answering import answer_both, load_model
from stillhouse.evaluation.evaluate import EvaluateParams
from stillhouse.evaluation.exam import Material, build_exam
from stillhouse.evaluation.executing import settle
from stillhouse.evaluation.records import Prediction
from stillhouse.evaluation.references import (
    Examinee,
    ReferenceParams,
    ask_base,
    embed_texts,
    guess,
    look_up,
)
from stillhouse.execution.tables import load_tables

DATA = Path("data")
EVAL = DATA / "seed" / "eval"


def main() -> None:
    """Write ``data/references.parquet``."""
    params, runtime = load_section("references", ReferenceParams), load_runtime()
    asked = load_section("evaluate", EvaluateParams)
    exam = build_exam(
        Material(
            gold=read_gold(EVAL / "gold.jsonl"),
            general=read_general(EVAL / "general.jsonl"),
            train=read_all(DATA / "dataset" / "train.parquet", Row),
            test=read_all(DATA / "dataset" / "test.parquet", Row),
            chunks=read_all(DATA / "corpus" / "chunks.parquet", Chunk),
            tables=load_tables(DATA / "seed" / "tables"),
        ),
        asked.exam,
    )
    predictions = look_up(exam, partial(embed_texts, runtime=runtime)) + guess(exam, params.seed)
    for name in params.bases:
        base = open_base(name, home() / "bases")
        answers = answer_both(load_model(base.folder, asked.answering, runtime), asked.answering)
        predictions += ask_base(exam, Examinee(base.name, base.sha256, *answers), params)
    predictions = settle(predictions, exam.material.test, exam.material.tables)
    written = write_table(DATA / "references.parquet", Prediction, predictions)
    say_counts("references", questions=len(exam.items), bases=len(params.bases), written=written)


if __name__ == "__main__":
    run_stage(main)
