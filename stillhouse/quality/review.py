"""A person's verdicts on rows: accepted, rejected, or with better words.

The file only grows: a verdict is taken back by a further line, so that two branches that both reviewed
merge by keeping the lines of both (``merge=union`` in ``.gitattributes``).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_jsonl
from stillhouse.base.fixes import name_fix
from stillhouse.base.ids import Json
from stillhouse.base.params import Params
from stillhouse.base.questions import ask_instead, question_of, row_answer, row_question
from stillhouse.base.records import Message, Row, list_ancestors
from stillhouse.quality.sample import SampleParams

VERDICTS: Final = ("accept", "reject", "fix")
WITHDRAW: Final = "withdraw"
FILE: Final = Path("data/seed/review.jsonl")
_KEYS: Final = ("row_id", "slot_id", "verdict", "response", "reviewer", "reason", "question")
_SEVERITY: Final = {"accept": 0, "fix": 1, "reject": 2}

Combine = Literal["last", "strictest"]


class ReviewParams(Params):
    """Which rows people are asked about, what several verdicts come to, and what the gate bears.

    ``max_error_rate`` is the share of rows that reviewers may reject or mend, or None for any.
    """

    sample: SampleParams = SampleParams()
    combine: Combine = "last"
    max_error_rate: float | None = Field(default=None, ge=0, le=1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the review file; ``target`` is a row id (this text) or slot id (this place).

    ``response`` and ``question`` are the better words of a fix; an empty one changes nothing.
    """

    target: str
    verdict: str
    response: str
    reviewer: str
    reason: str
    question: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a verdict did: ``row_id`` as it was, ``new_id`` where a fix gave the row another one."""

    row_id: str
    new_id: str
    slot_id: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The rows that go on, what was decided, and the targets that no row has any more.

    ``orphans`` are ids of rows that go on although what they were developed from was rejected: they were
    judged for themselves, and whoever rejected the one may want to look at the other.
    """

    rows: tuple[Row, ...]
    decided: tuple[Decided, ...]
    unknown: tuple[str, ...]
    orphans: tuple[str, ...] = ()


def read_verdicts(path: Path) -> list[Verdict]:
    """Return the verdicts of a JSONL file that hold, in order: without what was taken back.

    A line ``"verdict": "withdraw"`` takes back its reviewer's last verdict on that row.

    Raises:
        InputError: a line without target, known verdict or reviewer, a fix without better words, or
            a withdrawal of nothing.
    """
    held: dict[int, Verdict] = {}
    given: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, record in read_jsonl(path):
        verdict = _parse_verdict(record, f"{path}:{number}")
        mine = given[verdict.target, verdict.reviewer]
        if verdict.verdict != WITHDRAW:
            held[number] = verdict
            mine.append(number)
        elif mine:
            del held[mine.pop()]
        else:
            raise InputError(
                f"{verdict.reviewer} takes back a verdict that no line above gives",
                where=f"{path}:{number}",
                remedy="take the line out",
            )
    return list(held.values())


def settle_verdicts(verdicts: Iterable[Verdict], combine: Combine = "last") -> dict[str, Verdict]:
    """Return the one verdict that decides about each target.

    Of one reviewer the last holds. Of several reviewers the last as well (``last``), or a rejection
    before a fix before an acceptance, and of two equal ones the later (``strictest``).
    """
    own: dict[tuple[str, str], Verdict] = {}
    for verdict in verdicts:
        own.pop((verdict.target, verdict.reviewer), None)  # so that it moves to the end
        own[verdict.target, verdict.reviewer] = verdict
    settled: dict[str, Verdict] = {}
    for verdict in own.values():
        before = settled.get(verdict.target)
        if before is None or combine == "last" or _severity(verdict) >= _severity(before):
            settled[verdict.target] = verdict
    return settled


def aim_at_rows(verdicts: Iterable[Verdict], rows: Iterable[Row]) -> list[Verdict]:
    """Return the verdicts in order, each on a place (``slot_id``) as one on the row that stands there.

    So that what one person said of a row's text and of its place is one verdict, the later one, and
    what two said of them is about one row. Targets of no row stay as they are.
    """
    placed: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        placed[row.slot_id].append(row.row_id)
    return [
        replace(verdict, target=row_id)
        for verdict in verdicts
        for row_id in placed.get(verdict.target, [verdict.target])
    ]


def apply_verdicts(
    rows: Iterable[Row], verdicts: Sequence[Verdict], combine: Combine = "last"
) -> Reviewed:
    """Return the rows after review; no verdicts, no change.

    A fixed row has new content and so a new id, which is derived from the old one.

    Raises:
        InputError: a fix asks a question of several lines beside a passage.
    """
    rows = list(rows)
    settled = settle_verdicts(aim_at_rows(verdicts, rows), combine)
    kept, decided = [], []
    for row in rows:
        verdict = settled.get(row.row_id)
        result = _apply(row, verdict) if verdict else row
        if verdict:
            new_id = result.row_id if result and result.row_id != row.row_id else ""
            decided.append(Decided(row.row_id, new_id, row.slot_id, verdict))
        if result:
            kept.append(result)
    unknown = tuple(sorted(set(settled) - {row.row_id for row in rows}))
    gone = {item.slot_id for item in decided if item.verdict.verdict == "reject"}
    orphans = (row.row_id for row in kept if not gone.isdisjoint(list_ancestors(row.slot_id)))
    decided.sort(key=lambda item: item.row_id)
    return Reviewed(tuple(kept), tuple(decided), unknown, tuple(sorted(orphans)))


def report_review(reviewed: Reviewed) -> dict[str, Json]:
    """Return what ``reports/review.json`` holds of decisions: the counts, who decided what and why."""
    counts = {
        name: sum(item.verdict.verdict == name for item in reviewed.decided) for name in VERDICTS
    }
    return {
        "rows": len(reviewed.rows),
        "reviewed": len(reviewed.decided),
        **counts,
        "unknown": list(reviewed.unknown),
        "developed_from_rejected": list(reviewed.orphans),
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


def mend_row(row: Row, response: str, question: str) -> Row:
    """Return a row with a reviewer's words; empty ones, and those that it says already, change nothing.

    Raises:
        InputError: the question cannot stand in the row's prompt.
    """
    answer = response if response.strip() else row_answer(row)
    other = question if question != row_question(row) else ""
    try:
        prompt = ask_instead(row.prompt, row.context, other) if other else row.prompt
    except ValueError as exc:
        raise InputError(
            "a fixed question has several lines beside a passage, or no turn to stand in",
            where=f"row {row.row_id}",
            expected="a question in one line",
        ) from exc
    asked = question_of(prompt, row.context) if other else ""
    return replace(
        row,
        row_id=name_fix(row.row_id, answer, asked),
        prompt=prompt,
        completion=(Message("assistant", answer),),
    )


def _severity(verdict: Verdict) -> int:
    return _SEVERITY[verdict.verdict]


def _apply(row: Row, verdict: Verdict) -> Row | None:
    if verdict.verdict == "reject":
        return None
    if verdict.verdict == "accept":
        return row
    return mend_row(row, verdict.response, verdict.question)


def _parse_verdict(record: dict[str, object], place: str) -> Verdict:
    texts = {key: _read_text(record, key, place) for key in _KEYS}
    if not (target := texts["row_id"] or texts["slot_id"]):
        raise InputError(
            "neither `row_id` nor `slot_id` is given",
            where=place,
            remedy="name the row that was looked at",
        )
    if (verdict := texts["verdict"]) not in (*VERDICTS, WITHDRAW):
        known = ", ".join((*VERDICTS, WITHDRAW))
        raise InputError(f"`verdict` is {verdict!r}", where=place, expected=f"one of {known}")
    if not (reviewer := texts["reviewer"]):
        raise InputError("`reviewer` is missing", where=place, remedy="say who decided")
    response, question = texts["response"], texts["question"]
    if verdict == "fix" and not (response.strip() or question.strip()):
        raise InputError(
            "a fix without `response` or `question`", where=place, remedy="add the better words"
        )
    return Verdict(target, verdict, response, reviewer, texts["reason"], question.strip())


def _read_text(record: dict[str, object], key: str, place: str) -> str:
    value = record.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(f"`{key}` is not a text", where=place, expected='a text in "quotes"')
    return value
