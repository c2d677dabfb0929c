"""A local model as a teacher: what it says hangs on the request and the seed, and on no neighbour."""

import json
import math
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from scipy.stats import chisquare

from stillhouse.base.errors import InputError
from stillhouse.base.ids import canonical_json
from stillhouse.base.records import Message, Request, Response
from stillhouse.base.runtime import Runtime
from stillhouse.corpus.chunker import chunk_document
from stillhouse.prompts.focus import Focus
from stillhouse.prompts.plan import RenderParams
from stillhouse.prompts.render import Material, name_request, render
from stillhouse.prompts.teacher import TeacherParams
from stillhouse.prompts.templates import load_prompts
from stillhouse.teachers.choosing import Chooser, make_seed
from stillhouse.teachers.generate import GenerateParams, collect_answers, read_answers
from stillhouse.teachers.huggingface import HuggingFace, _spell
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.local_model import Prompt, Weights
from stillhouse.teachers.lookup import Archive
from stillhouse.teachers.protocol import Failure, Outcome
from stillhouse.teachers.roster import list_teachers
from tests.asking import make_request
from tests.making import make_document
from tests.tiny import POSITIONS, TEMPLATE, build_tiny_model

ITALY = "What is the capital of Italy?"
TEXT = "The capital of Italy is Rome."


def ask_about(number: int, *, max_tokens: int = 12, **sampling: float) -> Request:
    request = make_request(
        number,
        teacher="huggingface",
        model="tiny",
        task="replay",
        messages=(Message("user", f"What {'else ' * number}is the capital of Italy?"),),
        parameters=canonical_json({"max_tokens": max_tokens, **sampling}),
    )
    return replace(request, request_id=name_request(request))


DRAWN = [ask_about(number, temperature=1.2, seed=1) for number in range(12)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny")
    build_tiny_model(path)
    stir(path)
    return path


def stir(folder: Path) -> None:
    """Have the layers count: as they are built, a tiny model only repeats the last token it read."""
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "proj" in name:
                weights.mul_(10)
    model.save_pretrained(folder)


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "model"))


@dataclass
class Tray:
    """Requests that are handed out once; ``after`` so many replies it is stopped."""

    requests: Sequence[Request]
    stopped: str = ""
    back: list[Request] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return not self.requests

    def take(self, most: int) -> Sequence[Request]:
        taken, self.requests = self.requests[:most], self.requests[most:]
        return taken

    def put_back(self, requests: Sequence[Request]) -> None:
        self.back += requests


def make_teacher(folder: Path, batch: int = 32) -> HuggingFace:
    runtime = Runtime(device="cpu", threads=1, generation_batch=batch)
    return HuggingFace(lambda _: folder, runtime)


def ask(folder: Path, requests: Sequence[Request], batch: int = 32) -> dict[str, Outcome]:
    replies = make_teacher(folder, batch).answer(Tray(requests))
    return {one.outcome.request_id: one.outcome for some in replies for one in some}


def say(folder: Path, *requests: Request) -> list[str]:
    outcomes = ask(folder, requests)
    found = [outcomes[request.request_id] for request in requests]
    assert all(isinstance(one, Response) for one in found)
    return [one.text for one in found if isinstance(one, Response)]


def test_a_drawn_answer_does_not_depend_on_who_else_is_asked(folder: Path) -> None:
    together = ask(folder, DRAWN)
    assert together.keys() == {request.request_id for request in DRAWN}
    assert ask(folder, DRAWN[::-1], 5) == together
    alone = [ask(folder, [request]) for request in DRAWN]
    assert {name: answer for one in alone for name, answer in one.items()} == together


def test_each_seed_and_each_sample_is_a_draw_of_its_own(folder: Path) -> None:
    first = ask_about(0, temperature=1.0, seed=1)
    seeds = [ask_about(0, temperature=1.0, seed=seed) for seed in range(2, 6)]
    samples = [replace(first, sample=number) for number in range(1, 5)]
    named = [replace(request, request_id=name_request(request)) for request in samples]
    assert len(set(say(folder, first, *seeds, *named))) == 9


def test_no_temperature_is_greedy_whatever_the_seed(folder: Path) -> None:
    plain = [ask_about(3), ask_about(3, seed=5), ask_about(3, temperature=0.0, seed=6)]
    (said,) = set(say(folder, *plain))
    assert said.strip()
    weights = Weights(folder, "cpu", "float32", 1)
    prompt = weights.encode(plain[0])
    ids = list(prompt.tokens)
    for _ in range(prompt.max_tokens):
        with torch.inference_mode():
            logits = weights._model(input_ids=torch.tensor([ids])).logits[0, -1]
        ids.append(int(logits.argmax()))
        if ids[-1] in weights._ends:
            break
    assert weights.tokenizer.decode(ids[len(prompt.tokens) :], skip_special_tokens=True) == said


LOGITS = torch.tensor([2.0, 1.5, 0.0, -1.0, 0.7, float("-inf")])


def draw(seeds: Sequence[int], temperature: float, steps: int) -> Counter[int]:
    chooser = Chooser(seeds, temperature)
    scores = LOGITS.expand(len(seeds), -1)
    tokens = torch.empty(len(seeds), 0, dtype=torch.long)
    chosen = torch.cat([chooser(tokens, scores).argmax(dim=-1) for _ in range(steps)])
    expected = LOGITS.log_softmax(dim=-1)[chosen.reshape(steps, -1).T]
    assert torch.allclose(torch.tensor(chooser.read_logprobs()), expected, atol=1e-5)
    return Counter(chosen.tolist())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
@pytest.mark.parametrize(("rows", "steps"), [(1, 6000), (6000, 1), (60, 100)])
def test_draws_follow_the_distribution(temperature: float, rows: int, steps: int) -> None:
    seeds = [make_seed(f"request-{number}", 0) for number in range(rows)]
    drawn = draw(seeds, temperature, steps)
    expected = (LOGITS / temperature).softmax(dim=-1).double()[:-1] * rows * steps
    assert drawn.keys() <= set(range(5))
    found = [drawn[token] for token in range(5)]
    assert chisquare(found, expected / expected.sum() * sum(found)).pvalue > 0.01


def test_the_test_of_draws_can_fail() -> None:
    drawn = draw([make_seed("request", 0)], 1.0, 6000)
    wrong = (LOGITS / 1.1).softmax(dim=-1).double()[:-1] * 6000
    found = [drawn[token] for token in range(5)]
    assert chisquare(found, wrong / wrong.sum() * sum(found)).pvalue < 0.01


@pytest.mark.parametrize("sampling", [{}, {"temperature": 0.9, "seed": 3}])
def test_the_confidence_is_that_of_a_plain_forward_pass(
    folder: Path, sampling: dict[str, float]
) -> None:
    requests = [ask_about(number, **sampling) for number in (0, 1, 2)]
    outcomes = ask(folder, requests)
    weights = Weights(folder, "cpu", "float32", 8)
    batch = [weights.encode(request) for request in requests]
    written = dict(pair for part in weights.write(batch) for pair in part)
    assert len(written) == 3
    for prompt, one in written.items():
        assert one is not None
        assert torch.allclose(
            torch.tensor(one.logprobs), forward(weights, prompt, one.tokens), atol=1e-4
        )
        answer = outcomes[prompt.request.request_id]
        assert isinstance(answer, Response)
        pieces = _spell(weights, one.tokens)
        assert "".join(pieces) == answer.text
        blank = len(answer.text) - len(answer.text.lstrip())
        tail = len(answer.text.rstrip())
        kept, place = [], 0
        for piece, logprob in zip(pieces, one.logprobs, strict=True):
            if place + max(len(piece), 1) > blank and place < tail:
                kept.append(logprob)
            place += len(piece)
        sure = math.exp(sum(kept) / len(kept))
        assert answer.confidences == pytest.approx((sure,), rel=0.005)


def forward(weights: Weights, prompt: Prompt, tokens: Sequence[int]) -> torch.Tensor:
    ids = [*prompt.tokens, *tokens]
    with torch.inference_mode():
        logits = weights._model(input_ids=torch.tensor([ids])).logits[0]
    logprobs = logits.log_softmax(dim=-1)[len(prompt.tokens) - 1 : -1]
    return logprobs.gather(1, torch.tensor(tokens)[:, None]).squeeze(1)


def test_pieces_join_to_the_text_also_where_bytes_make_no_character(folder: Path) -> None:
    weights = Weights(folder, "cpu", "float32", 1)
    generator = torch.Generator().manual_seed(0)
    for length in (1, 2, 7, 40):
        tokens = torch.randint(0, len(weights.tokenizer), (length,), generator=generator).tolist()
        pieces = _spell(weights, tokens)
        assert len(pieces) == length
        assert "".join(pieces) == weights.tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
    assert _spell(weights, weights.tokenizer("£5")["input_ids"]) == ["", "£", "5"]


NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    + TEMPLATE
)
DEAF = TEMPLATE.replace(
    "{% for message in messages %}", "{% for message in messages if message['role'] != 'system' %}"
)


@pytest.mark.parametrize("template", [NO_SYSTEM, DEAF])
def test_a_template_without_a_system_role_has_it_in_the_first_turn(
    copied: Path, template: str
) -> None:
    assert template != TEMPLATE
    (copied / "chat_template.jinja").write_text(template)
    turns = (Message("user", "Who?"), Message("assistant", "I."), Message("user", "Why?"))
    request = replace(ask_about(0), system="Be brief.", messages=turns)
    weights = Weights(copied, "cpu", "float32", 1)
    expected = (
        "<|im_start|>user\nBe brief.\n\nWho?<|im_end|>\n<|im_start|>assistant\nI.<|im_end|>\n"
        "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert weights.tokenizer.decode(weights.encode(request).tokens) == expected


def test_a_template_with_a_system_role_keeps_it(folder: Path) -> None:
    weights = Weights(folder, "cpu", "float32", 1)
    said = weights.tokenizer.decode(
        weights.encode(replace(ask_about(0), system="Be brief.")).tokens
    )
    assert said.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat")


def test_the_models_own_sampling_counts_for_nothing(folder: Path, copied: Path) -> None:
    config = json.loads((copied / "generation_config.json").read_text())
    config |= {"repetition_penalty": 9.0, "do_sample": True, "top_k": 3, "min_new_tokens": 11}
    (copied / "generation_config.json").write_text(json.dumps(config))
    assert say(copied, *DRAWN, ask_about(2)) == say(folder, *DRAWN, ask_about(2))


def test_a_prompt_that_does_not_fit_fails_for_good(folder: Path) -> None:
    long, short = ask_about(POSITIONS), ask_about(1)
    outcomes = ask(folder, [long, short])
    failure = outcomes[long.request_id]
    assert isinstance(failure, Failure)
    assert failure.permanent
    assert f"exceed the window of {POSITIONS}" in failure.error
    assert isinstance(outcomes[short.request_id], Response)


def run_out_of_memory(monkeypatch: pytest.MonkeyPatch, fits: Callable[[Any], bool]) -> list[int]:
    """Have the model refuse inputs that do not fit; return the widths of the batches that it saw."""
    from transformers import LlamaForCausalLM

    whole, seen = LlamaForCausalLM.forward, []

    def forward(self: Any, input_ids: Any = None, **others: Any) -> Any:
        seen.append(len(input_ids))
        if not fits(input_ids):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(self, input_ids=input_ids, **others)

    monkeypatch.setattr(LlamaForCausalLM, "forward", forward)
    return seen


def test_a_batch_that_is_too_wide_for_the_memory_is_halved(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = ask(folder, DRAWN)
    seen = run_out_of_memory(monkeypatch, lambda ids: len(ids) <= 2)
    assert ask(folder, DRAWN) == expected
    assert set(seen) >= {2}
    assert sum(width > 2 for width in seen) == len({width for width in seen if width > 2})


def test_a_prompt_too_large_for_the_memory_fails_and_the_others_are_answered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = ask(folder, DRAWN)
    run_out_of_memory(monkeypatch, lambda ids: ids.shape[1] < 100)
    outcomes = ask(folder, [*DRAWN, ask_about(40)])
    failure = outcomes.pop(ask_about(40).request_id)
    assert outcomes == expected
    assert isinstance(failure, Failure)
    assert not failure.permanent
    assert "memory does not hold" in failure.error


def test_what_was_not_begun_when_asking_stops_is_given_back(folder: Path) -> None:
    tray, done = Tray(DRAWN), []
    for replies in make_teacher(folder, batch=2).answer(tray):
        done += [reply.outcome.request_id for reply in replies]
        tray.stopped = "interrupted"
    assert 1 <= len(done) <= 2
    back = {request.request_id for request in tray.back}
    assert back == {request.request_id for request in DRAWN} - set(done)


PAIR = {
    "fact": TEXT,
    "questions": [ITALY],
    "reasoning": "",
    "answer": "Rome",
    "confidence": 0.5,
}
ANSWER = json.dumps({"pairs": [PAIR]})
PROMPT = """---
task: recall
passages: one
source: chunks
max_tokens: 200
---

## system

Answer.

## user

{{ passages }}
"""


def teach(folder: Path, request: Request, answer: str) -> None:
    """Train a tiny model until it gives this answer to this request."""
    torch.manual_seed(0)
    weights = Weights(folder, "cpu", "float32", 1)
    prompt, model = weights.encode(request), weights._model
    told = [*weights.tokenizer(answer)["input_ids"], weights.tokenizer.eos_token_id]
    ids = torch.tensor([[*prompt.tokens, *told]])
    labels = torch.tensor([[-100] * len(prompt.tokens) + told])
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(300):
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if loss.item() < 0.02:
            break
    model.save_pretrained(folder)


@pytest.fixture
def project(copied: Path, tmp_path: Path) -> list[Request]:
    """A project of one document and one prompt, whose teacher is a model that knows what to say."""
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    for name in ("variations.yaml", "personas.yaml"):
        shutil.copy(Path("prompts") / name, prompts)
    (prompts / "recall.md").write_text(PROMPT)
    documents = [make_document("italy.md", f"# Italy\n\n{TEXT}\n")]
    chunks = [chunk for one in documents for chunk in chunk_document(one, 60)]
    plan = RenderParams.model_validate(
        {"plan": {"core": {"recall": {"fraction": 1.0, "pairs": 1, "phrasings": 1}}}}
    )
    teacher = TeacherParams.model_validate({"provider": "huggingface", "model": str(copied)})
    return render(Material(documents, chunks), load_prompts(prompts), Focus(), plan, teacher)


def test_a_project_is_answered_by_a_local_model(
    project: list[Request], copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (request,) = project
    assert (request.teacher, request.model) == ("huggingface", str(copied))
    teach(copied, request, f"<think>\nRome it is.\n</think>\n\n{ANSWER}")
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path))
    teachers = list_teachers(Runtime(device="cpu", threads=1))
    archive = Archive(project=tmp_path, repository=tmp_path)
    with Journal(tmp_path / "journal.sqlite") as journal:
        collected = collect_answers(project, teachers, journal, archive, GenerateParams())
        (read,) = read_answers(project, journal, collected.refused)
        again = collect_answers(project, teachers, journal, archive, GenerateParams())
    assert (collected.counts.sent, again.counts.sent) == (1, 0)
    assert read.response is not None
    assert (read.response.text, read.response.reasoning) == (ANSWER, "Rome it is.")
    assert read.rejections == ()
    (pair,) = read.pairs
    assert (pair.messages[0].content, pair.response) == (ITALY, "Rome")
    (measured,) = read.response.confidences
    assert pair.confidence == measured
    assert 0.8 < measured < 1.0


def collect(tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    archive = Archive(project=tmp_path, repository=tmp_path)
    requests = [replace(ask_about(0), model=model)]
    with Journal(tmp_path / "journal.sqlite") as journal, pytest.raises(InputError) as caught:
        teachers = list_teachers(Runtime(device="cpu"))
        collect_answers(requests, teachers, journal, archive, GenerateParams())
    said = str(caught.value)
    assert "\n" not in said
    return said


@pytest.mark.parametrize("model", ["smollm-135m", "no-one/nothing", "a/b/c", "./no/folder"])
def test_an_unknown_model_is_one_sentence(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = collect(tmp_path, model, monkeypatch)
    assert model.removeprefix("./") in said
    assert "expected" in said


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "unheard-of"},
        {
            "model_type": "unheard-of",
            "auto_map": {
                "AutoConfig": "evil.Config",
                "AutoModelForCausalLM": "evil.Model",
            },
        },
        {"hidden_size": 48},
    ],
)
def test_a_model_that_cannot_be_loaded_is_one_sentence(
    copied: Path, tmp_path: Path, change: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | change))
    (copied / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: ...\n")
    said = collect(tmp_path, str(copied), monkeypatch)
    assert said.startswith(f"{copied}: the model cannot be loaded")
    assert not (tmp_path / "ran").exists()


def test_pickled_weights_are_refused(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    assert "is a pickle" in collect(tmp_path, str(copied), monkeypatch)


def test_a_student_of_the_project_is_no_teacher() -> None:
    with pytest.raises(ValidationError, match="is a student of this project"):
        TeacherParams.model_validate({"provider": "huggingface", "model": "models/smollm2"})
    TeacherParams.model_validate({"provider": "openai", "model": "models/smollm2"})
