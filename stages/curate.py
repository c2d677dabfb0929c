"""curate: judged pairs into rows; what is dropped goes to its own table, with the reason."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from stillhouse.base.files import write_json
from stillhouse.base.home import home
from stillhouse.base.params import load_section
from stillhouse.base.questions import read_measuring
from stillhouse.base.records import Chunk, Judgement, Pair, Rejection, Row
from stillhouse.base.requests import read_requests
from stillhouse.base.runtime import load_runtime
from stillhouse.base.stage import run_stage, say_counts
from stillhouse.base.tables import read_all, read_table, write_table
from stillhouse.embedding.embed import Embedder
from stillhouse.prompts.judging import make_panel
from stillhouse.quality.curate import CurateParams, curate
from stillhouse.quality.judge import JudgeParams
from stillhouse.quality.judging import find_unjudged
from stillhouse.quality.tags import RowTags
from stillhouse.quality.vectors import Floats

DATA = Path("data")
EVAL = DATA / "seed" / "eval"
log = logging.getLogger(__name__)


def main() -> None:
    """Write ``data/curated/{rows,rejections,tags}.parquet`` and ``report.json``."""
    judge = load_section("judge", JudgeParams)
    panel = make_panel(judge.models, judge.rubrics, seed=judge.seed, samples=judge.samples)
    unread = read_table(DATA / "judging" / "rejections.parquet", Rejection)
    pairs = read_all(DATA / "generated" / "pairs.parquet", Pair)
    chunks = read_table(DATA / "corpus" / "chunks.parquet", Chunk)
    params = load_section("curate", CurateParams)
    for criterion in sorted(panel.rubrics.by_criterion.keys() - params.thresholds.keys()):
        if panel.judges:
            log.warning("no threshold in curate.thresholds: %s drops no pair", criterion)
    curated = curate(
        pairs,
        {request.request_id: request for request in read_requests()},
        {chunk.chunk_id: chunk for chunk in chunks},
        read_table(DATA / "judgements.parquet", Judgement),
        read_measuring(EVAL),
        params,
        judge,
        panel.rubrics.sha256,
        find_unjudged(unread, judge),
        embed=_embed,
    )
    kept = write_table(DATA / "curated" / "rows.parquet", Row, curated.rows)
    write_table(DATA / "curated" / "rejections.parquet", Rejection, curated.rejections)
    write_table(DATA / "curated" / "tags.parquet", RowTags, curated.tags)
    write_json(DATA / "curated" / "report.json", curated.report)
    reasons = Counter(rejection.reason for rejection in curated.rejections)
    say_counts("curate", **{"in": len(pairs), "kept": kept, **dict(sorted(reasons.items()))})


def _embed(texts: Sequence[str]) -> Floats:
    """Embed texts with what is remembered of earlier runs; the model loads only for what is new."""
    return Embedder(load_runtime(), home() / "embeddings.sqlite").embed(texts)


if __name__ == "__main__":
    run_stage(main)
