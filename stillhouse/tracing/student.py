"""A student as the thing that is traced: what its rows came from, and who began with its weights."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from stillhouse.base.errors import InputError
from stillhouse.base.ids import Json
from stillhouse.base.tables import read_table
from stillhouse.tracing.columns import Derived, Requests, flag
from stillhouse.tracing.down import Step
from stillhouse.tracing.index import Index
from stillhouse.tracing.lexicon import NONE, Numbers
from stillhouse.tracing.listed import Listed
from stillhouse.tracing.models import ModelVerdict, describe_verdict, inherit_verdicts
from stillhouse.tracing.tables import (
    CURATED,
    DATASET,
    DERIVED,
    DOCUMENTS,
    REQUESTS,
    REVIEWED,
    DocumentKey,
)
from stillhouse.tracing.up import compare_file, compare_source

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Material:
    """What a student's rows were made of, each with their number: of its own version first, then here.

    ``asked`` are (path, prompt, teacher, model) by numbers, ``read`` documents; ``told`` is the number
    of rows that any table has.
    """

    asked: Mapping[tuple[int, int, int, int], int]
    read: Mapping[int, int]
    without_document: int
    told: int


def step_up_student(index: Index, root: Path, student: Listed) -> Iterator[Step]:
    """Yield what a student was made from, each with the number of its training rows, most first.

    Its base, whose probabilities it learned, teachers, prompts, documents, and the table. A row of two documents counts for both.
    """
    if student.provenance is None:
        yield Step("problem", student.problem, {})
        return
    base = student.provenance.base
    yield Step("base", base.name, {"sha256": base.sha256, "origin": base.origin})
    for one in student.provenance.teachers:
        yield Step("probabilities", one.name, {"sha256": one.sha256, "origin": one.origin})
    material = _gather(index, root, student)
    yield from _show_teachers(index, material)
    yield from _show_prompts(index, root, material)
    yield from _show_documents(index, root, student, material)
    dataset = student.provenance.dataset
    told: dict[str, Json] = {
        "md5": dataset.md5,
        "merkle_root": dataset.merkle_root,
        "rows": len(student.rows),
        "without_document": material.without_document,
        "untold": len(student.rows) - material.told,
    }
    yield Step("dataset", dataset.path, told)


def step_down_student(verdicts: Sequence[ModelVerdict]) -> Iterator[Step]:
    """Yield the students that go back to its weights, themselves or through another one."""
    for verdict in verdicts:
        if verdict.verdict == "affected":
            yield Step("student", f"models/{verdict.model}", {"why": verdict.why})


def judge_heirs(student: Listed, listed: Sequence[Listed]) -> list[ModelVerdict]:
    """Return a verdict on every other student: affected if this one's weights were its base or teacher."""
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
        return describe_verdict(model, "unknown", 0, model.problem)
    return describe_verdict(model, "clean", 0, f"began with `{model.provenance.base.name}`")


def _gather(index: Index, root: Path, student: Listed) -> _Material:
    requests = _find_requests(index, root, student)
    waiting = flag(index.size, student.rows)
    asked: Counter[tuple[int, int, int, int]] = Counter()
    read: Counter[int] = Counter()
    without = told = 0
    for path in _order(root, student, (DATASET[0], CURATED, REVIEWED, *DATASET)):
        try:
            rows = index.rows(path)
        except InputError:  # an older one merely tells nothing
            if _is_here(root, path):
                raise
            continue
        fresh = waiting[rows.row]
        waiting[rows.row[fresh]] = False
        counts = np.bincount(rows.group[fresh], minlength=len(rows.request))
        made_of = (requests[0][rows.request], rows.prompt, *(r[rows.request] for r in requests[1:]))
        asked.update(_count_together(made_of, counts))
        lengths = rows.documents.lengths()
        each = np.repeat(counts, lengths)
        read.update({k[0]: n for k, n in _count_together((rows.documents.values,), each).items()})
        without += int(counts[lengths == 0].sum())
        told += int(counts.sum())
        if not waiting.any():
            break
    return _Material(asked, read, without, told)


def _find_requests(index: Index, root: Path, student: Listed) -> tuple[Numbers, Numbers, Numbers]:
    """Return prompt file, teacher and model of each request, by its number; NONE where no table tells."""
    paths, teachers, models = (np.full(index.size, NONE, np.int32) for _ in range(3))
    own_last: list[tuple[Path, Callable[[Path], Requests | Derived]]] = [
        *((path, index.derived) for path in reversed(_order(root, student, (DERIVED,)))),
        *((path, index.requests) for path in reversed(_order(root, student, (REQUESTS,)))),
    ]
    for path, read in own_last:  # its own goes before
        try:
            requests = read(path)
        except InputError:  # an older one merely tells nothing
            if _is_here(root, path):
                raise
            continue
        paths[requests.request] = requests.path
        teachers[requests.request] = requests.teacher
        models[requests.request] = requests.model
    return paths, teachers, models


def _order(root: Path, student: Listed, tables: Sequence[Path]) -> list[Path]:
    """Return the tables as the student saw them, then those here."""
    own = [student.tables[table] for table in tables if table in student.tables]
    return list(dict.fromkeys([*own, *(root / t for t in tables if (root / t).is_file())]))


def _is_here(root: Path, path: Path) -> bool:
    return path.is_relative_to(root / "data")


def _count_together(parts: Sequence[Numbers], counts: Counts) -> dict[Any, int]:
    """Return how many rows there are of each combination that has any."""
    kinds, of = np.unique(np.stack(parts), axis=1, return_inverse=True)
    sums = np.bincount(of.reshape(-1), weights=counts, minlength=kinds.shape[1]).astype(np.int64)
    pairs = zip(map(tuple, kinds.T.tolist()), sums.tolist(), strict=True)
    return {kind: count for kind, count in pairs if count}


def _show_teachers(index: Index, material: _Material) -> Iterator[Step]:
    counts: Counter[tuple[str, str]] = Counter()
    texts = index.words.texts
    for (_, _, teacher, model), rows in material.asked.items():
        counts[("unknown", "") if teacher == NONE else (texts[teacher], texts[model])] += rows
    for (teacher_name, model_name), rows in _rank(counts):
        yield Step("teacher", teacher_name, {"model": model_name, "rows": rows})


def _show_prompts(index: Index, root: Path, material: _Material) -> Iterator[Step]:
    counts: Counter[tuple[str, str]] = Counter()
    for (path, prompt, _, _), rows in material.asked.items():
        name = "" if path == NONE else index.words.texts[path]
        counts[(name, index.ids.name(prompt))] += rows
    for (name, sha256), rows in _rank(counts):
        if name:
            state = compare_file(root / name, sha256)
            yield Step("prompt", name, {"sha256": sha256, "state": state, "rows": rows})
        else:
            yield Step("prompt", sha256, {"missing": True, "rows": rows})


def _show_documents(
    index: Index, root: Path, student: Listed, material: _Material
) -> Iterator[Step]:
    counts = Counter({index.ids.name(number): rows for number, rows in material.read.items()})
    known = _find_documents(root, student)
    for document_id, rows in _rank(counts):
        document = known.get(document_id)
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


def _find_documents(root: Path, student: Listed) -> dict[str, DocumentKey]:
    found: dict[str, DocumentKey] = {}
    for path in _order(root, student, (DOCUMENTS,)):
        try:
            for document in read_table(path, DocumentKey):
                found.setdefault(document.document_id, document)
        except InputError:
            if _is_here(root, path):
                raise
    return found


K = TypeVar("K", str, tuple[str, str])


def _rank(counts: Counter[K]) -> list[tuple[K, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
