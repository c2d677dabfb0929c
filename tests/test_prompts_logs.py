"""Production prompts: every usual form of a log is read, answers are no truth, no address stays."""

import json
from pathlib import Path
from typing import Any

import pytest

from stillhouse.base.errors import InputError
from stillhouse.base.personal import hide_personal
from stillhouse.base.questions import read_general, read_gold
from stillhouse.base.records import Message
from stillhouse.prompts.logs import Log, Logs, Unused, load_logs
from stillhouse.quality.contamination import find_copied

ASK = Message("user", "How do I book a van?")


def write(tmp_path: Path, *records: Any) -> Path:
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def load_one(tmp_path: Path, record: Any) -> Log:
    (log,) = load_logs(write(tmp_path, record))
    return log


TURN = {"role": "user", "content": ASK.content}
BLOCKS = [{"type": "text", "text": ASK.content}, {"type": "image", "source": {"data": "x"}}]


@pytest.mark.parametrize(
    "record",
    [
        {"messages": [TURN]},
        {"model": "m", "messages": [{"role": "system", "content": "Be kind."}, TURN]},
        {"messages": [{"role": "developer", "content": "Be kind."}, TURN]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": ASK.content}]}]},
        {"system": "Be kind.", "messages": [{"role": "user", "content": BLOCKS}]},
        {"system": [{"type": "text", "text": "Be kind."}], "messages": [TURN]},
        {"method": "POST", "url": "/v1/chat/completions", "body": {"messages": [TURN]}},
        {"params": {"max_tokens": 9, "messages": [TURN]}},
        {"request": {"messages": [TURN]}, "response": {"id": "r"}},
        {"instructions": "Be kind.", "input": ASK.content},
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": ASK.content}]}]},
        {"prompt": ASK.content, "completion": "By post."},
        {"messages": [TURN, {"role": "assistant", "content": "By post."}]},
        {"messages": [{"role": "assistant", "content": "Hello!"}, TURN]},
    ],
)
def test_each_form_of_a_log_is_the_same_conversation(tmp_path: Path, record: Any) -> None:
    log = load_one(tmp_path, record)
    assert log.messages == (ASK,)
    assert log.id == load_one(tmp_path, {"prompt": ASK.content}).id


def test_a_conversation_ends_with_its_last_question_and_keeps_the_turns_before(
    tmp_path: Path,
) -> None:
    def say(role: str, content: Any) -> Any:
        return {"role": role, "content": content}

    tool = {"type": "tool_use", "id": "t", "name": "find", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "van: 4"}
    log = load_one(
        tmp_path,
        {
            "custom_id": "talk-7",
            "params": {
                "messages": [
                    say("user", "Hello"),
                    say("user", "How do I book a van?"),
                    say("assistant", [{"type": "text", "text": "I look."}, tool]),
                    say("user", [result]),
                    say("assistant", "In Slipway."),
                    say("user", "And a pickup?"),
                    say("assistant", "In Slipway, too."),
                ]
            },
        },
    )
    assert log.messages == (
        Message("user", "Hello\n\nHow do I book a van?"),
        Message("assistant", "I look.\n\nIn Slipway."),
        Message("user", "And a pickup?"),
    )
    assert (log.id, log.question) == ("talk-7", "And a pickup?")
    assert log.asked == "Hello\n\nHow do I book a van?\nAnd a pickup?"


def test_personal_data_is_replaced_in_every_turn_and_named_by_its_kind(tmp_path: Path) -> None:
    log = load_one(
        tmp_path,
        {
            "messages": [
                {"role": "user", "content": "I am ada@example.com, call 020 7946 0000."},
                {
                    "role": "assistant",
                    "content": "Thanks. Your account GB82 WEST 1234 5698 7654 32?",
                },
                {
                    "role": "user",
                    "content": "Yes; the card is 4111 1111 1111 1111. Room 12, 27.5 days?",
                },
            ]
        },
    )
    assert [turn.content for turn in log.messages] == [
        "I am [e-mail], call [phone].",
        "Thanks. Your account [account]?",
        "Yes; the card is [card]. Room 12, 27.5 days?",
    ]
    assert log.hidden == ("e-mail", "phone", "account", "card")


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("4111 1111 1111 1111 12/27", "[card] 12/27"),
        ("ref 123 4111111111111111 999", "ref 123 [card] 999"),
        ("3782 822463 10005, 4111-1111-1111-1111 12th", "[card], [card] 12th"),
        ("BE68 5390 0754 7034 BIC GKCCBEBB", "[account] BIC GKCCBEBB"),
        ("ES91 2100 0418 4502 0005 1332 BIC X", "[account] BIC X"),
        ("gb82 west 1234 5698 7654 32, DE89370400440532013000", "[account], [account]"),
        ("(415) 555-2671 or 415-555-2671", "[phone] or [phone]"),
        ("+1.415.555.2671; 020\u00a07946\u202f0000", "[phone]; [phone]"),
    ],
)
def test_what_stands_beside_a_number_does_not_hide_it(text: str, marked: str) -> None:
    assert hide_personal(text)[0] == marked


@pytest.mark.parametrize("sign", ["1", "1 ", "4111 ", "GB82 ", "A1", "+1", "0 ", "415-"])
def test_a_pasted_blob_of_digits_takes_seconds_not_hours(sign: str) -> None:
    blob = sign * (300_000 // len(sign))
    assert hide_personal(f"{blob}. ann.lee@example.com")[0].endswith(". [e-mail]")


def test_numbers_that_only_look_like_a_card_or_an_account_stay() -> None:
    text = "Order 4111 1111 1111 1112, form GB82 WEST 1234 5698 7654 33, extension 4093."
    assert hide_personal(text) == (text, ())


def test_lines_without_a_question_and_repeats_are_named(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]},
        {"id": "a", "prompt": "Where is the key?"},
        {"id": "a", "prompt": "Where is the key?"},
        {"id": "a", "prompt": "Where is the van?"},
        {"id": "b", "messages": [{"role": "assistant", "content": "Hello!"}]},
    )
    loaded = load_logs(path)
    assert [log.question for log in loaded] == ["Where is the key?", "Where is the van?"]
    first, second = (log.id for log in loaded)
    assert first == "a"
    assert second.startswith("a/")
    assert loaded.unused == (
        Unused("prompts.jsonl:1", "no_question", "prompts.jsonl:1 holds no text of a user"),
        Unused("a", "duplicate", "prompts.jsonl:3 is there twice"),
        Unused("b", "no_question", "prompts.jsonl:5 holds no text of a user"),
    )


def test_an_empty_log_holds_nothing(tmp_path: Path) -> None:
    assert load_logs(write(tmp_path)) == Logs(())


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"question": "Why?"}, "no conversation in `question`"),
        ({}, "no conversation in nothing"),
        ({"messages": "Why?", "x": 1}, None),
        ({"messages": [7]}, "a turn is no message"),
        ({"messages": [{"content": "Why?"}]}, "a turn is no message"),
        ({"messages": [{"role": "human", "content": "Why?"}]}, "a turn has the role 'human'"),
    ],
)
def test_a_line_of_another_form_is_named_with_its_place(
    tmp_path: Path, record: Any, said: str | None
) -> None:
    path = write(tmp_path, {"prompt": "Why?"}, record)
    if said is None:
        assert len(load_logs(path)) == 1  # the same question twice
        return
    with pytest.raises(InputError) as caught:
        load_logs(path)
    assert f"prompts.jsonl:2: {said}" in str(caught.value)


def test_no_shipped_line_has_the_wording_of_a_question_that_measures() -> None:
    sealed = Path("data/seed/eval")
    gold = read_gold(sealed / "gold.jsonl") + read_general(sealed / "general.jsonl")
    asked = [
        turn.content for log in load_logs(Path("data/seed/prompts.jsonl")) for turn in log.messages
    ]
    copies = find_copied(asked, gold, run=8, similarity=0.9)
    assert [copied.similarity for copied in copies if copied] == []
    assert any(find_copied([gold[0].question], gold, run=8, similarity=0.9))


@pytest.mark.parametrize("role", [["user"], {"name": "user"}, 1, True])
def test_a_role_that_is_no_text_is_one_sentence(tmp_path: Path, role: Any) -> None:
    with pytest.raises(InputError, match=r"prompts\.jsonl:1: a turn has the role"):
        load_logs(write(tmp_path, {"messages": [{"role": role, "content": "Hello?"}]}))


def test_an_id_that_names_a_person_names_no_conversation(tmp_path: Path) -> None:
    record = {"prompt": ASK.content}
    named = {**record, "id": "ann.lee@example.com", "custom_id": "call 7"}
    assert load_one(tmp_path, named).id == "call 7"
    assert load_one(tmp_path, {**record, "id": "ann.lee@example.com"}) == load_one(tmp_path, record)


def test_a_pasted_blob_is_searched_in_one_pass() -> None:
    blob = "".join(f"x{number:x}" for number in range(500_000))
    marked = hide_personal(f"{blob} ann.lee@example.com")  # hours, were each sign a beginning
    assert marked == (f"{blob} [e-mail]", ("e-mail",))
