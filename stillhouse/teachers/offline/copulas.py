"""Questions for ``X is V``: a thing that is a number, an amount, a code, a person or a place."""

import re
from collections.abc import Iterator
from typing import Final

from stillhouse.teachers.offline.asking import plural_unit, unit_name
from stillhouse.teachers.offline.facts import Question
from stillhouse.teachers.offline.lexicon import (
    GAIN_NOUNS,
    NOUN_SYNONYMS,
    PAY_NOUNS,
    PEOPLE,
    PLACE_NOUNS,
    RELATIVES,
    list_words,
)
from stillhouse.teachers.offline.morphology import article, base_of, gerund, is_plural, singular
from stillhouse.teachers.offline.wording import content_words, drop_article, finish, pick

_DURATION_HEADS: Final = frozenset(
    list_words(
        "week period interval time shift break limit notice leave closure term warranty session "
        "course probation window delay lesson meeting talk entitlement"
    )
)
_ASIDES: Final = (
    "Can you tell me {}", "I need to know {}", "Do you know {}", "Could you remind me {}",
    "Please tell me {}", "I would like to know {}", "I am trying to find out {}",
)  # fmt: skip


def ask_thing(
    thing: str, kind: str, unit: str = "", plural: bool = False, rate: str = ""
) -> list[Question]:
    """Return questions for the value of ``thing`` (``the price of a ticket``).

    ``thing`` is a noun phrase ready for use inside a sentence; ``rate`` is what follows the value
    (``a year``, ``per person``).
    """
    be = "are" if plural else "is"
    unit = plural_unit(unit) if kind in ("duration", "count") else unit
    word = {"person": "who", "place": "where"}.get(kind, "what")
    rated = f"{thing} {rate}".strip()
    found = [Question("full", finish(f"{word} {be} {rated}"))]
    found += _ask_parts(thing, kind, unit, rate)
    found.append(_keywords(rated, kind, unit))
    found.append(_indirect(thing, rate, word, be))
    found += _ask_size(rated, kind, unit, be)
    found += _ask_synonym(rated, word, be)
    found.append(Question("curt", _curt(rated, kind), True))
    if kind == "place":
        found.append(Question("noun", finish(f"which place {be} {thing}")))
    if not plural and word != "where":
        found.append(Question("casual", finish(f"{word}'s {rated}")))
    return found


def _keywords(thing: str, kind: str, unit: str) -> Question:
    extra = {"person": "who", "place": "where", "money": "amount"}.get(kind, unit_name(unit))
    words = content_words(f"{thing}")
    more = [word for word in content_words(extra) or [extra] if word and word not in words]
    return Question("keywords", " ".join([*words, *more[:2]]), False)


def _indirect(thing: str, rate: str, word: str, be: str) -> Question:
    frame = pick(_ASIDES, thing)
    text = finish(frame.format(f"{word} {thing} {rate} {be}"))
    if frame.startswith(("I ", "Please")):
        text = text.removesuffix("?") + "."
    return Question("indirect", text)


def _curt(thing: str, kind: str) -> str:
    noun = drop_article(thing)
    if kind == "person":
        return finish(f"{noun}: who is it")
    if kind == "place":
        return finish(f"{noun}: where")
    if kind == "money":
        return finish(f"{noun}: how much")
    return finish(noun)


def _ask_size(thing: str, kind: str, unit: str, be: str) -> Iterator[Question]:
    head = head_noun(thing)
    if kind == "money":
        yield Question("size", finish(f"how much {be} {thing}"))
    elif kind == "duration" and head in _DURATION_HEADS and head not in ("entitlement", "limit"):
        yield Question("size", finish(f"how long {be} {thing}"))
        if head not in ("time", "interval", "notice", "window", "delay"):
            helper = "do" if be == "are" else "does"
            yield Question("size", finish(f"how many {unit} {helper} {thing} last"))
    elif kind in ("duration", "count", "measure"):
        yield Question("size", finish(f"how many {unit_name(unit)} {be} {thing}"))
    elif kind == "percent":
        yield Question("size", finish(f"what percentage {be} {thing}"))
        yield Question("size", finish(f"how high {be} {thing}"))
    elif kind == "place":
        yield Question("size", finish(f"where do I find {thing}"))
    elif kind in ("time", "date"):
        yield Question("size", finish(f"when {be} {thing}"))


def head_noun(thing: str) -> str:
    """Return the head of a noun phrase: the last word before its first preposition."""
    words = thing.lower().split()
    for at, word in enumerate(words):
        if at and word in (
            "of",
            "for",
            "in",
            "at",
            "on",
            "to",
            "per",
            "from",
            "with",
            "under",
            "a",
        ):
            return words[at - 1]
    return words[-1] if words else ""


def _ask_parts(thing: str, kind: str, unit: str, rate: str) -> Iterator[Question]:
    """Turn ``the A of B`` round: ``B's A``, ``which A does B have``, ``B … how much``."""
    match = re.match(r"^(?:the |an? )?(.+?) (of|for) (.+)$", thing)
    if not match or RELATIVES & set(thing.split()):
        return
    noun, link, other = match[1], match[2], match[3]
    head = noun.split(" ")[-1].lower()
    rated = f" {rate}" if rate else ""
    yield from _ask_role(head, noun, other, kind)
    yield from _ask_entitlement(noun, other, kind, unit, rated)
    if kind == "money" and head in PAY_NOUNS:
        yield Question("reader", finish(f"how much do I have to pay for {other}{rated}"))
        if not _is_doing(other) and head in ("price", "cost", "charge", "fee"):
            yield Question("reader", finish(f"how much does {other} cost{rated}") if not is_plural(
                head_noun(other)) else finish(f"how much do {other} cost{rated}"))  # fmt: skip
    if kind == "money" and head in GAIN_NOUNS and link == "for":
        yield Question("reader", finish(f"how much do I get for {other}{rated}"))
    if head == "form" and link == "for":
        if _is_doing(other):
            yield Question("reader", finish(f"which form do I need for {other}"))
            yield Question(
                "reader", finish(f"which form do I fill in if I want to {_to_base(other)}")
            )
        else:
            yield Question("reader", finish(f"which form do I use for {other}"))
    if kind in ("duration", "count", "measure", "money") and link in ("for", "of"):
        lead = "how much" if kind == "money" else f"how many {unit_name(unit)}"
        ask = f"{lead} is {_definite(noun)}{rated}"
        yield Question("fronted", finish(f"For {other}, {ask}"))
    if kind in ("code", "identifier") and link == "of" and not _is_doing(other):
        helper = "do" if is_plural(head_noun(other)) and not other.startswith("a") else "does"
        yield Question("inverse", finish(f"which {noun} {helper} {other} have"))
    elif link == "of" and len(other.split()) < 6 and not _is_doing(other) and kind != "place":
        word = "who" if kind == "person" else "what"
        yield Question("inverse", finish(f"{word} is {_possessive(other)} {noun}{rated}"))


def _ask_entitlement(noun: str, other: str, kind: str, unit: str, rated: str) -> Iterator[Question]:
    """Say ``the annual leave entitlement for staff`` with a verb: *do staff get*."""
    if noun.rsplit(" ", maxsplit=1)[-1].lower() not in (
        "entitlement",
        "allowance",
        "quota",
    ) or kind not in ("duration", "money"):
        return
    thing = " ".join(word for word in noun.split(" ")[:-1] if word not in ("standard", "basic"))
    if not thing or other.rsplit(" ", maxsplit=1)[-1] not in PEOPLE:
        return
    many = "how much" if kind == "money" else f"how many {unit} of"
    helper = "do" if is_plural(head_noun(other)) else "does"
    yield Question("full", finish(f"{many} {thing} {helper} {other} get{rated}"))
    yield Question("reader", finish(f"{many} {thing} do I get{rated} as {other}"))
    yield Question("synonym", finish(f"{many} {thing} {'are' if helper == 'do' else 'is'} {other} "
                                     f"entitled to{rated}"))  # fmt: skip


def _definite(noun: str) -> str:
    return f"the {noun}"


def _ask_role(head: str, noun: str, other: str, kind: str) -> Iterator[Question]:
    if kind != "person":
        return
    if head == "owner":
        yield Question("synonym", finish(f"who owns {other}"))
        yield Question("synonym", finish(f"who is responsible for {other}"))
        yield Question("synonym", finish(f"whose job is it to look after {other}"))
        yield Question("reader", finish(f"who do I ask about {other}"))
        yield Question("synonym", finish(f"who is in charge of {other}"))
    elif head in ("head", "leader", "manager", "director", "chief", "coordinator", "chair"):
        yield Question("synonym", finish(f"who is in charge of {other}"))
        yield Question("synonym", finish(f"who runs {other}"))
    else:
        yield Question("synonym", finish(f"which person is the {noun} of {other}"))


def _possessive(noun: str) -> str:
    return f"{noun}'" if noun.endswith("s") else f"{noun}'s"


def _is_doing(phrase: str) -> bool:
    first = phrase.split(" ", maxsplit=1)[0]
    return first.endswith("ing") and base_of(first) != "" and gerund(base_of(first)) == first


def _to_base(phrase: str) -> str:
    first, _, rest = phrase.partition(" ")
    return f"{base_of(first)} {rest}".strip()


def _ask_synonym(thing: str, word: str, be: str) -> Iterator[Question]:
    for old, new in NOUN_SYNONYMS.items():
        if re.search(rf"\b{old}\b", thing):
            other = re.sub(rf"\b{old}\b", new, thing)
            yield Question("synonym", finish(f"{word} {be} {other}"))
            return


def is_place(name: str) -> bool:
    """Whether a name ends in a word for a place."""
    return name.rsplit(" ", maxsplit=1)[-1].lower() in PLACE_NOUNS


def one_of(phrase: str) -> str:
    """Return a plural noun phrase as one of its kind: ``green tents`` -> ``a green tent``."""
    words = phrase.split(" ")
    if not is_plural(words[-1]) or singular(words[-1]) == words[-1].lower():
        return phrase
    single = " ".join([*words[:-1], singular(words[-1])])
    return f"{article(single)} {single}"
