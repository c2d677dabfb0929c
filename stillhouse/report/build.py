"""From what the stages wrote to what stands on the page; no file is read or written here."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from stillhouse.base.ids import Json, canonical_json
from stillhouse.lineage.entry import Point
from stillhouse.lineage.provenance import plain_name
from stillhouse.report.examples import draw_examples, draw_rows
from stillhouse.report.made import build_made
from stillhouse.report.page import (
    Bar,
    Curve,
    Figure,
    Hash,
    Line,
    Making,
    Page,
    StudentPart,
)
from stillhouse.report.panels import build_panels
from stillhouse.report.params import Report
from stillhouse.report.scores import Metrics, Score
from stillhouse.report.sources import Sources, StudentSource
from stillhouse.report.summary import interval, open_book, percent, summary_sentence

_CURVES: Final = {
    "cross_entropy": "Loss on training rows",
    "validation_loss": "Loss on validation rows",
    "distillation": "Distance to the teacher's probabilities",
    "hidden": "Distance to the teacher's layers",
    "replay_kl": "KL to the base on replay rows",
}

_DIFFERENCES: Final = {
    "gold_core_recall": "core facts",
    "gold_open": "with the passage",
    "general": "everyday questions",
}


def build_page(sources: Sources, params: Report) -> Page:
    """Return the page for every student that was read, in their order."""
    return Page(
        title=params.title,
        students=tuple(_build_student(item, sources, params) for item in sources.students),
        making=_build_making(sources, params),
        made=build_made(sources.reports),
        validated=sources.validated,
        checks=sources.checks,
    )


def _build_student(source: StudentSource, sources: Sources, params: Report) -> StudentPart:
    metrics, provenance = source.metrics, source.provenance
    beside = [p for p in sources.references if plain_name(p.base) in ("", provenance.base.name)]
    base = [item for item in beside if item.reference == "base"]
    curves = tuple(_build_curves(source.curve))
    return StudentPart(
        name=source.name,
        sentence=summary_sentence(metrics),
        judged=metrics.core is not None,
        figures=tuple(_build_figures(metrics)),
        panels=tuple(build_panels(metrics, source.predictions, beside)),
        notes=tuple(_build_notes(metrics)),
        kinds=tuple(_build_kinds(metrics)),
        examples=draw_examples(source.predictions, base, params),
        curves=curves,
        best_step=_best_step(source.curve),
        origin=provenance.base.origin,
        parameters={key: _show(value) for key, value in sorted(provenance.parameters.items())},
        hashes=tuple(_build_hashes(source)),
        upstream=provenance.upstream,
    )


def _build_figures(metrics: Metrics) -> Iterable[Figure]:
    core_base = metrics.find("gold", "base", "by_kind_scope", "recall/core")
    shown = (
        ("Core facts, closed book", metrics.core, core_base),
        ("With the passage", open_book(metrics, "student"), open_book(metrics, "base")),
        ("Everyday questions", metrics.find("general", "student"), metrics.find("general", "base")),
    )
    for label, score, base in shown:
        if score:
            yield Figure(label, percent(score.accuracy), _beside(base, score))
    if metrics.declined:
        false = metrics.falsely_declined
        beside = f"falsely {percent(false.accuracy)}" if false else ""
        yield Figure("Unanswerable, declined", percent(metrics.declined.accuracy), beside)


def _build_notes(metrics: Metrics) -> Iterable[str]:
    """Say in words what the plot shows, the unwelcome part included."""
    by = ("by_kind_scope", "recall/core")
    core = metrics.core
    if core:
        rivals = {name: metrics.find("gold", name, *by) for name in ("base", "guess")}
        beaten = [name for name, score in rivals.items() if score and core.low > score.high]
        if len(beaten) == 2:
            yield (
                f"The lower bound of the student on core facts ({percent(core.low)}) lies above "
                "the upper bounds of the base and of a guess."
            )
        else:
            yield "On core facts the student’s interval is not clear of the base and of a guess."
        for name, what in (("lookup", "A plain look-up"), ("retrieval", "Retrieval with the base")):
            rival = metrics.find("gold", name, *by)
            if rival and rival.n == core.n:
                yield f"{what} reaches {percent(rival.accuracy)} there{_compare(rival, core)}."
    if metrics.covered and metrics.learned:
        yield (
            f"{percent(metrics.covered.accuracy)} of the core answers stand in a training row; "
            f"of those the student learned {percent(metrics.learned.accuracy)}."
        )
    if metrics.differences:
        yield f"Student minus base, in points: {'; '.join(_compare_paired(metrics))}."
    yield f"Retention: {metrics.retention}."


def _compare_paired(metrics: Metrics) -> Iterable[str]:
    for name, label in _DIFFERENCES.items():
        if found := metrics.differences.get(name):
            value, low, high = (round(100 * x) for x in (found.value, found.low, found.high))
            yield f"{label} {value:+d} (95% interval {low:+d} to {high:+d})"


def _compare(rival: Score, student: Score) -> str:
    if rival.low > student.high:
        return ": searching beats this student"
    if student.low > rival.high:
        return ": the student is ahead"
    return ", which the student’s interval does not tell apart"


def _build_kinds(metrics: Metrics) -> Iterable[Line]:
    gold = metrics.find("gold", "student")
    for name, score in sorted((gold.groups.get("by_kind_scope", {}) if gold else {}).items()):
        if score.n:
            kind, _, scope = name.partition("/")
            yield Line(name, f"{kind.replace('_', ' ')}, {scope.replace('_', '-')}", score)


def _build_curves(points: tuple[Point, ...]) -> Iterable[Curve]:
    for name, label in _CURVES.items():
        own = sorted((point.step, point.value) for point in points if point.name == name)
        if len(own) < 2:
            continue
        steps, values = zip(*own, strict=True)
        top = max(values) or 1.0
        yield Curve(
            label=label,
            points=" ".join(
                f"{100 * step / steps[-1]:.2f},{100 - 100 * value / top:.2f}" for step, value in own
            ),
            first=_round(values[0]),
            last=_round(values[-1]),
            low=_round(min(values)),
            steps=steps[-1],
        )


def _round(value: float) -> str:
    return f"{value:.2f}" if value == 0 or value >= 0.1 else f"{value:.2g}"


def _best_step(points: tuple[Point, ...]) -> int | None:
    looks = [(point.value, point.step) for point in points if point.name == "validation_loss"]
    return min(looks)[1] if looks else None


def _build_hashes(source: StudentSource) -> Iterable[Hash]:
    provenance, folder = source.provenance, f"models/{source.name}"
    dataset = provenance.dataset
    yield Hash("Dataset, md5 (DVC’s name for it)", dataset.md5, f"md5sum {dataset.path}")
    yield Hash("Dataset, sha256", dataset.sha256, f"sha256sum {dataset.path}")
    yield Hash(f"Merkle root over its {dataset.rows} rows", dataset.merkle_root, "")
    for name, digest in provenance.files.items():
        if name.endswith(".safetensors"):
            yield Hash(f"Weights, {name}", digest, f"sha256sum {folder}/{name}")
    yield Hash("Weights, all files", provenance.weights_sha256, "")
    yield Hash("Provenance", source.provenance_sha256, f"sha256sum {folder}/provenance.json")
    yield Hash(f"Base, {provenance.base.name}", provenance.base.sha256, "")
    for teacher in provenance.teachers:
        yield Hash(f"Teacher of probabilities, {teacher.name}", teacher.sha256, "")


def _build_making(sources: Sources, params: Report) -> Making:
    train = sources.train
    steps = {
        "Requests": sources.requests,
        "Pairs": sources.pairs,
        "Judged": sources.judged,
        "Curated": sources.curated,
        "Reviewed": sources.reviewed,
        "Train": len(train),
    }
    details = {"Train": f"and {sources.validation} validation, {sources.test} test"}
    names = {document.document_id: document.source for document in sources.documents}
    by_document = Counter(
        names.get(document_id, document_id[:12])
        for row in train
        for document_id in dict.fromkeys(row.document_ids)
    )
    reasons = Counter(f"{item.stage}: {item.reason}" for item in sources.rejections)
    return Making(
        waterfall=_bars(steps, details),
        rejections=_ranked(reasons),
        tasks=_ranked(Counter(row.task for row in train)),
        documents=_ranked(by_document),
        samples=tuple(draw_rows(train, sources.documents, params)),
    )


def _ranked(counts: Counter[str]) -> tuple[Bar, ...]:
    return _bars(dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))), {})


def _bars(counts: Mapping[str, int], details: Mapping[str, str]) -> tuple[Bar, ...]:
    longest = max(counts.values(), default=0) or 1
    return tuple(
        Bar(label, count, count / longest, details.get(label, ""))
        for label, count in counts.items()
    )


def _beside(base: Score | None, score: Score) -> str:
    if base is None:
        return ""
    part = "" if base.n == score.n else f" of {base.n} of them"
    return f"base {percent(base.accuracy)} ({interval(base)}){part}"


def _show(value: Json) -> str:
    return value if isinstance(value, str) else canonical_json(value)
