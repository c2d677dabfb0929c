"""split: reviewed rows into train, validation and test by what the test set is to hold out."""

from collections import Counter
from pathlib import Path

from stillhouse.base.params import load_section
from stillhouse.base.records import Document, Row
from stillhouse.base.stage import run_stage, say_counts
from stillhouse.base.tables import read_all, read_table, write_table
from stillhouse.prompts.focus import load_focus
from stillhouse.quality.split import SplitParams, split_rows

DATASET = Path("data/dataset")


def main() -> None:
    """Write ``data/dataset/{train,validation,test}.parquet``."""
    params = load_section("split", SplitParams)
    focus = load_focus(Path("data/seed/focus.yaml"))
    core_sources = {document.source for document in focus.core or ()}
    documents = read_table(Path("data/corpus/documents.parquet"), Document)
    core = {document.document_id for document in documents if document.source in core_sources}
    split = split_rows(read_all(Path("data/reviewed.parquet"), Row), core, params)
    train = write_table(DATASET / "train.parquet", Row, split.train)
    validation = write_table(DATASET / "validation.parquet", Row, split.validation)
    test = write_table(DATASET / "test.parquet", Row, split.test)
    why = Counter(f"test_{row.holdout}" for row in split.test)
    say_counts("split", train=train, validation=validation, test=test, **dict(sorted(why.items())))


if __name__ == "__main__":
    run_stage(main)
