"""Requests, a teacher without a model, and a project with a history, for tests of generate."""

import json
import subprocess
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import md5
from pathlib import Path

from stillhouse.base.ids import canonical_json, content_id
from stillhouse.base.records import (
    Message,
    Pair,
    Rejection,
    Request,
    Response,
    join_slot,
)
from stillhouse.base.tables import write_table
from stillhouse.teachers.asking import Asked, ask_teacher
from stillhouse.teachers.desk import Terms, Walk
from stillhouse.teachers.generate import Counts, GenerateParams, collect_answers, read_answers
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.lookup import Archive
from stillhouse.teachers.protocol import Failure, Outcome, Reply, Source, Teacher, Usage

OUT = "data/generated"
FILE = f"{OUT}/responses.parquet"


def make_request(number: int = 0, **changes: object) -> Request:
    """Return a request whose id covers its text, as a rendered one's does."""
    text = f'<passage source="a.md" section="A">\nA shift has {number} breaks.\n</passage>'
    draft = Request(
        request_id="",
        slot_id=join_slot("a.md", f"A:{number}", "recall", "plain", "staff", 0),
        chunk_ids=(f"chunk-{number}",),
        task="recall",
        prompt_path="prompts/recall.md",
        prompt_sha256="0" * 64,
        variation="plain",
        persona="staff",
        sample=0,
        teacher="paid",
        model="model-1",
        system="",
        messages=(Message("user", text),),
        output_schema="",
        parameters=canonical_json({"max_tokens": 8}),
    )
    request = replace(draft, **changes)  # type: ignore[arg-type]
    return replace(request, request_id=content_id("request", [request.messages[0].content]))


def make_response(request: Request, text: str = "") -> Response:
    """Return an answer of one pair, or the given text."""
    text = text or write_answer(f"How many breaks in {request.slot_id}?", answer="Some.")
    return Response(request.request_id, text, "", "end_turn", 3, 5, 0, request.model)


def write_answer(*questions: str, fact: str = "A fact.", answer: str = "An answer.") -> str:
    return json.dumps({"pairs": [{"fact": fact, "questions": questions, "answer": answer}]})


@dataclass
class FakeTeacher:
    """Answers one request after the other, each for ``usd``; notes it in ``ledger``, one line each.

    The ledger holds what several processes asked.
    """

    ledger: Path
    name: str = "paid"
    costs: bool = True
    seconds: float = 0.0
    failing: dict[str, Failure] = field(default_factory=dict)
    usd: float = 0.0
    usage: Usage = field(default_factory=Usage)

    def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
        while not source.ended:
            for request in source.take(1):
                yield [self.reply(request)]
                break
            else:
                time.sleep(0.005)  # what is left is reserved elsewhere

    def note(self, request: Request) -> None:
        with self.ledger.open("a") as file:
            file.write(request.request_id + "\n")

    def reply(self, request: Request) -> Reply:
        self.note(request)
        time.sleep(self.seconds)
        return Reply(self.say(request), self.usage, self.usd)

    def say(self, request: Request) -> Outcome:
        return self.failing.get(request.request_id) or make_response(request)

    def read_ledger(self) -> list[str]:
        return self.ledger.read_text().split() if self.ledger.exists() else []


@dataclass(frozen=True)
class Generated:
    """What requests came to, in the order of the tables' rows."""

    responses: tuple[Response, ...]
    pairs: tuple[Pair, ...]
    rejections: tuple[Rejection, ...]
    counts: Counts


def generate(
    requests: Sequence[Request],
    teachers: Collection[Teacher],
    journal: Journal,
    archive: Archive,
    params: GenerateParams,
    terms: Terms | None = None,
    *,
    allow_repay: bool = False,
) -> Generated:
    """Do what the stage does, with lists instead of tables."""
    collected = collect_answers(
        requests, teachers, journal, archive, params, terms, allow_repay=allow_repay
    )
    read = list(read_answers(requests, journal, collected.refused))
    responses = (one.response for one in read if one.response is not None)
    return Generated(
        tuple(sorted(responses, key=lambda one: one.request_id)),
        tuple(sorted((p for one in read for p in one.pairs), key=lambda one: one.pair_id)),
        tuple(sorted((r for one in read for r in one.rejections), key=lambda one: one.rejected_id)),
        collected.counts,
    )


def walk_over(requests: Sequence[Request]) -> Walk:
    """Return what finds requests by their names, as the stage does in a table."""

    def walk(names: Collection[str]) -> Iterator[Request]:
        wanted = set(names)
        return (request for request in requests if request.request_id in wanted)

    return walk


def ask(
    teacher: Teacher, requests: Sequence[Request], journal: Journal, terms: Terms | None = None
) -> Asked:
    """Ask for all of a list."""
    names = [request.request_id for request in requests]
    return ask_teacher(teacher, names, walk_over(requests), journal, terms)


def commit_answers(project: Path, responses: Sequence[Response], *, commit: bool = True) -> Path:
    """Store responses as DVC stores a stage's folder; return the cached Parquet file."""
    part = project / "responses.parquet"
    write_table(part, Response, responses)
    file = _store(project, part.read_bytes())
    part.unlink()
    listing = json.dumps([{"md5": file.parent.name + file.name, "relpath": "responses.parquet"}])
    folder = _store(project, listing.encode(), ".dir")
    name = folder.parent.name + folder.name
    (project / "dvc.lock").write_text(
        "schema: '2.0'\nstages:\n  generate:\n    cmd: python -m stages.generate\n"
        f"    outs:\n    - path: {OUT}\n      hash: md5\n      md5: {name}\n"
    )
    if commit:
        git(project, "add", "dvc.lock")
        git(project, "commit", "-m", "a version")
    return file


def git(project: Path, *command: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "gc.auto=0")
    subprocess.run(["git", "-C", project, *identity, *command], check=True, capture_output=True)


def _store(project: Path, content: bytes, suffix: str = "") -> Path:
    digest = md5(content).hexdigest()
    path = project / ".dvc/cache/files/md5" / digest[:2] / (digest[2:] + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
