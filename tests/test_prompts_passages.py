"""What is written into a prompt as a passage is read back as it was, whatever it holds."""

from hypothesis import given
from hypothesis import strategies as st

from stillhouse.base.questions import ask_with_passage
from stillhouse.prompts.passages import (
    Passage,
    join_section,
    parse_passages,
    parse_questions,
    render_passage,
    render_question,
)

TAGS = ("<passage", "</passage>", "</PASSAGE", "<question>", "</question>")
MARKS = ("<", "\\", "/", "\n", "x", " ", '"', "&amp;", '<passage source="a" section="b">')
HOSTILE = st.lists(st.sampled_from((*TAGS, *MARKS))).map("".join)


def test_a_passage_looks_as_agreed() -> None:
    assert render_passage("people/x.md", join_section(("A", "B")), "Text.") == (
        '<passage source="people/x.md" section="A > B">\nText.\n</passage>'
    )


@given(st.lists(HOSTILE, min_size=1, max_size=3))
def test_passages_are_read_back_as_they_were_written(texts: list[str]) -> None:
    prompt = "Read.\n\n" + "\n\n".join(render_passage("a.md", 'A > "B"', text) for text in texts)
    assert parse_passages(prompt) == [Passage("a.md", 'A > "B"', text) for text in texts]
    assert prompt.count("</passage>") == len(texts)


@given(HOSTILE)
def test_a_question_is_read_back_as_it_was_written(question: str) -> None:
    assert parse_questions(render_question(question)) == [question.strip()]


def test_a_student_is_shown_the_passage_before_the_question() -> None:
    assert ask_with_passage("Text.\n", "Why? ") == "Passage:\nText.\n\nQuestion: Why?"
