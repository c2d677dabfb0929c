"""What a request is made of, and what two requests of one place differ by.

Texts are compared as digests, and what is shown (passages, questions) apart from the words around it,
so that a cause is read off what was recorded and never guessed.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from stillhouse.base.ids import canonical_json
from stillhouse.base.records import Request, split_slot
from stillhouse.prompts.passages import (
    Passage,
    cut_told,
    parse_passages,
    parse_questions,
    render_passage,
    render_question,
)

Difference: TypeAlias = Literal["prompt", "document", "teacher", "parameters", "sampling"]

# Whose lines or files go with a passage, each in a request of its own.
MARKING: Final = ("data/seed/instructions.jsonl", "data/seed/schemas")

_PASSAGE: Final = "\0"
_PASSAGES: Final = re.compile(r"\0(?:\s*\0)*")


@dataclass(frozen=True, slots=True)
class Traits:
    """What a request is made of, texts as digests.

    ``shown`` are its passages and questions, ``said`` is the rest of its messages, ``frame`` that of
    the system prompt; ``plain``: there is neither passage nor marked question in the messages, so a
    seed question or a logged conversation is a part of ``said``. Of a call that develops a pair,
    ``parent`` is that pair, and its words are a part of neither.
    """

    request_id: str
    slot_id: str
    task: str
    prompt: str
    prompt_path: str
    chunk_ids: tuple[str, ...]
    shown: bytes
    frame: bytes
    said: bytes
    plain: bool
    teacher: str
    sampling: str
    parameters: str
    parent: str = ""


def compare_requests(then: Traits, now: Traits, changed: Collection[str]) -> tuple[Difference, ...]:
    """Return what two requests differ by, one of them at least; see ``list_differences``."""
    return list_differences(then, now, changed) or ("document",)


def list_differences(then: Traits, now: Traits, changed: Collection[str]) -> tuple[Difference, ...]:
    """Return what two requests differ by; of what they say of developed pairs nothing is told.

    ``changed`` names the inputs beside the corpus that are other ones: ``data/seed/everyday.jsonl``.
    """
    causes: list[Difference] = []
    if (then.task, then.prompt) != (now.task, now.prompt):
        causes.append("prompt")
    if (then.chunk_ids, then.shown) != (now.chunk_ids, now.shown):
        causes.append("document")
    if then.teacher != now.teacher:
        causes.append("teacher")
    if then.parameters != now.parameters:
        causes.append("parameters")
    if then.sampling != now.sampling:
        causes.append("sampling")
    if not {"prompt", "parameters", "sampling"} & set(causes):
        other_words, other_frame = then.said != now.said, then.frame != now.frame
        if other_words and now.plain and seed_file(now) in changed:
            causes += [] if "document" in causes else ["document"]
            other_words = False
        # The wording of a variation or persona stands in files of its own beside the prompts.
        if other_words or other_frame:
            causes.append("prompt")
    return tuple(causes)


def look_at(request: Request) -> Traits:
    """Return what a request is made of."""
    said = "\n".join(message.content for message in request.messages)
    passages, questions = parse_passages(said), parse_questions(said)
    told = parse_passages(request.system)  # where the messages are a conversation of users
    shown = [[passage.section, passage.text] for passage in (*told, *passages)]
    said, frame = _leave_out(said, passages), _leave_out(request.system, told)
    for question in questions:
        said = said.replace(render_question(question), "")
    if request.parent_id:
        said = cut_told(said)
    sampling, parameters = _part(request.parameters)
    return Traits(
        request.request_id,
        request.slot_id,
        request.task,
        request.prompt_sha256,
        request.prompt_path,
        request.chunk_ids,
        _digest(canonical_json([*shown, *([] if request.parent_id else questions)])),
        _digest(f"{frame}\n{request.output_schema}"),
        _digest(said),
        not (passages or questions),
        f"{request.teacher} {request.model}",
        canonical_json([request.sample, sampling]),
        canonical_json([request.variation, request.persona, parameters]),
        request.parent_id,
    )


def _leave_out(text: str, passages: Iterable[Passage]) -> str:
    """Return a text without passages, and without what stands between two: one or three leave the same."""
    for passage in passages:
        text = text.replace(render_passage(passage.source, passage.section, passage.text), _PASSAGE)
    return _PASSAGES.sub("", text)


def seed_file(now: Traits) -> str:
    """Return the file that a question stands in; of a passage, its document's, which no lock names."""
    return f"data/seed/{split_slot(now.slot_id)[0]}"


def name_seeds(now: Traits, changed: Collection[str]) -> list[str]:
    """Return those of the changed seed files that a request is made of, beside its passages.

    That is the file of its question or conversation, or of what was drawn for a passage, which its
    slot has a mark of (``plain/sum-up``).
    """
    own = seed_file(now)
    if any(own == one or own.startswith(f"{one}/") for one in changed):
        return [own]
    marked = "/" in split_slot(now.slot_id)[3]
    return [one for one in MARKING if marked and one in changed]


def _part(parameters: str) -> tuple[int | None, str]:
    """Return the seed, and the parameters that neither it nor the variation sets."""
    values = json.loads(parameters)
    seed = values.pop("seed", None)
    values.pop("style", None)  # the variation's name, or what the prompt file says
    return seed, canonical_json(values)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
