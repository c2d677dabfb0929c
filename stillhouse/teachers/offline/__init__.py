"""The offline teacher: it reads the structure of a passage and writes pairs, without any model.

It answers a rendered request as a language model would, in the same JSON, but by rules of general
English: no key, no network, no randomness. The same request gives the same bytes on every machine.
"""

import json
from typing import Final

from stillhouse.base.errors import TeacherError
from stillhouse.base.ids import Json
from stillhouse.base.records import Request
from stillhouse.prompts.passages import Passage, parse_passages, parse_questions
from stillhouse.teachers.offline import (
    extracting,
    instructing,
    querying,
    reasoning,
    recall,
    replying,
    style,
)
from stillhouse.teachers.offline.developing import STEPS, develop
from stillhouse.teachers.offline.facts import Fact, Question
from stillhouse.teachers.offline.orders import Order, read_order
from stillhouse.teachers.offline.variety import vary

DECLINED: Final = "The handbook does not say."
INSTRUCTIONS: Final = "instructions"
_OPEN_BOOK_CHOICE: Final = 16


def answer(request: Request) -> str:
    """Return the JSON answer to a rendered request.

    Raises:
        TeacherError: the request's task or parameters are not understood.
    """
    order = read_order(request)
    text = "\n".join([request.system, *(message.content for message in request.messages)])
    if order.task == "abstain":
        return _write_pairs([_declined(text, order)])
    if order.task in STEPS:
        return _write_pairs(develop(text, order)[: order.pairs])
    if order.reply:
        return _write_pairs(_reply(request, order))
    passages = parse_passages(text)
    if order.task == INSTRUCTIONS:
        return _write_pairs(_carry_out(passages, parse_questions(text), order))
    if order.task == "text_to_sql":
        return _write_pairs(querying.write_queries(passages, order))
    if order.task == "extraction":
        return _write_pairs(extracting.extract(passages, order))
    if order.task == "code":
        return _write_pairs([])  # no rule here turns a sentence into a program
    facts = _find_facts(passages, order)
    return _write_pairs([_write_pair(fact, order) for fact in facts[: order.pairs]])


def _find_facts(passages: list[Passage], order: Order) -> list[Fact]:
    if order.task == "multi_step":
        return reasoning.combine_facts(_read_all(passages))
    if order.task == "exceptions":
        return reasoning.find_exceptions([recall.read_facts(passage) for passage in passages])
    if order.task == "edge_cases":
        return reasoning.find_boundaries(_read_all(passages))
    if order.task == "simplified":
        return reasoning.explain_facts(_read_all(passages))
    if order.task in ("recall", "open_book"):
        return _read_wide(passages, order)
    raise TeacherError(
        f"the offline teacher does not know the task `{order.task}`",
        where=order.prompt,
        expected="recall, multi_step, exceptions, simplified, edge_cases, open_book, instructions, "
        "text_to_sql, extraction, code, "
        f"abstain, one with `reply: true`, or of steps {', '.join(STEPS)}",
        remedy="name one of these in the prompt's front matter, or choose another teacher",
    )


def _reply(request: Request, order: Order) -> list[Json]:
    """Return the answer to a conversation; its passages stand in the system prompt alone."""
    fact = replying.find_reply(request.messages, _read_all(parse_passages(request.system)))
    return [] if fact is None else [{**_write_pair(fact, order), "questions": []}]


def _carry_out(passages: list[Passage], instructions: list[str], order: Order) -> list[Json]:
    if not (passages and instructions):
        return []
    done = instructing.carry_out(instructions[-1], passages[-1], _read_all(passages))
    if done is None:
        return []
    said = " ".join(f'The passage says: "{fact.quote}"' for fact in done.facts)
    pair: Json = {
        "fact": " | ".join(dict.fromkeys(fact.statement for fact in done.facts)),
        "questions": [done.instruction],
        "reasoning": said if order.reasoning else "",
        "answer": done.answer,
        "confidence": min(fact.confidence for fact in done.facts),
    }
    return [pair]


def _read_all(passages: list[Passage]) -> list[Fact]:
    return [fact for passage in passages for fact in recall.read_facts(passage)]


def _read_wide(passages: list[Passage], order: Order) -> list[Fact]:
    wide = _OPEN_BOOK_CHOICE if order.task == "open_book" else order.phrasings
    facts = [recall.widen_facts(recall.read_facts(passage), wide) for passage in passages]
    return [fact for group in facts for fact in group]


def _choose(fact: Fact, order: Order) -> list[str]:
    if order.task == "open_book" and order.phrasings == 1:
        return recall.choose_one(fact)
    return recall.choose_questions(fact, order.phrasings)


def _write_pair(fact: Fact, order: Order) -> dict[str, Json]:
    questions = _choose(fact, order)
    return {
        "fact": fact.statement,
        "questions": [style.say_question(question, order) for question in questions],
        "reasoning": style.say_reasoning(fact) if order.reasoning else "",
        "answer": style.say_answer(fact, order),
        "confidence": fact.confidence,
    }


def _declined(text: str, order: Order) -> Json:
    """Return questions to decline: the one that is given, or those that a statement would answer.

    Their wordings are made by the very means that facts are asked by. Otherwise a student could
    tell what to decline by how it is asked.
    """
    wordings = [
        wording.text
        for question in parse_questions(text)[-1:]
        for wording in vary([Question("full", question)], _unanswered(question), order.phrasings)
    ]
    for passage in parse_passages(text):
        for fact in recall.widen_facts(recall.read_facts(passage), order.phrasings)[:1]:
            wordings += recall.choose_questions(fact, order.phrasings)
    return {
        "fact": "",
        "questions": wordings,
        "reasoning": "No passage answers this." if order.reasoning else "",
        "answer": order.style or DECLINED,
        "confidence": 1.0,
    }


def _unanswered(question: str) -> Fact:
    return Fact(
        statement=question, quote="", questions=(), answer="", kind="", value="", subject="",
        confidence=1.0, score=0.0,
    )  # fmt: skip


def _write_pairs(pairs: list[Json]) -> str:
    return json.dumps({"pairs": pairs}, ensure_ascii=False, sort_keys=True)
