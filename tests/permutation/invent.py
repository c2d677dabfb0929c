"""Which words of the documents are invented, and new ones of the same shape."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random
from typing import Final

from tests.permutation.found import Lexicon
from tests.permutation.words import COLOURS, COMMON, HEADS, list_words

_CAPITAL: Final = r"[A-Z][a-z]+"
_RUN: Final = rf"({_CAPITAL}(?:\s{_CAPITAL})*)\b"
_INSIDE: Final = re.compile(
    rf"(?<![\w'’-])(?:[a-z][\w'’-]*[,;]?|\d+|\w+[,;]|The|the\s\") ?(?={_RUN})"
)
_AFTER: Final = re.compile(rf"(?:[a-z]:|[\w,;])\s(?={_RUN})")  # more, for words seen nowhere small
_GRADE: Final = re.compile(rf"(?:[Gg]rade|[Ll]evel) ({_CAPITAL})\b")
_CELL: Final = re.compile(
    rf"\A\| ({_CAPITAL}(?: {_CAPITAL})*)(?: \d+)? \|\Z"
)  # a field of a CSV file
_ROOM: Final = re.compile(rf"\b({_CAPITAL} Room)\b")
_CODE: Final = re.compile(r"(?<![\w-])[A-Z]{2}-\d{1,3}(?![\w-])")
_STARTS: Final = list_words("b br c cr d dr f g gr h k l m n p pr r s sh st t th tr v w wh")
_VOWELS: Final = list_words("a e i o u ai ea ee oa ou")
_MIDDLES: Final = list_words("b d f g k l ll m n nd nn p r rd rl rr s sk t v")
_ENDS: Final = list_words("ck ft k l ld lm n nd nt p r rd rn sk st t th ve")


def read_lexicon(
    documents: Sequence[str], asked: Sequence[str], answers: Sequence[str], world: Sequence[str]
) -> Lexicon:
    """Collect the invented words of the documents.

    Args:
        documents: their texts, from which capitalised words inside sentences or cells are taken.
        asked: questions and facts; words in small letters here or in a document are ordinary.
        answers: first accepted answers, among which small-letter coinages and colours are found.
        world: everyday questions and answers; their words are ordinary in any letters.
    """
    everything = "\n".join([*documents, *asked])
    small = set(re.findall(r"(?<![\w-])[a-z]+", everything))
    small |= {word.lower() for text in world for word in re.findall(r"[A-Za-z]+", text)}
    inside = [run for text in documents for run in _find_runs(text, _INSIDE, _GRADE)]
    after = [run for text in documents for run in _find_runs(text, _AFTER, _CELL, _ROOM)]
    names = {w for run in [*inside, *after] for w in run if _is_invented(w, small)}
    phrases = {" ".join(run) for run in inside if _is_phrase(run, names)}
    parts = {word for phrase in phrases for word in phrase.split() if word not in HEADS}
    for text in asked:  # `the Breakwater plan` for the Breakwater Pension Plan
        phrases |= {r[0] for r in _find_runs(text, _INSIDE) if len(r) == 1 and r[0] in parts}
    grades = {p for p in phrases if p in _GRADE.findall(everything)}
    words = {a.lower() for a in answers}
    colours = {c for c in COLOURS if any(re.search(rf"\b{c}\b", a) for a in words)}
    return Lexicon(
        names=frozenset(names),
        phrases=frozenset(phrases - grades),
        grades=frozenset(grades),
        terms=frozenset(a for a in words if _is_term(a, colours, names, phrases)),
        colours=frozenset(colours),
        codes=frozenset(_CODE.findall(everything)),
    )


def _find_runs(text: str, *patterns: re.Pattern[str]) -> list[list[str]]:
    return [match.group(1).split() for p in patterns for match in p.finditer(text)]


def _is_invented(word: str, small: set[str]) -> bool:
    forms = {word.lower(), word.lower().removesuffix("s")}
    return len(word) > 2 and word not in COMMON | HEADS and not forms & small


def _is_phrase(run: list[str], names: set[str]) -> bool:
    """Say whether ordinary words make a name: ``Net Loft Yard``, ``Slipway``; not ``Net``."""
    rest = [word for word in run if word not in HEADS | COMMON and len(word) > 2]
    return bool(rest) and not any(word in names for word in run)


def _is_term(answer: str, colours: set[str], names: set[str], phrases: set[str]) -> bool:
    words = answer.split()
    if not re.fullmatch(r"[a-z]+ [a-z]+", answer) or colours & set(words):
        return False
    return words[0].capitalize() not in names and answer not in {p.lower() for p in phrases}


def invent_words(lexicon: Lexicon, taken: Iterable[str], rng: Random) -> dict[str, dict[str, str]]:
    """Return new names, phrases, grades, terms, colours, prefixes and codes for the old ones.

    ``taken``: small-letter words that no new name may equal.
    """
    used = set(taken) | {name.lower() for name in lexicon.names}
    names = {name: _new_name(name, used, rng) for name in sorted(lexicon.names)}

    words = sorted({w for p in lexicon.phrases | lexicon.grades for w in p.split()})
    renamed = {w: w if w in HEADS | COMMON else _new_name(w, used, rng) for w in words}

    def rename(phrase: str) -> str:
        return " ".join(renamed[word] for word in phrase.split())

    prefixes = _new_prefixes(lexicon, rng)
    return {
        "name": names,
        "phrase": {p: rename(p) for p in sorted(lexicon.phrases)},
        "grade name": {p: rename(p) for p in sorted(lexicon.grades)},
        "term": {
            t: _new_name("Drift", used, rng).lower() + " " + t.split()[1]
            for t in sorted(lexicon.terms)
        },
        "colour": _new_colours(lexicon, used, rng),
        "prefix": {p: prefixes[p] for p in sorted(lexicon.prefixes)},
        "code": _new_codes(lexicon.codes, prefixes, rng),
    }


def _new_name(old: str, used: set[str], rng: Random) -> str:
    for _ in range(10_000):
        # A vowel first where there was one, so that `an` stays right.
        start = "" if old[0] in "AEIOU" else rng.choice(_STARTS)
        word = start + rng.choice(_VOWELS[:5])
        while len(word) < len(old) - 2:
            word += rng.choice(_MIDDLES) + rng.choice(_VOWELS[:5])
        word += rng.choice(_ENDS)
        if abs(len(word) - len(old)) <= 1 and word not in used and word + "s" not in used:
            used.add(word)
            return word.capitalize()
    raise RuntimeError(f"no new name of the shape of {old!r} was found")


def _new_colours(lexicon: Lexicon, used: set[str], rng: Random) -> dict[str, str]:
    free = [c for c in COLOURS if c not in used and c not in lexicon.colours]
    return dict(zip(sorted(lexicon.colours), rng.sample(free, len(lexicon.colours)), strict=True))


def _new_prefixes(lexicon: Lexicon, rng: Random) -> dict[str, str]:
    old = sorted({code[:2] for code in lexicon.codes})
    letters = "BCDFGHJKLMNPRSTVWXZ"
    free = [a + b for a in letters for b in letters if a + b not in {*old, "GB", "DC", "PC"}]
    return dict(zip(old, rng.sample(free, len(old)), strict=True))


def _new_codes(codes: Iterable[str], prefixes: dict[str, str], rng: Random) -> dict[str, str]:
    new: dict[str, str] = {}
    groups = Counter((code[:2], len(code) - 3) for code in codes)
    for (prefix, length), _ in sorted(groups.items()):
        members = sorted(c for c in codes if c[:2] == prefix and len(c) - 3 == length)
        old = {c[3:] for c in members}
        # A leading nought stays one, for forms are numbered so.
        every = [f"{n:0{length}}" for n in range(1, 10**length) if n % 10]
        free = {z: [n for n in every if n not in old and (n[0] == "0") == z] for z in (False, True)}
        for code in members:
            pool = free[code[3] == "0"]
            number = pool.pop(rng.randrange(len(pool)))
            new[code] = f"{prefixes[prefix]}-{number}"
    return new
