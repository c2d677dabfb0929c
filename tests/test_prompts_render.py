"""Prompt files, focus and plan become requests; an id changes with what is sent and nothing else."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from stillhouse.base import versions
from stillhouse.base.errors import InputError
from stillhouse.base.records import Chunk, Document, Request
from stillhouse.base.tables import StoredTable, write_table
from stillhouse.corpus.chunker import chunk_document
from stillhouse.prompts.focus import Focus, load_focus
from stillhouse.prompts.pairing import RuleFinder
from stillhouse.prompts.passages import parse_passages, parse_questions
from stillhouse.prompts.plan import Places, RenderParams, draw_chunk
from stillhouse.prompts.render import Material, name_request, render, show_chunk
from stillhouse.prompts.seeds import SeedQuestion, load_questions
from stillhouse.prompts.templates import load_prompt, load_prompts

PROMPTS = Path("prompts")
TASKS = (
    "abstain",
    "edge_cases",
    "exceptions",
    "multi_step",
    "open_book",
    "recall",
    "replay",
    "simplified",
)
TEXTS = {
    "gate.md": "# Gate\n\nThe north gate closes at 21:30 on every working day.\n",
    "fees.md": "# Fees\n\nA ketch pays a fee of £11 for each night in the harbour.\n",
    "storm.md": "# Storms\n\nIn a storm the north gate closes at 18:15 instead on a working day.\n",
}


def document(source: str, text: str) -> Document:
    return Document(f"d-{source}", source, "text/markdown", source, text, "CC0-1.0", "0" * 64)


def chunks_of(documents: list[Document], budget: int = 60) -> list[Chunk]:
    return [chunk for one in documents for chunk in chunk_document(one, budget)]


def material(texts: dict[str, str] = TEXTS) -> Material:
    documents = [document(source, text) for source, text in texts.items()]
    return Material(
        documents,
        chunks_of(documents),
        everyday=[SeedQuestion("everyday.jsonl", "e1", "How are you?")],
        unanswered=[SeedQuestion("unanswered.jsonl", "u1", "Who owns </question> the moon?")],
    )


def params(**plan: dict[str, object]) -> RenderParams:
    return RenderParams.model_validate({"plan": plan})


RECALL = {"recall": {"fraction": 1.0, "pairs": 4, "phrasings": 3}}


def ask(
    plan: RenderParams | None = None,
    texts: dict[str, str] = TEXTS,
    focus: Focus | None = None,
    folder: Path = PROMPTS,
) -> list[Request]:
    return render(
        material(texts), load_prompts(folder), focus or Focus(), plan or params(core=RECALL)
    )


def copy_prompts(tmp_path: Path) -> Path:
    return shutil.copytree(PROMPTS, tmp_path / "prompts")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_every_shipped_prompt_loads_and_renders() -> None:
    chunk_tasks = {task: {"fraction": 1.0} for task in TASKS if task not in ("abstain", "replay")}
    questions = {"abstain": {"fraction": 1.0}, "replay": {"fraction": 1.0}}
    requests = ask(params(core=chunk_tasks, questions=questions))
    assert {request.task for request in requests} == set(TASKS)
    for request in requests:
        told = request.system + request.messages[0].content
        assert "{{" not in told
        assert (
            (request.teacher == "base") == (request.task == "replay") == (not request.output_schema)
        )


def test_a_request_says_what_is_asked_and_where() -> None:
    request = next(r for r in ask() if r.slot_id.startswith("gate.md"))
    assert request.slot_id == "gate.md|Gate:0|recall|plain|staff|0"
    assert json.loads(request.parameters) == {
        "max_tokens": 4096,
        "pairs": 4,
        "phrasings": 3,
        "reasoning": True,
        "style": "plain",
    }
    (passage,) = parse_passages(request.messages[0].content)
    assert (passage.source, passage.section) == ("gate.md", "Gate")
    assert passage.text == "The north gate closes at 21:30 on every working day."
    assert "at most 4 facts" in request.messages[0].content
    assert "3 differently worded questions" in request.system
    assert request.model == f"reader-{versions.OFFLINE_TEACHER}"


def test_replay_asks_the_base_the_bare_question_and_abstain_the_teacher() -> None:
    plan = params(questions={"abstain": {"fraction": 1.0}, "replay": {"fraction": 1.0}})
    abstain, replay = sorted(ask(plan), key=lambda request: request.task)
    assert (replay.model, replay.system, replay.messages[0].content) == (
        "smollm2-135m-instruct",
        "",
        "How are you?",
    )
    assert replay.slot_id == "everyday.jsonl|e1|replay|plain|staff|0"
    assert parse_questions(abstain.messages[0].content) == ["Who owns </question> the moon?"]
    assert json.loads(abstain.parameters)["style"] == "The handbook does not say."


def test_an_exception_is_shown_behind_its_rule_from_another_document() -> None:
    (request,) = ask(params(core={"exceptions": {"fraction": 1.0}}))
    passages = parse_passages(request.messages[0].content)
    assert [passage.source for passage in passages] == ["gate.md", "storm.md"]
    assert len(request.chunk_ids) == 2
    assert request.slot_id.startswith("storm.md|")


def test_held_out_documents_are_never_shown() -> None:
    focus = Focus.model_validate({"held_out": [{"source": "gate.md"}]})
    tasks = {task: {"fraction": 1.0} for task in ("recall", "exceptions", "open_book")}
    requests = ask(params(core=tasks, other=tasks), focus=focus)
    shown = {p.source for r in requests for p in parse_passages(r.messages[0].content)}
    assert shown == {"fees.md", "storm.md"}


def test_groups_follow_their_own_plan() -> None:
    focus = Focus.model_validate({"core": [{"source": "gate.md"}]})
    requests = ask(
        params(core=RECALL, other={"recall": {"fraction": 1.0, "pairs": 1}}), focus=focus
    )
    pairs = {r.slot_id.split("|")[0]: json.loads(r.parameters)["pairs"] for r in requests}
    assert pairs == {"gate.md": 4, "fees.md": 1, "storm.md": 1}


@pytest.mark.parametrize("core", [None, []])
def test_without_a_core_list_everything_is_core(core: list[object] | None) -> None:
    assert len(ask(focus=Focus.model_validate({"core": core}))) == 3


def test_rows_cut_off_from_their_table_are_shown_with_its_head() -> None:
    rows = "".join(f"| boat {i} | £{i} |\n" for i in range(20))
    fees = document("fees.md", f"# Fees\n\n| Boat | Fee |\n| --- | --- |\n{rows}")
    chunks = chunks_of([fees])
    assert len(chunks) > 1
    for chunk in chunks:
        (passage,) = parse_passages(show_chunk(chunk, fees))
        assert passage.text.startswith("| Boat | Fee |\n| --- | --- |\n| boat ")
        assert passage.text.count("---") == 2


def test_variations_personas_and_samples_are_requests_of_their_own() -> None:
    task = {
        "fraction": 1.0,
        "variations": ["plain", "analogy"],
        "personas": ["staff", "manager"],
        "samples": 2,
    }
    requests = ask(params(core={"recall": task}), texts={"gate.md": TEXTS["gate.md"]})
    assert len({request.request_id for request in requests}) == 8
    assert len({request.slot_id for request in requests}) == 8


# --- what changes a request id -------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"teacher": "base"},
        {"model": "reader-0"},
        {"system": "x"},
        {"messages": ()},
        {"output_schema": ""},
        {"parameters": "{}"},
        {"task": "x"},
        {"variation": "x"},
        {"persona": "x"},
        {"sample": 1},
    ],
)
def test_the_request_id_changes_with_everything_that_reaches_the_teacher(
    change: dict[str, object],
) -> None:
    request = ask()[0]
    assert name_request(replace(request, **change)) != request.request_id


@pytest.mark.parametrize(
    "change",
    [{"slot_id": "x"}, {"chunk_ids": ()}, {"prompt_path": "x"}, {"prompt_sha256": "x"}],
)
def test_the_request_id_does_not_change_with_where_it_came_from(change: dict[str, object]) -> None:
    request = ask()[0]
    assert name_request(replace(request, **change)) == request.request_id


def test_a_prompt_edit_changes_its_own_requests_only_and_no_slot(tmp_path: Path) -> None:
    plan = params(core={"recall": {"fraction": 1.0}, "open_book": {"fraction": 1.0}})
    folder = copy_prompts(tmp_path)
    before = ask(plan, folder=folder)
    edit(folder / "recall.md", "from memory", "by heart")
    after = ask(plan, folder=folder)
    assert {r.slot_id for r in before} == {r.slot_id for r in after}
    changed = {r.request_id for r in after} - {r.request_id for r in before}
    assert {r.request_id for r in after if r.task == "recall"} == changed
    assert len({r.prompt_sha256 for r in before} & {r.prompt_sha256 for r in after}) == 1


def test_a_comment_in_front_matter_changes_the_prompts_hash_but_asks_nothing_again(
    tmp_path: Path,
) -> None:
    folder = copy_prompts(tmp_path)
    before = ask(folder=folder)
    edit(folder / "recall.md", "task: recall\n", "task: recall  # facts\n")
    after = ask(folder=folder)
    assert [r.request_id for r in before] == [r.request_id for r in after]
    assert before[0].prompt_sha256 != after[0].prompt_sha256


def test_an_added_document_moves_no_other_in_or_out_of_a_fraction() -> None:
    texts = {f"{i}.md": f"# T{i}\n\nRule {i} holds here.\n" for i in range(40)}
    plan = params(core={"recall": {"fraction": 0.5}})
    before = {request.request_id for request in ask(plan, texts)}
    after = {request.request_id for request in ask(plan, {"new.md": "# N\n\nNew rule.\n", **texts})}
    assert before <= after
    assert 10 <= len(before) <= 30
    assert len(after - before) <= 1


def test_a_larger_fraction_keeps_what_a_smaller_one_asked() -> None:
    texts = {f"{i}.md": f"# T{i}\n\nRule {i} holds here.\n" for i in range(40)}
    small, large = (
        {r.slot_id for r in ask(params(core={"recall": {"fraction": f}}), texts)}
        for f in (0.3, 0.6)
    )
    assert small < large


def test_equal_requests_are_asked_once() -> None:
    twice = {"a.md": "# A\n\nThe gate is red.\n\n# A\n\nThe gate is red.\n\n# B\n\nMore.\n"}
    assert len(material(twice).chunks) == 3
    assert len(ask(texts=twice)) == 2


def test_requests_are_equal_across_processes() -> None:
    code = (
        "import importlib.util as u; s = u.spec_from_file_location('t', 'tests/test_prompts_render.py');"
        "t = u.module_from_spec(s); s.loader.exec_module(t);"
        "print(t.ask(t.params(core={k: {'fraction': 0.9} for k in ('recall', 'exceptions')})))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1


# --- what is refused -----------------------------------------------------------------------------


def write_prompt(tmp_path: Path, front: str, body: str) -> Path:
    path = tmp_path / "mine.md"
    path.write_text(f"---\n{front}---\n{body}")
    return path


@pytest.mark.parametrize(
    ("front", "body", "said"),
    [
        (
            "task: mine\n",
            "\n## user\n\nHello\n{{ pasages }}\n",
            r"mine\.md:8: unknown name `pasages`",
        ),
        ("task: mine\n", "## user\n{% if pairs %}\n", r"mine\.md:\d: the template is broken"),
        ("task: mine\nteachr: offline\n", "## user\nx", r"mine\.md:3: unknown key `teachr`"),
        ("task: mine\nteacher: claude\n", "## user\nx", r"mine\.md:3: .*`teacher`"),
        ("task: mine\npairs: 0\n", "## user\nx", r"mine\.md:3: .*`pairs`"),
        ("task: mine\n\tpairs: 0\n", "## user\nx", r"mine\.md:3: .*not valid YAML"),
        ("task: mine\nsource: everyday\n", "## user\nx", r"mine\.md: .*passages: none"),
        ("task: mine\n", "## system\nx", r"mine\.md: there is no user part"),
        ("task: mine\n", "## user\nx\n## user\ny", r"mine\.md:6: a second `## user`"),
    ],
)
def test_a_broken_prompt_file_is_refused_with_file_and_line(
    tmp_path: Path, front: str, body: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        load_prompt(write_prompt(tmp_path, front, body))


def test_a_file_without_front_matter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.md").write_text("## user\nx")
    with pytest.raises(InputError, match=r"mine\.md:1: there is no front matter"):
        load_prompt(tmp_path / "mine.md")


def test_a_template_cannot_reach_outside_its_values(tmp_path: Path) -> None:
    folder = copy_prompts(tmp_path)
    edit(folder / "recall.md", "{{ passages }}", "{{ passages.__class__.__mro__ }}")
    with pytest.raises(InputError, match=r"recall\.md"):
        ask(folder=folder)


def test_braces_in_a_passage_are_text_not_template() -> None:
    texts = {"a.md": "# A\n\nWrite {{ pairs }} and {% raw %} as they are.\n"}
    assert "Write {{ pairs }} and {% raw %} as" in ask(texts=texts)[0].messages[0].content


def test_two_files_for_one_task_are_refused(tmp_path: Path) -> None:
    folder = copy_prompts(tmp_path)
    shutil.copy(folder / "recall.md", folder / "recall2.md")
    with pytest.raises(InputError, match="task `recall`"):
        load_prompts(folder)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"core": {"recal": {}}}, "no prompt file has this task"),
        ({"core": {"replay": {}}}, "in the wrong place"),
        ({"questions": {"recall": {}}}, "in the wrong place"),
        ({"core": {"recall": {"variations": ["loud"]}}}, "unknown variation `loud`"),
        ({"other": {"recall": {"personas": ["ghost"]}}}, "unknown persona `ghost`"),
    ],
)
def test_a_plan_that_names_what_does_not_exist_is_refused(
    plan: dict[str, dict[str, object]], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        ask(params(**plan))


def test_a_focus_on_a_document_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=r"'gone\.md' is not a document"):
        ask(focus=Focus.model_validate({"held_out": [{"source": "gone.md"}]}))


def test_a_document_cannot_be_core_and_held_out(tmp_path: Path) -> None:
    path = tmp_path / "focus.yaml"
    path.write_text("core: [{source: a.md}]\nheld_out: [{source: a.md}]\n")
    with pytest.raises(InputError, match="both core and held out"):
        load_focus(path)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            '{"id": "a", "question": "x"}\n{"id": "a", "question": "y"}',
            r":2: the id 'a' is used twice",
        ),
        ('{"id": "a", "questoin": "x"}', r":1: keys are id, questoin"),
        ('{"id": "a", "question": " "}', r":1: .*empty"),
    ],
)
def test_a_broken_question_file_is_refused_with_its_line(
    tmp_path: Path, lines: str, said: str
) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(lines)
    with pytest.raises(InputError, match=said):
        load_questions(path)


def test_the_bundled_focus_names_about_eight_core_and_two_held_out_documents() -> None:
    focus = load_focus(Path("data/seed/focus.yaml"))
    sizes = Counter(core=len(focus.core or ()), held_out=len(focus.held_out or ()))
    assert sizes == {"core": 8, "held_out": 2}


def test_an_unanswered_line_may_state_what_the_documents_do_not(tmp_path: Path) -> None:
    path = tmp_path / "unanswered.jsonl"
    path.write_text(
        '{"id": "a", "statement": "The gym opens at 6."}\n{"id": "b", "question": "Why?"}\n'
    )
    stated, asked = load_questions(path, statements=True)
    assert (stated.statement, stated.question) == ("The gym opens at 6.", "")
    assert (asked.statement, asked.question) == ("", "Why?")
    with pytest.raises(InputError, match="expected `id` and `question`"):
        load_questions(path)


# --- a corpus larger than memory -----------------------------------------------------------------


def test_a_stored_corpus_in_any_order_gives_the_requests_of_one_in_memory(tmp_path: Path) -> None:
    texts = {
        f"{i:03}.md": f"# T{i}\n\nGate {i} opens at {i % 24}:15 for boat {i % 7}.\n\n"
        f"## Storm\n\nUnless gate {i % 9} is shut, boat {i % 7} opens no gate in a storm.\n"
        for i in range(60)
    }
    plan = params(core={k: {"fraction": 0.7} for k in ("recall", "exceptions", "open_book")})
    given = material(texts)
    for name, record, records in (
        ("documents", Document, given.documents),
        ("chunks", Chunk, given.chunks),
    ):
        write_table(tmp_path / name, record, records)
    stored = Material(
        StoredTable(tmp_path / "documents", Document), StoredTable(tmp_path / "chunks", Chunk)
    )
    prompts = load_prompts(PROMPTS)
    in_memory = render(replace(given, everyday=(), unanswered=()), prompts, Focus(), plan)
    assert list(render(stored, prompts, Focus(), plan)) == in_memory
    assert Counter(request.task for request in in_memory)["exceptions"] > 20


def rules(count: int, words: int = 0) -> list[Chunk]:
    extra = " ".join(f"filler{i}" for i in range(words))
    texts = {
        f"{i:05}.md": f"# Rule {i}\n\nThe quay{i} north gate{i} closes late{i} daily. {extra}\n"
        for i in range(count)
    }
    return chunks_of([document(source, text) for source, text in texts.items()], budget=400)


def test_a_rule_is_found_among_many_by_its_rare_words() -> None:
    storm = "# Storm\n\nThe quay7 north gate7 closes late7 early instead, rule or not, daily.\n"
    (exception,) = chunks_of([document("storm.md", storm)])
    finder = RuleFinder([*rules(3000, words=20), exception])
    assert finder.find_rule(exception) == ("00007.md", 10)


def test_words_that_too_many_passages_hold_lead_to_no_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "# Storm\n\n" + " ".join(f"filler{i}" for i in range(20)) + " instead.\n"
    (exception,) = chunks_of([document("storm.md", text)], budget=400)
    chunks = [*rules(100, words=20), exception]
    assert RuleFinder(chunks).find_rule(exception) is not None
    monkeypatch.setattr("stillhouse.prompts.pairing._MOST_ENTRIES", 200)
    assert RuleFinder(chunks).find_rule(exception) is None


def test_of_equally_near_rules_the_smaller_id_is_taken_in_any_order() -> None:
    texts = {f"{i}.md": "# G\n\nThe north gate closes at nine daily.\n" for i in range(5)}
    chunks = chunks_of([document(source, text) for source, text in texts.items()])
    storm = document("s.md", "# S\n\nThe north gate closes at eight instead, daily.\n")
    (exception,) = chunks_of([storm])
    best = min(chunks, key=lambda chunk: chunk.chunk_id)
    for order in (chunks, chunks[::-1]):
        finder = RuleFinder([*order, exception])
        assert [finder.find_rule(exception) for _ in "ab"] == [(best.source, best.start)] * 2


def test_documents_of_one_form_are_drawn_one_by_one() -> None:
    texts = {
        f"contract-{n}.md": f"# Contract {n}\n\n## {n}. Payment\n\nThe customer pays the agreed fee of £{n} a year.\n"
        for n in range(200)
    }
    documents = [document(source, text) for source, text in texts.items()]
    places = Places()
    drawn = [
        draw_chunk(places.name_place(chunk), "recall", 0.25, seed=17)
        for chunk in chunks_of(documents)
    ]
    # Other passages are other requests: whoever changes this bumps versions.DRAWS.
    assert (versions.DRAWS, [n for n, is_drawn in enumerate(drawn) if is_drawn][:8]) == (
        1,
        [4, 9, 12, 21, 22, 27, 28, 30],
    )
    assert 0.15 * len(drawn) < sum(drawn) < 0.35 * len(drawn)


WEIGHED = {"recall": {"fraction": 0.5, "phrasings": 4}}


def weigh(*weights: dict[str, object]) -> Focus:
    return Focus.model_validate({"weights": weights})


def asked_of(focus: Focus | None, plan: RenderParams | None = None) -> Counter[str]:
    many = {f"{n}.md": f"# Paper {n}\n\nPier {n} has {n + 3} berths.\n" for n in range(60)}
    requests = ask(plan or params(core=WEIGHED), many, focus)
    return Counter(json.loads(request.parameters)["phrasings"] for request in requests)


def test_a_weight_multiplies_the_fraction_and_then_the_phrasings() -> None:
    plain = asked_of(None)
    assert 15 <= plain[4] <= 45
    assert asked_of(weigh({"task": "recall", "weight": 1})) == plain
    assert asked_of(weigh({"task": "recall", "weight": 2})) == {4: 60}
    assert asked_of(weigh({"task": "recall", "weight": 3})) == {6: 60}
    assert asked_of(weigh({"task": "recall", "weight": 0})) == {}
    less = asked_of(weigh({"task": "recall", "weight": 0.5}))
    assert 5 <= less[4] < plain[4]


def test_a_weight_of_a_document_moves_no_other_and_those_that_fit_multiply() -> None:
    every = params(core={"recall": {"fraction": 1.0, "phrasings": 4}})
    focus = weigh({"source": "7.md", "weight": 1.5}, {"task": "recall", "weight": 2})
    assert asked_of(focus, every) == {8: 59, 12: 1}
    both = weigh({"source": "7.md", "task": "recall", "weight": 2})
    assert asked_of(both, every) == {4: 59, 8: 1}
    other = weigh({"source": "7.md", "task": "multi_step", "weight": 2})
    assert asked_of(other, every) == {4: 60}


def test_what_a_smaller_weight_asks_about_a_larger_one_asks_about_too() -> None:
    def slots(weight: float) -> set[str]:
        return {
            r.slot_id
            for r in ask(
                params(core={"recall": {"fraction": 0.4}}),
                {f"{n}.md": f"# Paper {n}\n\nPier {n} has {n} berths.\n" for n in range(40)},
                weigh({"task": "recall", "weight": weight}),
            )
        }

    assert slots(0.5) < slots(1) < slots(2)


@pytest.mark.parametrize(
    ("weight", "said"),
    [
        ({"source": "gatt.md", "weight": 2}, "the document 'gatt.md'"),
        ({"task": "recal", "weight": 2}, "the task 'recal'"),
    ],
)
def test_a_weight_of_nothing_is_refused(weight: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        ask(focus=weigh(weight))
    assert "did you mean" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("weights: [{weight: 2}]", "needs a `source`, a `task` or both"),
        ("weights: [{task: recall, weight: -1}]", "weight"),
        (
            "weights: [{task: recall, weight: 2}, {task: recall, weight: 3}]",
            "the weight of '* / recall' stands there twice",
        ),
    ],
)
def test_a_broken_weight_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "focus.yaml").write_text(text)
    with pytest.raises(InputError, match=said.replace("*", r"\*")):
        load_focus(tmp_path / "focus.yaml")
