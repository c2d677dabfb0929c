"""A pair developed further by rules: under a limit of words, or joined with another fact of its passage.

A reason or a consequence no rule here can find: a step that asks for one gets no pair.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from stillhouse.base.ids import Json
from stillhouse.base.text import normalise, words
from stillhouse.prompts.passages import Passage, parse_passages, parse_questions, parse_told
from stillhouse.teachers.offline import recall, style
from stillhouse.teachers.offline.facts import Fact
from stillhouse.teachers.offline.orders import Order
from stillhouse.teachers.offline.wording import lower_first, pick

STEPS: Final = ("constraints", "deeper", "steps")
_LIMITS: Final = {3: "three", 5: "five", 8: "eight", 12: "twelve", 20: "twenty"}
_FORMS: Final = (
    "{} Answer in at most {} words.",
    "{} Use no more than {} words.",
    "{} Keep the answer to {} words or fewer.",
    "{} Please answer in {} words at most.",
)
# Questions that go on after "and": they begin with the word that asks.
_ASKS: Final = re.compile(r"^(?:what|when|where|who|which|how)\b[^?]*\?$", re.IGNORECASE)
_LONGEST: Final = 34  # words of a joined question


def develop(text: str, order: Order) -> list[Json]:
    """Return the pair that a step makes of the question and the answer in a prompt, or none."""
    questions, answers = parse_questions(text), parse_told("answer", text)
    if not questions or not answers:
        return []
    statement = (parse_told("fact", text) or [""])[-1]
    told = (questions[-1], answers[-1], statement)
    if order.task == "constraints":
        return list(_limit(*told, order))
    if order.task == "steps":
        return list(_join(*told, parse_passages(text), order))
    return []


def _limit(question: str, answer: str, statement: str, order: Order) -> Iterator[Json]:
    """Yield the question with the nearest limit that its answer keeps."""
    length = len(answer.split())
    limit = next((name for number, name in _LIMITS.items() if length <= number), "")
    if not limit or not question.endswith("?"):
        return
    first = _FORMS.index(pick(_FORMS, question))
    forms = [*_FORMS[first:], *_FORMS[:first]][: order.phrasings]
    quote = f'The passage says: "{statement}" ' if statement else ""
    yield {
        "fact": statement,
        "questions": [form.format(question, limit) for form in forms],
        "reasoning": f"{quote}So the answer, in {length} words, is: {answer}"
        if order.reasoning
        else "",
        "answer": answer,
        "confidence": 1.0,
    }


def _join(
    question: str, answer: str, statement: str, passages: Sequence[Passage], order: Order
) -> Iterator[Json]:
    """Yield the question together with that about another fact: first of all of the same subject."""
    if not _ASKS.match(question) or not statement:
        return
    for passage in passages:
        facts = recall.read_facts(passage)
        own = [fact for fact in facts if normalise(fact.statement) == normalise(statement)]
        subject = own[0].subject if own else ""
        others = [fact for fact in facts if not _repeats(fact, answer, statement)]
        for fact in sorted(others, key=lambda fact: fact.subject != subject):
            if asked := _ask_both(question, fact, passage):
                second = lower_first(style.say_answer(fact, order), recall.find_names(passage.text))
                yield {
                    "fact": fact.statement,
                    "questions": [asked],
                    "reasoning": f'The passage says: "{statement}" The passage says: '
                    f'"{fact.quote}" So both answers are given.'
                    if order.reasoning
                    else "",
                    "answer": f"{answer.rstrip('.')}, and {second}",
                    "confidence": fact.confidence,
                }
                return


def _repeats(fact: Fact, answer: str, statement: str) -> bool:
    """Whether a fact is the developed one, or its value is a part of that answer already."""
    same = normalise(fact.statement) == normalise(statement)
    return same or normalise(fact.value) in normalise(answer)


def _ask_both(question: str, fact: Fact, passage: Passage) -> str:
    names = recall.find_names(passage.text)
    for other in fact.questions:
        joined = f"{question[:-1]}, and {lower_first(other.text, names)}"
        if other.exact and _ASKS.match(other.text) and len(words(joined)) <= _LONGEST:
            return joined
    return ""
