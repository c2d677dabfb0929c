"""Interchangeable expressions of British working life, with all their forms, ready to be swapped."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from stillhouse.teachers.offline.morphology import gerund, past_participle, plural, third_person
from stillhouse.teachers.offline.thesaurus_chat import CHAT_THINGS
from stillhouse.teachers.offline.thesaurus_deeds import CHAT
from stillhouse.teachers.offline.thesaurus_people import PEOPLE
from stillhouse.teachers.offline.thesaurus_phrases import PHRASES
from stillhouse.teachers.offline.thesaurus_things import THINGS
from stillhouse.teachers.offline.thesaurus_verbs import VERBS

_GROUPS: Final = f"{PEOPLE}{THINGS}{VERBS}{PHRASES}{CHAT_THINGS}{CHAT}"
_NOUNS: Final = frozenset("nh")
_VERBS: Final = frozenset("vt")


@dataclass(frozen=True, slots=True)
class Swap:
    """An expression and what may stand for it; ``kind`` is a group's letter, ``form`` its form."""

    words: tuple[str, ...]
    others: tuple[str, ...]
    kind: str
    form: str = ""


@cache
def swaps() -> dict[str, tuple[Swap, ...]]:
    """Return the swaps by the first word, in lower case, of what they replace, longest first."""
    joined: dict[tuple[tuple[str, ...], str, str], Swap] = {}
    for line in _GROUPS.splitlines():
        for swap in _read_group(line):
            known = joined.get((swap.words, swap.kind, swap.form))
            others = dict.fromkeys([*(known.others if known else ()), *swap.others])
            joined[swap.words, swap.kind, swap.form] = replace(swap, others=tuple(others))
    found: dict[str, list[Swap]] = {}
    for swap in joined.values():
        found.setdefault(swap.words[0], []).append(swap)
    return {
        first: tuple(sorted(group, key=lambda swap: (-len(swap.words), swap.kind)))
        for first, group in found.items()
    }


def count_groups() -> int:
    """Return how many groups of interchangeable expressions there are."""
    return sum(":" in line for line in _GROUPS.splitlines())


def _read_group(line: str) -> Iterator[Swap]:
    kind, colon, rest = line.partition(": ")
    if not colon:
        return
    replaced, arrow, putting = rest.partition(" > ")
    sources = replaced.split(" | ")
    members = [*(sources if not arrow else []), *(putting.split(" | ") if arrow else [])]
    for source in sources:
        others = [member for member in members if member != source]
        yield from _inflect(source, others, kind)


def _inflect(source: str, others: list[str], kind: str) -> Iterator[Swap]:
    for form in _forms_of(kind):
        words = tuple(inflect(source, form).lower().split())
        yield Swap(words, tuple(inflect(other, form) for other in others), kind, form)


def _forms_of(kind: str) -> tuple[str, ...]:
    if kind in _NOUNS:
        return ("one", "many")
    return ("base", "third", "participle", "gerund") if kind in _VERBS else ("",)


def inflect(phrase: str, form: str) -> str:
    """Return the phrase in a form: nouns at their head, verbs at their first word."""
    if form in ("", "one", "base"):
        return phrase
    if form == "many":
        return _plural_phrase(phrase)
    head, _, rest = phrase.partition(" ")
    changed = {"third": third_person, "participle": past_participle, "gerund": gerund}[form](head)
    return f"{changed} {rest}".strip()


def _plural_phrase(phrase: str) -> str:
    words = phrase.split(" ")
    ends = [at for at, word in enumerate(words) if at and word in _AFTER_HEAD]
    head = (ends[0] if ends else len(words)) - 1
    words[head] = plural(words[head])
    return " ".join(words)


_AFTER_HEAD: Final = frozenset(
    ["of", "for", "in", "on", "to", "with", "who", "at", "per", "from", "responsible", "we", "it"]
)
