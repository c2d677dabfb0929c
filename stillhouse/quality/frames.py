"""The dataset as data frames, one question to a column, ready for the expectations."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields

import pandas as pd

from stillhouse.base.personal import find_card, find_email, find_iban, find_phone
from stillhouse.base.questions import Question, row_answer, row_question
from stillhouse.base.records import Row
from stillhouse.base.text import words
from stillhouse.quality.alarms import FEWEST
from stillhouse.quality.baseline import Moved
from stillhouse.quality.collapse import Figures
from stillhouse.quality.contamination import find_copied_in
from stillhouse.quality.coverage import Covered
from stillhouse.quality.drift import Drift
from stillhouse.quality.review_errors import ReviewErrors
from stillhouse.quality.split import DOCUMENT, FACT, name_question, name_questions
from stillhouse.quality.tables import Tables


def build_rows(
    tables: Tables, gold: Sequence[Question], run: int, similarity: float, closed: Collection[str]
) -> pd.DataFrame:
    """Return one line for each row of the dataset, with all that is asked about a row alone.

    ``closed`` are the ids of the documents that no row may come from.
    """
    train = {asked for row in tables.train for asked in name_questions(row)}
    facts = {row.fact_id for row in tables.test if row.holdout == FACT and row.fact_id}
    documents = {d for row in tables.test if row.holdout == DOCUMENT for d in row.document_ids}
    lines = [
        {
            **_describe(row, part),
            "asked_in_train": part != "train" and name_question(row) in train,
            "teaches_held_out_fact": part == "train" and row.fact_id in facts,
            "from_held_out_document": not documents.isdisjoint(row.document_ids)
            if part == "train"
            else False,
            "from_closed_document": any(document in closed for document in row.document_ids),
        }
        for part, rows in tables.parts().items()
        for row in rows
    ]
    frame = make_frame(lines, ["id", "question"])
    prompts = ((row.prompt, row.context) for rows in tables.parts().values() for row in rows)
    copies = find_copied_in(prompts, gold, run, similarity)
    return frame.assign(copied=[hit.detail if hit else "" for hit in copies])


def build_documents(tables: Tables) -> pd.DataFrame:
    """Return the rows of train for each document that a request was made from.

    A document that the split holds out whole is not expected there.
    """
    sources = {document.document_id: document.source for document in tables.documents}
    asked = _asked_documents(tables)
    held = {d for row in tables.test if row.holdout == DOCUMENT for d in row.document_ids}
    rows = Counter(document for row in tables.train for document in row.document_ids)
    lines = [
        {"id": sources.get(document, document), "rows": rows[document]}
        for document in sorted(asked - held)
    ]
    return make_frame(lines, ["id", "rows"])


def build_tasks(tables: Tables) -> pd.DataFrame:
    """Return the number of rows, all parts together, for each task that was requested."""
    rows = Counter(row.task for part in tables.parts().values() for row in part)
    tasks = sorted({request.task for request in tables.requests} | set(rows))
    return make_frame([{"id": task, "rows": rows[task]} for task in tasks], ["id", "rows"])


def build_thin(covered: Iterable[Covered], groups: Collection[str]) -> pd.DataFrame:
    """Return whether each name of some groups of the coverage has as many rows as its limit asks for."""
    lines = [
        {"id": f"{one.group} {one.name}: {one.rows} of {one.least}", "enough": not one.thin}
        for one in covered
        if one.group in groups
    ]
    return make_frame(lines, ["id", "enough"])


def build_figures(tables: Tables, opening_words: int) -> pd.DataFrame:
    """Return one line of figures: rows of each part; means and shares in [0, 1] of train."""
    taught = [row for row in tables.train if row.task != "replay"]
    answers = [len(words(row_answer(row))) for row in taught]
    openings = (" ".join(words(row_question(row))[:opening_words]) for row in taught)
    figures = {
        **{f"{part}_rows": len(rows) for part, rows in tables.parts().items()},
        "answer_words_mean": round(sum(answers) / max(1, len(answers)), 4),
        "abstain_share": _share(row.task == "abstain" for row in tables.train),
        "replay_share": _share(row.task == "replay" for row in tables.train),
        "opening_share": _largest_share(openings),
    }
    return make_frame([{"id": "dataset", **figures}], ["id"])


def build_review(review: ReviewErrors) -> pd.DataFrame:
    """Return one line that says whether the error rate is borne; none where no limit is set."""
    if review.limit is None:
        return make_frame([], ["id", "borne"])
    if review.rate is None or review.high is None:
        return make_frame([{"id": "no row was reviewed", "borne": False}], ["id", "borne"])
    told = f"error rate {review.rate:.3f}, up to {review.high:.3f}; allowed {review.limit:g}"
    return make_frame([{"id": told, "borne": review.high <= review.limit}], ["id", "borne"])


def build_measured(about: str, figures: Figures | Moved | Drift | None) -> pd.DataFrame:
    """Return one line with the figures that are numbers, or none where nothing was measured."""
    if figures is None:
        return make_frame([], ["id"])
    numbers = {
        f.name: value for f in fields(figures) if _is_number(value := getattr(figures, f.name))
    }
    return make_frame([{"id": about, **numbers}], ["id"])


def build_known(drift: Drift | None, fewest: int) -> pd.DataFrame:
    """Return one line that says whether training could be held against production prompts."""
    told = f"of {fewest} prompts and {FEWEST} rows that teach too few are there"
    return make_frame([{"id": told, "measured": drift is not None}], ["id", "measured"])


def make_frame(lines: Sequence[Mapping[str, object]], columns: list[str]) -> pd.DataFrame:
    """Return a frame that has its columns even where there is not one line."""
    return pd.DataFrame(list(lines), columns=None if lines else columns)


def _describe(row: Row, part: str) -> dict[str, object]:
    question, answer = row_question(row), row_answer(row)
    said = "\n".join([*(turn.content for turn in row.prompt), answer, row.reasoning])
    return {
        "id": row.row_id,
        "part": part,
        "task": row.task,
        "holdout": row.holdout,
        "held_out_says_why": bool(row.holdout) == (part != "train"),
        "roles": "-".join(turn.role for turn in (*row.prompt, *row.completion)),
        "question": question,
        "question_words": len(words(question)),
        "answer_words": len(words(answer)) if row.task != "replay" else 1,
        "email": find_email(said),
        "phone": find_phone(said),
        "card": find_card(said),
        "iban": find_iban(said),
    }


def _asked_documents(tables: Tables) -> set[str]:
    documents = {chunk.chunk_id: chunk.document_id for chunk in tables.chunks}
    return {
        documents[chunk_id]
        for request in tables.requests
        for chunk_id in request.chunk_ids
        if chunk_id in documents
    }


def _share(flags: Iterable[bool]) -> float:
    values = list(flags)
    return round(sum(values) / max(1, len(values)), 4)


def _largest_share(values: Iterable[str]) -> float:
    counts = Counter(values)
    return round(max(counts.values(), default=0) / max(1, counts.total()), 4)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
