"""A desk where held-out rows become gold questions: in other words than any row, with accepted answers.

Only rows that the split keeps out of training are offered: held-out wordings of facts that are taught,
questions that are declined, and rows of documents that are held out whole. A fact that is taught nowhere
is none: nobody could know it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_jsonl
from stillhouse.base.ids import Json
from stillhouse.base.questions import GOLD_KINDS, Question, row_answer, row_question
from stillhouse.base.records import Chunk, Row
from stillhouse.base.text import normalise, words
from stillhouse.evaluation.exam import answer_parts
from stillhouse.prompts.focus import Focus, FocusFact
from stillhouse.quality.contamination import find_copied
from stillhouse.quality.sample import SampleParams, draw_sample
from stillhouse.reviewing.desk import is_alone, show_row
from stillhouse.reviewing.lines import append_line, change_lines

# Task of a row -> kind of the question that it becomes.
KINDS: Final[Mapping[str, str]] = {
    "recall": "recall",
    "simplified": "recall",
    "edge_cases": "recall",
    "multi_step": "multi_step",
    "exceptions": "exception",
    "abstain": "unanswerable",
}
_HELD_OUT: Final = ("phrasing", "question", "document")
_UNANSWERABLE: Final = "unanswerable"


@dataclass(frozen=True, slots=True)
class Corpus:
    """What gold questions are made and checked with.

    ``asked`` are the questions of all rows that curation let through; ``measuring`` all questions that
    measure students already; ``common`` the words of the corpus that name nobody.
    """

    chunks: Mapping[str, Chunk]
    focus: Focus
    asked: Sequence[str]
    measuring: Sequence[Question]
    common: frozenset[str]
    run: int
    similarity: float


@dataclass(frozen=True, slots=True)
class GoldDesk:
    """The rows that may become gold questions, in the file ``path``.

    ``saves`` are the rows saved since the desk was opened, each with what stood in its place before.
    """

    path: Path
    rows: Mapping[str, Row]
    corpus: Corpus
    saves: list[tuple[str, Mapping[str, object] | None]] = field(default_factory=list)

    def show(self) -> dict[str, Json]:
        """Return the rows with what is proposed for each, and what was saved of it."""
        saved = {str(one["row_id"]): one for one in self._lines() if one.get("row_id")}
        return {
            "mode": "gold",
            "file": str(self.path),
            "kinds": list(GOLD_KINDS),
            "reasons": [],
            "rows": [
                {
                    **show_row(row, self.corpus.chunks),
                    **propose(row, self.corpus),
                    "verdict": _show_saved(saved.get(row.row_id)),
                }
                for row in self.rows.values()
            ],
        }

    def save(self, answer: Mapping[str, str]) -> dict[str, Json]:
        """Write a row's gold question, in place of an earlier one of the same row.

        Raises:
            InputError: the row is not offered, something is missing, or the wording is that of a row or
                of another measuring question.
        """
        row = self.rows.get(answer.get("row_id", ""))
        if row is None:
            raise InputError("this row is not held out", remedy="load the page again")
        record = self._make_record(row, answer)
        self._refuse_copy(str(record["question"]), str(record["id"]))
        before = next((one for one in self._lines() if one.get("row_id") == row.row_id), None)
        if before:
            self._rewrite(row.row_id, record)
        else:
            append_line(self.path, record)
        self.saves.append((row.row_id, before))
        return {"row_id": row.row_id, "verdict": _show_saved(record)}

    def undo(self) -> dict[str, Json]:
        """Take back what was saved last; return its row, with the question that stands there again.

        Where nothing was saved since the desk was opened, the file's last question of an offered row goes.
        """
        if self.saves:
            row_id, before = self.saves.pop()
            self._rewrite(row_id, before)
            return {"row_id": row_id, "verdict": _show_saved(before)}
        made = [str(one["row_id"]) for one in self._lines() if one.get("row_id") in self.rows]
        if not made:
            raise InputError("there is no question to take back")
        self._rewrite(made[-1], None)
        return {"row_id": made[-1], "verdict": None}

    def _lines(self) -> list[dict[str, object]]:
        return [record for _, record in read_jsonl(self.path)] if self.path.exists() else []

    def _make_record(self, row: Row, answer: Mapping[str, str]) -> dict[str, Json]:
        question = " ".join(answer.get("question", "").split())
        kind, fact = answer.get("kind", ""), answer.get("fact", "")
        answers = [line.strip() for line in answer.get("answers", "").split("\n") if line.strip()]
        if not question:
            raise InputError("the question is empty", expected="the row's question in other words")
        if kind not in GOLD_KINDS:
            raise InputError(f"no kind {kind!r}", expected=f"one of {', '.join(GOLD_KINDS)}")
        if bool(answers) == (kind == _UNANSWERABLE):
            what = "has no accepted answer" if answers else "needs an accepted answer"
            raise InputError(f"a question of the kind {kind} {what}")
        if fact and fact not in {one.id for one in _facts(row, self.corpus)}:
            raise InputError(f"no fact {fact!r} of the row's documents stands in focus.yaml")
        return {
            "id": f"review-{row.row_id[:12]}",
            "question": question,
            "answers": answers,
            "kind": kind,
            "scope": find_scope(row, self.corpus),
            "fact": fact,
            "sources": _sources(row, self.corpus),
            "row_id": row.row_id,
        }

    def _refuse_copy(self, question: str, own: str) -> None:
        """Refuse a wording for which curation would drop a row, or that is asked already."""
        corpus = self.corpus
        mine = [Question("it", question, (), "recall", "core", "", ())]
        copies = find_copied(corpus.asked, mine, corpus.run, corpus.similarity)
        for asked, copied in zip(corpus.asked, copies, strict=True):
            if copied is not None:
                raise InputError(
                    f"a row is worded like that: “{asked}” ({copied.detail})",
                    expected="the same question in other words",
                )
        saved = [
            Question(str(one["id"]), str(one["question"]), (), "recall", "core", "", ())
            for one in self._lines()
        ]
        elsewhere = [one for one in corpus.measuring if not one.place.startswith(f"{self.path}:")]
        others = [*elsewhere, *(one for one in saved if one.id != own)]
        for copied in find_copied([question], others, corpus.run, corpus.similarity):
            if copied is not None:
                raise InputError(f"the question {copied.gold_id} asks that in the same words")

    def _rewrite(self, row_id: str, record: Mapping[str, object] | None) -> None:
        """Put a record in the place of a row's last line, or take that line out."""
        new = [json.dumps(record, ensure_ascii=False)] if record else []

        def change(lines: list[str]) -> list[str]:
            mine = [i for i, line in enumerate(lines) if line.strip() and _row_of(line) == row_id]
            if not mine:  # somebody took it out meanwhile
                return [*(line for line in lines if line.strip()), *new, ""]
            return [*lines[: mine[-1]], *new, *lines[mine[-1] + 1 :]]

        change_lines(self.path, change)


def list_candidates(
    test: Iterable[Row], refused: frozenset[str], taken: frozenset[str] = frozenset()
) -> dict[str, Row]:
    """Return the rows of the test set that may become gold questions, by id: one for each fact.

    Args:
        test: the held-out rows.
        refused: ids and slots of rows that reviewers rejected.
        taken: ids of rows that are questions of the other file already (gold, or dev gold): of their facts
            no row is offered, for a sealed question in the words of an open one is sealed no more.
    """
    test = list(test)
    used = {row.fact_id for row in test if row.row_id in taken and row.fact_id}
    fit = [
        row
        for row in test
        if row.task in KINDS
        and row.holdout in _HELD_OUT
        and is_alone(row)
        and refused.isdisjoint((row.row_id, row.slot_id))
        and row.row_id not in taken
        and row.fact_id not in used
    ]
    params = SampleParams(rows=len(fit), by="document", least=0, skip=())
    by_fact: dict[str, Row] = {}
    for row in draw_sample(fit, params).in_order():
        by_fact.setdefault(row.fact_id or row.row_id, row)
    return {row.row_id: row for row in by_fact.values()}


def propose(row: Row, corpus: Corpus) -> dict[str, Json]:
    """Return what the form begins with: kind, accepted answers, the documents' facts and the likeliest."""
    kind, facts = KINDS[row.task], _facts(row, corpus)
    return {
        "kind": kind,
        "answers": [] if kind == _UNANSWERABLE else _shorten(row, corpus),
        "facts": [{"id": one.id, "fact": one.fact} for one in facts],
        "fact": _guess_fact(row, facts),
    }


def find_scope(row: Row, corpus: Corpus) -> str:
    """Return the scope of a row's documents: ``held_out`` where the split keeps them out whole."""
    if row.holdout == "document":
        return "held_out"
    if corpus.focus.core is None:
        return "core"
    core = {document.source for document in corpus.focus.core}
    sources = _sources(row, corpus)
    return "core" if sources and core.issuperset(sources) else "other"


def _sources(row: Row, corpus: Corpus) -> list[str]:
    chunks = (corpus.chunks[one] for one in row.chunk_ids if one in corpus.chunks)
    return list(dict.fromkeys(chunk.source for chunk in chunks))


def _facts(row: Row, corpus: Corpus) -> list[FocusFact]:
    documents = (*(corpus.focus.core or ()), *(corpus.focus.held_out or ()))
    sources = _sources(row, corpus)
    return [fact for one in documents if one.source in sources for fact in one.facts]


def _shorten(row: Row, corpus: Corpus) -> list[str]:
    """Return the one value that the answer is about, where there is one; else the answer."""
    parts = answer_parts(row_question(row), row_answer(row), corpus.common)
    return [parts[0] if len(parts) == 1 else row_answer(row).strip().removesuffix(".")]


def _guess_fact(row: Row, facts: Sequence[FocusFact]) -> str:
    """Return the fact whose answer the row's answer holds and whose words are most like the row's."""
    answer = normalise(row_answer(row))
    said = set(words(f"{row_question(row)} {answer}"))
    fit = [fact for fact in facts if normalise(fact.answer) in answer]
    best = max(fit, key=lambda fact: (len(said & set(words(fact.fact))), fact.id), default=None)
    return best.id if best else ""


def _row_of(line: str) -> object:
    value = json.loads(line)
    return value.get("row_id") if isinstance(value, dict) else None


def _show_saved(record: Mapping[str, object] | None) -> dict[str, Json] | None:
    if record is None:
        return None
    answers = record["answers"]
    return {
        "verdict": "gold",
        "reason": str(record["question"]),
        "question": str(record["question"]),
        "answers": [str(one) for one in answers] if isinstance(answers, list) else [],
        "kind": str(record["kind"]),
        "fact": str(record["fact"]),
    }
