"""Facts that need more than one look: combined values, exceptions, boundaries, explanations."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import combinations
from typing import Final

from stillhouse.base.text import MINUS, words
from stillhouse.teachers.offline.asking import unit_name
from stillhouse.teachers.offline.facts import Fact, Question
from stillhouse.teachers.offline.wording import content_words, finish, upper_first

_NUMBER: Final = re.compile(rf"(?P<minus>{MINUS})?\+?(?P<digits>\d[\d,]*(?:\.\d+)?)")
_AMOUNTS: Final = frozenset(["money", "duration", "count", "measure", "percent"])
_SHARED: Final = 0.5


def amount_of(fact: Fact) -> Decimal | None:
    """Return the number in a fact's value, or None where there is not exactly one with one sign."""
    found = list(_NUMBER.finditer(fact.value))
    if fact.kind not in _AMOUNTS or len(found) != 1 or _has_doubtful_sign(fact):
        return None
    size = Decimal(found[0]["digits"].replace(",", ""))
    return -size if found[0]["minus"] else size


def _has_doubtful_sign(fact: Fact) -> bool:
    """Say whether a value is one of two (``±2 mm``) or has its sign in words (``minus 18 °C``)."""
    told = fact.quote.lower()
    value = fact.value.lower()
    return "±" in value or f"minus {value}" in told or f"{value} below" in told


def combine_facts(facts: Sequence[Fact]) -> list[Fact]:
    """Return questions about two values of one unit: which is greater, by how much, together."""
    found: list[Fact] = []
    labelled = [fact for fact in facts if fact.confidence == 1.0 and " " in fact.subject]
    for first, second in combinations(labelled, 2):
        if _comparable(first, second):
            found += _combine(first, second)
        if len(found) >= 24:
            break
    return found


def _comparable(first: Fact, second: Fact) -> bool:
    one, other = amount_of(first), amount_of(second)
    if one is None or other is None or one == other or first.kind != second.kind:
        return False
    if first.unit != second.unit:
        return False
    return _attribute(first) == _attribute(second) != ""


def _attribute(fact: Fact) -> str:
    return re.split(r" (?:for|in|of) ", fact.subject)[0]


def _owner(fact: Fact) -> str:
    parts = re.split(r" (?:for|in|of) ", fact.subject, maxsplit=1)
    return parts[1] if len(parts) > 1 else ""


def _link(fact: Fact) -> str:
    found = re.search(r" (for|in|of) ", fact.subject)
    return found[1] if found else "for"


def _combine(first: Fact, second: Fact) -> Iterator[Fact]:
    one, other = amount_of(first), amount_of(second)
    if one is None or other is None:
        return
    more, less = (first, second) if one > other else (second, first)
    gap = abs(one - other)
    shown = _show(gap, more)
    attribute, link = _attribute(first), _link(first)
    than = f"{link} {_owner(more)} than {link} {_owner(less)}"
    higher = "longer" if more.kind == "duration" else "higher"
    questions = (
        Question("full", finish(f"{_how_much(more)} {higher} is {attribute} {than}")),
        Question("noun", finish(f"What is the difference between {attribute} {link} {_owner(more)} "
                                f"and {link} {_owner(less)}")),
        Question("indirect", finish(f"Can you work out {_how_much(more)} {higher} {attribute} is {than}")),
        Question("keywords", f"difference {' '.join(content_words(attribute))} "
                             f"{_owner(more)} {_owner(less)}", False),
        Question("curt", finish(f"{_owner(more)} or {_owner(less)}: what is the difference in "
                                f"{attribute.removeprefix('the ')}")),
    )  # fmt: skip
    reasoning = (
        f'Step 1. The passage says: "{more.quote}" Step 2. It also says: "{less.quote}" '
        f"Step 3. {_plain(more)} minus {_plain(less)} is {_plain_number(gap)}. "
        f"So the difference is {shown}."
    )
    answer = f"{upper_first(attribute)} is {shown} {higher} {than}."
    yield _combined(first, second, questions, reasoning=reasoning, answer=answer, value=shown)
    which = _ask_which(more, less, attribute, link, higher)
    if which:
        yield which


def _ask_which(more: Fact, less: Fact, attribute: str, link: str, higher: str) -> Fact | None:
    one, other = _owner(more), _owner(less)
    pair = f"{link} {min(one, other)} or {link} {max(one, other)}"
    questions = (
        Question("full", finish(f"Is {attribute} {higher} {pair}")),
        Question("noun", finish(f"Which is {higher}: {attribute} {pair}")),
        Question("indirect", finish(f"Do you know whether {attribute} is {higher} {pair}")),
    )
    reasoning = (
        f'Step 1. The passage says: "{more.quote}" Step 2. It also says: "{less.quote}" '
        f"Step 3. {_plain(more)} is more than {_plain(less)}."
    )
    text = f"It is {higher} {link} {one}: {more.value}."
    return _combined(more, less, questions, reasoning=reasoning, answer=text, value=one)


def _combined(
    first: Fact, second: Fact, questions: tuple[Question, ...], *, reasoning: str, answer: str,
    value: str,
) -> Fact:  # fmt: skip
    return Fact(
        statement=f"{first.statement} | {second.statement}", quote=reasoning, questions=questions,
        answer=answer, kind="combined", value=value, subject=first.subject, confidence=0.9,
        score=0.8,
    )  # fmt: skip


def _how_much(fact: Fact) -> str:
    return "how much" if fact.kind in ("money", "percent") else f"how many {unit_name(fact.unit)}"


def _plain(fact: Fact) -> str:
    amount = amount_of(fact)
    return "" if amount is None else _plain_number(amount).replace("-", "−")


def _plain_number(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _show(number: Decimal, like: Fact) -> str:
    amount = format(number, ",f") if "," in like.value else format(number, "f")
    if like.kind != "money" and "." in amount:
        amount = amount.rstrip("0").rstrip(".")
    shown = _NUMBER.sub(amount, like.value, count=1)  # with the sign that it has itself
    unit = like.unit.split(" ")[-1] if like.unit else ""
    if amount == "1" and unit.endswith("s") and len(unit) > 2:
        shown = shown.removesuffix(unit) + unit[:-1]
    return shown


def find_exceptions(groups: Sequence[Sequence[Fact]]) -> list[Fact]:
    """Return the facts of the second passage that set another value than a rule in the first."""
    if len(groups) < 2:
        return []
    found = []
    for special in groups[1]:
        rule = max(groups[0], key=lambda fact: _nearness(fact, special), default=None)
        if rule is None or _nearness(rule, special) < _SHARED:
            continue
        reasoning = (
            f'The general rule says: "{rule.quote}" The exception says: "{special.quote}" '
            f"The exception holds here, so the answer is {special.value}."
        )
        found.append(replace(
            special, kind="exception", quote=reasoning,
            statement=f"{special.statement} | {rule.statement}",
        ))  # fmt: skip
    return found


def _nearness(rule: Fact, special: Fact) -> float:
    if rule.kind != special.kind or rule.value == special.value or special.kind == "text":
        return 0.0
    if rule.unit and special.unit and rule.unit.split()[-1] != special.unit.split()[-1]:
        return 0.0
    ruled = set(content_words(rule.quote)) - set(words(rule.value))
    told = set(content_words(special.quote)) - set(words(special.value))
    return len(ruled & told) / max(1, min(len(ruled), len(told)))


def find_boundaries(facts: Sequence[Fact]) -> list[Fact]:
    """Return yes-or-no questions just inside and just beyond a limit."""
    found: list[Fact] = []
    for fact in facts:
        amount = amount_of(fact)
        if amount is None or fact.confidence < 0.8 or fact.kind == "percent":
            continue
        if amount < 0:  # "at most -20 °C" may bound the cold or the warmth
            continue
        found += _bound_questions(fact, amount)
    return found


def _bound_questions(fact: Fact, amount: Decimal) -> Iterator[Fact]:
    upper = fact.bound == "max" or fact.preposition == "within"
    if not fact.trial or fact.value not in fact.answer:
        return
    step = Decimal(1) if amount == amount.to_integral_value() else Decimal("0.5")
    for shift, inside in ((step, not upper), (-step, upper)):
        if amount + shift > 0:
            yield _boundary(fact, amount + shift, amount, inside, upper)


def _boundary(fact: Fact, tried: Decimal, amount: Decimal, inside: bool, upper: bool) -> Fact:
    shown, verdict = _show(tried, fact), "Yes" if inside else "No"
    relation = "is more than" if tried > amount else "is not more than"
    if not upper:
        relation = "is less than" if tried < amount else "is not less than"
    reasoning = (
        f'The passage says: "{fact.quote}" {_plain_number(tried)} {relation} '
        f"{_plain_number(amount)}. So the answer is {verdict.lower()}."
    )
    return Fact(
        statement=fact.statement, quote=reasoning,
        questions=_ask_boundary(fact.trial.format(shown)), answer=f"{verdict}. {fact.answer}",
        kind="boundary", value=verdict, subject=fact.subject, confidence=0.9, score=0.7,
    )  # fmt: skip


def _ask_boundary(asked: str) -> tuple[Question, ...]:
    lowered = asked[:1].lower() + asked[1:]
    return (
        Question("full", asked),
        Question("indirect", f"I have a question: {lowered}"),
        Question("curt", f"Quick question: {lowered}"),
        Question("topic", f"Yes or no: {lowered}"),
    )


def explain_facts(facts: Sequence[Fact]) -> list[Fact]:
    """Return definitions first, then rules, each asked for in plain words."""
    definitions = [fact for fact in facts if fact.kind == "definition"]
    rules = [fact for fact in facts if fact.kind != "definition" and fact.confidence < 1.0]
    return [*definitions, *(_explained(fact) for fact in rules if fact.kind in _AMOUNTS)]


def _explained(fact: Fact) -> Fact:
    base = next((q.text for q in fact.questions if q.style in ("full", "reader")), "")
    asked = base[:1].lower() + base[1:]
    questions = (
        Question("full", f"In simple words: {asked}"),
        Question("reader", f"Please explain it simply: {asked}"),
        Question("indirect", f"I do not understand the rule. {base}"),
        Question("curt", f"Put plainly, {asked}"),
    )
    return replace(fact, questions=questions if base else fact.questions)
