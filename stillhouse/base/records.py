"""The records that flow from stage to stage, one frozen dataclass for each table.

Two identities, never mixed up: ``*_id`` is a content id and says exactly *what*; ``slot_id`` says
*which place* and survives an edit of the prompt or the document.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; ``role`` is ``system``, ``user`` or ``assistant``."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Document:
    """One source file as normalised text; ``source`` is its path below ``data/seed/documents``."""

    document_id: str
    source: str
    media_type: str
    title: str
    text: str
    license: str
    source_sha256: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """``text`` is ``document.text[start:end]``; ``anchor`` is heading path and place below it.

    ``chunk_id`` covers source, heading path and text, not the offsets, so that an insertion
    elsewhere in the document changes no other chunk's id.
    """

    chunk_id: str
    document_id: str
    source: str
    headings: tuple[str, ...]
    anchor: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """One rendered teacher call. ``request_id`` covers all that reaches the teacher, no more.

    ``parameters`` is canonical JSON: what is asked for (``pairs``, ``phrasings``, ``reasoning``)
    and how (``max_tokens`` and other sampling parameters). ``output_schema`` is canonical JSON.
    ``category`` is the kind of task that the prompt file names, and ``parent_id`` the pair that this
    call develops further, or empty; neither reaches the teacher.
    """

    request_id: str
    slot_id: str
    chunk_ids: tuple[str, ...]
    task: str
    prompt_path: str
    prompt_sha256: str
    variation: str
    persona: str
    sample: int
    teacher: str
    model: str
    system: str
    messages: tuple[Message, ...]
    output_schema: str
    parameters: str
    category: str = ""
    parent_id: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """A teacher's raw answer to a request. Token counts are the teacher's own.

    ``input_tokens`` are all that it read, ``cached_tokens`` those of them that came from its cache.
    ``confidences`` are the mean probabilities, in (0, 1], of the tokens of each answer in the text, in
    their order; empty where the teacher tells no probabilities.
    """

    request_id: str
    text: str
    reasoning: str
    stop_reason: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    model: str
    confidences: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """One instruction and its response, as parsed from a teacher's answer.

    ``messages`` are the turns up to the answer, with the passage in them where the student is shown
    one (open book); ``context`` is that passage alone, or empty. ``fact_id`` is equal for all
    phrasings of one fact in every task, or empty where the teacher names no fact.
    """

    pair_id: str
    slot_id: str
    request_id: str
    chunk_ids: tuple[str, ...]
    task: str
    fact_id: str
    messages: tuple[Message, ...]
    context: str
    reasoning: str
    response: str
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """One judge's score in [0, 1] of one pair under one criterion."""

    pair_id: str
    judge: str
    criterion: str
    score: float
    rationale: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """Something that did not go on, and why.

    ``rejected_id`` is the pair's id; of what never became a pair, the request's; of a file, its path.
    """

    rejected_id: str
    kind: str
    slot_id: str
    chunk_ids: tuple[str, ...]
    stage: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Row:
    """One training example, with the hashes that name the cause of any change.

    ``row_id`` is the pair's id. ``prompt`` and ``completion`` are the messages as TRL takes them.
    ``holdout`` says why a row is not trained on (``phrasing``, ``fact``, ``document``, ``question``), or is
    empty.
    """

    row_id: str
    slot_id: str
    request_id: str
    chunk_ids: tuple[str, ...]
    document_ids: tuple[str, ...]
    task: str
    fact_id: str
    prompt: tuple[Message, ...]
    completion: tuple[Message, ...]
    context: str
    reasoning: str
    holdout: str
    prompt_sha256: str
    document_sha256: str
    teacher_sha256: str
    parameters_sha256: str
    judge_sha256: str
    filter_sha256: str
    code_sha256: str


def join_slot(*parts: str | int) -> str:
    """Return a slot id: the parts of a place, joined; a separator inside a part is escaped."""
    return _SEPARATOR.join(str(part).replace("%", "%25").replace("|", "%7C") for part in parts)


def split_slot(slot_id: str) -> tuple[str, ...]:
    """Return the parts that ``join_slot`` joined."""
    parts = slot_id.split(_SEPARATOR)
    return tuple(part.replace("%7C", "|").replace("%25", "%") for part in parts)


_PLAIN: Final = 8  # source, anchor, task, variation, persona, sample, fact, question
_STEP: Final = 3  # a step's name, fact, question


def list_steps(slot_id: str) -> tuple[str, ...]:
    """Return the names of the steps that the pair in a place took, or that its request asks for."""
    return tuple(part.partition("@")[0] for part in split_slot(slot_id)[_PLAIN::_STEP])


def list_ancestors(slot_id: str) -> Iterator[str]:
    """Yield the places of the pairs that the pair in a place was developed from, nearest first."""
    parts = split_slot(slot_id)
    for length in range(len(parts) - _STEP, _PLAIN - 1, -_STEP):
        yield join_slot(*parts[:length])
