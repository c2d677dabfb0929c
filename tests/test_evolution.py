"""Pairs developed further: drawn by place, asked once, answered, split with their parents."""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stages import generate as stage
from stillhouse.base.errors import InputError, TeacherError
from stillhouse.base.ids import md5_file
from stillhouse.base.questions import question_of
from stillhouse.base.records import (
    Message,
    Pair,
    Request,
    Row,
    join_slot,
    list_ancestors,
    list_steps,
    split_slot,
)
from stillhouse.base.requests import DERIVED, REQUESTS, read_requests
from stillhouse.base.tables import StoredTable, read_all, write_table
from stillhouse.prompts.evolve import Evolution, EvolveParams, Parent, load_evolution
from stillhouse.prompts.passages import (
    cut_told,
    parse_passages,
    parse_questions,
    parse_told,
    render_passage,
    render_told,
)
from stillhouse.prompts.teacher import TeacherParams
from stillhouse.quality.split import SplitParams, split_rows
from stillhouse.teachers.generate import GenerateParams, collect_answers
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.lookup import Archive
from stillhouse.teachers.protocol import Failure
from stillhouse.teachers.rounds import Rounds
from tests.asking import FakeTeacher, make_request, make_response, write_answer
from tests.making import make_chunk, make_document, make_pair, make_row
from tests.versions_project import ROOT, Project, copy_project, make_history_project

STEPS = ("constraints", "deeper", "steps")
TASKS = ("recall", "open_book", "multi_step")


def load(teacher: TeacherParams | None = None, root: Path = ROOT, **params: Any) -> Evolution:
    given = EvolveParams.model_validate({"steps": STEPS, "tasks": {"recall": 1.0}, **params})
    return load_evolution(
        root, given, teacher or TeacherParams(provider="openai", model="m"), TASKS
    )


def make_parent(fact: int = 0, question: int = 0, number: int = 0) -> Parent:
    """Return a pair of one of several requests, each about a passage of its own."""
    request = make_request(number)
    pair = make_pair(f"How many breaks has shift {number}?", f"It has {number}.", request=request)
    slot = join_slot(*split_slot(request.slot_id), fact, question)
    return Parent(replace(pair, slot_id=slot), request, f"A shift has {number} breaks.")


# What is shown of a pair in a prompt


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "a </answer> b",
        "<answer>\nq\n</answer>",
        "\\<answer>",
        '<passage source="a">',
        "<question>",
    ],
)
def test_a_developed_answer_is_read_back_as_it_was_shown(text: str) -> None:
    shown = f"Look:\n{render_told('answer', text)}\nEnd."
    assert parse_told("answer", shown) == [text]
    assert (parse_passages(shown), parse_questions(shown)) == ([], [])
    assert cut_told(shown) == "Look:\n\nEnd."


def test_a_passage_cannot_speak_as_the_answer_that_is_developed() -> None:
    passage = render_passage("a.md", "A", "<answer>\n7 days\n</answer>")
    assert parse_told("answer", passage + render_told("answer", "3 days")) == ["3 days"]


# Which pairs are developed, and by which step


def test_the_share_of_facts_that_is_drawn_is_about_the_one_that_is_asked_for() -> None:
    evolution = load(tasks={"recall": 0.3})
    places = [split_slot(make_parent(number=n).pair.slot_id)[:-1] for n in range(1000)]
    drawn = [evolution.is_drawn(make_request(n), place) for n, place in enumerate(places)]
    assert 250 < sum(drawn) < 350
    wider = load(tasks={"recall": 0.6})
    assert all(wider.is_drawn(make_request(n), place) for n, place in enumerate(places) if drawn[n])


def test_of_each_fact_the_first_wording_is_developed_and_the_tenth_comes_after_the_second() -> None:
    parents = [make_parent(fact, question) for fact in (10, 2) for question in (10, 9, 1)]
    chosen = load().choose(parents[0].request, [parent.pair for parent in parents])
    assert [split_slot(pair.slot_id)[-2:] for pair in chosen] == [("2", "1"), ("10", "1")]


@pytest.mark.parametrize(
    "change",
    [
        {"task": "multi_step"},  # no share of it is asked for
        {"messages": (Message("user", "A question without a passage."),)},
    ],
)
def test_other_tasks_and_pairs_without_a_passage_are_not_developed(change: Any) -> None:
    parent = make_parent()
    assert list(load().choose(replace(parent.request, **change), [parent.pair])) == []


def test_a_conversation_of_several_turns_is_not_developed() -> None:
    parent = make_parent()
    turns = (*parent.pair.messages, Message("assistant", "Yes."), Message("user", "Why?"))
    assert list(load().choose(parent.request, [replace(parent.pair, messages=turns)])) == []


def test_a_request_tells_its_parent_and_shows_passage_question_answer_and_fact() -> None:
    parent = make_parent(number=3)
    (request,) = load(steps=["deeper"]).ask(parent)
    said = request.messages[0].content
    assert (request.parent_id, request.chunk_ids) == (parent.pair.pair_id, parent.pair.chunk_ids)
    assert request.slot_id == f"{parent.pair.slot_id}|deeper"
    assert (request.task, request.prompt_path) == ("deeper", "prompts/evolve/deeper.md")
    assert [passage.text for passage in parse_passages(said)] == ["A shift has 3 breaks."]
    assert parse_questions(said) == ["How many breaks has shift 3?"]
    assert parse_told("answer", said) == ["It has 3."]
    assert parse_told("fact", said) == ["A shift has 3 breaks."]
    assert (request.teacher, request.model, request.category) == ("openai", "m", "analytical")


def test_an_open_book_pair_is_developed_into_an_open_book_pair() -> None:
    parent = make_parent()
    open_book = replace(parent, pair=replace(parent.pair, context="A shift has 0 breaks."))
    (request,) = load(steps=["deeper"]).ask(open_book)
    assert json.loads(request.parameters)["shows"] is True
    assert "shows" not in json.loads(next(load(steps=["deeper"]).ask(parent)).parameters)


def test_the_id_depends_on_what_the_pair_says_and_not_on_which_pair_says_it() -> None:
    evolution, parent = load(steps=["deeper"]), make_parent()
    (first,) = evolution.ask(parent)
    twin = replace(parent.pair, pair_id="e" * 64, fact_id="other")
    assert next(evolution.ask(replace(parent, pair=twin))).request_id == first.request_id
    for change in (
        {"response": "It has many."},
        {"messages": (Message("user", "How many breaks has shift 1?"),)},
    ):
        other = replace(parent.pair, **change)  # type: ignore[arg-type]
        assert next(evolution.ask(replace(parent, pair=other))).request_id != first.request_id


def test_no_pair_takes_a_step_twice_and_an_added_step_takes_only_its_share() -> None:
    parents = [make_parent(number=n) for n in range(300)]
    taken = {
        steps: [next(load(steps=list(steps)).ask(parent)).task for parent in parents]
        for steps in (STEPS[:2], STEPS)
    }
    assert set(Counter(taken[STEPS]).values()) <= set(range(70, 131))
    moved = [now for then, now in zip(*taken.values(), strict=True) if then != now]
    assert set(moved) == {"steps"}
    again = replace(parents[0].pair, slot_id=f"{parents[0].pair.slot_id}|deeper|0|0")
    assert next(load().ask(replace(parents[0], pair=again))).task != "deeper"
    assert list(load(steps=["deeper"]).choose(parents[0].request, [again])) == []


def test_every_teacher_is_asked_where_all_answer() -> None:
    teacher = TeacherParams.model_validate(
        {
            "provider": "openai",
            "model": "a",
            "combine": "all",
            "others": [{"provider": "anthropic"}],
        }
    )
    requests = list(load(teacher, steps=["deeper"]).ask(make_parent()))
    assert [request.teacher for request in requests] == ["openai", "anthropic"]
    assert [list_steps(request.slot_id) for request in requests] == [("deeper",), ("deeper",)]
    assert len({request.slot_id for request in requests}) == 2


# Parameters and prompt files


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"steps": ["deeper"]}, "`steps` needs `tasks`"),
        ({"tasks": {"recall": 0.1}}, "`tasks` needs `steps`"),
        ({"steps": ["deeper", "deeper"], "tasks": {"recall": 1}}, "names one step twice"),
        ({"tasks": {"abstain": 0.1}}, "rest on no passage"),
        ({"tasks": {"recall": 1.5}}, "less than or equal to 1"),
        ({"depth": 0}, "greater than or equal to 1"),
        ({"rounds": 2}, "Extra inputs"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        EvolveParams.model_validate(given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"steps": ["deeper", "depper"]}, "no step is called `depper`.*deeper"),
        ({"tasks": {"recal": 0.1}}, "no request has the task `recal`.*recall"),
    ],
)
def test_a_step_or_task_that_does_not_exist_is_one_sentence(given: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load(**given)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("passages: two", "`passages` says nothing in a step"),
        ("personas: [staff]", "`personas` says nothing in a step"),
        ("teacher: base", "`teacher: base` says nothing"),
        ("task: recall", "task `recall` is that of a prompt of the plan too"),
    ],
)
def test_a_step_file_cannot_say_what_its_pair_decides(tmp_path: Path, line: str, said: str) -> None:
    folder = tmp_path / "prompts/evolve"
    folder.mkdir(parents=True)
    front = "" if line.startswith("task") else "task: mine\n"
    (folder / "mine.md").write_text(
        f"---\n{front}{line}\n---\n\n## user\n\n{{{{ answer_block }}}}\n"
    )
    with pytest.raises(InputError, match=said):
        load(root=tmp_path, steps=["mine"])


def test_without_steps_no_file_is_read(tmp_path: Path) -> None:
    assert load(root=tmp_path, steps=[], tasks={}).rounds == 0


# Rounds


def develop(folder: Path, requests: list[Request], teacher: FakeTeacher, **params: Any) -> Rounds:
    """Ask in rounds, as the stage does; leave what came in ``folder``."""
    write_table(folder / REQUESTS, Request, requests)
    given = GenerateParams.model_validate({"tolerate_refusals": params.pop("tolerate", 0)})
    evolution = load(TeacherParams(provider="openai", model="model-1"), **params)
    with Journal(folder / "journal.sqlite") as journal:

        def ask(path: Path, params: GenerateParams, _: int) -> Any:
            table = StoredTable(path, Request)
            return collect_answers(table, [teacher], journal, Archive(folder, folder), params)

        rounds = Rounds(ask, journal, given, evolution)
        reads = list(rounds.walk(folder / REQUESTS))
    derived = [read.request for number, read in reads if number]
    write_table(folder / "pairs.parquet", Pair, [p for _, read in reads for p in read.pairs])
    write_table(folder / "derived.parquet", Request, derived)
    return rounds


class Echo(FakeTeacher):
    """Answers every request with one pair that names it, or, where ``same``, always with one."""

    same = False

    def say(self, request: Request) -> Any:
        question = "How many?" if self.same else f"What of {request.request_id[:8]}?"
        told = make_response(request, write_answer(question))
        return self.failing.get(request.request_id) or told


def make_asked(count: int = 3) -> list[Request]:
    return [make_request(number, teacher="openai") for number in range(count)]


def test_pairs_of_a_round_are_developed_in_the_next_up_to_the_depth(tmp_path: Path) -> None:
    teacher = Echo(tmp_path / "ledger", name="openai")
    rounds = develop(tmp_path, make_asked(), teacher, depth=2)
    derived = read_all(tmp_path / "derived.parquet", Request)
    assert Counter(len(list_steps(r.slot_id)) for r in derived) == {1: 3, 2: 3}
    pairs = {pair.pair_id: pair for pair in read_all(tmp_path / "pairs.parquet", Pair)}
    assert len(pairs) == 9
    assert all(
        pairs[r.parent_id].slot_id == next(list_ancestors(f"{r.slot_id}|0|0")) for r in derived
    )
    assert (rounds.counts.requests, rounds.counts.sent) == (9, 9)


def test_a_second_run_of_all_rounds_asks_nothing(tmp_path: Path) -> None:
    teacher = Echo(tmp_path / "ledger", name="openai")
    develop(tmp_path, make_asked(), teacher, depth=3)
    first = md5_file(tmp_path / "derived.parquet")
    again = develop(tmp_path, make_asked(), teacher, depth=3)
    assert (again.counts.answered, again.counts.sent) == (12, 0)
    assert md5_file(tmp_path / "derived.parquet") == first


def test_a_step_that_gives_its_pair_back_is_not_asked_twice_nor_listed_twice(
    tmp_path: Path,
) -> None:
    teacher = Echo(tmp_path / "ledger", name="openai")
    teacher.same = True
    develop(tmp_path, make_asked(), teacher, depth=3)
    asked = teacher.read_ledger()
    assert len(asked) == len(set(asked)) == 3 + len(read_all(tmp_path / "derived.parquet", Request))


def test_refusals_are_tolerated_over_all_rounds_together(tmp_path: Path) -> None:
    teacher = Echo(tmp_path / "ledger", name="openai")
    develop(tmp_path / "first", make_asked(), teacher, depth=1)
    child = read_all(tmp_path / "first/derived.parquet", Request)[0]
    refused = (make_asked()[0], child)
    teacher.failing = {r.request_id: Failure(r.request_id, "no", True) for r in refused}
    child_of_refused = child.slot_id.startswith(refused[0].slot_id)
    with pytest.raises(TeacherError, match="1 requests were refused for good"):
        develop(tmp_path / "second", make_asked(), teacher, depth=1)
    if not child_of_refused:
        with pytest.raises(TeacherError, match="refused for good"):
            develop(tmp_path / "third", make_asked(), teacher, depth=1, tolerate=1)
    develop(tmp_path / "fourth", make_asked(), teacher, depth=1, tolerate=2)


# The stages


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("evolution")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(root))
        project = make_history_project(root)
        evolve = {"steps": [*STEPS], "tasks": {"recall": 0.5}, "depth": 2, "seed": 29}
        project.set_params({"generate.evolve": evolve})
        project.step("evolve")
        yield project


def read_rows(root: Path, part: str = "curated/rows") -> list[Row]:
    return read_all(root / f"data/{part}.parquet", Row)


def test_every_row_that_was_developed_knows_its_parent(made: Project) -> None:
    requests = {request.request_id: request for request in read_requests(made.root)}
    pairs = {
        pair.pair_id: pair for pair in read_all(made.root / "data/generated/pairs.parquet", Pair)
    }
    rows = [row for row in read_rows(made.root) if requests[row.request_id].parent_id]
    assert {row.task for row in rows} == {"constraints", "steps"}
    for row in rows:
        parent = pairs[requests[row.request_id].parent_id]
        assert parent.slot_id == next(list_ancestors(row.slot_id))
        assert parent.chunk_ids == row.chunk_ids


def test_the_offline_teacher_keeps_the_limit_that_it_asks_for(made: Project) -> None:
    names = {"three": 3, "five": 5, "eight": 8, "twelve": 12, "twenty": 20}
    rows = [row for row in read_rows(made.root) if row.task == "constraints"]
    assert rows
    for row in rows:
        limit = next(
            number for name, number in names.items() if f" {name} words" in row.prompt[-1].content
        )
        assert len(row.completion[0].content.split()) <= limit


def test_a_limit_keeps_the_fact_so_that_both_are_held_out_together(made: Project) -> None:
    slots = {row.slot_id: row for row in read_rows(made.root)}
    for row in slots.values():
        if row.task == "constraints" and (parent := slots.get(next(list_ancestors(row.slot_id)))):
            assert row.fact_id == parent.fact_id != ""


def test_two_facts_of_a_passage_are_asked_for_together(made: Project) -> None:
    row = next(
        row
        for row in read_rows(made.root)
        if row.task == "steps" and "senior" in row.prompt[0].content
    )
    assert row.prompt[0].content == (
        "How many days of annual leave do apprentices get a year, and how many days of annual leave "
        "do senior engineers get a year?"
    )
    assert row.completion[0].content == (
        "Apprentices get 24 days of annual leave a year, and senior engineers get 29 days of annual "
        "leave a year."
    )


def test_the_same_parameters_give_the_same_bytes_and_send_nothing(
    made: Project, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLHOUSE_HOME", str(made.root))
    before = {path: md5_file(path) for path in (made.root / "data/generated").iterdir()}
    with caplog.at_level(logging.INFO), chdir(made.root):
        stage.main()
    assert " sent=0 " in caplog.text
    assert {path: md5_file(path) for path in before} == before


def test_an_edited_step_asks_only_its_own_pairs(
    made: Project,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "copy"))
    project = copy_project(made, tmp_path / "copy")
    project.edit("prompts/evolve/steps.md", "Check your working.", "Check it twice.")
    own = [r for r in read_all(project.root / DERIVED, Request) if "steps" in list_steps(r.slot_id)]
    with caplog.at_level(logging.INFO), chdir(project.root):
        stage.main()
    sent = int(caplog.text.split(" sent=")[1].split()[0])
    first = sum(request.task == "steps" for request in own)
    assert first <= sent <= len(own)


def test_what_was_developed_from_a_held_out_row_is_held_out_with_it() -> None:
    document, chunk = make_document(), make_chunk()
    rows = [
        make_row(make_pair(f"Phrasing {n}?", "27.5 days.", [chunk], fact="a"), [document])
        for n in range(4)
    ]
    slots = [join_slot("a.md", "A:0", "recall", "plain", "staff", 0, 0, n) for n in range(4)]
    rows = [replace(row, slot_id=slot) for row, slot in zip(rows, slots, strict=True)]
    children = [
        replace(row, row_id=f"c{n}", slot_id=f"{slots[n]}|constraints|0|0", task="constraints",
                prompt=(Message("user", f"{question_of(row.prompt, '')} Use three words."),))
        for n, row in enumerate(rows)
    ]  # fmt: skip
    grandchild = replace(children[0], row_id="g", slot_id=f"{children[0].slot_id}|steps|0|0")
    made = split_rows(
        [*rows, *children, grandchild], {document.document_id}, SplitParams(validation_facts=0)
    )
    (held,) = [row.slot_id for row in made.test if row.task == "recall"]
    expected = {row.row_id for row in [*children, grandchild] if row.slot_id.startswith(held)}
    assert {row.row_id for row in made.test if row.task == "constraints"} == expected
    assert len(made.train) + len(made.test) == 9


def test_what_asks_as_a_developed_row_that_is_held_out_is_held_out_too() -> None:
    document, chunk = make_document(), make_chunk()
    rows = [
        make_row(make_pair(f"Phrasing {n}?", "27.5 days.", [chunk], fact="a"), [document])
        for n in range(4)
    ]
    slots = [join_slot("a.md", "A:0", "recall", "plain", "staff", 0, 0, n) for n in range(4)]
    rows = [replace(row, slot_id=slot) for row, slot in zip(rows, slots, strict=True)]
    asked = (Message("user", "How many days, in three words?"),)
    children = [
        replace(row, row_id=f"c{n}", slot_id=f"{slots[n]}|constraints|0|0", prompt=asked)
        for n, row in enumerate(rows)
    ]
    twin = replace(rows[0], row_id="t", fact_id="b", slot_id="b.md|B:0|steps|plain|staff|0|0|0",
                   task="steps", prompt=asked)  # fmt: skip
    grown = replace(twin, row_id="u", slot_id=f"{twin.slot_id}|steps|0|0",
                    prompt=(Message("user", "And in four words?"),))  # fmt: skip
    made = split_rows(
        [*rows, *(replace(one, task="constraints") for one in children), twin, grown],
        {document.document_id},
        SplitParams(validation_facts=0),
    )
    held = {row.row_id for row in made.test}
    assert held >= {"c0", "c1", "c2", "c3", "t", "u"}
    assert asked not in {row.prompt for row in made.train}
