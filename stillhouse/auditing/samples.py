# ruff: noqa: S608 - queries are put together of our own names; a path or value is always a parameter
"""Training rows to be read by people: a few of each document, with answer, passage and scores.

They are drawn by hash: the rows of a document with the smallest ids, which are hashes of content.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stillhouse.auditing.tally import TRAIN, Files, open_tables, read_parquet
from stillhouse.auditing.witnesses import Review
from stillhouse.base.questions import question_of
from stillhouse.base.records import Message
from stillhouse.tracing.tables import CHUNKS, DERIVED, JUDGEMENTS, REQUESTS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PER_DOCUMENT: Final = 20
_ROWS: Final = 3_000  # rows shown at most, over all documents
_LEAST: Final = 2  # rows of each document that is shown at all
_BYTES: Final = 2_500_000  # of questions, answers and passages: a page is less than 5 MB
_LONGEST: Final = 6_000  # characters of one text


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage as the teacher was shown it."""

    chunk_id: str
    source: str
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A training row. ``review`` is verdict, reviewer, reason, or empty."""

    row_id: str
    task: str
    question: str
    answer: str
    reasoning: str
    request_id: str
    teacher: str
    prompt: str
    chunk_ids: tuple[str, ...]
    scores: tuple[tuple[str, float], ...]
    review: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Samples:
    """Rows by document (of none: the empty id), each once, and the passages that they came of.

    ``per_document`` rows were drawn of each at most; ``cut`` documents have none shown, for lack of room.
    """

    by_document: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rows: Mapping[str, Sample] = field(default_factory=dict)
    passages: Mapping[str, Passage] = field(default_factory=dict)
    per_document: int = PER_DOCUMENT
    cut: int = 0


def draw_samples(files: Files, documents: Sequence[str], review: Review | None) -> Samples:
    """Return rows of the documents, in whose order room is given; nothing without the train table.

    Raises:
        InputError: a table is no whole Parquet file.
    """
    if TRAIN not in files:
        return Samples()
    most = max(_LEAST, min(PER_DOCUMENT, _ROWS // max(1, len(documents))))
    with open_tables() as database:
        drawn = dict(_draw(database, files[TRAIN], most))
        order = [name for name in (*documents, "") if name in drawn]
        kept = {name: tuple(sorted(drawn[name])) for name in order[: _ROWS // most + 1]}
        _lay_ids(database, "wanted", {row for rows in kept.values() for row in rows})
        found = _read_rows(database, files)
        passages = _read_passages(database, files)
        scores = _read_scores(database, files, review)
    rows = {
        row_id: _build(values, scores.get(row_id, ()), review) for row_id, values in found.items()
    }
    shown, room = {}, _BYTES
    seen: set[str] = set()
    for name, own in kept.items():
        room -= _measure(own, rows, passages, seen)
        if room < 0:
            break
        shown[name] = own
    used = {row for own in shown.values() for row in own}
    chunks = {chunk for row in used for chunk in rows[row].chunk_ids}
    return Samples(
        by_document=shown,
        rows={row: rows[row] for row in sorted(used)},
        passages={chunk: passages[chunk] for chunk in sorted(chunks & passages.keys())},
        per_document=most,
        cut=len(order) - len(shown),
    )


def _draw(database: "DuckDBPyConnection", train: Path, most: int) -> list[tuple[str, list[str]]]:
    source = read_parquet(database, train, "train")
    return database.execute(
        f"""
        with each as (
            select row_id, unnest(case when len(document_ids) = 0 then [''] else document_ids end)
                as document_id
            from {source}
        )
        select document_id, min(row_id, $most) from (select distinct * from each)
        group by document_id
        """,
        {"most": most},
    ).fetchall()


def _lay_ids(database: "DuckDBPyConnection", name: str, ids: set[str]) -> None:
    database.execute(f"create temp table {name} as select unnest($ids) as id", {"ids": sorted(ids)})


def _read_rows(database: "DuckDBPyConnection", files: Files) -> dict[str, dict[str, Any]]:
    source = read_parquet(database, files[TRAIN], "train")
    columns = "row_id, task, request_id, chunk_ids, prompt, completion, context, reasoning"
    rows = _ask(database, f"select {columns} from {source} semi join wanted on row_id = wanted.id")
    asked: dict[str, dict[str, Any]] = {}
    _lay_ids(database, "asked", {str(row["request_id"]) for row in rows})
    for table in (REQUESTS, DERIVED):
        if table in files:
            requests = read_parquet(database, files[table], table.stem)
            told = "select request_id, teacher, model, prompt_path, variation, persona from "
            found = _ask(database, f"{told} {requests} semi join asked on request_id = asked.id")
            asked |= {str(one["request_id"]): one for one in found}
    _lay_ids(database, "shown", {str(chunk) for row in rows for chunk in row["chunk_ids"]})
    return {str(row["row_id"]): {**row, **asked.get(str(row["request_id"]), {})} for row in rows}


def _read_passages(database: "DuckDBPyConnection", files: Files) -> dict[str, Passage]:
    if CHUNKS not in files:
        return {}
    source = read_parquet(database, files[CHUNKS], "chunks")
    asked = f"select chunk_id, source, anchor, text from {source} semi join shown on chunk_id = shown.id"
    return {
        str(one["chunk_id"]): Passage(**{**one, "text": _cut(one["text"])})
        for one in _ask(database, asked)
    }


def _read_scores(
    database: "DuckDBPyConnection", files: Files, review: Review | None
) -> dict[str, tuple[tuple[str, float], ...]]:
    """Return the scores of the pairs that became the rows; a mended row has those of its pair."""
    if JUDGEMENTS not in files:
        return {}
    before = dict(review.mended) if review else {}
    if before:
        pairs = [{"new": new, "old": old} for new, old in before.items()]
        for pair in pairs:
            database.execute(
                "insert into wanted select $old where $new in (select id from wanted)", pair
            )
    source = read_parquet(database, files[JUDGEMENTS], "judgements")
    found = _ask(
        database,
        f"""
        select pair_id, list((criterion, score) order by criterion) as scores
        from {source} semi join wanted on pair_id = wanted.id group by pair_id
        """,
    )
    scores = {str(one["pair_id"]): tuple(map(tuple, one["scores"])) for one in found}
    return {**scores, **{new: scores[old] for new, old in before.items() if old in scores}}


def _build(
    values: Mapping[str, Any], scores: tuple[tuple[str, float], ...], review: Review | None
) -> Sample:
    prompt = tuple(Message(**turn) for turn in values["prompt"])
    row_id = str(values["row_id"])
    teacher = f"{values['teacher']} ({values['model']})" if "teacher" in values else ""
    return Sample(
        row_id=row_id,
        task=values["task"],
        question=_cut(question_of(prompt, values["context"])),
        answer=_cut("\n".join(turn["content"] for turn in values["completion"])),
        reasoning=_cut(values["reasoning"]),
        request_id=values["request_id"],
        teacher=teacher,
        prompt=values.get("prompt_path", ""),
        chunk_ids=tuple(values["chunk_ids"]),
        scores=scores,
        review=review.decisions.get(row_id, ()) if review else (),
    )


def _measure(
    own: Sequence[str],
    rows: Mapping[str, Sample],
    passages: Mapping[str, Passage],
    seen: set[str],
) -> int:
    """Return how many bytes of the page rows and their passages add to those that were seen before."""
    added = 0
    for row_id in own:
        if row_id in seen:
            continue
        seen.add(row_id)
        row = rows[row_id]
        added += sum(map(_weigh, (row.question, row.answer, row.reasoning, *row.review))) + 500
        for chunk in set(row.chunk_ids) - seen:
            seen.add(chunk)
            added += _weigh(passages[chunk].text) + 300 if chunk in passages else 0
    return added


def _weigh(text: str) -> int:
    """Return the bytes of a text in the page, where what is not ASCII or could be markup takes six."""
    return len(json.dumps(text)) + 5 * sum(text.count(sign) for sign in "<>&'")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def _ask(database: "DuckDBPyConnection", asked: str) -> list[dict[str, Any]]:
    result = database.execute(asked)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
