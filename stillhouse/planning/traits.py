"""What a request is made of, and what two requests of one place differ by.

Texts are compared as digests, and what is shown (passages, questions) apart from the words around it,
so that a cause is read off what was recorded and never guessed.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

from stillhouse.base.ids import canonical_json
from stillhouse.base.records import Request, split_slot
from stillhouse.prompts.passages import (
    parse_passages,
    parse_questions,
    render_passage,
    render_question,
)

Difference: TypeAlias = Literal["prompt", "document", "teacher", "parameters", "sampling"]


@dataclass(frozen=True, slots=True)
class Traits:
    """What a request is made of, texts as digests.

    ``shown`` are its passages and questions, ``said`` is the rest of its messages; ``plain``: there
    is neither passage nor marked question in them, so a seed question is a part of ``said``.
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


def compare_requests(then: Traits, now: Traits, changed: Collection[str]) -> tuple[Difference, ...]:
    """Return what two requests differ by, one of them at least.

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
            causes.append("document")
            other_words = False
        # The wording of a variation or persona stands in files of its own beside the prompts.
        if other_words or other_frame:
            causes.append("prompt")
    return tuple(causes) or ("document",)


def look_at(request: Request) -> Traits:
    """Return what a request is made of."""
    said = "\n".join(message.content for message in request.messages)
    passages, questions = parse_passages(said), parse_questions(said)
    shown = [[passage.section, passage.text] for passage in passages]
    for passage in passages:
        said = said.replace(render_passage(passage.source, passage.section, passage.text), "")
    for question in questions:
        said = said.replace(render_question(question), "")
    sampling, parameters = _part(request.parameters)
    return Traits(
        request.request_id,
        request.slot_id,
        request.task,
        request.prompt_sha256,
        request.prompt_path,
        request.chunk_ids,
        _digest(canonical_json([*shown, *questions])),
        _digest(f"{request.system}\n{request.output_schema}"),
        _digest(said),
        not (passages or questions),
        f"{request.teacher} {request.model}",
        canonical_json([request.variation, request.persona, request.sample, sampling]),
        parameters,
    )


def seed_file(now: Traits) -> str:
    """Return the file that a question stands in; of a passage, its document's, which no lock names."""
    return f"data/seed/{split_slot(now.slot_id)[0]}"


def _part(parameters: str) -> tuple[int | None, str]:
    """Return the seed, and the parameters that neither it nor the variation sets."""
    values = json.loads(parameters)
    seed = values.pop("seed", None)
    values.pop("style", None)  # the variation's name, or what the prompt file says
    return seed, canonical_json(values)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
