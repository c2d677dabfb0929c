"""Curating: what is dropped, why, and what a row says about its causes."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import pytest
from pydantic import ValidationError

from stillhouse.base.errors import InputError
from stillhouse.base.questions import Question
from stillhouse.base.records import Chunk, Message, Pair, Request
from stillhouse.quality.curate import Curated, CurateParams, curate
from stillhouse.quality.duplicates import find_near_duplicates
from stillhouse.quality.judge import JudgeParams, judge_pairs
from tests.making import make_chunk, make_gold, make_pair, make_request

LEAVE = make_chunk()
REQUEST = make_request([LEAVE])
PARAMS = CurateParams(thresholds={"groundedness": 0.6, "format": 1.0, "length": 1.0})
CAUSES = (
    "prompt_sha256",
    "document_sha256",
    "teacher_sha256",
    "parameters_sha256",
    "judge_sha256",
    "filter_sha256",
    "code_sha256",
)


def curate_pairs(
    pairs: Sequence[Pair],
    gold: Sequence[Question] = (),
    params: CurateParams = PARAMS,
    request: Request = REQUEST,
    chunk: Chunk = LEAVE,
    judge_params: JudgeParams | None = None,
) -> Curated:
    judge_params = judge_params or JudgeParams()
    chunks = {chunk.chunk_id: chunk}
    judgements = list(judge_pairs(pairs, chunks, judge_params))
    requests = {request.request_id: request}
    return curate(pairs, requests, chunks, judgements, gold, params, judge_params)


def ask(question: str, answer: str = "27.5 days.", fact: str = "days", **fields: str) -> Pair:
    return make_pair(question, answer, [LEAVE], request=REQUEST, fact=fact, **fields)  # type: ignore[arg-type]


def reasons(curated: Curated) -> list[tuple[str, str]]:
    return sorted((drop.slot_id.rpartition("|")[2], drop.reason) for drop in curated.rejections)


def test_every_pair_becomes_a_row_or_a_rejection() -> None:
    pairs = [
        ask("How many days of leave are there?", slot="1"),
        ask("How many days of leave are there?", slot="2"),
        ask("What is the leave calendar called?", "Windward, I think.", fact="name", slot="3"),
        ask("How much leave do full-time staff have?", slot="4"),
    ]
    curated = curate_pairs(pairs)
    assert [row.row_id for row in curated.rows] == [pairs[0].pair_id, pairs[3].pair_id]
    assert reasons(curated) == [("2", "duplicate"), ("3", "groundedness")]


def test_a_low_score_is_rejected_with_criterion_score_and_rationale() -> None:
    (drop,) = curate_pairs([ask("How many days of leave are there?", "29 days.")]).rejections
    assert (drop.kind, drop.stage, drop.reason) == ("pair", "curate", "groundedness")
    assert drop.detail == (
        'groundedness 0.00 is below 0.60: "29": not in the passage and not worked out from it'
    )
    assert drop.chunk_ids == (LEAVE.chunk_id,)


def test_a_pair_that_fails_twice_is_rejected_once_and_says_both() -> None:
    (drop,) = curate_pairs([ask("Days of leave for", "29 days.")]).rejections
    assert drop.reason == "format"
    assert "format 0.00" in drop.detail
    assert "groundedness 0.00" in drop.detail


def test_a_threshold_for_a_criterion_that_nobody_judged_is_an_error() -> None:
    with pytest.raises(InputError, match=r"curate\.thresholds\.groundednes`"):
        curate_pairs([ask("How many days?")], params=CurateParams(thresholds={"groundednes": 1.0}))


@pytest.mark.parametrize("limit", [-0.1, 3.0])
def test_a_threshold_that_no_score_can_have_is_an_error(limit: float) -> None:
    with pytest.raises(ValidationError, match=r"thresholds\.format"):
        CurateParams(thresholds={"format": limit})


def test_a_corpus_without_a_single_fact_is_said_to_be_one() -> None:
    everyday = make_pair("What is the capital of Norway?", "Oslo.", task="replay")
    with pytest.raises(InputError, match="no question about a document came out"):
        curate_pairs([everyday])
    assert curate_pairs([]).rows == ()


def test_of_exact_duplicates_the_lowest_slot_stays_whatever_the_order() -> None:
    first = ask("How many days of leave are there?", slot="1")
    again = ask("how many days of  leave are there?", slot="2")
    for pairs in ([first, again], [again, first]):
        curated = curate_pairs(pairs)
        assert [row.row_id for row in curated.rows] == [first.pair_id]
        assert curated.rejections[0].detail == (
            f"same question and answer as {first.slot_id} ({first.pair_id[:12]})"
        )


def test_other_phrasings_of_a_fact_are_kept() -> None:
    pairs = [
        ask("How many days of leave do full-time staff have?"),
        ask("How long is the leave of full-time staff?"),
        ask("What is a full-time employee's yearly leave?"),
    ]
    assert curate_pairs(pairs).rejections == ()


def test_one_phrasing_about_different_facts_is_kept() -> None:
    table = make_chunk(
        text="| Model | Weight |\n| --- | --- |\n| Kelda 110 | 4.6 kg |\n| Kelda 130 | 4.6 kg |"
    )
    request = make_request([table])
    pairs = [
        make_pair(
            f"What is the weight in kilograms of the tide gauge Kelda {model}?",
            "4.6 kg.",
            [table],
            request=request,
            fact=f"Kelda {model}: Weight: 4.6 kg",
        )
        for model in ("110", "130")
    ]
    assert curate_pairs(pairs, request=request, chunk=table).rejections == ()


def test_near_duplicates_of_one_fact_and_answer_are_rejected_with_their_similarity() -> None:
    first = ask("In a year, how many days of leave do full-time staff have?", slot="1")
    again = ask("In a year, how many days of leave do full-time staff have now?", slot="2")
    (drop,) = curate_pairs([first, again]).rejections
    assert drop.reason == "near_duplicate"
    assert drop.detail == (
        f"question 0.91 similar to {first.slot_id} ({first.pair_id[:12]}), same answer"
    )


def test_near_duplicates_with_different_answers_are_no_duplicates() -> None:
    first = ask("In a year, how many days of leave do full-time staff have?", slot="1")
    other = ask(
        "In a year, how many days of leave do full-time staff have now?", "27.5 a year.", slot="2"
    )
    assert curate_pairs([first, other]).rejections == ()


def test_a_question_with_different_answers_about_different_facts_is_dropped_everywhere() -> None:
    pairs = [
        ask("What do full-time staff have?", "27.5 days.", fact="days", slot="1"),
        ask("What do full-time staff have?", "The calendar Leeward.", fact="name", slot="2"),
    ]
    assert reasons(curate_pairs(pairs)) == [("1", "conflict"), ("2", "conflict")]


def test_of_two_answers_to_one_fact_the_surer_one_stays() -> None:
    text = "Staff have 27.5 days of leave, formerly 25 days."
    chunk = make_chunk(text=text)
    request = make_request([chunk])
    low, high = (
        make_pair(
            "How many days of leave are there?", f"{days} days.", [chunk],
            request=request, fact=text, slot=days, confidence=confidence,
        )
        for days, confidence in (("25", 0.4), ("27.5", 0.9))
    )  # fmt: skip
    curated = curate_pairs([low, high], request=request, chunk=chunk)
    assert [row.row_id for row in curated.rows] == [high.pair_id]
    assert curated.rejections[0].reason == "conflict"
    assert curated.rejections[0].detail.endswith("which answers: 27.5 days.")


def test_two_wordings_of_one_answer_are_no_conflict() -> None:
    pairs = [
        ask("How many days of leave are there?", "27.5 days.", slot="1"),
        ask("How many days of leave are there?", "Full-time staff have 27.5 days.", slot="2"),
    ]
    assert curate_pairs(pairs).rejections == ()


@pytest.mark.parametrize(
    ("gold", "detail"),
    [
        ("how many days of leave do full-time staff  HAVE?", "the same question as gold-001"),
        (
            "I wonder: how many days of leave do full-time staff have, please?",
            'shares the 8 words "how many days of leave do full-time staff" with gold-001',
        ),
        ("How many days of leaves do full time staff have?", "edit similarity 0.97 to gold-001"),
    ],
)
def test_a_copy_of_golds_wording_is_contamination(gold: str, detail: str) -> None:
    pair = ask("How many days of leave do full-time staff have?")
    (drop,) = curate_pairs([pair], [make_gold(gold)]).rejections
    assert (drop.reason, drop.detail) == ("contamination", detail)


def test_the_fact_of_a_gold_question_in_other_words_is_kept() -> None:
    pair = ask("How many days of leave do full-time staff have?")
    gold = make_gold("What's my yearly holiday allowance if I work full time?")
    assert curate_pairs([pair], [gold]).rejections == ()


def test_a_question_beside_its_passage_is_compared_too() -> None:
    pair = ask("How many days of leave are there?", context=LEAVE.text)
    (drop,) = curate_pairs([pair], [make_gold("How many days of leave are there?")]).rejections
    assert drop.reason == "contamination"


def test_a_copy_in_an_earlier_turn_of_a_conversation_is_contamination() -> None:
    pair = converse("How many days of leave are there?", "How many days of leave are paid?")
    (drop,) = curate_pairs([pair], [make_gold("How many days of leave are there?")]).rejections
    said = "the same question as gold-001, in turn 1 of the user's"
    assert (drop.reason, drop.detail) == ("contamination", said)


def test_what_the_passage_or_the_assistant_says_in_an_earlier_turn_is_no_copy() -> None:
    passage = "How many days of leave are there for full-time staff? 27.5."
    pair = converse(f"Passage:\n{passage}\n\nQuestion: What is it about?", "Are they paid?")
    gold = [
        make_gold("How many days of leave are there for full-time staff?"),
        make_gold("What may I tell you about that?", "gold-002"),
    ]
    assert curate_pairs([replace(pair, context=passage)], gold).rejections == ()


def converse(*asked: str, fact: str = "days", slot: str = "") -> Pair:
    pair = ask(asked[-1], fact=fact, slot=slot or " ".join(asked))
    turns = (
        turn
        for question in asked[:-1]
        for turn in (
            Message("user", question),
            Message("assistant", "What may I tell you about that?"),
        )
    )
    return replace(pair, messages=(*turns, *pair.messages))


def test_conversations_that_end_alike_about_other_things_are_no_near_duplicates() -> None:
    leave, jury = "How long is annual leave?", "How long is jury service?"
    first = converse(leave, "Is it paid?", fact="", slot="1")
    other = converse(jury, "Is it paid?", fact="", slot="2")
    again = converse(leave, "Is it paid??", fact="", slot="3")
    found = list(find_near_duplicates([again, other, first], 0.9))
    assert [(hit.pair, hit.other) for hit in found] == [(again, first)]


def test_a_good_pair_does_not_give_way_to_one_that_falls_itself() -> None:
    bad = ask("How many days of leave are there for", slot="1")
    good = ask("How many days of leave are there?", slot="2")
    curated = curate_pairs([bad, good])
    assert [row.row_id for row in curated.rows] == [good.pair_id]


def test_a_row_carries_the_pair_and_its_documents() -> None:
    pair = ask("How many days of leave are there?", reasoning="The passage says so.")
    (row,) = curate_pairs([pair]).rows
    assert (row.row_id, row.slot_id, row.request_id) == (
        pair.pair_id,
        pair.slot_id,
        pair.request_id,
    )
    assert row.document_ids == (LEAVE.document_id,)
    assert row.prompt == pair.messages
    assert [(turn.role, turn.content) for turn in row.completion] == [("assistant", "27.5 days.")]
    assert (row.fact_id, row.reasoning, row.holdout) == (pair.fact_id, pair.reasoning, "")


def changed_causes(**changes: object) -> set[str]:
    """Return the causes whose hash changes when curate's inputs change as given."""
    pair = ask("How many days of leave are there?")
    (before,) = curate_pairs([pair]).rows
    request = changes.pop("request", REQUEST)
    assert isinstance(request, Request)
    moved = replace(pair, request_id=request.request_id)
    (after,) = curate_pairs([moved], request=request, **changes).rows  # type: ignore[arg-type]
    return {cause for cause in CAUSES if getattr(before, cause) != getattr(after, cause)}


@pytest.mark.parametrize(
    ("changes", "causes"),
    [
        ({}, set()),
        ({"request": make_request([LEAVE], prompt_sha256="0" * 64)}, {"prompt_sha256"}),
        ({"request": make_request([LEAVE], model="offline/2")}, {"teacher_sha256"}),
        ({"request": make_request([LEAVE], sample=1)}, {"parameters_sha256"}),
        ({"request": make_request([LEAVE], parameters='{"pairs":4}')}, {"parameters_sha256"}),
        ({"request": make_request([LEAVE], persona="novice")}, {"parameters_sha256"}),
        ({"request": make_request([LEAVE], system="Be brief.")}, set()),
        ({"chunk": replace(LEAVE, text=LEAVE.text + " Enjoy.")}, {"document_sha256"}),
        ({"chunk": replace(LEAVE, start=7, end=93)}, set()),
        ({"judge_params": JudgeParams(answer_words_max=50)}, {"judge_sha256"}),
        ({"params": PARAMS.model_copy(update={"thresholds": {"length": 1.0}})}, {"judge_sha256"}),
        ({"params": PARAMS.model_copy(update={"copied_words": 9})}, {"filter_sha256"}),
    ],
)
def test_a_change_changes_the_hash_of_its_own_cause_alone(
    changes: dict[str, object], causes: set[str]
) -> None:
    assert changed_causes(**changes) == causes


def test_near_duplicates_are_the_same_in_every_process() -> None:
    script = (
        "from stillhouse.quality.duplicates import find_near_duplicates as find\n"
        "from tests.making import make_pair\n"
        "pairs = [make_pair(f'In year {i // 3} how many days of leave may the staff of our own '\n"
        "    f'office {\"now \" * (i % 3)}have?', '27.5.', slot=f'{i:03}') for i in range(90)]\n"
        "print([(hit.pair.slot_id, hit.other.slot_id, hit.similarity)"
        " for hit in find(pairs, 0.7)])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    (output,) = outputs
    assert "('recall|001', 'recall|000', 0.8125)" in output


def test_personal_data_is_dropped_where_that_is_chosen_and_never_repeated() -> None:
    pairs = [
        ask("How many days of leave are there?", slot="1"),
        ask("Who answers a.b@example.org about leave?", fact="mail", slot="2"),
        ask("Who is on 020 7946 0000 about leave?", fact="telephone", slot="3"),
    ]
    kept = curate_pairs(pairs)
    assert len(kept.rows) == 3
    dropped = curate_pairs(pairs, params=PARAMS.model_copy(update={"personal": "drop"}))
    assert reasons(dropped) == [("2", "personal"), ("3", "personal")]
    assert sorted(drop.detail for drop in dropped.rejections) == [
        "what looks like a telephone number",
        "what looks like an e-mail address",
    ]
    assert {row.filter_sha256 for row in dropped.rows}.isdisjoint(
        row.filter_sha256 for row in kept.rows
    )
