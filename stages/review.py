"""review: what people decided about rows, applied; an empty review file changes nothing."""

from pathlib import Path

from stillhouse.base.files import write_json
from stillhouse.base.records import Row
from stillhouse.base.stage import run_stage, say_counts
from stillhouse.base.tables import read_all, write_table
from stillhouse.quality.review import apply_verdicts, read_verdicts, report_review


def main() -> None:
    """Write ``data/reviewed.parquet`` and ``reports/review.json``."""
    rows = read_all(Path("data/curated/rows.parquet"), Row)
    verdicts = read_verdicts(Path("data/seed/review.jsonl"))
    reviewed = apply_verdicts(rows, verdicts)
    kept = write_table(Path("data/reviewed.parquet"), Row, reviewed.rows)
    write_json(Path("reports/review.json"), report_review(reviewed))
    say_counts("review", rows=len(rows), verdicts=len(verdicts), kept=kept)


if __name__ == "__main__":
    run_stage(main)
