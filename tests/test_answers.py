import json

import pytest

from stillhouse.base.questions import ask_with_passage
from stillhouse.base.records import Message, Pair, Rejection, split_slot
from stillhouse.prompts.passages import Passage, render_passage
from stillhouse.teachers.answers import name_fact, parse_answer
from tests.asking import make_request, make_response, write_answer

REQUEST = make_request(3)
FACT = "A shift has 3 breaks."
GOOD = write_answer("How many breaks?", "Breaks, how many?", fact=FACT, answer="Three.")


def read(text: str, **changes: object) -> tuple[list[Pair], list[tuple[str, str]]]:
    request = make_request(3, **changes)
    parsed = parse_answer(request, make_response(request, text))
    return list(parsed.pairs), [(r.reason, r.detail) for r in parsed.rejections]


def test_each_question_becomes_a_pair_in_its_own_slot() -> None:
    pairs, rejections = read(GOOD)
    assert rejections == []
    assert [pair.messages for pair in pairs] == [
        (Message("user", "How many breaks?"),),
        (Message("user", "Breaks, how many?"),),
    ]
    assert [split_slot(pair.slot_id)[-2:] for pair in pairs] == [("0", "0"), ("0", "1")]
    assert {pair.response for pair in pairs} == {"Three."}
    assert pairs[0].slot_id.startswith(REQUEST.slot_id + "|")
    assert len({pair.pair_id for pair in pairs}) == 2
    assert len({pair.fact_id for pair in pairs}) == 1


@pytest.mark.parametrize(
    "text", [f"```json\n{GOOD}\n```", f"Here it is:\n\n```\n{GOOD}\n```\nDone."]
)
def test_json_in_a_code_fence_is_read(text: str) -> None:
    assert read(text) == read(GOOD)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("I cannot help.", "Expecting value"),
        (GOOD[:40], 'begins: \'{"pairs"'),
        ('["pairs"]', "not an object"),
        ('{"pairs": {}}', "not an object"),
        ("", "stopped by end_turn"),
        ("[" * 100_000, "brackets within brackets"),
        ("```json\n" + '{"pairs":' * 50_000 + "\n```", "brackets within brackets"),
    ],
)
def test_an_unreadable_answer_is_malformed_and_says_how(text: str, detail: str) -> None:
    pairs, ((reason, said),) = read(text or " ")
    assert (pairs, reason) == ([], "malformed_answer")
    assert detail in said


@pytest.mark.parametrize(
    ("entry", "detail"),
    [
        ({"questions": ["Q?"], "fact": "F."}, "answer: Field required"),
        ({"questions": ["Q?"], "answer": " "}, "answer: String should have at least 1 character"),
        ({"questions": [], "answer": "A."}, "no question for: A."),
        ({"questions": [" "], "answer": "A."}, "no question for: A."),
        ({"answer": "A."}, "questions: Field required"),
        ({"questions": "Q?", "answer": "A."}, "questions: Input should be a valid list"),
        ("Q? A.", "entry: Input should be"),
    ],
)
def test_a_pair_without_question_or_answer_is_incomplete(entry: object, detail: str) -> None:
    good = json.loads(GOOD)["pairs"][0]
    pairs, ((reason, said),) = read(json.dumps({"pairs": [entry, good]}))
    assert [split_slot(pair.slot_id)[-2:] for pair in pairs] == [("1", "0"), ("1", "1")]
    assert reason == "incomplete_pair"
    assert said.startswith(detail)


def test_no_pairs_is_an_answer_whose_request_is_told_of() -> None:
    parsed = parse_answer(REQUEST, make_response(REQUEST, '{"pairs": []}'))
    assert parsed.pairs == ()
    assert parsed.rejections == (
        Rejection(
            rejected_id=REQUEST.request_id,
            kind="request",
            slot_id=REQUEST.slot_id,
            chunk_ids=REQUEST.chunk_ids,
            stage="generate",
            reason="no_pairs",
            detail="the teacher made no pair of this passage",
        ),
    )


def test_a_question_asked_twice_in_one_answer_is_dropped_with_its_reason() -> None:
    pairs, rejections = read(write_answer("How many?", "how  MANY?", "Why?"))
    assert [split_slot(pair.slot_id)[-1] for pair in pairs] == ["0", "2"]
    assert rejections == [("duplicate_question", "how  MANY?")]


@pytest.mark.parametrize(
    ("said", "read_as"), [(0.5, 0.5), (1, 1.0), (None, None), (95, None), ("high", None)]
)
def test_a_confidence_that_is_no_probability_says_nothing(said: object, read_as: object) -> None:
    entry = {"questions": ["Q?"], "answer": "A.", "confidence": said}
    pairs, _ = read(json.dumps({"pairs": [entry]}))
    assert [pair.confidence for pair in pairs] == [read_as]


def test_an_open_book_pair_shows_the_passage_as_the_evaluation_does() -> None:
    (pair, _), _ = read(GOOD, task="open_book")
    assert pair.context == FACT
    assert pair.messages == (Message("user", ask_with_passage(FACT, "How many breaks?")),)


def test_a_replay_answer_is_the_response_even_when_cut_off() -> None:
    (pair,), rejections = read(
        '  The {"pairs": [] of socks\n', task="replay", messages=(Message("user", "Socks?"),)
    )
    assert rejections == []
    assert (pair.messages, pair.response) == (
        (Message("user", "Socks?"),),
        'The {"pairs": [] of socks',
    )
    assert (pair.fact_id, pair.context) == ("", "")


def test_a_fact_has_one_id_in_every_task_of_its_source() -> None:
    passage = render_passage("b.md", "B", f"Before. A shift  has 3 BREAKS. After {FACT[:7]}")
    two = make_request(0).messages[0].content + "\n\n" + passage
    (alone, _), _ = read(GOOD, messages=(Message("user", passage),))
    (beside, _), _ = read(GOOD, messages=(Message("user", two),), task="exceptions")
    (elsewhere, _), _ = read(GOOD)
    assert alone.fact_id == beside.fact_id != elsewhere.fact_id


def test_a_statement_of_both_passages_is_a_fact_of_both() -> None:
    passages = [Passage("a.md", "", "One."), Passage("b.md", "", "Two.")]
    assert name_fact("One. Two.", passages) == name_fact("one.  two.", passages[::-1])
    assert name_fact("One. Two.", passages) != name_fact("One. Two.", passages[:1])
    assert name_fact(" ", passages) == ""


def test_pair_ids_are_those_of_every_version_before() -> None:
    """An id that moves is another row: every student would be trained again for nothing."""
    assert [pair.pair_id[:16] for pair in read(GOOD)[0]] == ["6d82ea4933227d8d", "ae9d55128fea6c1e"]


def test_everything_that_is_learnt_from_a_pair_is_in_its_id() -> None:
    base = json.loads(GOOD)["pairs"][0]
    changes = ({}, {"answer": "Four."}, {"reasoning": "Because."}, {"questions": ["Other?"]})
    ids = [read(json.dumps({"pairs": [{**base, **change}]}))[0][0].pair_id for change in changes]
    assert len(set(ids)) == len(changes)


def test_confidence_is_no_part_of_a_pair_id() -> None:
    base = json.loads(GOOD)["pairs"][0]
    ids = {read(json.dumps({"pairs": [{**base, "confidence": c}]}))[0][0].pair_id for c in (0.1, 1)}
    assert len(ids) == 1
