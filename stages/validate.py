"""validate: the gate before training; red or green, the report is written first."""

import logging
from pathlib import Path
from typing import Any

from stillhouse.base.files import write_json, write_text
from stillhouse.base.home import home
from stillhouse.base.ids import md5_file
from stillhouse.base.params import load_section
from stillhouse.base.questions import read_measuring
from stillhouse.base.records import (
    Chunk,
    Document,
    Judgement,
    Pair,
    Rejection,
    Request,
    Response,
    Row,
)
from stillhouse.base.runtime import load_runtime
from stillhouse.base.stage import run_stage, say_counts
from stillhouse.base.tables import declared_columns, read_all, stored_columns
from stillhouse.embedding.embed import Embedder
from stillhouse.prompts.focus import load_focus
from stillhouse.prompts.logs import load_logs
from stillhouse.quality.agreement import describe_judges, list_rulings
from stillhouse.quality.alarms import measure_quality, report_quality
from stillhouse.quality.baseline import read_baseline
from stillhouse.quality.coverage import count_coverage, report_coverage, write_coverage
from stillhouse.quality.curate import CurateParams
from stillhouse.quality.gate import (
    Validation,
    describe_failed,
    refuse_drift,
    refuse_failed,
    report_validation,
)
from stillhouse.quality.limits import ValidateParams
from stillhouse.quality.review import read_verdicts
from stillhouse.quality.review_errors import read_review_errors
from stillhouse.quality.tables import Tables
from stillhouse.quality.validate import Against, validate
from stillhouse.quality.validation_page import render_validation

SEED, REPORTS = Path("data/seed"), Path("reports")
TABLES = {
    "documents": ("data/corpus/documents.parquet", Document),
    "chunks": ("data/corpus/chunks.parquet", Chunk),
    "skipped": ("data/corpus/skipped.parquet", Rejection),
    "requests": ("data/requests.parquet", Request),
    "derived": ("data/generated/derived.parquet", Request),
    "responses": ("data/generated/responses.parquet", Response),
    "pairs": ("data/generated/pairs.parquet", Pair),
    "unused": ("data/generated/rejections.parquet", Rejection),
    "judgements": ("data/judgements.parquet", Judgement),
    "judging_requests": ("data/judging/requests.parquet", Request),
    "judging_responses": ("data/judging/responses.parquet", Response),
    "judging_rejections": ("data/judging/rejections.parquet", Rejection),
    "curated": ("data/curated/rows.parquet", Row),
    "dropped": ("data/curated/rejections.parquet", Rejection),
    "reviewed": ("data/reviewed.parquet", Row),
    "train": ("data/dataset/train.parquet", Row),
    "validation": ("data/dataset/validation.parquet", Row),
    "test": ("data/dataset/test.parquet", Row),
}
log = logging.getLogger(__name__)


def main() -> None:
    """Write what the gate saw and how thin the dataset is; end with exit code 1 where a check failed."""
    opened = {path: md5_file(Path(path)) for path, _ in TABLES.values()}
    tables, curate_params = read_tables(), load_section("curate", CurateParams)
    params = load_section("validate", ValidateParams)
    against = gather(tables, params)
    validation = validate(opened, tables, against, params, curate_params)
    refuse_drift(opened, {path: md5_file(Path(path)) for path in opened})
    describe(tables, against, validation, curate_params)
    write_json(REPORTS / "validation.json", report_validation(validation))
    write_text(REPORTS / "validation.html", render_validation(validation, tables.parts()))
    for check in validation.failed():
        log.error("%s", describe_failed(check))
    say_counts("validate", checks=len(validation.checks), failed=len(validation.failed()))
    refuse_failed(validation)


def read_tables() -> Tables:
    """Return every table; calls that develop pairs further stand among the requests."""
    found: dict[str, Any] = {
        name: read_all(Path(path), record) for name, (path, record) in TABLES.items()
    }
    found["requests"] += found.pop("derived")
    return Tables(**found)


def gather(tables: Tables, params: ValidateParams) -> Against:
    """Return what the tables are held against; questions and passages are embedded for it."""
    held_out = {document.source for document in load_focus(SEED / "focus.yaml").held_out or ()}
    closed = {d.document_id for d in tables.documents if d.source in held_out}
    prompts = [talk.question for talk in load_logs(SEED / "prompts.jsonl")]
    embedder = Embedder(load_runtime(), home() / "embeddings.sqlite")
    return Against(
        gold=read_measuring(SEED / "eval"),
        closed=closed,
        declared={path: declared_columns(record) for path, record in TABLES.values()},
        stored={path: stored_columns(Path(path)) for path, _ in TABLES.values()},
        covered=count_coverage(tables, closed, params),
        quality=measure_quality(tables, prompts, read_baseline(), embedder.embed, params),
        review=read_review_errors(REPORTS / "review.json"),
    )


def describe(
    tables: Tables, against: Against, validation: Validation, curate_params: CurateParams
) -> None:
    """Write what is planned and there, how varied the rows are, and how far judges agree."""
    write_json(REPORTS / "coverage.json", report_coverage(against.covered))
    write_text(REPORTS / "coverage.csv", write_coverage(against.covered))
    train_md5 = validation.tables[TABLES["train"][0]]
    write_json(REPORTS / "quality.json", report_quality(against.quality, validation, train_md5))
    slots = {pair.slot_id: pair.pair_id for pair in tables.pairs}
    rulings = list_rulings(read_verdicts(SEED / "review.jsonl"), slots)
    agreement = describe_judges(tables.judgements, rulings, curate_params.thresholds)
    write_json(REPORTS / "judges.json", agreement)


if __name__ == "__main__":
    run_stage(main)
