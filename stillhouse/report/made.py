"""How good the data is, as the page shows it: thin places, variety, judges, the boundary, the review."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Found = Mapping[str, Any]  # a JSON report of another stage, by its keys

_THIN_DOCUMENTS: Final = 12
_FIGURES: Final = {
    "distinct_1": "Distinct words",
    "distinct_2": "Distinct pairs of words",
    "distinct_3": "Distinct runs of three words",
    "repeated_openings": "Questions that share their opening",
    "self_similarity": "Likeness of two questions (mean cosine)",
    "cluster_entropy": "Evenness over groups of passages",
    "refusal_share": "Answers that decline",
    "question_words": "Words of a question",
    "answer_words": "Words of an answer",
}


@dataclass(frozen=True, slots=True)
class Reports:
    """The reports that the page reads; each is empty where its stage wrote none."""

    coverage: Found
    quality: Found
    judges: Found
    review: Found
    curated: Found


@dataclass(frozen=True, slots=True)
class Thin:
    """A name of a group: planned at most, given by the teacher, in the dataset; shares in [0, 1]."""

    name: str
    planned: int
    pairs: int
    rows: int
    given: float
    kept: float
    thin: bool


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of the rows that teach beside the corpus and the baseline, as texts."""

    label: str
    train: str
    corpus: str
    baseline: str


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its interval, all in [0, 1], and what it is of."""

    label: str
    value: float
    low: float
    high: float
    note: str


@dataclass(frozen=True, slots=True)
class Judged:
    """One criterion: what each judge said, how far judges agree, and how far with people."""

    criterion: str
    judges: tuple[tuple[str, int, float, float], ...]  # name, pairs, mean, share that passed
    alpha: str
    people: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs and rows of a range of confidence; heights in [0, 1] beside the tallest bin."""

    low: float
    pairs: int
    rows: int
    height: float
    kept: float
    inside: bool


@dataclass(frozen=True, slots=True)
class Boundary:
    """The histogram of confidences, and how many pairs told none."""

    bins: tuple[Bin, ...]
    low: float
    high: float
    unknown: int


@dataclass(frozen=True, slots=True)
class Made:
    """All that the page says about the making of the data beyond its counts."""

    coverage: Mapping[str, tuple[Thin, ...]]
    documents: int
    measures: tuple[Measure, ...]
    baseline_set: bool
    looked_at: int
    alarms: tuple[tuple[str, str], ...]
    production: Found
    kinds: tuple[tuple[str, float, float], ...]
    judged: tuple[Judged, ...]
    reviewers: Found
    boundary: Boundary | None
    selection: Found
    same_facts: Found
    review: Share | None
    review_limit: float | None


def build_made(reports: Reports) -> Made:
    """Return what stands on the page of the reports of validate, curate and review."""
    quality, curated = reports.quality, reports.curated
    documents = _thin(reports.coverage.get("document", ()))
    groups = {name: _thin(reports.coverage.get(name, ())) for name in ("category", "task")}
    production = quality.get("production") or {}
    return Made(
        coverage={**groups, "document": documents[:_THIN_DOCUMENTS]},
        documents=len(documents),
        measures=tuple(_measure(quality)),
        baseline_set=bool(quality.get("baseline")),
        looked_at=int(quality.get("looked_at", 0)),
        alarms=tuple((one["meaning"], one["observed"]) for one in quality.get("alarms", ())),
        production=production,
        kinds=tuple(
            (name, share["train"], share["production"])
            for name, share in production.get("kinds", {}).items()
        ),
        judged=tuple(_judge(*one) for one in reports.judges.get("criteria", {}).items()),
        reviewers=reports.review.get("agreement") or {},
        boundary=_bound(curated.get("confidence") or {}),
        selection=curated.get("coverage") or {},
        same_facts=curated.get("gold") or {},
        review=_review(reports.review),
        review_limit=reports.review.get("max_error_rate"),
    )


def _thin(entries: Sequence[Found]) -> tuple[Thin, ...]:
    return tuple(
        Thin(
            name=one["name"],
            planned=one["planned"],
            pairs=one["pairs"],
            rows=one["rows"],
            given=_part(one["pairs"], one["planned"]),
            kept=_part(one["rows"], one["planned"]),
            thin=one["thin"],
        )
        for one in entries
    )


def _part(count: int, planned: int) -> float:
    return min(1.0, count / planned) if planned else 0.0


def _measure(quality: Found) -> list[Measure]:
    sides = [
        quality.get("figures") or {},
        quality.get("corpus") or {},
        (quality.get("baseline") or {}).get("figures", {}),
    ]
    if not sides[0]:
        return []
    return [
        Measure(label, *(_show(side.get(name)) for side in sides))
        for name, label in _FIGURES.items()
    ]


def _show(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _judge(criterion: str, found: Found) -> Judged:
    alpha = found.get("alpha_interval")
    several = found.get("judged_by_several", 0)
    return Judged(
        criterion=criterion,
        judges=tuple(
            (one["judge"], one["pairs"], one["mean"], one["passed"] / one["pairs"])
            for one in found["judges"]
            if one["pairs"]
        ),
        alpha=f"{alpha:.2f} over {several} pairs" if alpha is not None else "–",
        people=tuple(
            Share(one["judge"], one["agreement"], one["low"], one["high"], f"{one['pairs']} pairs")
            for one in found.get("people", ())
            if one["agreement"] is not None
        ),
    )


def _bound(confidence: Found) -> Boundary | None:
    """Return the histogram; None where no pair tells a confidence."""
    bins = confidence.get("bins") or ()
    tallest = max((one["pairs"] for one in bins), default=0)
    if not tallest:
        return None
    low, high = confidence["low"], confidence["high"]
    return Boundary(
        bins=tuple(
            Bin(
                low=one["from"],
                pairs=one["pairs"],
                rows=one["rows"],
                height=one["pairs"] / tallest,
                kept=one["rows"] / tallest,
                inside=low <= (one["from"] + one["to"]) / 2 <= high,
            )
            for one in bins
        ),
        low=low,
        high=high,
        unknown=confidence["unknown"]["pairs"],
    )


def _review(review: Found) -> Share | None:
    rate, low, high = (review.get(name) for name in ("error_rate", "low", "high"))
    if rate is None or low is None or high is None:
        return None
    seen = (review.get("sample") or {}).get("reviewed", review.get("reviewed", 0))
    return Share(
        "Rows that reviewers rejected or mended", rate, low, high, f"{seen} rows looked at"
    )
