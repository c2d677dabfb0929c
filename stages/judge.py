"""judge: every pair by the offline judge, by running what can be run, and by models where some are named."""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from stillhouse.base.byte_store import ByteStore
from stillhouse.base.home import home
from stillhouse.base.params import load_section
from stillhouse.base.records import Chunk, Document, Judgement, Pair, Rejection, Request, Response
from stillhouse.base.runtime import load_runtime
from stillhouse.base.stage import read_option, run_stage, say_counts, show_progress
from stillhouse.base.tables import StoredTable, TableWriter, open_table, read_table, write_table
from stillhouse.distill.bases import open_base
from stillhouse.prompts.judging import Panel, make_panel, render_all, show_passages
from stillhouse.quality.consistency import agrees
from stillhouse.quality.judge import JudgeParams, judge_pairs
from stillhouse.quality.likelihood import Reader, judge_likelihood
from stillhouse.quality.verified import load_verifying, verify_pairs
from stillhouse.teachers.follow import VARIABLE
from stillhouse.teachers.follow_judging import read_allowance
from stillhouse.teachers.generate import Collected, collect_answers
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.judging import (
    JUDGING,
    REJECTIONS,
    REQUESTS,
    RESPONSES,
    STAGE,
    JudgingParams,
    lay_requests,
    read_judgements,
    read_responses,
)
from stillhouse.teachers.lookup import Archive
from stillhouse.teachers.params import load_journal
from stillhouse.teachers.remote import open_journal_remote
from stillhouse.teachers.roster import list_teachers, make_terms

CORPUS = Path("data/corpus")
PAIRS = Path("data/generated/pairs.parquet")
REPAY, PLAN = "--allow-repay", "--plan"


def main() -> None:
    """Write ``data/judgements.parquet``, and what models were asked for it to ``data/judging``.

    ``--allow-repay`` and ``--plan FILE`` are those of `generate`.
    """
    params, pairs = load_section("judge", JudgeParams), StoredTable(PAIRS, Pair)
    panel = make_panel(params.models, params.rubrics, seed=params.seed, samples=params.samples)
    chunks = {chunk.chunk_id: chunk for chunk in read_table(CORPUS / "chunks.parquet", Chunk)}
    with open_table(Path("data/judgements.parquet"), Judgement) as judgements:
        for judgement in judge_pairs(show_progress(pairs, "judge", len(pairs)), chunks, params):
            judgements.add(judgement)
        for judgement in verify_pairs(pairs, load_verifying(params)):
            judgements.add(judgement)
        for judgement in read_likelihoods(params, pairs, chunks):
            judgements.add(judgement)
        asked = ask_models(panel, params, chunks, judgements)
    say_counts("judge", pairs=len(pairs), judgements=judgements.count, **asked)


def read_likelihoods(
    params: JudgeParams, pairs: StoredTable[Pair], chunks: Mapping[str, Chunk]
) -> Iterator[Judgement]:
    """Yield what a local model finds of the answers, where the parameters name one."""
    if params.likelihood.model is None:
        return
    base = open_base(params.likelihood.model, home() / "bases")
    runtime = load_runtime()
    yield from judge_likelihood(
        show_progress(pairs, "likelihood", len(pairs)),
        show_passages(read_table(CORPUS / "documents.parquet", Document), chunks.values()),
        params.likelihood,
        lambda: Reader(base.folder, runtime),
        ByteStore(home() / "likelihood.sqlite"),
        base.sha256,
    )


def ask_models(
    panel: Panel,
    params: JudgeParams,
    chunks: Mapping[str, Chunk],
    judgements: TableWriter[Judgement],
) -> dict[str, int]:
    """Have the models of a panel judge every pair; return the counts of what was asked."""
    pairs = StoredTable(PAIRS, Pair)
    if not panel.judges:
        write_table(JUDGING / REQUESTS, Request, ())
        write_table(JUDGING / RESPONSES, Response, ())
        write_table(JUDGING / REJECTIONS, Rejection, ())
        return {}
    passages = show_passages(read_table(CORPUS / "documents.parquet", Document), chunks.values())
    with (
        tempfile.TemporaryDirectory(prefix="stillhouse-judge-") as scratch,
        Journal(home() / "journal.sqlite") as journal,
        open_table(JUDGING / RESPONSES, Response) as responses,
        open_table(JUDGING / REJECTIONS, Rejection) as rejections,
    ):
        shown = show_progress(pairs, "what models are asked", len(pairs))
        requests, askings = lay_requests(render_all(shown, passages, panel), Path(scratch))
        collected = collect(requests, params, journal)
        write_table(JUDGING / REQUESTS, Request, requests)
        for response in read_responses(requests, journal, collected.refused):
            responses.add(response)
        for found in read_judgements(pairs, askings, journal, collected.refused, agrees):
            if isinstance(found, Judgement):
                judgements.add(found)
            else:
                rejections.add(found)
    counts = collected.counts
    return {"requests": counts.requests, "sent": counts.sent, "unjudged": rejections.count}


def collect(requests: StoredTable[Request], params: JudgeParams, journal: Journal) -> Collected:
    """Have the journal hold an answer to each request; what was paid for once is never asked again."""
    runtime, plan = load_runtime(), read_option(PLAN) or os.environ.get(VARIABLE)
    repository = Path(os.environ.get("DVC_ROOT") or ".")
    archive = Archive(repository=repository, stage=STAGE, path=(JUDGING / RESPONSES).as_posix())
    return collect_answers(
        requests,
        list_teachers(runtime),
        journal,
        archive,
        JudgingParams(tolerate_refusals=params.tolerate_refusals, ask_again=params.ask_again),
        make_terms(runtime, journal),
        remote=open_journal_remote(load_journal(), journal, repository),
        allow_repay=REPAY in sys.argv[1:],
        followed=read_allowance(Path(plan)) if plan else None,
    )


if __name__ == "__main__":
    run_stage(main, options=[REPAY], valued=[PLAN])
