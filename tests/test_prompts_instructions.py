"""Seed instructions: each drawn passage gets its own, in a request that names it."""

import json
from collections import Counter
from pathlib import Path

import pytest

from stillhouse.base.errors import InputError
from stillhouse.base.records import Document, Request, Response
from stillhouse.corpus.chunker import chunk_document
from stillhouse.planning.traits import compare_requests, look_at
from stillhouse.prompts.focus import Focus
from stillhouse.prompts.instructions import Instruction, load_instructions, spread_instructions
from stillhouse.prompts.passages import parse_questions
from stillhouse.prompts.plan import InstructionParams, RenderParams
from stillhouse.prompts.render import Material, render
from stillhouse.prompts.templates import CATEGORIES, load_prompts
from stillhouse.teachers import offline
from stillhouse.teachers.answers import parse_answer

SHIPPED = Path("data/seed/instructions.jsonl")
TRUE = Instruction("true", "Make a true statement about the passage.", "factual")
QUIZ = Instruction("quiz", "Write a quiz question about the passage.", "creative")
POEM = Instruction("poem", "Write a poem.", "creative")
DOCUMENTS = [
    Document(
        f"d{n}", f"{n}.md", "text/markdown", f"Pier {n}",
        f"# Pier {n}\n\nPier {n} has {n + 3} berths.\n", "CC0-1.0", "0" * 64,
    )
    for n in range(30)
]  # fmt: skip


def ask(*instructions: Instruction, each: int = 1, seed: int = 0) -> list[Request]:
    chunks = [chunk for document in DOCUMENTS for chunk in chunk_document(document, 60)]
    spread = spread_instructions(instructions, InstructionParams(each=each, seed=seed))
    plan = RenderParams.model_validate({"plan": {"core": {"instructions": {"fraction": 1}}}})
    material = Material(DOCUMENTS, chunks, spreads={"instructions": spread})
    return render(material, load_prompts(Path("prompts")), Focus(), plan)


def drawn(requests: list[Request]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for request in requests:
        source, _, _, variation, *_ = request.slot_id.split("|")
        found.setdefault(source, set()).add(variation.removeprefix("plain/"))
    return found


def test_each_passage_gets_as_many_instructions_as_the_parameter_says() -> None:
    one, two = drawn(ask(TRUE, QUIZ, POEM)), drawn(ask(TRUE, QUIZ, POEM, each=2))
    assert {len(names) for names in one.values()} == {1}
    assert {len(names) for names in two.values()} == {2}
    assert all(one[source] < two[source] for source in one)
    assert len(Counter(name for names in one.values() for name in names)) == 3
    assert drawn(ask(TRUE, QUIZ, POEM, seed=1)) != one
    assert ask() == []


def test_an_added_instruction_takes_its_own_share_and_moves_no_other() -> None:
    then, now = drawn(ask(TRUE, QUIZ)), drawn(ask(TRUE, QUIZ, POEM))
    moved = {source for source in then if then[source] != now[source]}
    assert 3 <= len(moved) <= 20
    assert all(now[source] == {"poem"} for source in moved)


def test_a_request_holds_the_instruction_and_its_category_and_shows_the_passage() -> None:
    request = next(iter(ask(TRUE)))
    assert request.slot_id == "0.md|Pier 0:0|instructions|plain/true|staff|0"
    assert parse_questions(request.messages[-1].content) == [TRUE.instruction]
    assert request.category == "factual"
    assert json.loads(request.parameters)["shows"] is True
    answer = Response(request.request_id, offline.answer(request), "", "end", 1, 1, 0, "m")
    (pair,) = parse_answer(request, answer).pairs
    assert pair.context == "Pier 0 has 3 berths."
    assert pair.messages[-1].content.endswith(
        'Question: Make a true statement about the passage "Pier 0".'
    )
    assert pair.response == "Pier 0 has 3 berths."


def test_an_edited_instruction_is_another_document_and_no_other_prompt() -> None:
    other = Instruction("true", "Say something true about the passage.", "factual")
    for then, now in zip(ask(TRUE), ask(other), strict=True):
        assert then.slot_id == now.slot_id
        assert compare_requests(look_at(then), look_at(now), set()) == ("document",)


def test_the_shipped_instructions_load_and_name_nothing_of_a_firm() -> None:
    shipped = load_instructions(SHIPPED)
    assert len({one.instruction for one in shipped}) == len(shipped) >= 20
    assert {one.category for one in shipped} <= set(CATEGORIES)
    text = SHIPPED.read_text().lower()
    assert not [word for word in ("corvane", "handbook", "firm") if word in text]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"id": "a", "instruction": "Do."}, "keys are id, instruction"),
        (
            {"id": "a", "instruction": "  ", "category": "code"},
            "`id` or `instruction` is not a text, or empty",
        ),
        (
            {"id": "a", "instruction": "Do.", "category": "fun"},
            "`category` is 'fun'; expected one of",
        ),
    ],
)
def test_a_broken_line_is_named_with_its_place(
    tmp_path: Path, record: dict[str, str], said: str
) -> None:
    path = tmp_path / "instructions.jsonl"
    path.write_text(json.dumps(record) + "\n")
    with pytest.raises(InputError) as caught:
        load_instructions(path)
    assert f"instructions.jsonl:1: {said}" in str(caught.value)


def test_an_id_used_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "instructions.jsonl"
    line = json.dumps({"id": "a", "instruction": "Do.", "category": "code"})
    path.write_text(f"{line}\n{line}\n")
    with pytest.raises(InputError, match="the id 'a' is used twice"):
        load_instructions(path)
