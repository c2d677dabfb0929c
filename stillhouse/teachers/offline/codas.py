"""The small sentences that a sentence carries: behind ``and``, in an aside, after a comma."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from stillhouse.teachers.offline.clauses import parse_clause, second_clauses
from stillhouse.teachers.offline.copulas import is_place
from stillhouse.teachers.offline.lexicon import BE, MODALS
from stillhouse.teachers.offline.tagging import Token, split_words, tag_words

AGREEING: Final = BE | {"has", "have", "must", "may", "can", "should", "begins", "ends", "lasts"}


def derive_sentences(tokens: tuple[Token, ...]) -> Iterator[tuple[tuple[Token, ...], float]]:
    """Yield the sentence, and the small sentences that its codas stand for, with their certainty."""
    whole = _without_aside(tokens)
    yield whole, 0.9
    clause = parse_clause(whole)
    if clause is not None:
        for more in second_clauses(clause):
            yield more, 0.8
    words = [token.text for token in tokens]
    for at, token in enumerate(tokens):
        if token.text != "," or at + 2 >= len(tokens):
            continue
        thing = _noun_phrase_before(tokens, at)
        if not thing:
            continue
        rest = _until_break(words, at + 1)
        named = tokens[at - len(thing.split())].low == "the"
        small = _coda(thing, rest, named)
        if small:
            yield tag_words([*split_words(small), "."]), 0.8


def _without_aside(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Return the tokens without a ``, which …,`` between subject and verb."""
    commas = [at for at, token in enumerate(tokens) if token.text == ","]
    if len(commas) < 2 or commas[0] + 1 >= len(tokens) or commas[1] + 1 >= len(tokens):
        return tokens
    inside, after = tokens[commas[0] + 1], tokens[commas[1] + 1]
    short = commas[1] - commas[0] < 6
    if (short or inside.low in ("which", "who", "whose")) and after.low in AGREEING | MODALS:
        return tokens[: commas[0]] + tokens[commas[1] + 1 :]
    return tokens


def _until_break(words: list[str], at: int) -> list[str]:
    end = at
    while end < len(words) and words[end] not in (",", ";", ".", "—", ":"):
        end += 1
    return words[at:end]


def _coda(thing: str, rest: list[str], named: bool) -> str:
    if len(rest) > 2 and rest[0] == "which" and rest[1] in BE:
        return f"{thing} {' '.join(rest[1:])}"
    text = " ".join(rest)
    if re.match(r"^[A-Z][A-Z]{0,7}[-/]?\d[\w./-]*$", text):
        return f"{thing} is {text}"
    if re.match(r"^(?:extension|form|room) [\w-]+$", text):
        return f"{thing} is on {text}" if text.startswith("extension") else f"{thing} is {text}"
    if named and re.match(r"^[A-Z][a-z]+ [A-Z][a-z]+$", text) and not is_place(text):
        return f"{thing} is {text}"
    return ""


def _noun_phrase_before(tokens: Sequence[Token], at: int) -> str:
    lead = tokens[:at]
    if 0 < at < 10 and lead[0].low == "the" and not any(t.low in AGREEING | MODALS for t in lead):
        return f"The {' '.join(token.text for token in lead[1:])}"
    start = at
    while start > 0 and at - start < 9:
        start -= 1
        if tokens[start].low in ("the", "a", "an") and (
            start == 0 or tokens[start - 1].low not in ("of", "for")
        ):
            words = [token.text for token in tokens[start + 1 : at]]
            if any(token.low in AGREEING | MODALS for token in tokens[start:at]):
                return ""
            if words and tokens[at - 1].tag.startswith(("NN", "VB", "JJ")):
                return f"The {' '.join(words)}"
            return ""
        if tokens[start].text in ",;.":
            return ""
    return ""
