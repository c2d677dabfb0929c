"""A person's verdicts on rows: accepted, rejected, or with a better answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_jsonl
from stillhouse.base.ids import Json, content_id
from stillhouse.base.records import Message, Row

VERDICTS: Final = ("accept", "reject", "fix")
_KEYS: Final = ("row_id", "slot_id", "verdict", "response", "reviewer", "reason")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the review file; ``target`` is a row id (this text) or slot id (this place)."""

    target: str
    verdict: str
    response: str
    reviewer: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decided:
    """What a verdict did: ``row_id`` as it was, ``new_id`` where a fix gave the row another one."""

    row_id: str
    new_id: str
    slot_id: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The rows that go on, what was decided, and the targets that no row has any more."""

    rows: tuple[Row, ...]
    decided: tuple[Decided, ...]
    unknown: tuple[str, ...]


def read_verdicts(path: Path) -> list[Verdict]:
    """Return the verdicts of a JSONL file in order.

    Raises:
        InputError: a line without target, known verdict or reviewer, or a fix without response.
    """
    return [_parse_verdict(record, f"{path}:{number}") for number, record in read_jsonl(path)]


def apply_verdicts(rows: Iterable[Row], verdicts: Sequence[Verdict]) -> Reviewed:
    """Return the rows after review; no verdicts, no change.

    Of several verdicts on one target the last line holds; a verdict on the row goes before one on
    its slot. A fixed row has new content and so a new id, which is derived from the old one.
    """
    last = {verdict.target: verdict for verdict in verdicts}
    kept, decided, met = [], [], set[str]()
    for row in rows:
        met |= {row.row_id, row.slot_id}
        verdict = last.get(row.row_id) or last.get(row.slot_id)
        result = _apply(row, verdict) if verdict else row
        if verdict:
            new_id = result.row_id if result and result.row_id != row.row_id else ""
            decided.append(Decided(row.row_id, new_id, row.slot_id, verdict))
        if result:
            kept.append(result)
    unknown = tuple(sorted(set(last) - met))
    return Reviewed(tuple(kept), tuple(sorted(decided, key=lambda item: item.row_id)), unknown)


def report_review(reviewed: Reviewed) -> dict[str, Json]:
    """Return what ``reports/review.json`` holds: the counts, and who decided what and why."""
    counts = {
        name: sum(item.verdict.verdict == name for item in reviewed.decided) for name in VERDICTS
    }
    return {
        "rows": len(reviewed.rows),
        "reviewed": len(reviewed.decided),
        **counts,
        "unknown": list(reviewed.unknown),
        "decisions": [
            {
                "row_id": item.row_id,
                "new_id": item.new_id,
                "slot_id": item.slot_id,
                "verdict": item.verdict.verdict,
                "reviewer": item.verdict.reviewer,
                "reason": item.verdict.reason,
            }
            for item in reviewed.decided
        ],
    }


def _apply(row: Row, verdict: Verdict) -> Row | None:
    if verdict.verdict == "reject":
        return None
    if verdict.verdict == "accept":
        return row
    return replace(
        row,
        row_id=content_id("reviewed", {"row_id": row.row_id, "response": verdict.response}),
        completion=(Message("assistant", verdict.response),),
    )


def _parse_verdict(record: dict[str, object], place: str) -> Verdict:
    texts = {key: _read_text(record, key, place) for key in _KEYS}
    if not (target := texts["row_id"] or texts["slot_id"]):
        raise InputError(
            "neither `row_id` nor `slot_id` is given",
            where=place,
            remedy="name the row that was looked at",
        )
    if (verdict := texts["verdict"]) not in VERDICTS:
        raise InputError(
            f"`verdict` is {verdict!r}", where=place, expected="one of " + ", ".join(VERDICTS)
        )
    if not (reviewer := texts["reviewer"]):
        raise InputError("`reviewer` is missing", where=place, remedy="say who decided")
    response = texts["response"]
    if verdict == "fix" and not response.strip():
        raise InputError("a fix without `response`", where=place, remedy="add the better answer")
    return Verdict(target, verdict, response, reviewer, texts["reason"])


def _read_text(record: dict[str, object], key: str, place: str) -> str:
    value = record.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(f"`{key}` is not a text", where=place, expected='a text in "quotes"')
    return value
