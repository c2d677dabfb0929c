"""data/requests.parquet -> data/generated/: answers, their pairs, calls derived from pairs, the rest."""

import os
import sys
from pathlib import Path

from stillhouse.base.home import home
from stillhouse.base.params import load_section
from stillhouse.base.records import Pair, Rejection, Request, Response
from stillhouse.base.requests import DERIVED, REQUESTS
from stillhouse.base.runtime import load_runtime
from stillhouse.base.stage import read_option, run_stage, say_counts, show_progress
from stillhouse.base.tables import StoredTable, count_values, open_table
from stillhouse.prompts.evolve import load_evolution
from stillhouse.prompts.teacher import TeacherParams
from stillhouse.teachers.follow import VARIABLE, read_followed
from stillhouse.teachers.generate import Collected, GenerateParams, Listed, collect_answers
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.lookup import Archive
from stillhouse.teachers.params import load_journal
from stillhouse.teachers.remote import open_journal_remote
from stillhouse.teachers.roster import list_teachers, make_terms
from stillhouse.teachers.rounds import Rounds

OUT = Path("data/generated")
REPAY, PLAN = "--allow-repay", "--plan"


def main() -> None:
    """Answer every request, then those that develop pairs further, as far as parameters say so.

    ``--allow-repay`` asks again for answers that cannot be read; ``--plan FILE``, or the variable
    ``STILLHOUSE_PLAN``, sends nothing that the plan in that file does not hold.
    """
    params, runtime = load_section("generate", GenerateParams), load_runtime()
    asked_for = count_values(REQUESTS, "task") if params.evolve.steps else {}
    teacher = load_section("teacher", TeacherParams)
    evolution = load_evolution(Path(), params.evolve, teacher, asked_for)
    plan = read_option(PLAN) or os.environ.get(VARIABLE)
    followed = read_followed(Path(plan)) if plan else None
    archive = Archive(repository=Path(os.environ.get("DVC_ROOT") or "."))
    teachers = list_teachers(runtime)
    with Journal(home() / "journal.sqlite") as journal:
        remote = open_journal_remote(load_journal(), journal, archive.repository)

        def ask(path: Path, params: GenerateParams, number: int) -> Collected:
            return collect_answers(
                StoredTable(path, Request),
                teachers,
                journal,
                archive,
                params,
                make_terms(runtime, journal),
                listed=StoredTable(path, Listed),
                remote=remote,
                allow_repay=REPAY in sys.argv[1:],
                followed=followed and followed.in_round(number),
            )

        rounds = Rounds(ask, journal, params, evolution)
        with (
            open_table(OUT / "responses.parquet", Response) as responses,
            open_table(OUT / "pairs.parquet", Pair) as pairs,
            open_table(OUT / "rejections.parquet", Rejection) as rejections,
            open_table(DERIVED, Request) as derived,
        ):
            reads = rounds.walk(REQUESTS, lambda r, n: show_progress(r, "reading answers", n))
            for number, read in reads:
                if number:
                    derived.add(read.request)
                if read.response is not None:
                    responses.add(read.response)
                for pair in read.pairs:
                    pairs.add(pair)
                for rejection in read.rejections:
                    rejections.add(rejection)
    counts = rounds.counts
    say_counts(
        "generate",
        requests=counts.requests,
        answered=counts.answered,
        sent=counts.sent,
        pairs=pairs.count,
        rejected=rejections.count,
        **({"derived": derived.count} if evolution.rounds else {}),
    )


if __name__ == "__main__":
    run_stage(main, options=[REPAY], valued=[PLAN])
