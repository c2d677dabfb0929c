"""Questions put in people's own words: verbs for a handbook's nouns, chat for its verbs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from stillhouse.teachers.offline.asks_nouns import COUNTED, FOR_WHAT, NOUNS, PERIODS
from stillhouse.teachers.offline.asks_turns import turn_ask
from stillhouse.teachers.offline.asks_verbs import VERB_ASKS
from stillhouse.teachers.offline.facts import Fact, Question
from stillhouse.teachers.offline.lexicon import PEOPLE, PHRASAL, PREPOSITIONS
from stillhouse.teachers.offline.morphology import (
    base_of,
    gerund,
    is_participle,
    is_plural,
    past_participle,
)
from stillhouse.teachers.offline.tagging import tag_words
from stillhouse.teachers.offline.wording import finish

ASK: Final = "ask"

_NOUN_ASK: Final = re.compile(
    r"^(?:What|Who|Where|When|How (?:long|much|many|high|big|heavy|old|far|fast))(?: is| are|'s|'re)"
    r" (?:the )?(?P<noun>[\w '-]+?)(?: (?:for|of|in|on|to|at) (?P<owner>[^,:;?]+))?\?$"
)
_WAYS: Final = (
    ("often", re.compile(r"how (?:often|frequently)")),
    ("long", re.compile(r"(?:for )?how long|for how many \w+")),
    ("soon", re.compile(r"how (?:soon|quickly)|within how many (?:\w+ )?\w+")),
    ("by", re.compile(r"by (?:when|what date|which date)")),
    ("who", re.compile(r"who|by whom")),
    ("where", re.compile(r"where|in which (?:room|place|building)")),
    ("when", re.compile(r"when|at what time|what time|on which (?:day|date)|on what date")),
    ("much", re.compile(r"how much")),
    ("form", re.compile(r"on which form|which form|with which form")),
    ("warm", re.compile(r"at how many degrees(?: \w+)?|at what temperature")),
)
_HELPERS: Final = re.compile(
    r"(?P<helper>is|are|must|should|may|can|do|does|has|have) (?P<rest>.+)"
)
_READERS: Final = re.compile(
    r"(?:do (?:I|we) (?:have|need) to|must (?:I|we)|can (?:I|we)|may (?:I|we)|should (?:I|we)|do we)"
    r" (?P<base>[a-z]+) (?P<x>.+)"
)
# What may be asked about people as it is about things.
_FOR_PEOPLE: Final = re.compile(
    r"\{(?:do|is|has)\} \{x\}|can \{x\}|due to \{x\}|^(?!.* (?:I|you) ).* for \{x\}|must \{x\}|^who"
)
_PARTS: Final = frozenset(["more", "less", "up", "off", "out", "on", "to", "in"])
_APART: Final = frozenset(["for", "up", "off", "out", "down", "back", "away"])
_STATES: Final = frozenset(["have", "be", "need", "get"])
_LONGEST_THING: Final = 12


@dataclass(frozen=True, slots=True)
class _Pattern:
    ways: tuple[str, ...]
    wordings: tuple[str, ...]


def ask_otherwise(question: Question, fact: Fact) -> Iterator[Question]:
    """Yield the question in people's own words, where a pattern knows what it asks."""
    text = question.text
    if ". " in text or ": " in text or '"' in text:
        return
    for asked in (*_ask_noun(text, fact), *_ask_verb(text, fact), *turn_ask(text)):
        yield Question(ASK, finish(asked), question.exact)


def count_patterns() -> int:
    """Return how many patterns of asking there are."""
    return sum(" > " in line for line in f"{NOUNS}{VERB_ASKS}".splitlines())


@cache
def _patterns(table: str) -> dict[str, tuple[_Pattern, ...]]:
    found: dict[str, list[_Pattern]] = {}
    for line in table.splitlines():
        ways, colon, rest = line.partition(": ")
        if colon:
            nouns, _, wordings = rest.partition(" > ")
            pattern = _Pattern(tuple(ways.split(",")), tuple(wordings.split(" | ")))
            for noun in nouns.split(" | "):
                found.setdefault(noun, []).append(pattern)
    return {noun: tuple(group) for noun, group in found.items()}


def _ask_noun(text: str, fact: Fact) -> Iterator[str]:
    found = _NOUN_ASK.match(text)
    if found is None:
        return
    owner, noun = found["owner"] or "", found["noun"].lower()
    ending, tail = "", re.search(r" per \w+$| a \w+$", owner)
    if tail:
        owner, ending = owner[: tail.start()], tail[0]
    noun, _, period = noun.partition(" per ")
    ending = f" per {period}" if period else ending
    first, _, rest = noun.partition(" ")
    if first in PERIODS and rest and noun not in _patterns(NOUNS):
        noun, ending = rest, f" {PERIODS[first]}"
        first, _, rest = noun.partition(" ")
    if first in FOR_WHAT and rest and noun not in _patterns(NOUNS):
        noun = rest
        owner = f"{FOR_WHAT[first]} {_rejoin(text, owner)}".strip()
    if len(owner.split()) > _LONGEST_THING:
        return
    for pattern in _patterns(NOUNS).get(noun, ()):
        if fact.kind in pattern.ways:
            yield from _fill(pattern, owner, "", ending)


def _rejoin(text: str, owner: str) -> str:
    if not owner:
        return ""
    before = text[: text.rindex(owner)].split()
    return f"{before[-1]} {owner}"


def _ask_verb(text: str, fact: Fact) -> Iterator[str]:
    way, rest = _read_way(text)
    if not way:
        return
    thing, base, done = _read_deed(rest, way)
    if not thing or fact.value.lower() in thing.lower() or len(thing.split()) > _LONGEST_THING:
        return
    patterns = _patterns(VERB_ASKS)
    for pattern in (*patterns.get(done, ()), *patterns.get("*", ())):
        if way in pattern.ways and not (base == "own" and pattern in patterns["*"]):
            yield from _fill(pattern, thing, base, "")


def _read_way(text: str) -> tuple[str, str]:
    """Return the way a question asks, and what follows its question words."""
    low = text[:1].lower() + text[1:].rstrip("?")
    for way, pattern in _WAYS:
        found = pattern.match(low)
        if found and low[found.end() :].startswith(" "):
            return way, low[found.end() + 1 :]
    return "", ""


def _read_deed(rest: str, way: str) -> tuple[str, str, str]:
    """Return the thing, the verb's base and its participle."""
    reader = _READERS.fullmatch(rest)
    if reader:
        thing = reader["x"]
        if thing.split(" ")[0] in PREPOSITIONS | _PARTS:
            return "", "", ""
        return thing, reader["base"], past_participle(reader["base"])
    active = re.fullmatch(r"(?!is |does |has |was )(?P<verb>[a-z]+s) (?P<x>.+)", rest)
    if way == "who" and active:
        base = base_of(active["verb"])
        bad = not base or base in _STATES
        starts = active["x"].split(" ")[0] in PREPOSITIONS | _PARTS
        return ("", "", "") if bad or starts else (active["x"], base, past_participle(base))
    helped = _HELPERS.fullmatch(rest)
    return _read_passive(helped["helper"], helped["rest"]) if helped else ("", "", "")


def _read_passive(helper: str, rest: str) -> tuple[str, str, str]:
    if " have to be " in rest:
        helper, rest = "must", rest.replace(" have to be ", " be ")
    rest = re.sub(r" by$", "", rest)
    words = rest.split(" ")
    if helper in ("do", "does"):
        if words[-3:-1] == ["cost", "to"]:
            words = [gerund(words[-1]), *words[:-3], "cost"]
        last = words[-1]
        known = last in _patterns(VERB_ASKS) and len(words) > 1
        return (" ".join(words[:-1]), last, last) if known else ("", "", "")
    if helper in ("must", "should", "may", "can") and "be" not in words:
        return "", "", ""
    for at in range(1, len(words)):
        word = words[at]
        bare = helper in ("is", "are")
        if word != "valid" and not is_participle(word):
            continue
        if bare != (words[at - 1] != "be"):
            continue
        named = words[: at if bare else at - 1]
        if not named or not tag_words(named)[-1].tag.startswith(("NN", "CD")):
            continue
        after = words[at + 1 :]
        base = base_of(word) or word
        phrasal = bool(after) and ((base, after[0]) in PHRASAL or after[0] in _APART)
        if phrasal or base in _STATES:
            return "", "", ""
        return " ".join([*named, *after]), base, word
    return "", "", ""


def _fill(pattern: _Pattern, thing: str, base: str, ending: str) -> Iterator[str]:
    thing = with_article(thing)
    many = _is_many(thing)
    words = {
        "x": thing, "base": base, "is": "are" if many else "is", "do": "do" if many else "does",
        "has": "have" if many else "has",
    }  # fmt: skip
    for wording in pattern.wordings:
        if _head(thing) in PEOPLE and not _FOR_PEOPLE.search(wording):
            continue
        if ("{x}" in wording) == bool(thing) and not (base == "" and "{base}" in wording):
            yield wording.format(**words) + ending


def with_article(thing: str) -> str:
    """Return a bare name of a single thing with its article."""
    words = thing.split(" ")
    if (
        words[-1] in COUNTED
        and words[0][:1].islower()
        and words[0] not in _LED
        and not words[0].endswith("ing")
    ):
        return f"the {thing}"
    return thing


_LED: Final = frozenset(
    ["the", "a", "an", "my", "our", "your", "their", "each", "every", "any", "one", "this"]
)


def _is_many(thing: str) -> bool:
    return is_plural(_head(thing)) and thing.split(" ", maxsplit=1)[0] not in (
        "a",
        "an",
        "each",
        "every",
    )


def _head(thing: str) -> str:
    words = thing.lower().split(" ")
    ends = [at for at, word in enumerate(words) if at and word in PREPOSITIONS]
    return words[(ends[0] if ends else len(words)) - 1]
