"""All that is measured of a dataset as a whole, and ``reports/quality.json`` that tells it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from stillhouse.base.ids import Json
from stillhouse.base.questions import row_answer, row_question
from stillhouse.base.records import Row
from stillhouse.quality.baseline import (
    Baseline,
    Moved,
    compare_baseline,
    describe_baseline,
    name_settings,
    refuse_other_settings,
)
from stillhouse.quality.collapse import (
    EXEMPT,
    Corpus,
    Figures,
    draw_by_hash,
    measure_corpus,
    measure_rows,
)
from stillhouse.quality.drift import Drift, Questions, measure_drift
from stillhouse.quality.gate import Validation
from stillhouse.quality.limits import ValidateParams
from stillhouse.quality.tables import Tables

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]

FEWEST: Final = 50  # rows that teach; the figures of fewer say nothing
ALARMS: Final = ("collapse", "baseline", "production")  # the groups of checks that are about it


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured; None where there was too little to measure.

    ``rows`` teach something of the documents, ``looked_at`` of them are the sample; ``tasks`` are the
    shares of the rows that teach, by task.
    """

    rows: int
    looked_at: int
    figures: Figures | None
    corpus: Corpus | None
    tasks: Mapping[str, float]
    baseline: Baseline | None
    moved: Moved
    production: Drift | None
    settings: Mapping[str, int]


def measure_quality(
    tables: Tables,
    prompts: Sequence[str],
    baseline: Baseline | None,
    embed: "Embed",
    params: ValidateParams,
) -> Quality:
    """Measure the rows of train that teach, beside the corpus, the baseline and production prompts.

    Args:
        tables: of the pipeline.
        prompts: what was asked in production, without personal data.
        baseline: what a dataset is held against, or None.
        embed: texts into unit vectors, one row for each.
        params: how much is looked at.

    Raises:
        InputError: the baseline was measured with other parameters.
    """
    refuse_other_settings(baseline, params)
    taught = [row for row in tables.train if row.task not in EXEMPT]
    counts = Counter(row.task for row in taught)
    settings = name_settings(params)
    tasks = {name: round(count / len(taught), 4) for name, count in sorted(counts.items())}
    if len(taught) < FEWEST:
        return Quality(len(taught), 0, None, None, tasks, baseline, Moved(), None, settings)
    limits = params.collapse
    sample = draw_by_hash(taught, lambda row: row.slot_id, limits.rows, limits.seed)
    questions = Questions(
        [row_question(row) for row in sample],
        embed([row_question(row) for row in sample]),
        _name_categories(sample, tables),
    )
    corpus = _measure_corpus(tables, embed, params)
    said = [(row_question(row), row_answer(row)) for row in sample]
    figures = measure_rows(said, questions.vectors, corpus, params.opening_words)
    moved = compare_baseline(baseline, asdict(figures), tasks)
    drift = _measure_production(questions, prompts, embed, params)
    return Quality(
        len(taught), len(sample), figures, corpus, tasks, baseline, moved, drift, settings
    )


def report_quality(quality: Quality, validation: Validation, train_md5: str) -> dict[str, Json]:
    """Return what ``reports/quality.json`` holds: figures, what they are held against, and alarms."""
    return {
        "train_md5": train_md5,
        "rows": quality.rows,
        "looked_at": quality.looked_at,
        "figures": asdict(quality.figures) if quality.figures else {},
        "corpus": _describe_corpus(quality.corpus),
        "tasks": dict(quality.tasks),
        "settings": dict(quality.settings),
        "baseline": describe_baseline(quality.baseline),
        "moved": asdict(quality.moved) if quality.baseline and quality.figures else {},
        "production": _describe_drift(quality.production),
        "alarms": [
            {"name": check.name, "meaning": check.meaning, "observed": check.observed}
            for check in validation.failed()
            if check.name.partition(".")[0] in ALARMS
        ],
    }


def _name_categories(rows: Sequence[Row], tables: Tables) -> list[str]:
    categories = {request.request_id: request.category for request in tables.requests}
    return [categories.get(row.request_id, "") or "(no category)" for row in rows]


def _measure_corpus(tables: Tables, embed: "Embed", params: ValidateParams) -> Corpus:
    limits = params.collapse
    chunks = draw_by_hash(tables.chunks, lambda chunk: chunk.chunk_id, limits.rows, limits.seed)
    texts = [chunk.text for chunk in chunks]
    return measure_corpus(texts, embed(texts), limits.clusters, limits.seed)


def _measure_production(
    questions: Questions, prompts: Sequence[str], embed: "Embed", params: ValidateParams
) -> Drift | None:
    if len(prompts) < params.production.prompts_min:
        return None
    limits = params.collapse
    asked = draw_by_hash(prompts, str, limits.rows, limits.seed)
    production = Questions(asked, embed(asked))
    return measure_drift(questions, production, params.production.splits, limits.seed)


def _describe_corpus(corpus: Corpus | None) -> dict[str, Json]:
    if corpus is None:
        return {}
    return {
        "distinct_1": corpus.distinct_1,
        "distinct_2": corpus.distinct_2,
        "distinct_3": corpus.distinct_3,
        "self_similarity": corpus.self_similarity,
        "cluster_entropy": corpus.cluster_entropy,
        "clusters": len(corpus.centres),
    }


def _describe_drift(drift: Drift | None) -> dict[str, Json]:
    if drift is None:
        return {}

    def show(mix: Mapping[str, tuple[float, float]]) -> dict[str, Json]:
        return {name: {"train": a, "production": b} for name, (a, b) in mix.items()}

    return {
        "prompts": drift.prompts,
        "distance": drift.distance,
        "null_mean": drift.null_mean,
        "null_high": drift.null_high,
        "far_share": drift.far_share,
        "kinds": show(drift.kinds),
        "kinds_moved": drift.kinds_moved,
        "categories": show(drift.categories),
        "categories_moved": drift.categories_moved,
        "farthest": [{"prompt": text, "similarity": near} for text, near in drift.farthest],
    }
