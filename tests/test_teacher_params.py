"""`teacher:` says who answers; what of it reaches a teacher is in the request's id, and nothing else."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from stillhouse.base import versions
from stillhouse.base.errors import InputError
from stillhouse.base.params import load_section
from stillhouse.base.records import Document, Message, Request, split_slot
from stillhouse.corpus.chunker import chunk_document
from stillhouse.prompts.focus import Focus
from stillhouse.prompts.plan import RenderParams
from stillhouse.prompts.render import Material, name_request, render
from stillhouse.prompts.seeds import SeedQuestion
from stillhouse.prompts.teacher import TeacherParams
from stillhouse.prompts.templates import Prompts, load_prompts

PROMPTS = load_prompts(Path("prompts"))
TEXTS = {f"{number}.md": f"# Gate\n\nGate {number} closes at {number}:30.\n" for number in range(4)}
GPT = {"provider": "openai", "model": "gpt-5"}
LOCAL = {"provider": "huggingface", "model": "org/model|7B"}
SLOTS = [f"handbook.md|Part {number}:0|recall|plain|staff|0" for number in range(4000)]


def teach(**settings: object) -> TeacherParams:
    return TeacherParams.model_validate(settings)


def ask(teacher: TeacherParams | None = None, prompts: Prompts = PROMPTS) -> list[Request]:
    documents = [
        Document(source, source, "text/markdown", source, text, "CC0-1.0", "0" * 64)
        for source, text in TEXTS.items()
    ]
    material = Material(
        documents,
        [chunk for document in documents for chunk in chunk_document(document, 60)],
        everyday=[SeedQuestion("everyday.jsonl", "e1", "How are you?")],
        unanswered=[],
    )
    plan = {"core": {"recall": {"fraction": 1.0}}, "questions": {"replay": {"fraction": 1.0}}}
    return render(material, prompts, Focus(), RenderParams.model_validate({"plan": plan}), teacher)


def list_ids(teacher: TeacherParams) -> set[str]:
    return {request.request_id for request in ask(teacher) if request.task == "recall"}


def draw(teacher: TeacherParams) -> dict[str, str]:
    """Return the model that answers each slot."""
    return {slot: member.model_name for slot in SLOTS for member, _ in teacher.choose(slot)}


# --- who answers ---------------------------------------------------------------------------------


def test_a_project_asks_the_offline_teacher_unless_it_says_otherwise() -> None:
    shipped = load_section("teacher", TeacherParams)
    assert shipped.model_dump() == TeacherParams().model_dump()
    assert ask(shipped) == ask()
    asked = {(one.task, one.teacher, one.model) for one in ask()}
    reader = f"reader-{versions.OFFLINE_TEACHER}"
    assert asked == {("recall", "offline", reader), ("replay", "base", "smollm2-135m-instruct")}


def test_main_is_whom_the_parameters_name_and_a_prompt_may_name_another() -> None:
    asked = {(one.task, one.teacher, one.model) for one in ask(teach(**GPT))}
    assert asked == {("recall", "openai", "gpt-5"), ("replay", "base", "smollm2-135m-instruct")}
    recall = PROMPTS.by_task["recall"]
    fixed = replace(recall, meta=recall.meta.model_copy(update={"teacher": "offline"}))
    prompts = replace(PROMPTS, by_task={**PROMPTS.by_task, "recall": fixed})
    assert ask(teach(**GPT), prompts) == ask()


def test_claude_has_a_model_of_its_own_that_has_a_price() -> None:
    (member,) = teach(provider="anthropic").members
    prices = yaml.safe_load(Path("params.yaml").read_text())["teachers"]["prices"]
    assert member.model_name in prices


def test_by_share_each_place_is_answered_once_in_about_those_proportions() -> None:
    teacher = teach(provider="anthropic", share=2, others=[{**GPT, "share": 1}, LOCAL])
    drawn = Counter(draw(teacher).values())
    assert sum(drawn.values()) == len(SLOTS)
    # Of these counts the standard deviations are 32 and 27.
    assert drawn["claude-sonnet-5-5"] == pytest.approx(2000, abs=120)
    assert drawn["gpt-5"] == pytest.approx(1000, abs=100)
    assert drawn["org/model|7B"] == pytest.approx(1000, abs=100)


def test_a_teacher_that_comes_takes_its_share_and_moves_no_other_place() -> None:
    before = draw(teach(provider="anthropic", others=[GPT]))
    after = draw(teach(provider="anthropic", others=[LOCAL, GPT]))
    moved = {slot for slot in SLOTS if before[slot] != after[slot]}
    assert {after[slot] for slot in moved} == {"org/model|7B"}
    assert len(moved) == pytest.approx(len(SLOTS) / 3, abs=120)


def test_a_larger_share_only_takes_places() -> None:
    before = draw(teach(provider="anthropic", others=[GPT]))
    after = draw(teach(provider="anthropic", others=[{**GPT, "share": 3}]))
    moved = {slot for slot in SLOTS if before[slot] != after[slot]}
    assert {after[slot] for slot in moved} == {"gpt-5"}
    assert len(moved) == pytest.approx(len(SLOTS) / 4, abs=110)


def test_all_of_them_answer_each_place_each_in_its_own_slot() -> None:
    one = [request for request in ask(teach(provider="anthropic")) if request.task == "recall"]
    both = ask(teach(provider="anthropic", combine="all", others=[LOCAL]))
    claude, local = (
        [one for one in both if one.teacher == name] for name in ("anthropic", "huggingface")
    )
    assert claude == one
    assert len(local) == len(one) == len(TEXTS)
    for ours, theirs in zip(claude, local, strict=True):
        *place, last = split_slot(ours.slot_id)
        mark = "@huggingface/org/model|7B"
        assert split_slot(theirs.slot_id) == (*place, last + mark)
        assert theirs == replace(
            ours,
            request_id=theirs.request_id,
            slot_id=theirs.slot_id,
            teacher="huggingface",
            model="org/model|7B",
        )
    assert len({request.request_id for request in both}) == len(both)


# --- what changes a request id -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"provider": "anthropic"}),
        ({"provider": "openai", "model": "m"}, {"provider": "huggingface", "model": "m"}),
        (GPT, {**GPT, "model": "gpt-6"}),
        (GPT, {**GPT, "temperature": 0.0}),
        ({**GPT, "temperature": 0.0}, {**GPT, "temperature": 0.5}),
        (GPT, {**GPT, "seed": 0}),
        ({**GPT, "seed": 0}, {**GPT, "seed": 1}),
        (GPT, {**GPT, "effort": "low"}),
        (GPT, {**GPT, "thinking_tokens": 500}),
        ({"provider": "anthropic"}, {"provider": "anthropic", "thinking": "off"}),
        (
            {"provider": "anthropic", "thinking": "off"},
            {"provider": "anthropic", "thinking": "adaptive"},
        ),
        (
            {"provider": "anthropic", "thinking": "budget", "thinking_tokens": 1024},
            {"provider": "anthropic", "thinking": "budget", "thinking_tokens": 2048},
        ),
    ],
)
def test_what_reaches_the_teacher_asks_everything_anew(
    before: dict[str, object], after: dict[str, object]
) -> None:
    assert not list_ids(teach(**before)) & list_ids(teach(**after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"provider": "anthropic"}, {"provider": "anthropic", "model": "claude-sonnet-5-5"}),
        ({"provider": "anthropic"}, {"provider": "anthropic", "thinking": "default"}),
        (GPT, {**GPT, "share": 0.25}),
        (GPT, {**GPT, "combine": "all"}),
        ({}, {"model": None, "temperature": None, "seed": None, "thinking_tokens": 0}),
    ],
)
def test_what_does_not_reach_it_asks_nothing_anew(
    before: dict[str, object], after: dict[str, object]
) -> None:
    assert list_ids(teach(**before)) == list_ids(teach(**after))


def test_shares_and_companions_ask_nothing_anew_of_who_goes_on_answering() -> None:
    alone = {one.slot_id: one for one in ask(teach(provider="anthropic"))}
    shared = ask(teach(provider="anthropic", share=0.5, others=[GPT]))
    assert {one.teacher for one in shared} == {"anthropic", "openai", "base"}
    for request in shared:
        same = alone[request.slot_id].request_id == request.request_id
        assert same == (request.teacher in ("anthropic", "base"))


def test_access_prices_journal_and_runtime_are_listed_by_no_stage() -> None:
    stages = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
    listed = {
        str(name).split(".")[0]
        for stage in stages.values()
        for name in stage.get("do", stage).get("params", [])
    }
    assert "teacher" in listed
    assert not listed & {"teachers", "journal", "runtime"}


def test_an_id_is_that_of_every_version_before() -> None:
    """An id that moves asks for everything again, of every teacher and of everyone."""
    request = Request(
        request_id="",
        slot_id="a.md|A:0|recall|plain|staff|0",
        chunk_ids=("c",),
        task="recall",
        prompt_path="prompts/recall.md",
        prompt_sha256="0" * 64,
        variation="plain",
        persona="staff",
        sample=0,
        teacher="offline",
        model="reader-4",
        system="Be short.",
        messages=(Message("user", "Straße?"),),
        output_schema='{"type":"object"}',
        parameters='{"max_tokens":8,"pairs":1,"phrasings":1,"reasoning":true,"style":"plain"}',
    )
    assert name_request(request)[:16] == "b71cedf64a4d33f2"


def test_the_offline_teachers_parameters_are_those_of_every_version_before() -> None:
    (parameters,) = {one.parameters for one in ask() if one.task == "recall"}
    assert (
        parameters == '{"max_tokens":4096,"pairs":8,"phrasings":3,"reasoning":true,"style":"plain"}'
    )


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"provider": "anthropic", "temperature": 0.2},
            "provider `anthropic` takes no `temperature`",
        ),
        ({"provider": "anthropic", "seed": 1}, "provider `anthropic` takes no `seed`"),
        ({"provider": "openai"}, "provider `openai` needs a `model`"),
        ({"provider": "huggingface"}, "provider `huggingface` needs a `model`"),
        ({"provider": "anthropic", "model": ""}, "model"),
        ({**GPT, "temperature": 2.5}, "temperature"),
        ({**GPT, "thinking": "off"}, "`thinking` is Claude's alone"),
        ({**LOCAL, "effort": "low"}, "provider `huggingface` knows no `effort`"),
        (
            {"provider": "anthropic", "thinking": "budget", "thinking_tokens": 1023},
            "needs 1024 `thinking_tokens` or more",
        ),
        ({"provider": "offline", "model": "x"}, "provider `offline` has no `model`"),
        ({**GPT, "share": 0}, "share"),
        ({**GPT, "others": [GPT]}, "two of the teachers are the same model"),
        ({"others": [{"provider": "offline", "share": 2}]}, "are the same model"),
        ({**GPT, "others": [{"provider": "openai"}]}, "needs a `model`"),
        ({"provider": "claude"}, "provider"),
        ({**GPT, "price": 1}, "price"),
    ],
)
def test_what_a_teacher_does_not_take_is_refused_in_one_sentence(
    tmp_path: Path, settings: dict[str, object], said: str
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({"teacher": settings}))
    with pytest.raises(InputError) as refusal:
        load_section("teacher", TeacherParams, path)
    assert said in str(refusal.value)
    assert "teacher" in str(refusal.value)
    assert "\n" not in str(refusal.value)
