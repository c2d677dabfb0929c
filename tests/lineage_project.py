"""A finished project of a few rows on disk: what lineage and report read, without any training."""

import json
from pathlib import Path
from typing import Final

from stillhouse.base.files import write_json, write_text
from stillhouse.base.ids import Json
from stillhouse.base.records import Message, Row
from stillhouse.base.tables import write_table
from stillhouse.lineage.inputs import InputGuard
from stillhouse.lineage.provenance import BaseModel, Provenance, write_provenance

TRAIN: Final = Path("data/dataset/train.parquet")
VALIDATION: Final = Path("data/dataset/validation.parquet")
UPSTREAM: Final = {
    "data/corpus/documents.parquet": "1" * 32,
    "data/requests.parquet": "2" * 32,
    "data/dataset": "3" * 32 + ".dir",
}
LEAVES: Final = {"data/seed/documents": "4" * 32 + ".dir", "stillhouse/base": "5" * 32 + ".dir"}
BASE: Final = BaseModel("tiny", "b" * 64, "tiny.Q4_1.gguf (sha256 …), dequantised to float32")


def make_row(number: int, task: str = "recall") -> Row:
    """Return a training row about fact ``number``."""
    return Row(
        row_id=f"{number:064x}",
        slot_id=f"people/leave.md|Leave:0|{task}|plain||0|{number}",
        request_id="9" * 64,
        chunk_ids=("c" * 64,),
        document_ids=("d" * 64,),
        task=task,
        fact_id=f"fact-{number}",
        prompt=(Message("user", f"How many days has rule {number}?"),),
        completion=(Message("assistant", f"Rule {number} has {number}.5 days."),),
        context="",
        reasoning="",
        holdout="",
        prompt_sha256="1" * 64,
        document_sha256="2" * 64,
        teacher_sha256="3" * 64,
        parameters_sha256="4" * 64,
        judge_sha256="5" * 64,
        filter_sha256="6" * 64,
        code_sha256="7" * 64,
    )


def write_student(root: Path, student: str = "tiny", weights: bytes = b"weights") -> Provenance:
    """Write a dataset, a model folder with provenance, and the student's reports below ``root``."""
    write_table(root / TRAIN, Row, [make_row(number) for number in range(1, 6)])
    write_table(root / VALIDATION, Row, [make_row(number) for number in range(6, 8)])
    write_table(root / "data/dataset/test.parquet", Row, [make_row(8), make_row(9)])
    folder = root / "models" / student
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(weights)
    write_text(folder / "config.json", '{"model_type": "llama"}')
    write_text(folder / "tokenizer.json", '{"model": {"vocab": {"/tmp": 1, "/home": 2}}}')
    write_reports(root, student)
    guard = InputGuard(root)
    guard.open(VALIDATION)
    return write_provenance(
        folder,
        student=student,
        guard=guard,
        train=TRAIN,
        base=BASE,
        parameters={"epochs": 2.0, "batch": {"taught": 8}, "lora": None},
        upstream={**UPSTREAM, **LEAVES},
    )


def write_reports(root: Path, student: str) -> None:
    """Write what ``train`` and ``evaluate`` report about a student."""
    reports = root / "reports" / "students" / student
    write_json(reports / "metrics.json", {"student": student, "sets": {"gold": {"student": SCORE}}})
    write_json(reports / "speed.json", {"tokens_per_second": 41.5, "device": "cpu"})
    curve = "step,learning_rate,cross_entropy,validation_loss\n10,0.0001,2.5,\n20,,1.5,1.75\n"
    write_text(reports / "training" / "curves.csv", curve)


def score(n: int, right: int) -> dict[str, Json]:
    """Return a score as ``metrics.json`` holds it; the interval is only roughly one."""
    accuracy = right / n
    ends = {"low": max(0.0, accuracy - 0.1), "high": min(1.0, accuracy + 0.1)}
    return {"n": n, "accuracy": accuracy, **ends}


SCORE: Final[dict[str, Json]] = {
    **score(40, 30),
    "f1": 0.8,
    "by_kind": {"recall": score(30, 25)},
    "by_kind_scope": {"recall/core": score(20, 16)},
    "by_document": {"people/leave.md": score(4, 3)},
}


def write_validation(root: Path, passed: bool, tables: dict[str, str]) -> Path:
    """Write ``reports/validation.json`` and return its path."""
    path = root / "reports" / "validation.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"passed": passed, "tables": tables}))
    return path
