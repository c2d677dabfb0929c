"""Conversations of production: one of each kind is asked, with passages that may be taught, in its own words."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from stillhouse.base.records import Chunk, Document, Message, Rejection, Request, Response
from stillhouse.corpus.chunker import chunk_document
from stillhouse.planning.traits import compare_requests, look_at
from stillhouse.prompts.diversity import choose_spread, find_twins
from stillhouse.prompts.focus import Focus
from stillhouse.prompts.logs import Log, Logs, Unused
from stillhouse.prompts.passages import parse_passages
from stillhouse.prompts.plan import LogParams, RenderParams
from stillhouse.prompts.production import choose_logs, make_subjects
from stillhouse.prompts.render import Material, render, show_chunk
from stillhouse.prompts.retrieval import find_passages
from stillhouse.prompts.templates import load_prompts
from stillhouse.teachers import offline
from stillhouse.teachers.answers import parse_answer

TEXTS = {
    "gate.md": "# Gate\n\nThe north gate closes at 21:30 on every working day.\n",
    "fees.md": "# Fees\n\nThe mooring fee for a ketch is £11 a night.\n",
    "boats.md": "# Boats\n\nBooking a dinghy takes form DB-12.\n",
}
DOCUMENTS = [
    Document(f"d-{name}", name, "text/markdown", name, text, "CC0-1.0", "0" * 64)
    for name, text in TEXTS.items()
]
CHUNKS = [chunk for document in DOCUMENTS for chunk in chunk_document(document, 60)]
EVERY = LogParams(similarity=None, passages=2)


def ask(name: str, *turns: str) -> Log:
    roles = ("user", "assistant") * len(turns)
    return Log(name, tuple(Message(role, said) for role, said in zip(roles, turns, strict=False)))


def never(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    raise AssertionError("nothing is to be embedded")


def place(*degrees: float) -> npt.NDArray[np.float32]:
    turned = np.radians(np.array(degrees))
    return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


def render_logs(*logs: Log, chunks: Sequence[Chunk] = CHUNKS) -> list[Request]:
    subjects = make_subjects(logs, DOCUMENTS, chunks, show_chunk, EVERY)
    material = Material(DOCUMENTS, CHUNKS, others={"logs": subjects})
    plan = RenderParams.model_validate({"plan": {"questions": {"production": {"fraction": 1}}}})
    return render(material, load_prompts(Path("prompts")), Focus(), plan)


def test_of_near_equal_texts_the_first_is_kept_and_the_others_name_it() -> None:
    twins = find_twins(place(0, 90, 10, 80, 45), similarity=0.95)
    assert [leader for leader, _ in twins] == [0, 1, 0, 1, 4]
    assert [near for _, near in twins] == pytest.approx([1, 1, 0.9848, 0.9848, 1])


def test_a_text_behind_others_changes_nothing_of_them() -> None:
    degrees = (0, 90, 10, 80, 45, 20, 130)
    assert find_twins(place(*degrees), 0.95)[:4] == find_twins(place(*degrees[:4]), 0.95)


def test_the_chosen_lie_as_far_apart_as_can_be_whatever_their_order() -> None:
    degrees, names = [0, 5, 90, 95, 180, 185], list("abcdef")
    chosen = choose_spread(place(*degrees), names, 3, seed=1)
    assert [place // 2 for place in chosen] == [0, 1, 2]
    back = choose_spread(place(*reversed(degrees)), names[::-1], 3, seed=1)
    assert {names[one] for one in chosen} == {names[::-1][one] for one in back}
    assert choose_spread(place(*degrees), names, 9, seed=1) == [0, 1, 2, 3, 4, 5]


def test_every_line_that_is_not_asked_about_says_why() -> None:
    logs = Logs(
        (ask("a", "one"), ask("b", "two"), ask("c", "three"), ask("d", "four " * 9)),
        (Unused("e", "no_question", "line 5 holds no text"),),
    )
    params = LogParams(similarity=0.95, most=1, words=8)
    chosen = choose_logs(logs, params, lambda texts: place(0, 10, 90)[: len(texts)])
    (kept,) = chosen.logs
    other = "c" if kept.id == "a" else "a"

    def reject(name: str, reason: str, detail: str) -> Rejection:
        return Rejection(name, "prompt", f"prompts.jsonl|{name}", (), "render", reason, detail)

    assert chosen.unused == (
        reject("e", "no_question", "line 5 holds no text"),
        reject("d", "too_long", "9 words; at most 8 are taken"),
        reject("b", "semantic_duplicate", "similarity 0.98 to a, which is kept"),
        reject(other, "not_selected", "not among the 1 that lie farthest apart"),
    )


def test_nothing_is_embedded_where_all_are_kept_or_there_is_nothing() -> None:
    logs = Logs((ask("a", "one"), ask("b", "two")))
    assert choose_logs(logs, LogParams(similarity=None, most=2), never).logs == logs.logs
    assert choose_logs(Logs(()), LogParams(), never).logs == ()


def test_passages_are_those_that_share_words_with_what_the_user_said() -> None:
    found = find_passages(
        ["When does the gate close?", "fees for ketches", "Hello, who are you?"], CHUNKS, 2
    )
    assert [[chunk.source for chunk in one] for one in found] == [["gate.md"], ["fees.md"], []]
    assert find_passages(["gate"], [], 2) == [()]


def test_a_request_replies_to_the_conversation_with_the_passages_beside_it() -> None:
    (request,) = render_logs(ask("chat-1", "I have a ketch.", "Nice!", "What is the fee a night?"))
    assert request.slot_id == "prompts.jsonl|chat-1|production|plain|staff|0"
    assert [(turn.role, turn.content) for turn in request.messages] == [
        ("user", "I have a ketch."),
        ("assistant", "Nice!"),
        ("user", "What is the fee a night?"),
    ]
    assert [passage.source for passage in parse_passages(request.system)] == ["fees.md"]
    assert request.category == "conversation"
    assert json.loads(request.parameters)["reply"] is True
    answer = Response(request.request_id, offline.answer(request), "", "end", 1, 1, 0, "m")
    (pair,) = parse_answer(request, answer).pairs
    assert (pair.messages, pair.context) == (request.messages, "")
    assert pair.response == "The mooring fee for a ketch is £11 a night."
    assert pair.fact_id


def test_held_out_documents_are_given_as_chunks_of_none() -> None:
    taught = [chunk for chunk in CHUNKS if chunk.source != "fees.md"]
    (request,) = render_logs(ask("a", "What is the fee for a ketch?"), chunks=taught)
    assert (request.chunk_ids, parse_passages(request.system)) == ((), [])
    assert json.loads(offline.answer(request)) == {"pairs": []}


def test_an_edited_line_is_another_document_and_other_passages_are_too() -> None:
    (then,) = render_logs(ask("a", "What is the fee for a ketch?"))
    (now,) = render_logs(ask("a", "How high is the fee for a ketch?"))
    seeds = {"data/seed/prompts.jsonl"}
    assert compare_requests(look_at(then), look_at(now), seeds) == ("document",)
    moved = replace(now, chunk_ids=("other",), messages=then.messages)
    assert compare_requests(look_at(then), look_at(moved), set()) == ("document",)
    reworded = replace(then, prompt_sha256="1", system=then.system + " Be short.")
    assert compare_requests(look_at(then), look_at(reworded), seeds) == ("prompt",)
