"""Requests to Claude, and asking a stub for them through the journal, for tests."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from stillhouse.base.ids import canonical_json, content_id
from stillhouse.base.params import load_section
from stillhouse.base.records import Message, Request
from stillhouse.base.runtime import Runtime
from stillhouse.prompts.passages import render_passage
from stillhouse.prompts.schema import ANSWER_SCHEMA
from stillhouse.teachers.asking import Asked, ask_teacher
from stillhouse.teachers.claude import Claude
from stillhouse.teachers.desk import Terms
from stillhouse.teachers.estimate import Estimator
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.params import TeachersParams
from tests.stub_teacher.process import StubProcess

KEY = "sk-ant-recognisable-0123456789"
TEACHERS = load_section("teachers", TeachersParams, Path(__file__).parents[1] / "params.yaml")
SONNET = "claude-sonnet-5-5"


def make_requests(count: int, mark: str = "", **parameters: object) -> dict[str, Request]:
    """Return requests by id; another ``mark`` makes others of them."""
    return {
        one.request_id: one for one in (make_request(n, mark, **parameters) for n in range(count))
    }


def make_request(number: int, mark: str = "", **parameters: object) -> Request:
    passage = render_passage("a.md", "A", f"A shift of kind {number}{mark} has {number} breaks.")
    user = f"{passage}\n\nTake at most 1 fact from this passage and write 1 question for each."
    text = canonical_json({"max_tokens": 900, "pairs": 1, "phrasings": 1, **parameters})
    return Request(
        request_id=content_id("request", [user, text]),
        slot_id=f"a.md|{number}|recall|plain|staff|0",
        chunk_ids=(f"chunk-{number}",),
        task="recall",
        prompt_path="prompts/recall.md",
        prompt_sha256="0" * 64,
        variation="plain",
        persona="staff",
        sample=0,
        teacher="anthropic",
        model=SONNET,
        system="You write training questions.",
        messages=(Message("user", user),),
        output_schema=ANSWER_SCHEMA,
        parameters=text,
    )


def connect_to(stub: StubProcess | str, patch: pytest.MonkeyPatch, key: str = KEY) -> None:
    """Have the SDK find the stub, and nothing of the machine's own."""
    patch.setenv("ANTHROPIC_BASE_URL", stub if isinstance(stub, str) else stub.url)
    patch.setenv("ANTHROPIC_API_KEY", key)
    for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE", "HTTP_PROXY", "HTTPS_PROXY"):
        patch.delenv(name, raising=False)


def ask_claude(
    journal: Journal, requests: dict[str, Request], terms: Terms | None = None, **runtime: object
) -> Asked:
    """Ask for what the journal has no answer to."""
    missing = sorted(requests.keys() - journal.find_answered(list(requests)))
    settings = Runtime.model_validate({"concurrency": 32, **runtime})
    return ask_teacher(
        Claude(TEACHERS, settings),
        missing,
        lambda names: (requests[name] for name in names),
        journal,
        terms or Terms(estimator=Estimator(journal.read_rates(), TEACHERS)),
    )


def list_answers(journal: Journal, requests: Iterable[str]) -> Sequence[str]:
    """Return the ids of requests that have a readable answer of one pair."""
    found = journal.read(list(requests)).values()
    return [one.request_id for one in found if len(json.loads(one.text)["pairs"]) == 1]
