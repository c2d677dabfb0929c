"""Everything that the page is made from, read from the files that the stages before it wrote."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text
from stillhouse.base.ids import sha256_file
from stillhouse.base.records import Document, Judgement, Pair, Rejection, Row
from stillhouse.base.requests import read_requests
from stillhouse.base.tables import read_all, read_table
from stillhouse.evaluation.records import Prediction
from stillhouse.lineage.entry import Point, read_curve
from stillhouse.lineage.model_folder import PROVENANCE
from stillhouse.lineage.provenance import Provenance, read_provenance
from stillhouse.report.made import Found, Reports
from stillhouse.report.page import CheckLine
from stillhouse.report.scores import Metrics, read_metrics


@dataclass(frozen=True, slots=True)
class StudentSource:
    """What is known of one student; ``predictions`` are its own."""

    name: str
    metrics: Metrics
    predictions: tuple[Prediction, ...]
    provenance: Provenance
    provenance_sha256: str
    curve: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Sources:
    """What is known of the run; ``references`` are the predictions that need no student."""

    students: tuple[StudentSource, ...]
    references: tuple[Prediction, ...]
    documents: tuple[Document, ...]
    requests: int
    pairs: int
    judged: int
    curated: int
    reviewed: int
    train: tuple[Row, ...]
    validation: int
    test: int
    rejections: tuple[Rejection, ...]
    validated: bool
    checks: tuple[CheckLine, ...]
    reports: Reports


def read_sources(root: Path, students: Sequence[str]) -> Sources:
    """Return what ``students`` and the tables say; a student that is not named is not read."""
    data = root / "data"
    validated, checks = _read_checks(root / "reports" / "validation.json")
    judged = {judgement.pair_id for judgement in read_table(data / "judgements.parquet", Judgement)}
    return Sources(
        students=tuple(_read_student(root, name) for name in students),
        references=tuple(read_table(data / "references.parquet", Prediction)),
        documents=tuple(read_all(data / "corpus/documents.parquet", Document)),
        requests=_count(read_requests(root)),
        pairs=_count(read_table(data / "generated/pairs.parquet", Pair)),
        judged=len(judged),
        curated=_count(read_table(data / "curated/rows.parquet", Row)),
        reviewed=_count(read_table(data / "reviewed.parquet", Row)),
        train=tuple(read_all(data / "dataset/train.parquet", Row)),
        validation=_count(read_table(data / "dataset/validation.parquet", Row)),
        test=_count(read_table(data / "dataset/test.parquet", Row)),
        rejections=tuple(_read_rejections(data)),
        validated=validated,
        checks=checks,
        reports=_read_reports(root),
    )


def _read_reports(root: Path) -> Reports:
    reports = root / "reports"
    return Reports(
        coverage=_read_json(reports / "coverage.json"),
        quality=_read_json(reports / "quality.json"),
        judges=_read_json(reports / "judges.json"),
        review=_read_json(reports / "review.json"),
        curated=_read_json(root / "data/curated/report.json"),
    )


def _read_json(path: Path) -> Found:
    try:
        value = json.loads(read_text(path))
    except json.JSONDecodeError as exc:
        raise InputError(f"not JSON ({exc})", where=str(path), remedy="run `dvc repro`") from exc
    if not isinstance(value, dict):
        raise InputError("not a report", where=str(path), remedy="run `dvc repro`")
    return value


def _read_student(root: Path, name: str) -> StudentSource:
    folder, reports = root / "models" / name, root / "reports" / "students" / name
    return StudentSource(
        name=name,
        metrics=read_metrics(reports / "metrics.json"),
        predictions=tuple(
            item
            for item in read_table(reports / "evaluation/predictions.parquet", Prediction)
            if item.reference == "student"
        ),
        provenance=read_provenance(folder),
        provenance_sha256=sha256_file(folder / PROVENANCE),
        curve=tuple(read_curve(reports / "training" / "curves.csv")),
    )


def _read_rejections(data: Path) -> Iterator[Rejection]:
    for name in ("corpus/skipped", "generated/rejections", "curated/rejections"):
        yield from read_table(data / f"{name}.parquet", Rejection)


def _read_checks(path: Path) -> tuple[bool, tuple[CheckLine, ...]]:
    try:
        value = json.loads(read_text(path))
        checks = tuple(
            CheckLine(str(check["meaning"]), bool(check["passed"]), str(check["observed"]))
            for check in value["checks"]
        )
        return bool(value["passed"]), checks
    except (json.JSONDecodeError, KeyError, TypeError) as exc:
        raise InputError(f"not a validation ({exc})", where=str(path)) from exc


def _count(records: Iterable[object]) -> int:
    return sum(1 for _ in records)
