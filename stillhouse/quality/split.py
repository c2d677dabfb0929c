"""Rows into train, validation and test, so that the test set measures what it says it measures.

Every choice is a hash of ids and the seed: a row that is added or dropped moves no row of another
fact, document or question.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from pydantic import Field

from stillhouse.base.ids import content_id
from stillhouse.base.params import Params
from stillhouse.base.questions import list_questions, question_of
from stillhouse.base.records import Row, list_ancestors, split_slot
from stillhouse.base.text import normalise
from stillhouse.execution.tasks import VERIFIED
from stillhouse.quality.tellers import find_taught_elsewhere, find_tellers

RECALL: Final = "recall"
QUESTION_TASKS: Final = ("abstain", "replay")  # rows about no fact: each question stands for itself

# Why a row is not trained on.
FACT: Final = "fact"
PHRASING: Final = "phrasing"
DOCUMENT: Final = "document"
QUESTION: Final = "question"
HOLDOUTS: Final = (PHRASING, FACT, DOCUMENT, QUESTION)

_HEX_DIGITS: Final = 13  # 52 bits, exact in a float


class SplitParams(Params):
    """What the test set holds out, and how much of it. Shares are fractions in [0, 1]."""

    by: Literal["phrasing", "fact", "document"] = "phrasing"
    seed: int = 0
    phrasings_held_out: int = Field(default=1, ge=0)
    phrasings_needed: int = Field(default=3, ge=2)
    holdout_facts: float = Field(default=0.15, ge=0, le=1)
    facts_from: Literal["other", "all"] = "other"
    holdout_documents: float = Field(default=0.15, ge=0, le=1)
    validation_facts: float = Field(default=0.3, ge=0, le=1)
    test_questions: float = Field(default=0.05, ge=0, le=1)
    validation_questions: float = Field(default=0.05, ge=0, le=1)


@dataclass(frozen=True, slots=True)
class Split:
    """The three parts; a row outside ``train`` says in ``holdout`` why it is there."""

    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    test: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row goes and why."""

    part: Literal["validation", "test"]
    holdout: str


Places = dict[str, Place]


def split_rows(rows: Sequence[Row], core: Collection[str], params: SplitParams) -> Split:
    """Return the rows in their parts. ``core`` are the document ids of the focus core.

    ``by: phrasing`` holds out wordings of taught facts and, as a control that nothing but teaching
    can pass, whole facts of the other documents; ``fact`` only facts, ``document`` only documents.
    No fact and no question of a held-out row is left in train, nor what was developed from such a row.
    """
    places: Places = {}
    if params.by == DOCUMENT:
        places |= _hold_out_documents(rows, params)
    else:
        places |= _hold_out_facts(rows, core, params)
    places |= _hold_out_phrasings([row for row in rows if row.row_id not in places], params)
    places |= _hold_out_questions(rows, params)
    # What follows a row may ask what others ask, or have been developed further itself.
    while more := _follow_questions(rows, places) or _follow_parents(rows, places):
        places |= more
    return Split(
        train=tuple(row for row in rows if row.row_id not in places),
        validation=tuple(_placed(rows, places, "validation")),
        test=tuple(_placed(rows, places, "test")),
    )


def _hold_out_documents(rows: Iterable[Row], params: SplitParams) -> Places:
    """Hold out every row that touches a chosen document, its passage rows too."""
    return {
        row.row_id: Place("test", DOCUMENT)
        for row in rows
        if any(
            _draw(params.seed, DOCUMENT, document) < params.holdout_documents
            for document in row.document_ids
        )
    }


def _hold_out_facts(rows: Sequence[Row], core: Collection[str], params: SplitParams) -> Places:
    """Hold out all rows of the chosen facts in every task, and the rows that give them away.

    A fact that another place of the documents teaches as well is no control and is not chosen.
    """
    chosen = {
        fact_id
        for fact_id, group in _group_by_fact(rows).items()
        if (params.facts_from == "all" or not _touches(group, core))
        and _draw(params.seed, FACT, fact_id) < params.holdout_facts
    }
    chosen -= find_taught_elsewhere(rows, chosen)
    tellers = find_tellers(rows, chosen)
    facts = chosen | {row.fact_id for row in tellers if row.fact_id}
    held = {row.row_id for row in tellers} | {row.row_id for row in rows if row.fact_id in facts}
    return {row_id: Place("test", FACT) for row_id in held}


def _hold_out_phrasings(rows: Iterable[Row], params: SplitParams) -> Places:
    """Hold out wordings of facts that are taught in at least ``phrasings_needed`` of them.

    At least one wording of each fact stays in train.
    """
    held_out = params.phrasings_held_out if params.by == PHRASING else 0
    places: Places = {}
    for fact_id, group in _group_by_fact(row for row in rows if row.task == RECALL).items():
        asked = sorted(
            {name_question(row) for row in group},
            key=lambda key: _draw(params.seed, PHRASING, fact_id, key),
        )
        if len(asked) < params.phrasings_needed:
            continue
        test = set(asked[:held_out][: len(asked) - 1])
        left = asked[len(test) :]
        validated = _draw(params.seed, "validation", fact_id) < params.validation_facts
        validation = set(left[:1]) if validated and len(left) > 1 else set[str]()
        for row in group:
            if name_question(row) in test:
                places[row.row_id] = Place("test", PHRASING)
            elif name_question(row) in validation:
                places[row.row_id] = Place("validation", PHRASING)
    return places


def _hold_out_questions(rows: Iterable[Row], params: SplitParams) -> Places:
    """Hold out a share of the rows that stand for no fact, each by its own question."""
    places: Places = {}
    for row in rows:
        if row.task in QUESTION_TASKS:
            # The place of the question in its file, so that all its wordings go the same way.
            draw = _draw(params.seed, QUESTION, *split_slot(row.slot_id)[:2])
            if draw < params.test_questions:
                places[row.row_id] = Place("test", QUESTION)
            elif draw < params.test_questions + params.validation_questions:
                places[row.row_id] = Place("validation", QUESTION)
    return places


def _follow_questions(rows: Sequence[Row], places: Places) -> Places:
    """Send rows of train after a held-out row that asks what they ask in any turn, word for word."""
    followed: dict[str, Place] = {}
    for row in rows:
        place = places.get(row.row_id)
        if place and (place.part == "test" or name_question(row) not in followed):
            followed[name_question(row)] = Place(place.part, PHRASING)
    return {
        row.row_id: followed[asked]
        for row in rows
        if row.row_id not in places
        for asked in name_questions(row)  # where turns ask several, the last one decides
        if asked in followed
    }


def _follow_parents(rows: Sequence[Row], places: Places) -> Places:
    """Send a row after the held-out row that it was developed from: it repeats that one's wording."""
    held = {row.slot_id: places[row.row_id] for row in rows if row.row_id in places}
    return {
        row.row_id: held[slot_id]
        for row in rows
        if row.row_id not in places
        for slot_id in reversed([*list_ancestors(row.slot_id)])
        if slot_id in held
    }


def _placed(rows: Iterable[Row], places: Places, part: str) -> Iterator[Row]:
    for row in rows:
        place = places.get(row.row_id)
        if place and place.part == part:
            yield replace(row, holdout=place.holdout)


def _group_by_fact(rows: Iterable[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.fact_id:
            groups[row.fact_id].append(row)
    return groups


def _touches(rows: Iterable[Row], documents: Collection[str]) -> bool:
    return any(document in documents for row in rows for document in row.document_ids)


def name_question(row: Row) -> str:
    """Return what a row asks; one request for data is another with each passage that it goes with."""
    asked = question_of(row.prompt, row.context)
    return normalise(f"{asked}\n{row.context}" if row.task in VERIFIED else asked)


def name_questions(row: Row) -> tuple[str, ...]:
    """Return what a row asks in each turn of its user's; the last is ``name_question``."""
    earlier = list_questions(row.prompt, row.context)[:-1]
    return (*map(normalise, earlier), name_question(row))


def _draw(seed: int, *parts: str) -> float:
    """Return a number in [0, 1) that depends on the seed and the ids alone."""
    digest = content_id("split", [seed, *parts])
    return float(int(digest[:_HEX_DIGITS], 16)) / float(16**_HEX_DIGITS)
