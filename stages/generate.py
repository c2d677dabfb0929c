"""data/requests.parquet -> data/generated/: answers, the pairs read from them, what became none."""

import os
import sys
from pathlib import Path

from stillhouse.base.home import home
from stillhouse.base.params import load_section
from stillhouse.base.records import Pair, Rejection, Request, Response
from stillhouse.base.requests import DERIVED, REQUESTS
from stillhouse.base.runtime import load_runtime
from stillhouse.base.stage import read_option, run_stage, say_counts, show_progress
from stillhouse.base.tables import StoredTable, open_table
from stillhouse.teachers.follow import VARIABLE, read_followed
from stillhouse.teachers.generate import GenerateParams, Listed, collect_answers, read_answers
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.lookup import Archive
from stillhouse.teachers.params import load_journal
from stillhouse.teachers.remote import open_journal_remote
from stillhouse.teachers.roster import list_teachers, make_terms

OUT = Path("data/generated")
REPAY, PLAN = "--allow-repay", "--plan"


def main() -> None:
    """Answer every request.

    ``--allow-repay`` asks again for answers that cannot be read; ``--plan FILE``, or the variable
    ``STILLHOUSE_PLAN``, sends nothing that the plan in that file does not hold.
    """
    params, runtime = load_section("generate", GenerateParams), load_runtime()
    plan = read_option(PLAN) or os.environ.get(VARIABLE)
    requests = StoredTable(REQUESTS, Request)
    archive = Archive(repository=Path(os.environ.get("DVC_ROOT") or "."))
    with Journal(home() / "journal.sqlite") as journal:
        collected = collect_answers(
            requests,
            list_teachers(runtime),
            journal,
            archive,
            params,
            make_terms(runtime, journal),
            listed=StoredTable(REQUESTS, Listed),
            remote=open_journal_remote(load_journal(), journal, archive.repository),
            allow_repay=REPAY in sys.argv[1:],
            followed=read_followed(Path(plan)) if plan else None,
        )
        with (
            open_table(OUT / "responses.parquet", Response) as responses,
            open_table(OUT / "pairs.parquet", Pair) as pairs,
            open_table(OUT / "rejections.parquet", Rejection) as rejections,
            open_table(DERIVED, Request),
        ):
            answers = read_answers(requests, journal, collected.refused)
            for read in show_progress(answers, "reading answers", len(requests)):
                if read.response is not None:
                    responses.add(read.response)
                for pair in read.pairs:
                    pairs.add(pair)
                for rejection in read.rejections:
                    rejections.add(rejection)
    counts = collected.counts
    say_counts(
        "generate",
        requests=counts.requests,
        answered=counts.answered,
        sent=counts.sent,
        pairs=pairs.count,
        rejected=rejections.count,
    )


if __name__ == "__main__":
    run_stage(main, options=[REPAY], valued=[PLAN])
