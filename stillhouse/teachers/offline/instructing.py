"""Instructions on a passage that rules can carry out: lists of what it says, a short sum, a quiz question.

An instruction is understood by its words. What no rule here carries out wholly (every number where some
are part of no known fact, a poem) is not carried out at all.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from stillhouse.prompts.passages import Passage
from stillhouse.teachers.offline.facts import Fact
from stillhouse.teachers.offline.markdown import Sentence, read_statements
from stillhouse.teachers.offline.reasoning import find_boundaries

_LONGEST: Final = 50  # words of an answer, as the prompt file says
_MOST: Final = 6  # facts of a list: a longer one is better read in the passage itself
_GOOD: Final = 0.8  # score of a fact that somebody would ask for
_BRIEF: Final = 3  # facts that one sentence can sum up
_SPELT: Final = {"five": 5, "ten": 10, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30}
_NUMBER: Final = re.compile(r"(?<![\w-])\d+(?:[.,:]\d+)*")
_OWNS: Final = re.compile(
    r"\b(?:owner|responsible|in charge|looks? after|kept by|leads?|questions go to)\b",
    re.IGNORECASE,
)
_MONEY: Final = re.compile(r"[£$€]\s?\d[\d,.]*|\b\d+(?:\.\d+)?p\b|\bpence\b")
_CODE: Final = re.compile(r"\b[A-Z]{2,}-?\d+\b")
_DATE: Final = re.compile(
    r"\b\d{1,2} (?:January|February|March|April|May|June|July|August|September|October|November|December)"
    r"|\b\d{1,2}:\d{2}\b"
    r"|\bwithin \d+ (?:working |calendar )?(?:minutes?|hours?|days?|weeks?|months?|years?)\b"
)
_TERMS: Final = ("definition", "name")
_ASKED: Final = frozenset(
    ["money", "duration", "count", "measure", "percent", "time", "date", "person", "code"]
)

Carry: TypeAlias = Callable[[Passage, Sequence[Fact]], tuple[Sequence[Fact], str]]
_NOTHING: Final[tuple[Sequence[Fact], str]] = ((), "")


@dataclass(frozen=True, slots=True)
class Carried:
    """An instruction as it names its passage, what it comes to, and the facts that it was made of."""

    instruction: str
    answer: str
    facts: tuple[Fact, ...]


def carry_out(instruction: str, passage: Passage, facts: Sequence[Fact]) -> Carried | None:
    """Return an instruction carried out on a passage, or None where rules cannot do it wholly."""
    asked = instruction.lower()
    for pattern, carry in _RULES:
        if re.search(pattern, asked):
            used, answer = carry(passage, _keep_one_each(facts))
            if used and 0 < len(answer.split()) <= _find_limit(asked):
                return Carried(_name_passage(instruction, passage), answer, tuple(used))
            return None
    return None


def _find_limit(asked: str) -> int:
    """Return how many words an instruction allows: ``at most fifteen words``."""
    found = re.search(r"\b(?:at most|up to|no more than|under) (\w+) words\b", asked)
    if found is None:
        return _LONGEST
    return int(found[1]) if found[1].isdigit() else _SPELT.get(found[1], 0)


def _name_passage(instruction: str, passage: Passage) -> str:
    """Return the instruction with the passage named by its headings, so that it is this one's alone."""
    topic = ": ".join(passage.section.split(" > ")[-2:])
    if not topic:
        return instruction
    named, count = re.subn(r"\bpassage\b", f'passage "{topic}"', instruction, count=1)
    return named if count else f'{instruction} It is about the passage "{topic}".'


def _keep_one_each(facts: Iterable[Fact]) -> list[Fact]:
    """Return the facts without those that say the same sentence again."""
    found: dict[str, Fact] = {}
    for fact in facts:
        found.setdefault(fact.answer.casefold(), fact)
    statements: dict[str, Fact] = {}
    for fact in found.values():  # a definition is asked for from both ends
        statements.setdefault(f"{fact.statement} {fact.kind in _TERMS or fact.value}", fact)
    return list(statements.values())


def _list(facts: Sequence[Fact]) -> tuple[Sequence[Fact], str]:
    if not 0 < len(facts) <= _MOST:
        return _NOTHING
    return facts, " ".join(fact.answer for fact in facts)


def _list_all(pattern: re.Pattern[str]) -> Carry:
    """Return what lists the facts that hold a value of a pattern, if they hold all of the passage's."""

    def carry(passage: Passage, facts: Sequence[Fact]) -> tuple[Sequence[Fact], str]:
        wanted = set(pattern.findall(passage.text))
        chosen = [fact for fact in facts if pattern.search(fact.answer)]
        told = {value for fact in chosen for value in pattern.findall(fact.answer)}
        return _list(chosen) if wanted and wanted <= told else _NOTHING

    return carry


def _list_kinds(*kinds: str) -> Carry:
    return lambda _, facts: _list([fact for fact in facts if fact.kind in kinds])


def _list_limits(_: Passage, facts: Sequence[Fact]) -> tuple[Sequence[Fact], str]:
    return _list([fact for fact in facts if fact.bound])


def _list_sentences(pattern: str) -> Carry:
    """Return what lists the sentences with a wording; the facts are those that they state."""

    def carry(passage: Passage, facts: Sequence[Fact]) -> tuple[Sequence[Fact], str]:
        said = [
            one.text
            for one in read_statements(passage.text)
            if isinstance(one, Sentence) and re.search(pattern, one.text, re.IGNORECASE)
        ]
        stated = [fact for fact in facts if any(fact.statement in text for text in said)]
        return (stated, " ".join(said)) if stated else _NOTHING

    return carry


def _sum_up(passage: Passage, facts: Sequence[Fact]) -> tuple[Sequence[Fact], str]:
    """Return one sentence with all facts of a passage that says little else."""
    if not 0 < len(facts) <= _BRIEF or not _say_all(passage, facts):
        return _NOTHING
    first, *others = (fact.answer.rstrip(".") for fact in facts)
    return facts, "; ".join([first, *(_lower(text) for text in others)]) + "."


def _point_out(passage: Passage, facts: Sequence[Fact]) -> tuple[Sequence[Fact], str]:
    """Return the facts as bullet points, where they are all that a passage says."""
    if not 1 < len(facts) <= _MOST or not _say_all(passage, facts):
        return _NOTHING
    return facts, "\n".join(f"- {fact.answer}" for fact in facts)


def _say_all(passage: Passage, facts: Sequence[Fact]) -> bool:
    """Whether each statement of a passage, but for one at most, states one of the facts."""
    statements = list(read_statements(passage.text))
    told = " ".join(fact.statement for fact in facts)
    plain = [one.text for one in statements if isinstance(one, Sentence)]
    others = len(statements) - len(plain)
    return others <= len(facts) and sum(text not in told for text in plain) <= (
        len(plain) > _BRIEF - 1
    )


def _decide(_: Passage, facts: Sequence[Fact]) -> tuple[Sequence[Fact], str]:
    """Return a case just inside or outside of a limit, with what follows."""
    found = find_boundaries(facts)[:1]
    return (found, f"{found[0].questions[0].text} {found[0].answer}") if found else _NOTHING


def _lower(text: str) -> str:
    """Return a sentence as it follows a semicolon: an article or pronoun loses its capital."""
    first, _, rest = text.partition(" ")
    small = first.lower()
    return f"{small} {rest}" if small in _SMALL else text


_SMALL: Final = ("the", "a", "an", "each", "every", "all", "no", "staff", "it", "this", "at")


def _find_owner(_: Passage, facts: Sequence[Fact]) -> tuple[Sequence[Fact], str]:
    owners = [fact for fact in facts if fact.kind == "person" and _OWNS.search(fact.answer)]
    return _list(owners) if len({fact.value for fact in owners}) == 1 else _NOTHING


def _state(_: Passage, facts: Sequence[Fact]) -> tuple[Sequence[Fact], str]:
    return (facts[:1], facts[0].answer) if facts else _NOTHING


def _quiz(_: Passage, facts: Sequence[Fact]) -> tuple[Sequence[Fact], str]:
    for fact in facts:
        asked = next((one.text for one in fact.questions if one.style == "full"), "")
        if asked and fact.kind in _ASKED and fact.score >= _GOOD:
            return [fact], f"Question: {asked} Answer: {fact.value}."
    return _NOTHING


# The first wording that an instruction holds says what is to be done.
_RULES: Final[tuple[tuple[str, Carry], ...]] = (
    (r"\bsummar|\bmain point\b|\bgist\b", _sum_up),
    (r"\bbullet", _point_out),
    (r"\bquiz\b", _quiz),
    (r"\bexample of a case\b", _decide),
    (r"\btrue statement\b", _state),
    (r"\bterms?\b.*\b(?:explain|mean|defin)|\bdefinitions?\b", _list_kinds("definition")),
    (r"\bwho is responsible\b|\bwho owns\b", _find_owner),
    (r"\bname the people\b|\bwho is named\b", _list_kinds("person")),
    (r"\b(?:may not|must not|nobody may|not allowed|forbidden)\b",
     _list_sentences(r"\b(?:may not|must not|nobody may|no one may|not allowed)\b")),
    (r"\bmust do\b|\bpeople must\b|\bduties\b", _list_sentences(r"\bmust\b(?! not)")),
    (r"\blimits?\b", _list_limits),
    (r"\b(?:deadlines?|dates)\b", _list_all(_DATE)),
    (r"\b(?:sums? of money|amounts?|prices)\b", _list_all(_MONEY)),
    (r"\bforms?, codes?|\bforms\b", _list_all(_CODE)),
    (r"\b(?:every|all|each) numbers?\b|\bnumbers in\b", _list_all(_NUMBER)),
)  # fmt: skip
