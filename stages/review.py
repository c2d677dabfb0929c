"""review: what people decided about rows, applied; an empty review file changes nothing."""

from pathlib import Path

from stillhouse.base.files import write_json
from stillhouse.base.params import load_section
from stillhouse.base.records import Row
from stillhouse.base.stage import run_stage, say_counts
from stillhouse.base.tables import read_all, write_table
from stillhouse.execution.tasks import VERIFIED
from stillhouse.quality.error_rate import (
    describe_agreement,
    describe_errors,
    measure_agreement,
    measure_errors,
)
from stillhouse.quality.judge import JudgeParams
from stillhouse.quality.review import (
    FILE,
    Reviewed,
    ReviewParams,
    apply_verdicts,
    read_verdicts,
    report_review,
)
from stillhouse.quality.sample import draw_sample
from stillhouse.quality.verified import load_verifying, refuse_failing


def main() -> None:
    """Write ``data/reviewed.parquet`` and ``reports/review.json``."""
    params = load_section("review", ReviewParams)
    rows = read_all(Path("data/curated/rows.parquet"), Row)
    verdicts = read_verdicts(FILE)
    reviewed = apply_verdicts(rows, verdicts, params.combine)
    refuse_failing_fixes(reviewed)
    errors = measure_errors(draw_sample(rows, params.sample), verdicts, params.combine)
    kept = write_table(Path("data/reviewed.parquet"), Row, reviewed.rows)
    report = {
        **report_review(reviewed),
        **describe_errors(errors, params.max_error_rate),
        "agreement": describe_agreement(measure_agreement(verdicts, rows)),
    }
    write_json(Path("reports/review.json"), report)
    told = {"unknown": reviewed.unknown, "developed_from_rejected": reviewed.orphans}
    odd = {name: len(ids) for name, ids in told.items() if ids}
    say_counts("review", rows=len(rows), verdicts=len(verdicts), **odd, kept=kept)


def refuse_failing_fixes(reviewed: Reviewed) -> None:
    """End the stage where a reviewer's query, JSON text or program fails, as a teacher's is dropped."""
    fixed = {item.new_id for item in reviewed.decided if item.new_id}
    rows = [row for row in reviewed.rows if row.row_id in fixed and row.task in VERIFIED]
    if rows:
        refuse_failing(rows, load_verifying(load_section("judge", JudgeParams)))


if __name__ == "__main__":
    run_stage(main)
