"""data/requests.parquet -> data/generated/: answers, the pairs read from them, what became none."""

import os
import sys
from pathlib import Path

from stillhouse.base.home import home
from stillhouse.base.params import load_section
from stillhouse.base.records import Pair, Rejection, Request, Response
from stillhouse.base.runtime import load_runtime
from stillhouse.base.stage import run_stage, say_counts
from stillhouse.base.tables import read_all, write_table
from stillhouse.distill.bases import open_base
from stillhouse.teachers.generate import GenerateParams, generate
from stillhouse.teachers.huggingface import LocalModel
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.lookup import Archive
from stillhouse.teachers.reader import Reader

OUT = Path("data/generated")
REPAY = "--allow-repay"


def main() -> None:
    """Answer every request; ``--allow-repay`` asks again for answers that cannot be read."""
    params = load_section("generate", GenerateParams)
    base = LocalModel(lambda name: open_base(name, home() / "bases").folder, load_runtime())
    with Journal(home() / "journal.sqlite") as journal:
        generated = generate(
            read_all(Path("data/requests.parquet"), Request),
            [Reader(), base],
            journal,
            Archive(repository=Path(os.environ.get("DVC_ROOT") or ".")),
            params,
            allow_repay=REPAY in sys.argv[1:],
        )
    write_table(OUT / "responses.parquet", Response, generated.responses)
    pairs = write_table(OUT / "pairs.parquet", Pair, generated.pairs)
    rejected = write_table(OUT / "rejections.parquet", Rejection, generated.rejections)
    counts = generated.counts
    say_counts(
        "generate",
        requests=counts.requests,
        answered=counts.answered,
        sent=counts.sent,
        pairs=pairs,
        rejected=rejected,
    )


if __name__ == "__main__":
    run_stage(main, options=[REPAY])
