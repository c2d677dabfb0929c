"""Predictions into ``metrics.json``: shares with intervals, by group; nothing that a clock touched."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from stillhouse.base.ids import Json
from stillhouse.evaluation.exam import ABSTAIN
from stillhouse.evaluation.intervals import Interval, paired_difference, share
from stillhouse.evaluation.records import UNANSWERABLE, Prediction

DIGITS: Final = 6
SYNTHETIC: Final = "synthetic test only: no verdict"
RETENTION: Final = "not defined: the teacher is not a model"
Key = Callable[[Prediction], str]
_GROUPS: Final[dict[str, Key]] = {
    "by_kind": lambda p: p.kind,
    "by_scope": lambda p: p.scope,
    "by_kind_scope": lambda p: f"{p.kind}/{p.scope}" if p.kind and p.scope else "",
    "by_task": lambda p: p.task,
    "by_document": lambda p: p.document,
}


def summarise(
    student: str,
    predictions: Sequence[Prediction],
    covered: frozenset[str],
    seed: int,
) -> dict[str, Json]:
    """Return the metrics of one student.

    Args:
        student: its name.
        predictions: its own and those of the references of its base.
        covered: the gold questions that a training row answers (``find_covered``).
        seed: of the bootstrap.
    """
    own = [p for p in predictions if p.reference == "student"]
    gold = [p for p in own if p.set == "gold"]
    answerable = [p for p in gold if p.kind != UNANSWERABLE]

    def is_covered(p: Prediction) -> bool:
        return p.question_id in covered

    return {
        "student": student,
        "verdict": "gold" if gold else SYNTHETIC,
        "sets": _summarise_sets(predictions),
        "abstention": {
            **_abstention(gold),
            "base": _abstention([p for p in predictions if _is(p, "gold", "base")]),
        },
        "coverage": {
            **_rate(answerable, is_covered),
            "core_recall": _rate(filter(_is_core, answerable), is_covered),
        },
        "learned": {
            **_rate(filter(is_covered, answerable)),
            "core_recall": _rate(filter(_is_core, filter(is_covered, answerable))),
        },
        "differences": _compare(predictions, seed),
        "retention": RETENTION,
    }


def tabulate(metrics: Mapping[str, Json]) -> list[tuple[str, str, Interval]]:
    """Return (set, reference, share) for a plot: every set whole, and core recall on its own."""
    rows = []
    sets = metrics["sets"]
    assert isinstance(sets, Mapping)
    for set_name, references in sorted(sets.items()):
        assert isinstance(references, Mapping)
        for reference, found in sorted(references.items()):
            assert isinstance(found, Mapping)
            rows.append((set_name, reference, _read(found)))
            by = found.get("by_kind_scope")
            core = by.get("recall/core") if isinstance(by, Mapping) else None
            if isinstance(core, Mapping):
                rows.append((f"{set_name} core recall", reference, _read(core)))
    return rows


def _summarise_sets(predictions: Iterable[Prediction]) -> dict[str, Json]:
    grouped: dict[str, dict[str, list[Prediction]]] = {}
    for p in predictions:
        grouped.setdefault(p.set, {}).setdefault(p.reference, []).append(p)
    return {
        set_name: {reference: _summarise(found) for reference, found in references.items()}
        for set_name, references in grouped.items()
    }


def _summarise(predictions: Sequence[Prediction]) -> dict[str, Json]:
    """Return the R of the design: n, accuracy, low, high, f1, and accuracy by each grouping.

    ``f1`` is the mean over what can be answered, and missing where nothing can: a question without
    an answer has no wording to agree with.
    """
    summary: dict[str, Json] = _rate(predictions)
    f1 = [p.f1 for p in predictions if p.kind != UNANSWERABLE and p.task != ABSTAIN]
    if f1:
        summary["f1"] = round(sum(f1) / len(f1), DIGITS)
    for name, key in _GROUPS.items():
        groups: dict[str, list[Prediction]] = {}
        for p in predictions:
            if label := key(p):
                groups.setdefault(label, []).append(p)
        if groups:
            summary[name] = {label: _rate(found) for label, found in sorted(groups.items())}
    return summary


def _abstention(gold: Sequence[Prediction]) -> dict[str, Json]:
    return {
        "right": _rate([p for p in gold if p.kind == UNANSWERABLE], _abstained),
        "false": _rate([p for p in gold if p.kind != UNANSWERABLE], _abstained),
    }


def _compare(predictions: Sequence[Prediction], seed: int) -> dict[str, Json]:
    """Return student minus base, paired: closed book, with the passage, and on general questions."""
    wanted: dict[str, Callable[[Prediction], bool]] = {
        "gold_core_recall": lambda p: p.set == "gold" and _is_core(p),
        "gold_open": lambda p: p.set == "gold_open",
        "general": lambda p: p.set == "general",
    }
    return {
        name: _difference([p for p in predictions if chosen(p)], seed)
        for name, chosen in wanted.items()
    }


def _difference(predictions: Sequence[Prediction], seed: int) -> dict[str, Json]:
    base = {p.question_id: p for p in predictions if p.reference == "base"}
    pairs = sorted(
        (p.question_id, p.cluster, p.correct, base[p.question_id].correct)
        for p in predictions
        if p.reference == "student" and p.question_id in base
    )
    if not pairs:
        return {"n": 0}
    _, clusters, student, other = zip(*pairs, strict=True)
    found = paired_difference(student, other, clusters, seed)
    return _write(found, "difference")


def _correct(p: Prediction) -> bool:
    return p.correct


def _abstained(p: Prediction) -> bool:
    return p.abstained


def _rate(
    predictions: Iterable[Prediction], is_so: Callable[[Prediction], bool] = _correct
) -> dict[str, Json]:
    found = list(predictions)
    if not found:
        return {"n": 0}
    return _write(share([is_so(p) for p in found], [p.cluster for p in found]), "accuracy")


def _write(found: Interval, name: str) -> dict[str, Json]:
    return {
        "n": found.n,
        name: round(found.value, DIGITS),
        "low": round(found.low, DIGITS),
        "high": round(found.high, DIGITS),
    }


def _read(found: Mapping[str, Json]) -> Interval:
    n, value, low, high = (found[key] for key in ("n", "accuracy", "low", "high"))
    assert isinstance(n, int)
    numbers = [float(x) for x in (value, low, high) if isinstance(x, int | float)]
    return Interval(n, *numbers)


def _is(prediction: Prediction, set_name: str, reference: str) -> bool:
    return prediction.set == set_name and prediction.reference == reference


def _is_core(prediction: Prediction) -> bool:
    return prediction.kind == "recall" and prediction.scope == "core"
