"""A reviewer's desk: the rows of the sample that are still open, and verdicts into ``review.jsonl``."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.ids import Json
from stillhouse.base.questions import Question, row_question
from stillhouse.base.records import Chunk, Row
from stillhouse.quality.contamination import find_copied
from stillhouse.quality.review import (
    VERDICTS,
    WITHDRAW,
    Verdict,
    aim_at_rows,
    mend_row,
    read_verdicts,
)
from stillhouse.quality.sample import Sample
from stillhouse.reviewing.desk import REASONS, show_row
from stillhouse.reviewing.lines import append_line

_LONGEST: Final = 20_000  # characters of a fixed question or answer


@dataclass(frozen=True, slots=True)
class Wording:
    """The questions that measure students, and when a wording is a copy of one (``curate``)."""

    gold: Sequence[Question]
    run: int
    similarity: float

    def refuse_copy(self, question: str) -> None:
        """Raise an ``InputError`` where a question copies the wording of a measuring question."""
        for copied in find_copied([question], self.gold, self.run, self.similarity):
            if copied is not None:
                raise InputError(
                    f"this copies a question that measures students ({copied.detail})",
                    expected="other words, or the row rejected",
                )


@dataclass(frozen=True, slots=True)
class VerdictDesk:
    """What one reviewer sees and says. No verdict of another reviewer is ever shown."""

    path: Path
    reviewer: str
    sample: Sample
    chunks: Mapping[str, Chunk]
    wording: Wording

    def show(self) -> dict[str, Json]:
        """Return the rows of the sample that this reviewer decided or is still to decide."""
        verdicts = aim_at_rows(read_verdicts(self.path), self.sample.in_order())
        own = {one.target: one for one in verdicts if one.reviewer == self.reviewer}
        others = count_reviewers(verdicts, but=self.reviewer)
        rows = [
            {**show_row(row, self.chunks), "verdict": _show_verdict(own.get(row.row_id))}
            for row in self.sample.in_order()
            if row.row_id in own or others[row.row_id] < self.wanted(row.row_id)
        ]
        reasons = [{"code": code, "text": text} for code, text in REASONS.items()]
        return {"mode": "verdicts", "reviewer": self.reviewer, "rows": rows, "reasons": reasons}

    def wanted(self, row_id: str) -> int:
        """Return how many people are to look at a row of the sample."""
        return 2 if row_id in self.sample.doubled else 1

    def save(self, answer: Mapping[str, str]) -> dict[str, Json]:
        """Append a verdict; a verdict on the same row before it no longer holds.

        Raises:
            InputError: the row is not of the sample, the verdict is unknown, or a fix changes nothing,
                cannot stand in the row, or copies the wording of a gold question.
        """
        row = self._find_row(answer.get("row_id", ""))
        verdict = answer.get("verdict", "")
        if verdict not in VERDICTS:
            raise InputError(f"no verdict {verdict!r}", expected=f"one of {', '.join(VERDICTS)}")
        words = self._read_fix(row, answer) if verdict == "fix" else {}
        reason = answer.get("reason", "").strip()
        record = {"row_id": row.row_id, "verdict": verdict, "reviewer": self.reviewer}
        append_line(self.path, {**record, "reason": reason, **words})
        saved = Verdict(row.row_id, verdict, reviewer=self.reviewer, reason=reason, **_words(words))
        return {"row_id": row.row_id, "verdict": _show_verdict(saved)}

    def undo(self) -> dict[str, Json]:
        """Take back this reviewer's last verdict that holds; return the row and the verdict before it.

        Raises:
            InputError: there is none on a row of the sample.
        """
        known = {row.row_id for row in self.sample.in_order()}
        mine = [
            one
            for one in read_verdicts(self.path)
            if one.reviewer == self.reviewer and one.target in known
        ]
        if not mine:
            raise InputError("there is no verdict of yours to take back")
        target = mine[-1].target
        append_line(self.path, {"row_id": target, "verdict": WITHDRAW, "reviewer": self.reviewer})
        before = [one for one in mine[:-1] if one.target == target]
        return {"row_id": target, "verdict": _show_verdict(before[-1] if before else None)}

    def _find_row(self, row_id: str) -> Row:
        for row in self.sample.in_order():
            if row.row_id == row_id:
                return row
        raise InputError("this row is not in the sample", remedy="load the page again")

    def _read_fix(self, row: Row, answer: Mapping[str, str]) -> dict[str, str]:
        question, response = answer.get("question", "").strip(), answer.get("response", "").strip()
        if not question or not response:
            raise InputError("a fix needs a question and an answer")
        if max(len(question), len(response)) > _LONGEST:
            raise InputError(f"a fix is longer than {_LONGEST:,} characters")
        asked = row_question(row)
        words = {"response": response} if response != row.completion[-1].content.strip() else {}
        if question != asked:
            self.wording.refuse_copy(question)
            words["question"] = question
        if not words:
            raise InputError("nothing is changed", remedy="accept the row instead")
        mend_row(row, response, question)
        return words


def count_reviewers(verdicts: Sequence[Verdict], but: str = "") -> dict[str, int]:
    """Return how many people decided about each target, without one of them."""
    people: dict[str, set[str]] = defaultdict(set)
    for verdict in verdicts:
        if verdict.reviewer != but:
            people[verdict.target].add(verdict.reviewer)
    return defaultdict(int, {target: len(names) for target, names in people.items()})


def _words(words: Mapping[str, str]) -> dict[str, str]:
    return {"response": words.get("response", ""), "question": words.get("question", "")}


def _show_verdict(verdict: Verdict | None) -> dict[str, Json] | None:
    if verdict is None:
        return None
    return {
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "question": verdict.question,
        "response": verdict.response,
    }
