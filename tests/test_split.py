"""Splitting: what is held out, that nothing of it leaks, and that rows stay where they are."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from stillhouse.base.questions import question_of
from stillhouse.base.records import Message, Row
from stillhouse.quality.split import Split, SplitParams, split_rows
from tests.making import make_chunk, make_document, make_pair, make_row

CORE = make_document("core.md")
OTHERS = [make_document(f"other-{number}.md") for number in range(10)]
CHUNKS = {d.document_id: make_chunk(d.source) for d in [CORE, *OTHERS]}


def make_fact_rows(document: int | None, fact: int, phrasings: int = 4) -> list[Row]:
    """Return the recall rows of one fact, of the core where ``document`` is None."""
    home = CORE if document is None else OTHERS[document]
    chunk = CHUNKS[home.document_id]
    name = f"{home.source} fact {fact}"
    return [
        make_row(
            make_pair(f"Phrasing {n} of {name}?", f"Value {name} {fact}00.", [chunk], fact=name),
            [home],
        )
        for n in range(phrasings)
    ]


def make_rows(facts: int = 6) -> list[Row]:
    homes = [None, *range(len(OTHERS))]
    rows = [row for home in homes for fact in range(facts) for row in make_fact_rows(home, fact)]
    for number in range(200):
        rows += [
            make_row(make_pair(f"{task} question {number}?", "Well.", task=task))
            for task in ("abstain", "replay")
        ]
    return rows


ROWS = make_rows()


def split(rows: Sequence[Row] = ROWS, **changes: object) -> Split:
    return split_rows(rows, {CORE.document_id}, SplitParams.model_validate(changes))


def places(result: Split) -> dict[str, tuple[str, str]]:
    parts = {"train": result.train, "validation": result.validation, "test": result.test}
    return {row.row_id: (part, row.holdout) for part, rows in parts.items() for row in rows}


def assert_nothing_leaks(result: Split) -> None:
    train_facts = {row.fact_id for row in result.train}
    held = {row.fact_id for row in result.test if row.holdout == "fact"}
    assert not held & train_facts
    asked = {question_of(row.prompt, row.context) for row in result.train}
    assert not asked & {
        question_of(row.prompt, row.context) for row in (*result.test, *result.validation)
    }


@pytest.mark.parametrize("by", ["phrasing", "fact", "document"])
def test_no_row_is_lost_or_doubled_and_nothing_leaks(by: str) -> None:
    result = split(by=by)
    assert len(result.train) + len(result.validation) + len(result.test) == len(ROWS)
    assert set(places(result)) == {row.row_id for row in ROWS}
    assert_nothing_leaks(result)


def test_one_phrasing_of_each_taught_fact_is_tested_and_the_rest_taught() -> None:
    result = split(validation_facts=0.0)
    core = [row for row in result.test if row.document_ids == (CORE.document_id,)]
    assert len(core) == 6
    assert {row.holdout for row in core} == {"phrasing"}
    assert len([row for row in result.train if row.document_ids == (CORE.document_id,)]) == 18


def test_a_fact_with_few_phrasings_is_taught_in_all_of_them() -> None:
    result = split(make_fact_rows(None, 0, phrasings=2), validation_facts=1.0)
    assert len(result.train) == 2


def test_whole_facts_of_the_other_documents_are_the_control() -> None:
    result = split(holdout_facts=0.5)
    held = {row.fact_id for row in result.test if row.holdout == "fact"}
    assert 0.3 < len(held) / 60 < 0.7
    assert all(
        row.document_ids != (CORE.document_id,) for row in result.test if row.fact_id in held
    )
    assert sum(row.fact_id in held for row in result.test) == 4 * len(held)


def test_the_core_can_be_held_out_too_where_that_is_asked_for() -> None:
    result = split(by="fact", facts_from="all", holdout_facts=1.0)
    assert {row.task for row in result.train} == {"abstain", "replay"}


def test_a_row_that_gives_a_held_out_fact_away_is_held_out_with_its_own_fact() -> None:
    chunk, home = CHUNKS[OTHERS[0].document_id], OTHERS[0]
    fact = make_row(make_pair("How long is it?", "It is 37 days.", [chunk], fact="a"), [home])
    teller, sibling = (
        make_row(
            make_pair(
                f"How long are both together? ({n})", "Together 51 days.", [chunk],
                fact="sum", task="multi_step", reasoning="37 days + 14 days = 51 days" if n else "",
            ),
            [home],
        )
        for n in (1, 0)
    )  # fmt: skip
    seed = next(
        n for n in range(99) if is_held(fact, [fact], n) and not is_held(sibling, [sibling], n)
    )
    result = split([fact, teller, sibling], seed=seed, holdout_facts=0.5)
    assert {row.holdout for row in result.test} == {"fact"}
    assert len(result.test) == 3


def is_held(row: Row, rows: Sequence[Row], seed: int) -> bool:
    return row.row_id in {held.row_id for held in split(rows, seed=seed, holdout_facts=0.5).test}


def test_a_conversation_that_asks_a_held_out_question_in_any_turn_is_held_out() -> None:
    rows = make_fact_rows(None, 0)
    (held,) = split(rows, validation_facts=0.0).test
    chat = make_row(make_pair("Is it much?", "Yes.", [CHUNKS[CORE.document_id]], task="production"))
    turns = (*held.prompt, Message("assistant", "Value."), *chat.prompt)
    chat = replace(chat, prompt=turns)
    assert places(split([*rows, chat], validation_facts=0.0))[chat.row_id] == ("test", "phrasing")
    other = next(row for row in rows if row.row_id != held.row_id)
    kept = replace(chat, prompt=(*other.prompt, *turns[1:]))
    assert places(split([*rows, kept], validation_facts=0.0))[kept.row_id] == ("train", "")


def test_the_same_question_in_another_task_follows_the_held_out_phrasing() -> None:
    rows = make_fact_rows(None, 0)
    chunk = CHUNKS[CORE.document_id]
    questions = [row.prompt[0].content for row in rows]
    beside = [
        make_row(make_pair(q, "Value.", [chunk], task="open_book", context=chunk.text), [CORE])
        for q in questions
    ]
    result = split([*rows, *beside], validation_facts=0.0)
    assert sorted(row.task for row in result.test) == ["open_book", "recall"]
    assert_nothing_leaks(result)


def test_a_document_is_held_out_with_all_its_rows() -> None:
    result = split(by="document", holdout_documents=0.4)
    held = {row.document_ids for row in result.test if row.holdout == "document"}
    assert 1 <= len(held) <= 8
    assert not held & {row.document_ids for row in (*result.train, *result.validation)}


def test_a_row_over_two_documents_is_held_out_with_either() -> None:
    chunks = [CHUNKS[OTHERS[0].document_id], CHUNKS[OTHERS[1].document_id]]
    both = make_row(make_pair("Which is longer?", "The first.", chunks), OTHERS[:2])
    result = split([*ROWS, both], by="document", holdout_documents=0.5)
    held = {d for row in result.test if row.holdout == "document" for d in row.document_ids}
    train = {d for row in result.train for d in row.document_ids}
    assert not held & train


def test_a_share_of_abstain_and_replay_rows_is_tested_and_validated() -> None:
    result = split()
    for part in (result.test, result.validation):
        share = sum(row.holdout == "question" for row in part) / 400
        assert 0.02 < share < 0.09


def test_the_validation_share_holds_out_one_more_phrasing() -> None:
    result = split(validation_facts=1.0, holdout_facts=0.0)
    phrasings = [row for row in result.validation if row.holdout == "phrasing"]
    assert len(phrasings) == len({row.fact_id for row in phrasings}) == 66


@pytest.mark.parametrize("by", ["phrasing", "fact", "document"])
def test_a_new_fact_moves_no_other_row(by: str) -> None:
    new = make_fact_rows(3, 99)
    before, after = places(split(by=by)), places(split([*ROWS, *new], by=by))
    assert {row_id: place for row_id, place in after.items() if row_id in before} == before


@pytest.mark.parametrize("by", ["phrasing", "fact", "document"])
def test_the_order_of_rows_does_not_matter(by: str) -> None:
    assert places(split(by=by)) == places(split(ROWS[::-1], by=by))


def test_another_seed_holds_out_others() -> None:
    assert places(split(seed=1)) != places(split(seed=2))


def test_a_fact_that_another_document_teaches_too_is_no_control() -> None:
    statement = "The tow tank in Dunmarrick is locked after 42 minutes."
    first, second = (
        make_row(
            make_pair(f"When is the tow tank in Dunmarrick locked? ({home.source})", statement,
                      [CHUNKS[home.document_id]], fact=home.source),
            [home],
        )
        for home in (OTHERS[0], CORE)
    )  # fmt: skip
    assert split([first], holdout_facts=1.0).train == ()
    assert split([first, second], holdout_facts=1.0).train == (first, second)
