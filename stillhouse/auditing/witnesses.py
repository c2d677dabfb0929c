"""What others say of a model: the gate that let it pass, its reviewers, signatures, git, MLflow."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from stillhouse.auditing.links import VALIDATION, Link
from stillhouse.auditing.signature import Signature, list_signatures, make_statement
from stillhouse.auditing.students import History
from stillhouse.auditing.subject import Subject
from stillhouse.base.ids import Json
from stillhouse.history.commits import Commit, list_refs
from stillhouse.history.mlflow import Registered
from stillhouse.tracing.tables import REVIEW

_REPORTS: Final = Path("reports/students")


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the gate: what it means, whether it passed, what it saw."""

    name: str
    meaning: str
    passed: bool
    observed: str


@dataclass(frozen=True, slots=True)
class Gate:
    """The validation that the training opened; ``md5`` is of its file."""

    passed: bool
    checks: tuple[Check, ...]
    md5: str

    def to_json(self) -> dict[str, Json]:
        """Return what ``audit --json`` says of it."""
        failed = [check.name for check in self.checks if not check.passed]
        return {
            "passed": self.passed,
            "checks": len(self.checks),
            "failed": failed,
            "md5": self.md5,
        }


@dataclass(frozen=True, slots=True)
class Review:
    """What people decided about rows before training, by verdict and by reviewer.

    ``decisions`` are row id after review -> verdict, reviewer, reason; ``mended`` new id -> old one.
    """

    rows: int
    verdicts: Mapping[str, int]
    reviewers: Mapping[str, int]
    unknown: int
    md5: str
    decisions: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    mended: Mapping[str, str] = field(default_factory=dict)

    @property
    def reviewed(self) -> int:
        """How many rows somebody looked at."""
        return sum(self.verdicts.values())

    def to_json(self) -> dict[str, Json]:
        """Return what ``audit --json`` says of it."""
        return {
            "rows": self.rows,
            "reviewed": self.reviewed,
            **self.verdicts,
            "reviewers": dict(self.reviewers),
            "unknown": self.unknown,
            "md5": self.md5,
        }


def read_gate_of(links: Mapping[str, Link]) -> Gate | None:
    """Return the validation that the training opened; None where it is not found or is none."""
    link = links.get(VALIDATION)
    record = _read_object(link.file if link else None)
    if link is None or record is None or not isinstance(record.get("checks"), list):
        return None
    checks = tuple(
        Check(
            str(one.get("name", "")),
            str(one.get("meaning", "")),
            one.get("passed") is True,
            str(one.get("observed", "")),
        )
        for one in record["checks"]
        if isinstance(one, dict)
    )
    return Gate(record.get("passed") is True, checks, link.md5)


def read_review_of(links: Mapping[str, Link]) -> Review | None:
    """Return what reviewers decided; None where their report is not found or is none."""
    link = links.get(REVIEW.as_posix())
    record = _read_object(link.file if link else None)
    if link is None or record is None:
        return None
    try:
        return _read_review(record, link.md5)
    except (TypeError, ValueError):  # not one that the stage wrote
        return None


def _read_review(record: Mapping[str, Any], md5: str) -> Review:
    decisions = [one for one in record.get("decisions", []) if isinstance(one, dict)]
    return Review(
        rows=int(record.get("rows", 0)),
        verdicts={name: int(record.get(name, 0)) for name in ("accept", "fix", "reject")},
        reviewers=dict(Counter(str(one.get("reviewer", "")) for one in decisions).most_common()),
        unknown=len(record.get("unknown", [])),
        md5=md5,
        decisions={
            str(one.get("new_id") or one.get("row_id")): (
                str(one.get("verdict", "")),
                str(one.get("reviewer", "")),
                str(one.get("reason", "")),
            )
            for one in decisions
        },
        mended={
            str(one["new_id"]): str(one.get("row_id")) for one in decisions if one.get("new_id")
        },
    )


def read_signatures_of(subject: Subject, root: Path) -> tuple[Signature, ...]:
    """Return the whole signatures that are of this very model: weights, provenance, dataset, rows."""
    now = make_statement(subject.student, subject.folder)
    return tuple(
        one for one in list_signatures(root) if not one.fault and dict(one.statement) == now
    )


def describe_git(subject: Subject, history: History) -> dict[str, Json]:
    """Return the commits whose ``dvc.lock`` names the very folder: the one that is told of, and how many.

    ``first`` is the oldest of them. Empty where no commit does.
    """
    if not subject.recorded:
        return {"here": subject.here} if subject.here else {}
    shown = next(
        (one for one in subject.recorded if one.sha == subject.version.commit), subject.recorded[0]
    )
    refs = list_refs(history.root)
    return {
        "here": subject.here,
        **_describe_commit(shown),
        "refs": list(refs.get(shown.sha, ())),
        "commits": len(subject.recorded),
        "first": _describe_commit(subject.recorded[-1]),
    }


def _describe_commit(commit: Commit) -> dict[str, Json]:
    return {
        "commit": commit.sha,
        "time": datetime.fromtimestamp(commit.seconds, UTC).isoformat(),
        "subject": commit.subject,
    }


def describe_mlflow(subject: Subject, root: Path, registered: Registered | None) -> dict[str, Json]:
    """Return how MLflow knows the model: as it said itself, else as ``register`` wrote it down here.

    ``asked`` says which. Empty where neither tells of these very weights and this provenance.
    """
    if registered is not None:
        return {
            "asked": True,
            "uri": registered.uri,
            "run_id": registered.run_id,
            "model_name": registered.model_name,
            "version": registered.version,
            "aliases": list(registered.aliases),
            "commit": registered.commit,
            "tracking_uri": registered.tracking_uri,
        }
    path = root / _REPORTS / subject.student / "registration.json"
    record = _read_object(path if path.is_file() else None) or {}
    if record.get("weights_sha256") != subject.provenance.weights_sha256:
        return {}
    keys = ("uri", "run_id", "model_name", "version", "tracking_uri")
    return {"asked": False, **{key: record.get(key) for key in keys}}


def _read_object(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        value: object = json.loads(path.read_bytes())
    except (ValueError, OSError):
        return None
    return value if isinstance(value, dict) else None
