"""What is asked: gold, general, test and validation rows as items of their sets. Depends on no model."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydantic import Field

from stillhouse.base.errors import InputError, suggest
from stillhouse.base.ids import content_id
from stillhouse.base.params import Params
from stillhouse.base.questions import Question, ask_with_passage, row_answer, row_question
from stillhouse.base.records import Chunk, Row
from stillhouse.evaluation.matching import declines
from stillhouse.evaluation.notation import STOPWORDS
from stillhouse.evaluation.passages import find_passage
from stillhouse.evaluation.records import UNANSWERABLE, Item
from stillhouse.evaluation.values import canonical_tokens, common_words, find_values, prepare
from stillhouse.execution.tables import Table
from stillhouse.execution.tasks import VERIFIED

REPLAY: Final = "replay"
ABSTAIN: Final = "abstain"
VALIDATION: Final = "validation"
DEV: Final = "dev"
_SHOWN: Final = "_open"  # ends the kind of a test row that shows its passage: nothing need be known
_VERDICT: Final = re.compile(r"(yes|no)(?:\s*[,:;.!–—]|\s+-\s|$)", re.IGNORECASE)
_FEW_WORDS: Final = 4  # an answer of more new words, and no value, is judged by token F1 ...
_MIN_F1: Final = 0.6  # ... of at least this much


class ExamParams(Params):
    """How many of the held-out rows are asked, and which: a sample by hash, equal for every model."""

    test_rows: int = Field(default=200, ge=0)
    validation_rows: int = Field(default=0, ge=0)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Material:
    """What an exam is made from: the questions, the dataset, and the corpus and tables behind both."""

    gold: Sequence[Question]
    general: Sequence[Question]
    train: Sequence[Row]
    test: Sequence[Row]
    chunks: Sequence[Chunk]
    validation: Sequence[Row] = ()
    dev: Sequence[Question] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True, slots=True)
class Exam:
    """The items of each set; ``common`` are words of the corpus that are no names.

    ``validation`` and ``dev`` are what a next version may be steered by (``plan --focus``): of the
    student alone, and no part of any claim about it. The other sets are sealed.
    """

    material: Material
    gold: tuple[Item, ...]
    gold_open: tuple[Item, ...]
    test: tuple[Item, ...]
    general: tuple[Item, ...]
    common: frozenset[str]
    validation: tuple[Item, ...] = ()
    dev: tuple[Item, ...] = ()

    @property
    def items(self) -> tuple[Item, ...]:
        """All items of the sealed sets, set after set."""
        return self.gold + self.gold_open + self.test + self.general


def build_exam(material: Material, params: ExamParams) -> Exam:
    """Return the items of all sets.

    Gold on held-out documents is asked with its passage (``gold_open``): no student can know it
    otherwise. All other gold is asked closed book.

    Raises:
        InputError: a gold question names a document that the corpus lacks, or one on a held-out
            document names none.
    """
    chunks = material.chunks
    _check_sources([*material.gold, *material.dev], {chunk.source for chunk in chunks})
    common = common_words(_document_texts(chunks))
    sources = map_sources(chunks)
    closed = [question for question in material.gold if question.scope != "held_out"]
    held_out = [question for question in material.gold if question.scope == "held_out"]
    open_items = (_show_passage(_gold_item("gold_open", item), item, chunks) for item in held_out)
    rows = [row for row in material.test if row.task != REPLAY]
    return Exam(
        material=material,
        gold=tuple(_gold_item("gold", item) for item in closed),
        gold_open=tuple(item for item in open_items if item is not None),
        test=tuple(
            _test_item(row, sources, common) for row in draw(rows, params.test_rows, params.seed)
        ),
        general=tuple(_gold_item("general", item) for item in material.general),
        common=common,
        validation=_ask_validation(material.validation, sources, common, params),
        dev=tuple(item for one in material.dev if (item := _dev_item(one, chunks)) is not None),
    )


def _ask_validation(
    rows: Iterable[Row], sources: Mapping[str, str], common: frozenset[str], params: ExamParams
) -> tuple[Item, ...]:
    asked = draw([row for row in rows if row.task != REPLAY], params.validation_rows, params.seed)
    return tuple(replace(_test_item(row, sources, common), set=VALIDATION) for row in asked)


def _dev_item(question: Question, chunks: Sequence[Chunk]) -> Item | None:
    """Return a question of dev gold, asked as gold of its scope is."""
    item = _gold_item(DEV, question)
    return _show_passage(item, question, chunks) if question.scope == "held_out" else item


def draw(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """Return ``count`` rows by the hash of their ids: the same ones whatever else is there."""
    return sorted(rows, key=lambda row: content_id("draw", [seed, row.row_id]))[:count]


def map_sources(chunks: Iterable[Chunk]) -> dict[str, str]:
    """Return the path of each chunk's document, by chunk id."""
    return {chunk.chunk_id: chunk.source for chunk in chunks}


def row_sources(row: Row, sources: Mapping[str, str]) -> list[str]:
    """Return the documents of a row, by path; ``sources`` maps chunk ids to paths."""
    return [sources[chunk_id] for chunk_id in row.chunk_ids if chunk_id in sources]


def _check_sources(gold: Iterable[Question], known: set[str]) -> None:
    """Refuse a question that would be left out, or counted as never taught, for a misspelt name."""
    for question in gold:
        if question.scope == "held_out" and question.answers and not question.sources:
            raise InputError(
                "a question on a held-out document is asked with its passage, but names no document",
                where=question.place or question.id,
                remedy="name it in `sources`",
            )
        for source in question.sources:
            if source not in known:
                raise InputError(
                    f"the corpus has no document {source!r}",
                    where=question.place or question.id,
                    remedy=_suggest_source(source, known)
                    or "data/corpus/documents.parquet lists them, skipped.parquet beside it what was "
                    "left out and why; correct `sources` or take the line out",
                )


def _suggest_source(source: str, known: Iterable[str]) -> str | None:
    names = sorted(known)
    same = next((name for name in names if name.casefold() == source.casefold()), None)
    return f"did you mean `{same}`?" if same else suggest(source, names)


def _show_passage(item: Item, question: Question, chunks: Sequence[Chunk]) -> Item | None:
    passage = find_passage(question, chunks)
    return replace(item, prompt=ask_with_passage(passage, item.question)) if passage else None


def _gold_item(set_name: str, question: Question) -> Item:
    return Item(
        set=set_name,
        question_id=question.id,
        kind=question.kind,
        scope=question.scope,
        task="",
        document=question.sources[0] if question.sources else "",
        cluster=question.fact or question.id,
        question=question.question,
        prompt=question.question,
        accepted=question.answers,
        answerable=question.kind != UNANSWERABLE,
    )


def _test_item(row: Row, sources: Mapping[str, str], common: frozenset[str]) -> Item:
    question, answer = row_question(row), row_answer(row)
    documents = row_sources(row, sources)
    # A query or an object has no parts: it is decided by what it comes to (``executing.settle``).
    parts = () if row.task in VERIFIED else answer_parts(question, answer, common)
    return Item(
        set="test",
        question_id=row.row_id,
        kind=f"{row.holdout}{_SHOWN}" if row.context else row.holdout,
        scope="",
        task=row.task,
        document=documents[0] if documents else "",
        cluster=row.fact_id or row.row_id,
        question=question,
        prompt=row.prompt[-1].content,
        accepted=(answer,),
        parts=parts,
        min_f1=0.0 if any(_VERDICT.match(part) is None for part in parts) else _MIN_F1,
        answerable=row.task != ABSTAIN and not declines(question, answer, common),
    )


def answer_parts(question: str, answer: str, common: frozenset[str]) -> tuple[str, ...]:
    """Return what of an answer sentence a reply must hold: its values, else its few new words.

    The verdict of an answer such as "No: it is £38 at most." is a part, too. What the question says
    already is none. None at all, but for a verdict, are returned where an answer has many
    new words and no value (a definition): there the wording as a whole is compared.
    """
    text = prepare(answer)
    asked = prepare(question)
    known = {value.key for value in find_values(asked)}
    words = {token.text for token in canonical_tokens(asked)}
    values = {
        value.key: text[value.start : value.end]
        for value in find_values(text, common)
        if value.key not in known and not words.issuperset(value.tokens)
    }
    said = _VERDICT.match(text)
    verdict = (said.group(1),) if said else ()
    if values:
        return verdict + tuple(values.values())
    tokens = [token.text for token in canonical_tokens(text)]
    new = tuple(dict.fromkeys(word for word in tokens if word not in words | STOPWORDS))
    return verdict + (new if len(new) <= _FEW_WORDS else ())


def _document_texts(chunks: Iterable[Chunk]) -> list[str]:
    texts: dict[str, list[str]] = {}
    for chunk in chunks:
        texts.setdefault(chunk.source, []).append(chunk.text)
    return ["\n".join(parts) for parts in texts.values()]
