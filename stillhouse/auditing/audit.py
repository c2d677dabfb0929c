"""From a model to all that went into it: its data, documents, prompts, teachers, judges, and who let it pass."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from stillhouse.auditing.cost import TeacherCost, add_up, cost_teachers
from stillhouse.auditing.evidence import Evidence, gather_evidence
from stillhouse.auditing.problems import Problem, Unchecked
from stillhouse.auditing.signature import Signature
from stillhouse.auditing.students import History
from stillhouse.auditing.subject import Subject, find_weights, name_place, open_model, open_place
from stillhouse.auditing.tally import (
    EMPTY,
    LATER,
    STEPS,
    TRAIN,
    DocumentShare,
    Files,
    PromptShare,
    Tally,
    count,
)
from stillhouse.auditing.witnesses import (
    Gate,
    Review,
    describe_git,
    describe_mlflow,
    read_gate_of,
    read_review_of,
    read_signatures_of,
)
from stillhouse.base.errors import InputError
from stillhouse.base.ids import Json
from stillhouse.distill.bases import LOCAL_ORIGIN
from stillhouse.history.mlflow import Registered, find_registered
from stillhouse.lineage.model_folder import PROVENANCE, ROWS
from stillhouse.tracing.tables import DocumentKey
from stillhouse.tracing.up import compare_file, compare_source

_DEPTH: Final = 8  # students that began with students; more, and something leads in a circle


@dataclass(frozen=True, slots=True)
class Source:
    """A document or prompt with the state of its file: as it was read, changed since, gone, or empty."""

    share: DocumentShare | PromptShare
    state: str


@dataclass(frozen=True, slots=True)
class Audit:
    """All that is known of a model, and whether it was found to be so.

    ``base`` is the audit of the student that it began with, None where its base is no student.
    """

    subject: Subject
    evidence: Evidence
    tally: Tally
    documents: tuple[Source, ...]
    prompts: tuple[Source, ...]
    teachers: tuple[TeacherCost, ...]
    gate: Gate | None
    review: Review | None
    signatures: tuple[Signature, ...]
    git: Mapping[str, Json]
    mlflow: Mapping[str, Json]
    base: "Audit | None"

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the model, and with the student that it began with."""
        return (*self.evidence.problems, *(self.base.problems if self.base else ()))

    @property
    def verified(self) -> bool:
        """Whether every link was hashed and is what it should be, down to the last base."""
        return self.evidence.verified and (self.base is None or self.base.verified)

    @property
    def listed(self) -> int:
        """The training rows that the provenance names."""
        return self.subject.provenance.dataset.rows

    @property
    def own_table(self) -> bool:
        """Whether its rows were counted in the very table that it was trained on."""
        return TRAIN in self.evidence.files

    @property
    def usd(self) -> float | None:
        """What its answers would cost today, in dollars; None where that is not known."""
        return add_up(self.teachers)

    def to_json(self) -> dict[str, Json]:
        """Return what ``stillhouse audit --json`` prints."""
        provenance = self.subject.provenance
        return {
            "model": self.subject.asked,
            "student": self.subject.student,
            "folder": self.subject.shown,
            "folder_md5": self.subject.md5,
            "weights_sha256": provenance.weights_sha256,
            "provenance_sha256": self.evidence.provenance_sha256,
            "files": dict(provenance.files),
            "verified": self.verified,
            "problems": [problem.to_json() for problem in self.problems],
            "unchecked": [
                item.to_json() for audit in self.line() for item in audit.evidence.unchecked
            ],
            "checked": {**self.evidence.checked, "hashed_before": self.evidence.hashed},
            "dataset": {
                "path": provenance.dataset.path,
                "md5": provenance.dataset.md5,
                "sha256": provenance.dataset.sha256,
                "rows": provenance.dataset.rows,
                "merkle_root": provenance.dataset.merkle_root,
                "found": self.own_table,
                "rows_told": self.tally.rows,
                "without_document": self.tally.without_document,
                "parts": {name: self.tally.steps[name] for name in ("train", "validation", "test")},
                "tasks": dict(self.tally.tasks),
            },
            "documents": [_describe_source(source) for source in self.documents],
            "prompts": [_describe_source(source) for source in self.prompts],
            "teachers": [{**asdict(cost.share), "usd": cost.usd} for cost in self.teachers],
            "judges": [asdict(judge) for judge in self.tally.judges],
            "waterfall": {
                "steps": dict(self.tally.steps),
                "rejections": None
                if self.tally.rejections is None
                else [asdict(item) for item in self.tally.rejections],
            },
            "cost": {
                "usd": self.usd,
                "prices": "today's, of teachers.prices in params.yaml, asked one by one",
            },
            "params": dict(provenance.parameters),
            "packages": dict(provenance.packages),
            "inputs": {path: asdict(digest) for path, digest in provenance.inputs.items()},
            "upstream": dict(provenance.upstream),
            "links": [
                {"path": link.path, "md5": link.md5, "said_by": link.said, "state": link.state}
                for link in self.evidence.links
            ],
            "base": self.describe_base(),
            "probabilities": [asdict(one) for one in self.subject.provenance.teachers],
            "git": dict(self.git),
            "mlflow": dict(self.mlflow),
            "validation": self.gate.to_json() if self.gate else {},
            "review": self.review.to_json() if self.review else {},
            "signatures": [
                {"key": one.key, "fingerprint": one.fingerprint, "path": one.path.as_posix()}
                for one in self.signatures
            ],
        }

    def line(self) -> "Iterator[Audit]":
        """Yield the model and, one after the other, the students that it goes back to."""
        yield self
        if self.base:
            yield from self.base.line()

    def describe_base(self) -> dict[str, Json]:
        """Return what ``to_json`` says of its base: of a student all that was inherited with it."""
        base = asdict(self.subject.provenance.base)
        if self.base is None:
            return {**base, "student": None}
        inherited = self.base
        dataset = inherited.subject.provenance.dataset
        return {
            **base,
            "student": {
                "student": inherited.subject.student,
                "folder": inherited.subject.shown,
                "verified": inherited.verified,
                "dataset": {
                    "md5": dataset.md5,
                    "rows": dataset.rows,
                    "merkle_root": dataset.merkle_root,
                },
                "documents": [_describe_source(source) for source in inherited.documents],
                "prompts": [_describe_source(source) for source in inherited.prompts],
                "teachers": [asdict(cost.share) for cost in inherited.teachers],
                "base": inherited.describe_base(),
                "probabilities": [asdict(one) for one in inherited.subject.provenance.teachers],
            },
        }


@contextmanager
def audit(
    root: Path, name: str, *, full: bool = False, ask_mlflow: bool = False
) -> Iterator[Audit]:
    """Yield all that is known of a model; the files that it names can be read until the block ends.

    Args:
        root: the project.
        name: what ``auditing.subject`` understands.
        full: hash everything anew.
        ask_mlflow: ask MLflow's store how it knows the model; that takes seconds.

    Raises:
        InputError: no model, or more than one, is called so; or its files are nowhere.
        GateError: its provenance is damaged.
    """
    history = History(root)
    with open_model(root, name, history) as subject:
        asked, problem = _ask_mlflow(root, subject) if ask_mlflow else (subject.registered, "")
        mlflow = describe_mlflow(subject, root, asked)
        if problem:
            mlflow = {**mlflow, "asked": True, "problem": problem}
        known = replace(subject, registered=asked)
        with _open_audit(root, history, known, mlflow, full, (subject.md5,)) as found:
            yield found


def _ask_mlflow(root: Path, subject: Subject) -> tuple[Registered | None, str]:
    """Return what MLflow has under a model's weights, or why it has nothing."""
    try:
        return subject.registered or find_registered(root, subject.provenance.weights_sha256), ""
    except InputError as exc:
        return None, str(exc)


@contextmanager
def _open_audit(
    root: Path,
    history: History,
    subject: Subject,
    mlflow: Mapping[str, Json],
    full: bool,
    above: Sequence[str],
) -> Iterator[Audit]:
    evidence = gather_evidence(root, subject, full=full)
    known = (*STEPS.values(), *LATER)
    here = {table: root / table for table in known if (root / table).is_file()}
    evidence, tally = _count(evidence, here, subject)
    links = {link.path: link for link in evidence.links}
    with _open_base(root, history, subject, full, above) as base:
        yield Audit(
            subject=subject,
            evidence=evidence,
            tally=tally,
            documents=tuple(_look_at_documents(root, tally)),
            prompts=tuple(
                Source(share, compare_file(root / share.path, share.sha256) if share.path else "")
                for share in tally.prompts
            ),
            teachers=cost_teachers(tally.teachers, root),
            gate=read_gate_of(links),
            review=read_review_of(links),
            signatures=read_signatures_of(subject, root),
            git=describe_git(subject, history),
            mlflow=mlflow,
            base=base,
        )


def _count(evidence: Evidence, here: Files, subject: Subject) -> tuple[Evidence, Tally]:
    """Count what the rows came of; tables that cannot be read are told, and nothing is counted then."""
    listed = subject.folder / ROWS
    rows = listed if listed.is_file() else None
    try:
        try:
            return evidence, count(evidence.files, here, rows)
        except InputError:  # other tables here may be damaged, or of another layout
            return evidence, count(evidence.files, {}, rows)
    except InputError as exc:
        where = f"the tables of {subject.shown}"
        told = Unchecked(where, exc.what, "audit it with the version of Stillhouse that made it")
        return replace(evidence, unchecked=(*evidence.unchecked, told)), EMPTY


@contextmanager
def _open_base(
    root: Path, history: History, subject: Subject, full: bool, above: Sequence[str]
) -> Iterator[Audit | None]:
    """Yield the audit of the student whose weights the training began with; None of another base."""
    base = subject.provenance.base
    copy = root / base.name
    # Only a folder can have been a student of an earlier commit; students here are looked at all the same.
    earlier = base.origin == LOCAL_ORIGIN
    place = (
        copy
        if (copy / PROVENANCE).is_file()
        else find_weights(history, base.sha256, earlier=earlier)
    )
    if place is None or len(above) >= _DEPTH:
        yield None
        return
    with open_place(history, name_place(place), place) as inherited:
        same = inherited.provenance.weights_sha256 == base.sha256
        if not same or inherited.md5 in above:
            yield None
            return
        line = (*above, inherited.md5)
        with _open_audit(root, history, inherited, {}, full, line) as found:
            yield found


def _look_at_documents(root: Path, tally: Tally) -> Iterator[Source]:
    for share in tally.documents:
        key = DocumentKey(
            share.document_id, share.source, share.title, share.license, share.source_sha256
        )
        yield Source(share, compare_source(root, key) if share.source else "")


def _describe_source(source: Source) -> dict[str, Json]:
    return {**asdict(source.share), "state": source.state}
