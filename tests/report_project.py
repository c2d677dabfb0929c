"""A finished project on disk with every table that the report reads: a few rows in each."""

from pathlib import Path
from typing import Final

import yaml

from stillhouse.base.files import write_json
from stillhouse.base.formats import list_installed
from stillhouse.base.ids import Json
from stillhouse.base.records import Document, Judgement, Pair, Rejection, Request, Row
from stillhouse.base.tables import read_all, write_table
from stillhouse.evaluation.records import Prediction, name_prediction
from tests.lineage_project import BASE, TRAIN, make_row, score, write_student

NASTY: Final = '</style><script>alert("x")</script> & “quotes”'


def make_metrics(student: str = "tiny") -> dict[str, Json]:
    """Return metrics of a student that beats its base and a guess, and loses to a look-up."""

    def gold(right: int, held_out: int) -> dict[str, Json]:
        return {
            **score(120, right),
            "f1": 0.5,
            "by_kind_scope": {"recall/core": score(100, right)},
            "by_scope": {"held_out": score(20, held_out)},
        }

    def test(phrasing: int, fact: int) -> dict[str, Json]:
        by_kind = {"phrasing": score(50, phrasing), "fact": score(30, fact)}
        return {**score(80, phrasing + fact), "by_kind": by_kind}

    return {
        "student": student,
        "sets": {
            "gold": {"base": gold(1, 0), "student": gold(70, 1), "lookup": gold(95, 0)}
            | {"guess": gold(15, 1), "retrieval": gold(72, 9), "passage": gold(80, 12)},
            "gold_open": {"base": gold(60, 10), "student": gold(75, 14)},
            "test": {"student": test(41, 3), "base": test(1, 0)},
            "general": {"base": score(64, 48), "student": score(64, 46)},
        },
        "abstention": {"right": score(20, 14), "false": score(100, 3)},
        "coverage": {**score(120, 96), "core_recall": score(100, 90)},
        "learned": {**score(96, 70), "core_recall": score(90, 69)},
        "differences": {"general": {"n": 64, "difference": -0.03125, "low": -0.11, "high": 0.04}},
        "retention": "not defined: the teacher is not a model",
    }


def write_project(root: Path, student: str = "tiny") -> None:
    """Write every table, a trained student and its evaluation below ``root``."""
    write_student(root, student)
    data, reports = root / "data", root / "reports"
    rows = [*read_all(root / TRAIN, Row), make_row(50, "abstain")]
    write_table(data / "curated/rows.parquet", Row, rows)
    write_table(data / "reviewed.parquet", Row, rows)
    write_table(data / "corpus/documents.parquet", Document, [DOCUMENT])
    write_table(data / "requests.parquet", Request, [])
    write_table(data / "generated/pairs.parquet", Pair, [])
    write_table(data / "judgements.parquet", Judgement, [])
    write_table(data / "corpus/skipped.parquet", Rejection, [])
    write_table(data / "generated/rejections.parquet", Rejection, [])
    dropped = Rejection("f" * 64, "pair", "", (), "curate", "exact duplicate", "")
    write_table(data / "curated/rejections.parquet", Rejection, [dropped])
    write_table(data / "references.parquet", Prediction, [make_prediction("base", "q1", False)])
    write_json(reports / "students" / student / "metrics.json", make_metrics(student))
    predictions = [
        make_prediction("student", "q1", True),
        make_prediction("student", "q2", False, NASTY),
        make_prediction("student", "q3", False, "The handbook does not say.", "unanswerable"),
    ]
    folder = reports / "students" / student / "evaluation"
    write_table(folder / "predictions.parquet", Prediction, predictions)
    check: dict[str, Json] = {
        "name": "keys",
        "meaning": "Ids are unique.",
        "passed": True,
        "observed": "0 of 5",
    }
    write_json(
        reports / "validation.json",
        {"passed": True, "tables": {}, "checks": [{**check, "rows": []}]},
    )
    write_reports(root)
    sections = {
        "students": {student: {"model": "tiny-base"}},
        "report": {"title": "Test report", "samples": 4, "failures": 3, "seed": 1},
        "register": {"experiment": "test", "model_prefix": "test-"},
        "formats": list_installed(),
    }
    (root / "params.yaml").write_text(yaml.safe_dump(sections))


def write_reports(root: Path) -> None:
    """Write what validate, review and curate report, with something in every part of it."""
    thin = {"group": "task", "name": f"recall {NASTY}", "requests": 1, "planned": 12, "least": 3}
    covered: dict[str, Json] = {**thin, "pairs": 9, "rows": 2, "share": 0.1667, "thin": True}
    write_json(
        root / "reports/coverage.json",
        {"category": [], "task": [covered], "document": [{**covered, "name": "leave.md"}]},
    )
    figures = {"distinct_1": 0.159, "self_similarity": 0.158, "answer_words": 3.03}
    mix = {"how many": {"train": 0.2, "production": 0.5}}
    write_json(
        root / "reports/quality.json",
        {
            "looked_at": 400,
            "figures": figures,
            "corpus": {"distinct_1": 0.295},
            "baseline": {"figures": {"distinct_1": 0.2}},
            "alarms": [{"name": "a", "meaning": f"Rows vary {NASTY}.", "observed": "0.01"}],
            "production": {
                "prompts": 50,
                "distance": 0.04,
                "null_high": 0.008,
                "far_share": 0.44,
                "kinds": mix,
                "farthest": [{"prompt": f"Sing {NASTY}", "similarity": 0.17}],
            },
        },
    )
    judge = {"judge": "offline/2", "pairs": 50, "mean": 0.9, "passed": 45}
    people = {"judge": "offline/2", "pairs": 20, "agreement": 0.8, "low": 0.58, "high": 0.92}
    accuracy = {"judges": [judge], "judged_by_several": 40, "alpha_interval": 0.71}
    write_json(
        root / "reports/judges.json",
        {
            "criteria": {"accuracy": {**accuracy, "people": [people]}},
        },
    )
    write_json(
        root / "reports/review.json",
        {
            "error_rate": 0.05,
            "low": 0.02,
            "high": 0.11,
            "max_error_rate": 0.12,
            "sample": {"reviewed": 80},
            "agreement": {"alpha": 0.66},
        },
    )
    half = {"from": 0.5, "to": 0.55, "pairs": 10, "rows": 0}
    inside = {"from": 0.6, "to": 0.65, "pairs": 40, "rows": 40}
    confidence = {"low": 0.6, "high": 0.85, "bins": [half, inside], "unknown": {"pairs": 3}}
    chosen: dict[str, Json] = {
        "by": "k_centre",
        "pool": 900,
        "chosen": 300,
        "mean": 0.91,
        "random": {"mean": 0.85},
        "fact": {"pool": 400, "chosen": 290},
    }
    gold = {"questions": 120, "questions_taught": 96, "rows_of_same_fact": 700}
    write_json(
        root / "data/curated/report.json",
        {"confidence": confidence, "coverage": chosen, "gold": gold},
    )


DOCUMENT: Final = Document(
    "d" * 64, "people/leave.md", "text/markdown", "Leave", "", "CC0-1.0", "0" * 64
)


def make_prediction(
    reference: str, question: str, correct: bool, answer: str = "4 days", kind: str = "recall"
) -> Prediction:
    """Return one reply to a gold question about ``people/leave.md``."""
    return Prediction(
        prediction_id=name_prediction(BASE.sha256, "gold", reference, question),
        base=BASE.name,
        set="gold",
        reference=reference,
        question_id=question,
        kind=kind,
        scope="core",
        task="",
        document="people/leave.md",
        cluster=question,
        question=f"How many days of {question}?",
        accepted=("4 days",),
        answer=answer,
        correct=correct,
        f1=1.0 if correct else 0.0,
        abstained="does not say" in answer,
    )
