"""Whether a reply is right, declines, and how much of its wording agrees. Rules, no judgement.

* A reply is right when an accepted answer occurs in it on token boundaries, in any notation.
* It is wrong all the same if it names a second, different value of the same type: a reply that
  lists the possibilities knows none. Values that stand in the question are no second value.
  For a word without a type (`teal`) that is one beside an `or`, or a list of three or more such words.
* It is wrong if it denies the answer, or gives a bare number (`410`) the unit of something else than
  another accepted answer does (`410 days`).
* A question with the answer yes or no is decided by the reply's first word.
* A reply declines if it uses one of ``DECLINES`` and gives no value of its own.

Names are compared only where they can stand for each other: two names of several words each
(persons), or names joined by `and` or `or`; `Paris, France` is one answer.
"""

import re
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from stillhouse.base.declining import DECLINES
from stillhouse.base.text import normalise
from stillhouse.evaluation.listing import is_listed
from stillhouse.evaluation.notation import UNITS
from stillhouse.evaluation.records import Item
from stillhouse.evaluation.values import (
    NAME,
    NUMBER,
    Token,
    Value,
    canonical_tokens,
    find_values,
    prepare,
)

REPLY_TOKENS: Final = 32  # only the beginning of a reply counts, in the model's own tokens
_YES_NO: Final = frozenset({"yes", "no"})
_SCALES: Final = frozenset({"celsius", "fahrenheit"})
_MEASURES: Final = frozenset({*UNITS.values(), *_SCALES})  # words that are surely units
_ALTERNATIVE: Final = re.compile(
    r"\s*,?\s*(?:\b(?:and|or|not|but)\b|/)\s*(?:the\s+)?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Score:
    """The verdict on one reply; ``f1`` is SQuAD's token F1 with the best accepted answer."""

    correct: bool
    f1: float
    abstained: bool


def score_reply(item: Item, reply: str, common: frozenset[str] = frozenset()) -> Score:
    """Return the verdict on a reply, cut to ``REPLY_TOKENS`` by whoever generated it.

    Args:
        item: the question with its accepted answers.
        reply: what the model said.
        common: words that are no names (``values.common_words`` of the corpus).
    """
    abstained = declines(item.question, reply, common)
    best = max((token_f1(reply, answer) for answer in item.accepted), default=0.0)
    if not item.answerable:
        return Score(abstained, best, abstained)
    if item.min_f1 or item.parts:
        correct = best >= item.min_f1 and all_parts_given(item.question, item.parts, reply, common)
    else:
        correct = is_right(item.question, item.accepted, reply, common)
    return Score(correct and not abstained, best, abstained)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply as matching sees it: prepared text, canonical tokens, typed values."""

    text: str
    tokens: Sequence[Token]
    values: Sequence[Value]


def read_reply(reply: str, common: frozenset[str] = frozenset()) -> Reply:
    """Return a reply with its tokens and values found."""
    text = prepare(reply)
    return Reply(text, canonical_tokens(text), find_values(text, common))


def is_right(
    question: str, accepted: Sequence[str], reply: str, common: frozenset[str] = frozenset()
) -> bool:
    """Return whether the reply gives one of the accepted answers and no second value beside it."""
    read = read_reply(reply, common)
    verdicts = {normalise(answer).rstrip(".") for answer in accepted} & _YES_NO
    if verdicts and read.tokens and read.tokens[0].text in _YES_NO:
        return verdicts == {read.tokens[0].text}
    answers = [answer for answer in accepted if normalise(answer).rstrip(".") not in _YES_NO]
    spans = [
        span
        for answer, span in _find_spans(answers, read)
        if not _has_other_unit(read, span, answer, answers)
    ]
    if not spans:
        return False
    span = max(spans, key=lambda found: found[1] - found[0])
    return not _contradicts(question, accepted, read, span)


def all_parts_given(
    question: str, parts: Sequence[str], reply: str, common: frozenset[str] = frozenset()
) -> bool:
    """Return whether every part occurs in the reply, none with a second value of its type.

    A part that is yes or no must be the reply's first word.
    """
    read = read_reply(reply, common)
    verdicts = {part.casefold() for part in parts} & _YES_NO
    if verdicts and not (read.tokens and verdicts == {read.tokens[0].text}):
        return False
    values = [part for part in parts if part.casefold() not in _YES_NO]
    spans = dict(_find_spans(values, read))
    return all(
        part in spans and not _contradicts(question, values, read, spans[part]) for part in values
    )


def find_answer(tokens: Sequence[Token], answer: str) -> tuple[int, int] | None:
    """Return the characters of the first occurrence of an answer, or None; `not 27.5` is none."""
    return next((span for span, denied in _find_occurrences(tokens, answer) if not denied), None)


def _find_occurrences(
    tokens: Sequence[Token], answer: str
) -> Iterator[tuple[tuple[int, int], bool]]:
    """Yield the characters of each occurrence of an answer, and whether `not` stands before it."""
    wanted = [token.text for token in canonical_tokens(prepare(answer))]
    found = [token.text for token in tokens]
    for i in range(len(found) - len(wanted) + 1) if wanted else ():
        if found[i : i + len(wanted)] == wanted:
            span = tokens[i].start, tokens[i + len(wanted) - 1].end
            yield span, _negated(found, i)


def _find_spans(answers: Sequence[str], reply: Reply) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield answers with the first place of each, but none in what is denied: `not Ilse Haverkorn`."""
    found = {answer: list(_find_occurrences(reply.tokens, answer)) for answer in answers}
    denied = [span for pairs in found.values() for span, is_denied in pairs if is_denied]
    words = [token.text for token in reply.tokens]
    for value in reply.values:
        first = next((i for i, t in enumerate(reply.tokens) if t.start >= value.start), 0)
        if _negated(words, first):
            denied.append((value.start, value.core))
    for answer, pairs in found.items():
        for span, _ in pairs:
            if not any(start <= span[0] and span[1] <= end for start, end in denied):
                yield answer, span
                break


def _has_other_unit(
    reply: Reply, span: tuple[int, int], answer: str, accepted: Sequence[str]
) -> bool:
    """Whether the reply gives a bare number another unit than another accepted answer gives it."""
    if any(_measure(value) for value in find_values(prepare(answer))):
        return False  # no bare number: its unit was matched
    for value in reply.values:
        if value.start >= span[1] or value.core <= span[0]:
            continue
        unit = _measure(value)
        units = {
            _measure(sibling)
            for other in accepted
            for sibling in find_values(prepare(other))
            if _number(sibling) == _number(value)
        } - {""}
        degrees = "degree" in {unit, *units} and {unit, *units} <= _SCALES | {"degree"}
        if unit and units and unit not in units and not degrees:
            return True
    return False


def _measure(value: Value) -> str:
    """Return the unit of a number, or a currency; nothing where there is surely none."""
    if value.type == "money":
        return value.key.split()[0]
    unit = value.type.removeprefix(f"{NUMBER}:")
    return unit if unit in _MEASURES else ""


def _number(value: Value) -> str:
    return value.key.split()[-1] if value.type == "money" else value.key


def declines(question: str, reply: str, common: frozenset[str] = frozenset()) -> bool:
    """Return whether the reply says that it has no answer, and gives no value of its own."""
    if not DECLINES.search(normalise(reply)):
        return False
    text = prepare(reply)
    asked = _keys(question)
    names = {token.text for token in canonical_tokens(prepare(question))}
    for value in find_values(text, common):
        sentence_start = value.start == 0 or text[value.start - 2] in ".!?"
        known = value.key in asked or names.issuperset(value.tokens)
        if not known and not (value.type == NAME and sentence_start) and not _is_one(value, text):
            return False
    return True


def token_f1(reply: str, answer: str) -> float:
    """Return SQuAD's token F1 (Rajpurkar et al. 2016): lower case, no articles, no punctuation."""
    given, wanted = Counter(_squad_tokens(reply)), Counter(_squad_tokens(answer))
    shared = (given & wanted).total()
    return 2 * shared / (given.total() + wanted.total()) if shared else 0.0


def first_words(text: str, count: int = REPLY_TOKENS) -> str:
    """Return the first words of a text: the limit on replies that no model's tokenizer cut."""
    return " ".join(text.split()[:count])


def _squad_tokens(text: str) -> list[str]:
    bare = normalise(text).translate(str.maketrans("", "", string.punctuation))
    return [word for word in bare.split() if word not in ("a", "an", "the")]


def _negated(found: Sequence[str], place: int) -> bool:
    return place > 0 and (found[place - 1] == "not" or found[place - 1].endswith("n't"))


def _keys(text: str) -> set[str]:
    """Return the keys of a text's values, those of a duration's parts too."""
    keys = {value.key for value in find_values(prepare(text))}
    return keys | {part for key in keys for part in key.split()}


def _is_one(value: Value, text: str) -> bool:
    """Whether a value is the word `one`, which is a pronoun more often than a number."""
    return value.key == "1" and text[value.start : value.core].casefold() == "one"


def _contradicts(
    question: str, accepted: Sequence[str], reply: Reply, span: tuple[int, int]
) -> bool:
    """Whether the reply holds, beside the answer at ``span``, a second value of the same type."""
    matched = [v for v in reply.values if v.start < span[1] and v.core > span[0]]
    exempt = _keys(question) | {v.key for v in matched}
    exempt |= {key for answer in accepted for key in _keys(answer)}
    others = [
        value
        for value in reply.values
        if value.key not in exempt
        and not _is_one(value, reply.text)
        and not _is_cut(value, reply, span)
    ]
    typed = [value for value in matched if value.type != NAME]
    if typed:
        return any(value.type in _target_types(typed, accepted) for value in others)
    known = {t.text for part in (question, *accepted) for t in canonical_tokens(prepare(part))}
    rivals = [v for v in others if v.type == NAME and not known.issuperset(v.tokens)]
    if matched and _names_rival(reply.text, span, rivals, accepted):
        return True
    if matched and any(v.type == NAME for part in accepted for v in find_values(prepare(part))):
        return False  # a name; `Teal` for `teal` is only the beginning of a sentence
    return is_listed(reply.text, reply.tokens, span, known)


def _target_types(matched: Sequence[Value], accepted: Sequence[str]) -> set[str]:
    """Return the types whose second value contradicts; a bare number has its answers' unit."""
    types = {value.type for value in matched}
    if types != {NUMBER}:
        return types
    found = {v.type for answer in accepted for v in find_values(prepare(answer))}
    return {type_ for type_ in found if type_.startswith(f"{NUMBER}:")} or types


def _is_cut(value: Value, reply: Reply, span: tuple[int, int]) -> bool:
    """Whether a value is the answer once more, cut off by the limit: `£2,960 ... up to £2,9`."""
    rest = reply.text[value.start :]
    return " " not in rest and reply.text[slice(*span)].startswith(rest)


def _names_rival(
    text: str,
    span: tuple[int, int],
    rivals: Sequence[Value],
    accepted: Sequence[str],
) -> bool:
    several = any(
        value.type == NAME and len(value.key.split()) > 1
        for answer in accepted
        for value in find_values(prepare(answer))
    )
    for rival in rivals:
        between = (
            text[span[1] : rival.start] if rival.start >= span[1] else text[rival.end : span[0]]
        )
        office = text[: rival.start].endswith("the ")  # `the Financial Controller, Odalys Brenk`
        person = several and len(rival.key.split()) > 1 and not office
        if person or _ALTERNATIVE.fullmatch(between):
            return True
    return False
