"""Swap words of a question for others of the thesaurus, where that changes no meaning."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from stillhouse.base.ids import sha256_text
from stillhouse.teachers.offline.lexicon import BE, MODALS, PHRASAL
from stillhouse.teachers.offline.morphology import article
from stillhouse.teachers.offline.tagging import tag_words
from stillhouse.teachers.offline.thesaurus import Swap, swaps
from stillhouse.teachers.offline.wording import pick, upper_first

_TOKEN: Final = re.compile(r"\w[\w'’-]*|[^\w\s]")
_QUOTED: Final = re.compile(r'"[^"]*"|“[^”]*”')
_NAME_KINDS: Final = frozenset("nhmbx")
_MASS: Final = frozenset(
    ["paperwork", "guidance", "training", "hiring", "financial support", "money set aside"]
)
_SUBJECTS: Final = MODALS | frozenset(["to", "i", "we", "you", "they", "not"])
# Expressions that name a day, and others that only a number inside a house bears.
_DAYS: Final = frozenset(["last day", "latest date", "by what day", "by which date"])
_CLUMSY_PASSIVES: Final = (
    "got",
    "had",
    "gone",
    "made use",
    "said yes",
    "given the go-ahead",
    "let",
)
_STORED: Final = frozenset(["keep", "kept", "store", "stored"])
_ASKED_OF: Final = (("what", "is"), ("who", "is"))
_NUMBERED: Final = frozenset(["extension", "extensions"])
# Bare nouns that mean something else behind their preposition: nobody is "in fee" of anything.
_IDIOMS: Final = frozenset(
    {
        ("at", "hand"), ("at", "work"), ("by", "hand"), ("in", "case"), ("in", "charge"),
        ("in", "force"), ("in", "hand"), ("in", "order"), ("in", "place"), ("in", "question"),
        ("in", "stock"), ("in", "time"), ("of", "charge"), ("of", "course"), ("on", "call"),
        ("on", "duty"), ("on", "site"), ("on", "time"),
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    low: str
    tag: str
    start: int
    end: int
    name: bool


@dataclass(frozen=True, slots=True)
class _Chance:
    start: int
    end: int
    others: tuple[str, ...]


def swap_words(text: str, key: str, most: int, kind: str) -> str:
    """Return the text with up to ``most`` swaps chosen by ``key``, or as it is without a chance.

    ``kind`` is that of the asked value: what may stand for *deadline* depends on it.
    """
    chances = [chance for chance in _chances(text) if _allowed(chance, text, kind)]
    chances.sort(key=lambda chance: sha256_text(f"{key}{text[chance.start : chance.end]}"))
    for chance in sorted(chances[:most], key=lambda chance: -chance.start):
        text = _put(text, chance, key, kind)
    return text


def _put(text: str, chance: _Chance, key: str, kind: str) -> str:
    before, after = text[: chance.start], text[chance.end :]
    others = [o for o in chance.others if kind == "date" or o not in _DAYS]
    others = [o for o in others if o not in text]
    if not others:
        return text
    other = pick(others, f"{key}{text[chance.start : chance.end]}")
    found = re.search(r"\b(an?) $", before)
    if found:
        before = before[: found.start()] + f"{article(other)} "
    return before + (upper_first(other) if text[chance.start].isupper() else other) + after


def _allowed(chance: _Chance, text: str, kind: str) -> bool:
    word = text[chance.start : chance.end].lower()
    if kind == "measure" and word in _STORED:  # nothing is held on to at 20 degrees
        return False
    return word not in _NUMBERED or kind in ("identifier", "number", "code")


@lru_cache(maxsize=512)
def _chances(text: str) -> tuple[_Chance, ...]:
    words = _read_words(text)
    found: list[_Chance] = []
    at = 0
    while at < len(words):
        chance = next(_matches(words, at), None)
        if chance is None:
            at += 1
            continue
        found.append(chance)
        at = next((n for n in range(at, len(words)) if words[n].start >= chance.end), len(words))
    return tuple(found)


def _read_words(text: str) -> list[_Word]:
    quoted = [(match.start(), match.end()) for match in _QUOTED.finditer(text)]
    matches = list(_TOKEN.finditer(text))
    tokens = tag_words([match[0] for match in matches])
    words: list[_Word] = []
    for match, token in zip(matches, tokens, strict=True):
        opening = not words or words[-1].text in (".", ":", "?", "!", "—")
        capital = any(letter.isupper() for letter in (match[0][1:] if opening else match[0]))
        inside = any(start <= match.start() < end for start, end in quoted)
        digit = any(letter.isdigit() for letter in match[0])
        name = inside or digit or (capital and match[0] not in ("I", "I'm", "I'd", "I've"))
        words.append(_Word(match[0], token.low, token.tag, match.start(), match.end(), name))
    return words


def _matches(words: list[_Word], at: int) -> Iterator[_Chance]:
    for swap in swaps().get(words[at].low, ()):
        end = at + len(swap.words)
        here = words[at:end]
        if tuple(word.low for word in here) != swap.words or any(word.name for word in here):
            continue
        before = words[at - 1] if at else None
        after = words[end] if end < len(words) else None
        if _fits(swap, here, before, after, words[:at]):
            others = _fitting(swap, before)
            if others:
                yield _Chance(here[0].start, here[-1].end, others)


def _fitting(swap: Swap, before: _Word | None) -> tuple[str, ...]:
    low = before.low if before else ""
    others = swap.others
    if low in ("a", "an") or swap.form == "many":
        others = tuple(other for other in others if other not in _MASS)
    if low in ("a", "an", "the", "my", "our", "your", "their", "every", "each", "which", "what"):
        others = tuple(other for other in others if not other.startswith(("the ", "a ", "an ")))
    if swap.form == "participle":
        others = tuple(o for o in others if not o.startswith(_CLUMSY_PASSIVES))
    return others


def _fits(
    swap: Swap, here: list[_Word], before: _Word | None, after: _Word | None, left: list[_Word]
) -> bool:
    if swap.kind in _NAME_KINDS:
        return _fits_as_name(swap, here, before, after)
    if swap.kind in "vt":
        return _fits_as_verb(swap, here, before, after, left)
    if swap.words in _ASKED_OF and (after is None or after.low in ("it", "they", "that")):
        return False
    if swap.words[0] == "a" and len(swap.words) == 2:
        noun = before is not None and before.tag.startswith("NN")
        return noun and (after is None or not after.tag.startswith(("NN", "JJ", "IN")))
    return True


def _fits_as_name(swap: Swap, here: list[_Word], before: _Word | None, after: _Word | None) -> bool:
    if (before and before.name) or (after and after.name):
        return False
    if before and (before.low, here[0].low) in _IDIOMS:
        return False
    if swap.kind == "x":
        return True
    if swap.form == "one" and before and before.low in _SUBJECTS:
        return False
    if after and (after.tag.startswith("NN") or after.text in "-/&"):
        return False
    if swap.kind in "hb" and before and before.tag.startswith(("NN", "JJ", "VB", "CD", "RB")):
        return False
    if swap.kind in "mb":
        return here[-1].tag.startswith("NN")
    return here[-1].tag == ("NNS" if swap.form == "many" else "NN")


def _fits_as_verb(
    swap: Swap, here: list[_Word], before: _Word | None, after: _Word | None, left: list[_Word]
) -> bool:
    head = here[0]
    following = after.low if after else ""
    if following == "to" or (len(here) == 1 and (_base(swap), following) in PHRASAL):
        return False
    be = any(word.low in BE or word.low in ("be", "been", "get", "have", "has") for word in left)
    if swap.form == "participle":
        noun = after is not None and after.tag.startswith(("NN", "JJ"))
        return be and not noun and head.tag in ("VBN", "VBD", "VB", "NN")
    if swap.kind == "t" and (after is None or not after.tag.startswith(("DT", "PRP", "NN", "JJ"))):
        return False
    if swap.form == "third":
        return head.tag == "VBZ"
    if swap.form == "gerund":
        plain = before is not None and before.tag in ("IN", "VB", "VBP", "VBZ", "TO", "CC")
        return head.tag == "VBG" and plain
    led = before is not None and before.low in _SUBJECTS
    if led or before is None:
        return head.tag.startswith(("NN", "VB", "JJ")) if led else head.tag in ("VB", "VBP")
    inner = before.tag.startswith(("DT", "JJ", "VBG", "IN", "PRP$", "CD", "VBN", "WDT"))
    return head.tag in ("VB", "VBP") and not inner


def _base(swap: Swap) -> str:
    return swap.words[0]
