"""A student as the thing that is traced: what its rows came from, and who began with its weights."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TypeVar

from stillhouse.base.errors import InputError
from stillhouse.base.ids import Json
from stillhouse.base.tables import read_table
from stillhouse.lineage.provenance import Provenance
from stillhouse.tracing.down import Step
from stillhouse.tracing.models import Listed, ModelVerdict, inherit_verdicts
from stillhouse.tracing.past import find_tables
from stillhouse.tracing.tables import (
    CURATED,
    DATASET,
    DOCUMENTS,
    REQUESTS,
    REVIEWED,
    DocumentKey,
    RequestKey,
    RowKey,
)
from stillhouse.tracing.up import compare_file, compare_source

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Material:
    """The records behind a student's rows, by id: those of its own version first, then those here."""

    rows: Mapping[str, RowKey]
    requests: Mapping[str, RequestKey]
    documents: Mapping[str, DocumentKey]


def step_up_student(root: Path, student: Listed) -> Iterator[Step]:
    """Yield what a student was made from, each with the number of its training rows, most first.

    Its base, teachers, prompts, documents, and the table. A row of two documents counts for both.
    """
    if student.provenance is None:
        yield Step("problem", student.problem, {})
        return
    base = student.provenance.base
    yield Step("base", base.name, {"sha256": base.sha256, "origin": base.origin})
    material = _gather(root, student.provenance, student.rows)
    yield from _show_teachers(material)
    yield from _show_prompts(root, material)
    yield from _show_documents(root, material)
    dataset = student.provenance.dataset
    told: dict[str, Json] = {
        "md5": dataset.md5,
        "merkle_root": dataset.merkle_root,
        "rows": len(student.rows),
        "without_document": sum(not row.document_ids for row in material.rows.values()),
        "untold": len(student.rows) - len(material.rows),
    }
    yield Step("dataset", dataset.path, told)


def step_down_student(verdicts: Sequence[ModelVerdict]) -> Iterator[Step]:
    """Yield the students that began with its weights, themselves or through another one."""
    for verdict in verdicts:
        if verdict.verdict == "affected":
            yield Step("student", f"models/{verdict.model}", {"why": verdict.why})


def judge_heirs(student: Listed, listed: Sequence[Listed]) -> list[ModelVerdict]:
    """Return a verdict on every other student: affected if it began with this one's weights."""
    others = [model for model in listed if model.model != student.model]
    if student.provenance is None:
        why = f"which weights `models/{student.model}` had cannot be told ({student.problem})"
        return [ModelVerdict(model.model, "unknown", 0, why) for model in others]
    verdicts = {model.model: _begin(model) for model in others}
    verdicts[student.model] = ModelVerdict(student.model, "affected", 0, "is the model itself")
    judged = inherit_verdicts(listed, verdicts)
    return [judged[model.model] for model in others]


def _begin(model: Listed) -> ModelVerdict:
    if model.provenance is None:
        return ModelVerdict(model.model, "unknown", 0, model.problem)
    return ModelVerdict(model.model, "clean", 0, f"began with `{model.provenance.base.name}`")


def _gather(root: Path, provenance: Provenance, row_ids: Collection[str]) -> _Material:
    own = find_tables(root, provenance)
    tables = (DATASET[0], CURATED, REVIEWED, *DATASET)
    rows = _find(root, own, tables, RowKey, row_ids)
    asked = {row.request_id for row in rows.values()}
    read = {document_id for row in rows.values() for document_id in row.document_ids}
    return _Material(
        rows=rows,
        requests=_find(root, own, (REQUESTS,), RequestKey, asked),
        documents=_find(root, own, (DOCUMENTS,), DocumentKey, read),
    )


def _find(
    root: Path,
    own: Mapping[Path, Path],
    tables: Sequence[Path],
    record: type[T],
    wanted: Collection[str],
) -> dict[str, T]:
    """Return the records with a wanted id, their first field, each from the first table that has it.

    The tables as the student saw them go first, then those here. One of another layout, from before a
    column was added, tells nothing; one that is broken here is an ``InputError``.
    """
    key = fields(record)[0].name  # type: ignore[arg-type]
    here = [root / table for table in tables if (root / table).is_file()]
    found: dict[str, T] = {}
    for place in dict.fromkeys([*(own[table] for table in tables if table in own), *here]):
        if len(found) == len(set(wanted)):
            break
        try:
            for item in read_table(place, record):
                if (name := getattr(item, key)) in wanted:
                    found.setdefault(name, item)
        except InputError:
            if place in here:
                raise
    return found


def _show_teachers(material: _Material) -> Iterator[Step]:
    counts: Counter[tuple[str, str]] = Counter()
    for row in material.rows.values():
        request = material.requests.get(row.request_id)
        counts[(request.teacher, request.model) if request else ("unknown", "")] += 1
    for (teacher, model), rows in _rank(counts):
        yield Step("teacher", teacher, {"model": model, "rows": rows})


def _show_prompts(root: Path, material: _Material) -> Iterator[Step]:
    counts: Counter[tuple[str, str]] = Counter()
    for row in material.rows.values():
        request = material.requests.get(row.request_id)
        counts[(request.prompt_path if request else "", row.prompt_sha256)] += 1
    for (path, sha256), rows in _rank(counts):
        if path:
            state = compare_file(root / path, sha256)
            yield Step("prompt", path, {"sha256": sha256, "state": state, "rows": rows})
        else:
            yield Step("prompt", sha256, {"missing": True, "rows": rows})


def _show_documents(root: Path, material: _Material) -> Iterator[Step]:
    counts = Counter(name for row in material.rows.values() for name in row.document_ids)
    for document_id, rows in _rank(counts):
        document = material.documents.get(document_id)
        if document is None:
            yield Step("document", document_id, {"missing": True, "rows": rows})
            continue
        told: dict[str, Json] = {
            **asdict(document),
            "state": compare_source(root, document),
            "rows": rows,
        }
        del told["document_id"]
        yield Step("document", document_id, told)


K = TypeVar("K", str, tuple[str, str])


def _rank(counts: Counter[K]) -> list[tuple[K, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
