"""A teacher's answer into pairs; whatever cannot become a pair comes out with its reason.

A language model and the offline teacher answer in the same JSON (``prompts/schema.py``) and are read
by the same lines here. The task ``replay`` is plain text: the whole answer is the response.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError

from stillhouse.base.ids import Json, content_id
from stillhouse.base.questions import ask_with_passage
from stillhouse.base.records import (
    Message,
    Pair,
    Rejection,
    Request,
    Response,
    join_slot,
    split_slot,
)
from stillhouse.base.text import normalise
from stillhouse.prompts.passages import Passage, parse_passages

STAGE: Final = "generate"
PLAIN_TASK: Final = "replay"
OPEN_BOOK_TASK: Final = "open_book"
_FENCED: Final = re.compile(r"```[a-z]*\s*\n(.*)\n\s*```", re.DOTALL)
_SHOWN: Final = 120


def _read_confidence(value: object) -> float | None:
    """Return a probability; anything else a model writes there says nothing and becomes None."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    return None


_Text = Annotated[str, StringConstraints(strip_whitespace=True)]
_Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Fact(BaseModel):
    """One entry of ``pairs``: a statement, its questions and its answer."""

    model_config = ConfigDict(strict=True)

    fact: _Text = ""
    questions: list[_Text]
    reasoning: _Text = ""
    answer: _Words
    confidence: Annotated[float | None, BeforeValidator(_read_confidence)] = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """What one answer came to."""

    pairs: tuple[Pair, ...]
    rejections: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """Which question of which fact of which request."""

    request: Request
    fact: int = 0
    question: int = 0

    @property
    def slot_id(self) -> str:
        return join_slot(*split_slot(self.request.slot_id), self.fact, self.question)


def parse_answer(request: Request, response: Response) -> Parsed:
    """Return the pairs of an answer, and a rejection for all in it that is none."""
    place = _Place(request)
    try:
        found = list(_read_items(place, response))
    except ValueError as exc:
        found = [_reject(place, "malformed_answer", _explain_malformed(exc, response))]
    if not found:
        found = [_reject(place, "no_pairs", "the teacher made no pair of this passage")]
    return Parsed(
        pairs=tuple(item for item in found if isinstance(item, Pair)),
        rejections=tuple(item for item in found if isinstance(item, Rejection)),
    )


def reject_request(request: Request, reason: str, detail: str) -> Rejection:
    """Return the rejection of a request as a whole."""
    chunk_ids, slot_id = request.chunk_ids, request.slot_id
    return Rejection(request.request_id, "request", slot_id, chunk_ids, STAGE, reason, detail)


def name_fact(statement: str, passages: list[Passage]) -> str:
    """Return the id of a statement: equal in every task that takes it from the same source.

    Where several passages were shown, the source is that of the first which holds the statement
    word for word; a statement drawn from several of them counts as from all.
    """
    said = normalise(statement)
    if not said:
        return ""
    holders = [passage.source for passage in passages if said in normalise(passage.text)]
    sources = holders[:1] or sorted({passage.source for passage in passages})
    return content_id("fact", {"sources": sources, "statement": said})


def find_statement(pair: Pair, response: Response) -> str:
    """Return the statement that a pair's answer names as its fact; empty where it names none."""
    try:
        entry = load_entries(response.text)[int(split_slot(pair.slot_id)[-2])]
        return _Fact.model_validate(entry).fact
    except (ValueError, IndexError):  # plain text, and what else holds no entries
        return ""


def find_shown(request: Request) -> list[Passage]:
    """Return the passages of a request that the student is shown with the question."""
    return _find_passages(request) if _shows(request) else []


def _shows(request: Request) -> bool:
    return request.task == OPEN_BOOK_TASK or _has(request, "shows")


def _find_passages(request: Request) -> list[Passage]:
    texts = (request.system, *(message.content for message in request.messages))
    return [passage for text in texts for passage in parse_passages(text)]


def _read_items(place: _Place, response: Response) -> Iterator[Pair | Rejection]:
    if place.request.task == PLAIN_TASK:
        yield from _read_plain(place, response)
        return
    passages = _find_passages(place.request)
    asked: set[str] = set()
    entries = load_entries(response.text)
    measured = response.confidences if len(response.confidences) == len(entries) else ()
    for ordinal, entry in enumerate(entries):
        here = _Place(place.request, ordinal)
        sure = measured[ordinal] if measured else None
        yield from _read_entry(here, entry, passages, asked, sure)


def _read_plain(place: _Place, response: Response) -> Iterator[Pair | Rejection]:
    text = response.text.strip()
    if not text:
        yield _reject(place, "incomplete_pair", "the answer is empty")
        return
    sure = response.confidences[0] if len(response.confidences) == 1 else None
    fact = _Fact(questions=[], answer=text, confidence=sure)
    yield _build_pair(place, place.request.messages, fact)


def _read_entry(
    place: _Place, entry: object, passages: list[Passage], asked: set[str], sure: float | None
) -> Iterator[Pair | Rejection]:
    """Yield a pair for each question of one entry; ``asked`` gathers the questions of the answer.

    ``sure`` is the answer's measured probability: it counts before the one that the teacher claims.
    """
    try:
        fact = _Fact.model_validate(entry)
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "entry"
        yield _reject(place, "incomplete_pair", f"{where}: {first['msg']}")
        return
    fact = fact if sure is None else fact.model_copy(update={"confidence": sure})
    if _has(place.request, "reply"):
        if not place.fact:  # a conversation has one next turn
            fact_id = name_fact(fact.fact, passages)
            yield _build_pair(place, place.request.messages, fact, fact_id)
        return
    if not any(fact.questions):
        yield _reject(place, "incomplete_pair", f"no question for: {fact.answer[:_SHOWN]}")
    for ordinal, question in enumerate(fact.questions):
        here = _Place(place.request, place.fact, ordinal)
        if not question:
            if any(fact.questions):
                yield _reject(here, "incomplete_pair", "an empty question")
        elif normalise(question) in asked:
            yield _reject(here, "duplicate_question", question)
        else:
            asked.add(normalise(question))
            yield _ask_about(here, question, fact, passages)


def _ask_about(place: _Place, question: str, fact: _Fact, passages: list[Passage]) -> Pair:
    shown = passages if _shows(place.request) else []
    context = "\n\n".join(passage.text for passage in shown)
    content = ask_with_passage(context, question) if context else question
    fact_id = name_fact(fact.fact, passages)
    return _build_pair(place, (Message("user", content),), fact, fact_id, context)


def _has(request: Request, manner: str) -> bool:
    """Say whether a request was rendered with a manner of its prompt file: ``shows``, ``reply``."""
    return manner in request.parameters and json.loads(request.parameters).get(manner) is True


def _build_pair(
    place: _Place,
    messages: tuple[Message, ...],
    fact: _Fact,
    fact_id: str = "",
    context: str = "",
) -> Pair:
    content: dict[str, Json] = {
        "request_id": place.request.request_id,
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        "context": context,
        "reasoning": fact.reasoning,
        "response": fact.answer,
        # The first counted slots of one request, of which there is one alone since requests are distinct.
        "ordinals": [0, place.fact, place.question],
    }
    return Pair(
        pair_id=content_id("pair", content),
        slot_id=place.slot_id,
        request_id=place.request.request_id,
        chunk_ids=place.request.chunk_ids,
        task=place.request.task,
        fact_id=fact_id,
        messages=messages,
        context=context,
        reasoning=fact.reasoning,
        response=fact.answer,
        confidence=fact.confidence,
    )


def find_json(text: str) -> tuple[object, int, str]:
    """Return the value that an answer holds, where its JSON begins in the text, and that JSON.

    Language models like to put a code fence around it.

    Raises:
        ValueError: it is no JSON.
    """
    stripped = text.strip()
    start = text.index(stripped)
    try:
        try:
            return json.loads(stripped), start, stripped
        except json.JSONDecodeError:
            fenced = _FENCED.search(stripped)
            if fenced is None:
                raise
            return json.loads(fenced[1]), start + fenced.start(1), fenced[1]
    except RecursionError as exc:  # a model that goes on with opening brackets
        raise ValueError("brackets within brackets without end") from exc


def load_entries(text: str) -> list[object]:
    """Return the entries of ``pairs``.

    Raises:
        ValueError: it is no JSON, or not of this form.
    """
    match find_json(text)[0]:
        case {"pairs": [*entries]}:
            return entries
        case _:
            raise ValueError('not an object {"pairs": [...]}')


def _explain_malformed(error: ValueError, response: Response) -> str:
    return f"{error}; stopped by {response.stop_reason}; begins: {response.text.strip()[:_SHOWN]!r}"


def _reject(place: _Place, reason: str, detail: str) -> Rejection:
    request = place.request
    if reason in ("malformed_answer", "no_pairs"):
        return reject_request(request, reason, detail)
    return Rejection(
        request.request_id, "pair", place.slot_id, request.chunk_ids, STAGE, reason, detail
    )
