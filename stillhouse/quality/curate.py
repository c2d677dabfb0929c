"""Pairs into rows: what falls short, copies or contradicts is dropped, each with its reason."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from stillhouse.base.errors import InputError
from stillhouse.base.ids import Json
from stillhouse.base.personal import name_personal
from stillhouse.base.questions import Question
from stillhouse.base.records import Chunk, Judgement, Pair, Rejection, Request, Row
from stillhouse.base.scores import Combine, explain_low
from stillhouse.embedding.embed import MODEL
from stillhouse.execution.tasks import EXECUTES
from stillhouse.quality.boundary import CRITERION as CONFIDENCE
from stillhouse.quality.boundary import find_confidences
from stillhouse.quality.contamination import find_copied_in
from stillhouse.quality.curated_report import describe_curated
from stillhouse.quality.duplicates import (
    Collision,
    Merit,
    find_conflicts,
    find_exact_duplicates,
    find_near_duplicates,
)
from stillhouse.quality.judge import REPLAY, JudgeParams
from stillhouse.quality.judging import describe_judge
from stillhouse.quality.material import Material
from stillhouse.quality.rows import make_row, name_causes
from stillhouse.quality.tags import RowTags, tag
from stillhouse.quality.thinning import Thinned, ThinningParams, describe_thinning, thin
from stillhouse.quality.vectors import Embed

STAGE: Final = "curate"
# Criteria that only some tasks have: a dataset without these tasks may keep the threshold.
_OF_SOME_TASKS: Final = frozenset({EXECUTES})


class CurateParams(ThinningParams):
    """What a pair must reach, how much alike two wordings may be, and how many rows stay of what."""

    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    combine: Combine = "min"
    near_duplicate: float = Field(default=0.8, gt=0, le=1)
    copied_words: int = Field(default=8, ge=3)
    copied_similarity: float = Field(default=0.9, gt=0, le=1)
    personal: Literal["keep", "drop"] = "keep"


@dataclass(frozen=True, slots=True)
class Curated:
    """Every pair that went in is either a row or a rejection with its reason."""

    rows: tuple[Row, ...]
    rejections: tuple[Rejection, ...]
    tags: tuple[RowTags, ...]
    report: Mapping[str, Json]


def curate(
    pairs: Sequence[Pair],
    requests: Mapping[str, Request],
    chunks: Mapping[str, Chunk],
    judgements: Iterable[Judgement],
    gold: Sequence[Question],
    params: CurateParams,
    judge_params: JudgeParams,
    rubrics: Mapping[str, str] | None = None,
    unjudged: Mapping[str, str] | None = None,
    *,
    embed: Embed | None = None,
) -> Curated:
    """Return the rows that may go on to review, and a rejection for each pair that may not.

    The order matters: what is bad or copies gold is gone before duplicates are compared, so that no
    good pair gives way to one that falls afterwards; and how many rows stay of what is settled last.

    ``rubrics`` holds the sha256 of each rubric that judged, ``unjudged`` why a pair was not, by its id.
    ``embed`` makes vectors of questions; only needed where ``params.embeds``.

    Raises:
        InputError: no pair is about a document, a threshold is of no criterion, or a quota of nothing.
    """
    _refuse_no_facts(pairs)
    judged = _group_judgements(judgements, params)
    left, rejections = list(pairs), list[Rejection]()

    def drop(found: Iterable[Rejection]) -> None:
        nonlocal left
        news = list(found)
        gone = {(rejection.slot_id, rejection.rejected_id) for rejection in news}
        left = [pair for pair in left if (pair.slot_id, pair.pair_id) not in gone]
        rejections.extend(news)

    drop(_reject_unjudged(left, unjudged or {}))
    drop(_reject_low_scores(left, judged, params))
    if params.personal == "drop":
        drop(_reject_personal(left))
    drop(_reject_copied(left, gold, params))
    drop(_reject("duplicate", find_exact_duplicates(left)))
    drop(_reject("conflict", find_conflicts(left, _merits(left, judged))))
    drop(_reject("near_duplicate", find_near_duplicates(left, params.near_duplicate)))
    known = Material(requests, chunks, _merits(left, judged), find_confidences(pairs, judged))
    thinned = thin(left, known, params, embed)
    drop(_rejection(*one) for one in thinned.drops)
    causes = name_causes(
        describe_judge(judge_params, rubrics or {}),
        _describe_thresholds(params),
        _describe_filters(params),
        params.combine,
    )
    rows = tuple(make_row(pair, requests, chunks, causes) for pair in left)
    tags = tuple(_tag(pair, known, thinned) for pair in left)
    report = describe_curated(pairs, left, rejections, tags, gold, known, thinned, params)
    return Curated(rows, tuple(rejections), tags, report)


def _describe_thresholds(params: CurateParams) -> dict[str, float]:
    """Return the thresholds as rows' hashes know them: that execution succeeds goes without saying."""
    return {name: low for name, low in params.thresholds.items() if (name, low) != (EXECUTES, 1.0)}


def _describe_filters(params: CurateParams) -> Json:
    """Return the filters as rows' hashes know them.

    Rows of datasets without a filter have the hash that they had before there was one.
    """
    always = params.model_dump(include={"near_duplicate", "copied_words", "copied_similarity"})
    personal = {} if params.personal == "keep" else {"personal": params.personal}
    model = {"embedding": MODEL} if params.embeds else {}
    thinning = describe_thinning(params)
    return {**always, **personal, **thinning, **(model if thinning else {})}


def _tag(pair: Pair, known: Material, thinned: Thinned) -> RowTags:
    return RowTags(
        pair.pair_id,
        tag(pair, known.value_of("category", pair)),
        thinned.clusters.get(pair.pair_id),
        known.confidences[pair.pair_id],
    )


def _refuse_no_facts(pairs: Sequence[Pair]) -> None:
    if pairs and all(pair.task == REPLAY for pair in pairs):
        raise InputError(
            "no question about a document came out, only everyday ones",
            where="data/generated",
            expected="documents with facts: sentences or tables with numbers, dates, names, terms",
            remedy="see data/generated/rejections.parquet for reasons, or add documents",
        )


def _group_judgements(
    judgements: Iterable[Judgement], params: CurateParams
) -> Mapping[str, list[Judgement]]:
    """Return the judgements of each pair; a threshold that no judgement meets is an error.

    But for that of execution: whether anything can be run hangs on what the teacher was asked.
    """
    judged: dict[str, list[Judgement]] = defaultdict(list)
    criteria: set[str] = set()
    for judgement in judgements:
        judged[judgement.pair_id].append(judgement)
        criteria.add(judgement.criterion)
    criteria |= _OF_SOME_TASKS
    if judged and (unknown := sorted(set(params.thresholds) - criteria)):
        raise InputError(
            f"`curate.thresholds.{unknown[0]}` names a criterion that no judgement has",
            where="params.yaml",
            expected="one of " + ", ".join(sorted(criteria)),
        )
    return judged


def _reject_unjudged(pairs: Iterable[Pair], unjudged: Mapping[str, str]) -> Iterable[Rejection]:
    """Reject what a judge gave no score: nothing says that it is good."""
    for pair in pairs:
        if detail := unjudged.get(pair.pair_id):
            yield _rejection(pair, "unjudged", detail)


def _reject_low_scores(
    pairs: Iterable[Pair], judged: Mapping[str, list[Judgement]], params: CurateParams
) -> Iterable[Rejection]:
    for pair in pairs:
        by_criterion: dict[str, list[Judgement]] = defaultdict(list)
        for judgement in judged.get(pair.pair_id, ()):
            by_criterion[judgement.criterion].append(judgement)
        low = {
            criterion: said
            for criterion, told in by_criterion.items()
            if (said := explain_low(told, params.thresholds.get(criterion, 0.0), params.combine))
        }
        if low:
            details = (one for said in low.values() for one in said)
            yield _rejection(pair, next(iter(low)), "; ".join(details))


def _reject_personal(pairs: Iterable[Pair]) -> Iterable[Rejection]:
    """Reject what the gate would stop for: the same texts are searched, the passage shown included."""
    for pair in pairs:
        turns = (turn.content for turn in pair.messages)
        if found := name_personal("\n".join([*turns, pair.response, pair.reasoning])):
            yield _rejection(pair, "personal", f"what looks like {found}")


def _reject_copied(
    pairs: Sequence[Pair], gold: Sequence[Question], params: CurateParams
) -> Iterable[Rejection]:
    prompts = ((pair.messages, pair.context) for pair in pairs)
    copies = find_copied_in(prompts, gold, params.copied_words, params.copied_similarity)
    for pair, copied in zip(pairs, copies, strict=True):
        if copied is not None:
            yield _rejection(pair, "contamination", copied.detail)


def _reject(reason: str, collisions: Iterable[Collision]) -> Iterable[Rejection]:
    return (_rejection(hit.pair, reason, hit.detail) for hit in collisions)


def _rejection(pair: Pair, reason: str, detail: str) -> Rejection:
    return Rejection(pair.pair_id, "pair", pair.slot_id, pair.chunk_ids, STAGE, reason, detail)


def _merits(pairs: Iterable[Pair], judged: Mapping[str, list[Judgement]]) -> dict[str, Merit]:
    return {pair.pair_id: _merit(pair, judged.get(pair.pair_id, ())) for pair in pairs}


def _merit(pair: Pair, judgements: Sequence[Judgement]) -> Merit:
    scores = [one.score for one in judgements if one.criterion != CONFIDENCE]
    return sum(scores) / len(scores) if scores else 0.0, pair.confidence or 0.0
