"""The manner of an answer: persona and variation, in small but real effects."""

import re
from typing import Final

from stillhouse.teachers.offline.facts import Fact
from stillhouse.teachers.offline.orders import Order
from stillhouse.teachers.offline.wording import upper_first

_PLAIN: Final = (
    (r"\bin advance\b", "beforehand"), (r"\bsubmit\b", "send in"), (r"\bsubmitted\b", "sent in"),
    (r"\bcommences\b", "begins"), (r"\bpurchase\b", "buy"), (r"\bobtain\b", "get"),
    (r"\brequire\b", "need"), (r"\brequired\b", "needed"), (r"\bapproximately\b", "about"),
    (r"\bnotify\b", "tell"), (r"\binform\b", "tell"), (r"\bprior to\b", "before"),
)  # fmt: skip
_OTHER_PERSON: Final = (
    (r"\bdo I\b", "does my team member"), (r"\bam I\b", "is my team member"),
    (r"\b(can|may|must|should) I\b", r"\1 my team member"),
)  # fmt: skip
_WHOLE: Final = frozenset({"definition", "combined", "boundary"})  # no single value to take out
_MANAGERS: Final = frozenset({"manager", "team-leader", "team_leader", "supervisor"})
_NEW: Final = frozenset({"newcomer", "new", "new-starter", "new_starter", "beginner", "starter"})


def say_question(question: str, order: Order) -> str:
    """Return the question as the order's persona and variation would put it."""
    if order.variation == "beginner":
        question = _replace_all(question, _PLAIN)
    if order.persona in _MANAGERS:
        return _ask_for_other(question)
    if order.persona in _NEW and re.search(r"\bI\b", question) and len(question.split()) < 16:
        return f"I am new here. {upper_first(question)}"
    return question


def _ask_for_other(question: str) -> str:
    changed = _replace_all(question, _OTHER_PERSON)
    if changed == question:
        return question
    return re.sub(r"\bmy(?! team)\b", "their", changed.replace("myself", "themselves"))


def _replace_all(text: str, table: tuple[tuple[str, str], ...]) -> str:
    for pattern, other in table:
        text = re.sub(pattern, other, text)
    return text


def _say_value(fact: Fact) -> str:
    """Return the value alone: ``Within 37 days.``, ``On form AB-1.``; what a number is of stays."""
    named = fact.unit and fact.kind in ("code", "identifier") and fact.unit not in fact.value
    parts = [fact.preposition, fact.unit if named else "", fact.value]
    return upper_first(" ".join(part for part in parts if part)).rstrip(".") + "."


def say_answer(fact: Fact, order: Order) -> str:
    """Return the answer sentence in the order's variation."""
    text = fact.answer
    if order.variation == "beginner":
        return _replace_all(text, _PLAIN)
    if fact.kind in _WHOLE or not fact.subject:
        return text
    if order.variation == "brief":
        return _say_value(fact)
    if order.variation == "three_sentences":
        return f"{text} In short: {fact.value}. This concerns {fact.subject}."
    if order.variation == "applications":
        return f"{text} For example, this matters to anyone who asks about {fact.subject}."
    return text


def say_reasoning(fact: Fact) -> str:
    """Return the line of reasoning: the source's words, then what follows from them."""
    if fact.kind in ("combined", "exception", "boundary"):
        return fact.quote
    if fact.kind == "definition":
        return f'The passage says: "{fact.quote}" So that is what {fact.subject} means.'
    return f'The passage says: "{fact.quote}" So the answer is {fact.value}.'
