"""Facts of ``key: value`` lines."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from stillhouse.teachers.offline.cells import read_cell, split_header
from stillhouse.teachers.offline.copulas import ask_thing
from stillhouse.teachers.offline.doubts import is_code, is_known
from stillhouse.teachers.offline.facts import Fact, Question
from stillhouse.teachers.offline.labels import PLACES, is_noun_phrase
from stillhouse.teachers.offline.lexicon import BE, STOP, list_words
from stillhouse.teachers.offline.markdown import KeyValue
from stillhouse.teachers.offline.morphology import is_plural
from stillhouse.teachers.offline.tagging import lexicon, split_words, tag_words
from stillhouse.teachers.offline.wording import (
    content_words,
    drop_article,
    finish,
    lower_first,
    upper_first,
)

_PAPERS: Final = frozenset(
    list_words(
        "policy rules procedure guide handbook manual plan checklist notice agreement terms form "
        "report standard document"
    )
)


def read_pair(pair: KeyValue, names: frozenset[str], title: str) -> Iterator[Fact]:
    """Yield the facts of a ``key: value`` line."""
    pair = replace(pair, headings=tuple(map(_without_number, pair.headings)))
    title = _without_number(title)
    key = pair.key.replace("_", " ").strip()
    if not is_noun_phrase(key):
        return
    noun, rate, unit = split_header(pair.key)
    cell = read_cell(pair.value, unit, pair.key)
    thing = _pair_thing(noun, pair, names, title)
    if not thing or len(cell.text.split()) > 16 or len(key) < 2:
        return
    if cell.kind in ("text", "name", "place") and not is_telling(pair, key):
        return
    if not is_owner(pair.headings[-1] if pair.headings else title):
        return
    if not _names_value(pair, key):
        return
    person = cell.kind == "person"
    if not listed_key(pair) and len(pair.value.split()) > 4 and _explains(pair.value):
        yield _meaning(pair, names, title)
        return
    listed = noun in ("name", "contact", "person") and len(pair.headings) > 1
    if listed and not person:
        return
    questions = list(_ask_listed(pair, names)) if listed else []
    thing = f"the {pair.headings[-1]}" if listed else thing
    if cell.kind in ("identifier", "number") and noun in _CALLS:
        questions += _ask_call(pair.headings[-1] if pair.headings else title, noun)
    if noun in PLACES and len(pair.headings) > 1:
        questions.append(Question("where", finish(f"Where is the {pair.headings[-1]} based")))
        questions.append(Question("where", finish(f"Which {noun} is the {pair.headings[-1]} at")))
    plural = is_plural(noun.split(" ")[-1]) and cell.kind == "text" and not listed
    questions += ask_thing(thing, cell.kind, cell.unit, plural, rate)
    be = "are" if plural else "is"
    answer = f"{upper_first(thing)} {be} {cell.text} {rate}".strip() + "."
    statement = f"{' > '.join(pair.headings) or title}: {pair.key}: {pair.value}"
    score = 1.0 if cell.kind != "text" else 0.55
    yield Fact(
        statement=statement, quote=f"{pair.key}: {pair.value}", questions=tuple(questions),
        answer=answer, kind=cell.kind, value=cell.text, subject=thing, confidence=1.0, score=score,
        unit=cell.unit,
    )  # fmt: skip
    if person and "," in pair.value:
        yield from _title_fact(pair, cell.text, statement)


def _names_value(pair: KeyValue, key: str) -> bool:
    """Whether a key is a plain name of what its value is, and no rule or code of its own."""
    adverb = any(token.tag == "RB" for token in tag_words(split_words(key)))
    long = len(key.split()) > _LONGEST_OWNER
    plain = pair.bold or listed_key(pair) or is_known(key)
    vague = key.split(" ", maxsplit=1)[0].lower() in ("new", "other", "related", "same")
    return plain and not (vague or adverb or long or is_code(key) or re.search(r"\d", key))


_NUMBERED: Final = re.compile(
    r"^(?:\d+(?:\.\d+)*[.)]|\d+(?:\.\d+)+|(?:chapter|section|part|appendix) [\dA-Z]+[.:])\s+(?=\S)",
    re.IGNORECASE,
)


def _without_number(heading: str) -> str:
    """Return ``Rates`` of ``1. Rates``, ``3.2 Rates`` or ``Section 4: Rates``."""
    return _NUMBERED.sub("", heading)


def is_owner(heading: str) -> bool:
    """Whether a heading can name what a value belongs to, and is no section, sentence or code."""
    if re.match(r"[\d.]+\s|(?:chapter|section|part|appendix) ", heading, re.IGNORECASE):
        return False
    lettered = len(heading) < _SHORTEST_HEADING  # the letters of an index
    return not lettered and len(heading.split()) <= _LONGEST_HEADING and not is_code(heading)


_LONGEST_HEADING: Final = 12
_SHORTEST_HEADING: Final = 2


def is_telling(pair: KeyValue, key: str) -> bool:
    """Whether words behind a key are an entry's: set in bold or in a heading's list, plainly named.

    Elsewhere ``word: words`` is as likely a piece of code, an option's help or a sample.
    """
    owner = pair.headings[-1] if pair.headings else ""
    shown = pair.bold or listed_key(pair)
    if lexicon().get(pair.value.split(" ", maxsplit=1)[0].lower()) in ("VB", "VBP", "VBZ"):
        return False  # ``row: fill the rows first`` says what an option does
    if is_code(pair.value) or re.match(r"(?:the|an?) ", pair.value, re.IGNORECASE):
        return False
    if key.lower() in ("example", "note", "description") or BE & set(pair.value.lower().split()):
        return False
    return shown and is_known(key) and len(owner.split()) <= _LONGEST_OWNER


_LONGEST_OWNER: Final = 8


def listed_key(pair: KeyValue) -> bool:
    """Whether the line belongs to an entry of its own heading, as the rows of a CSV file do."""
    return len(pair.headings) > 1 and pair.key.islower()


def _explains(value: str) -> bool:
    return bool(re.match(r"^(?:an?|the|any|to) [a-z]", value, re.IGNORECASE)) and len(
        value.split()) <= 28  # fmt: skip


def _meaning(pair: KeyValue, names: frozenset[str], title: str) -> Fact:
    term = lower_first(pair.key, names)
    meaning = lower_first(pair.value.rstrip("."), names)
    answer = f"{upper_first(term)}: {meaning}."
    be = "are" if is_plural(term.split(" ")[-1]) else "is"
    questions = (
        Question("full", finish(f'What does "{term}" mean')),
        Question("full", finish(f"What {be} meant by {term}")),
        Question("keywords", f"{term} meaning", False),
        Question("indirect", finish(f"Can you explain {term}")),
        Question("synonym", finish(f'How is "{term}" defined')),
        Question("curt", finish(f"{term}: what is that")),
    )
    return Fact(
        statement=f"{' > '.join(pair.headings) or title}: {pair.key}: {pair.value}",
        quote=f"{pair.key}: {pair.value}", questions=questions, answer=answer, kind="definition",
        value=answer, subject=term, confidence=0.9, score=0.8,
    )  # fmt: skip


_CALLS: Final = frozenset({"extension", "phone", "telephone", "phone number", "telephone number"})


def _ask_call(owner: str, noun: str) -> Iterator[Question]:
    held = _entry(owner)
    yield Question("reader", finish(f"What number do I ring for {held}"))
    yield Question("synonym", finish(f"How do I reach {held} by telephone"))
    yield Question("full", finish(f"On which {noun} can I reach {held}"))


def _ask_listed(pair: KeyValue, names: frozenset[str]) -> Iterator[Question]:
    role = pair.headings[-1] if pair.headings else ""
    if role:
        who = lower_first(role, names)
        yield Question("full", finish(f"Who is the {role}"))
        yield Question("reader", finish(f"Who do I ask for the {role}"))
        yield Question("full", finish(f"Whose name is listed for the {who}"))


def _pair_thing(noun: str, pair: KeyValue, names: frozenset[str], title: str) -> str:
    if re.search(r"\b(?:of|for)\b", noun) or len(noun.split()) > 3:
        return noun if noun.split(" ", maxsplit=1)[0] in ("the", "my", "our") else f"the {noun}"
    owner = pair.headings[-1] if pair.headings else title
    if not owner:
        return ""
    entry = len(pair.headings) > 1
    held = lower_first(owner, names)
    if not entry or (not listed_key(pair) and len(noun.split()) > 1):
        if entry:
            return f"the {noun}"
        last = held.lower().split(" ")[-1]
        return f"the {noun} of {'the ' if last in _PAPERS else ''}{held}"
    return f"the {noun} of {_entry(owner)}"


def _entry(owner: str) -> str:
    first = owner.split(" ", maxsplit=1)[0].lower()
    if first in STOP or re.search(r"\d", owner) or owner.lower().split()[-1] not in lexicon():
        return owner
    return f"the {owner}"


def _title_fact(pair: KeyValue, name: str, statement: str) -> Iterator[Fact]:
    role = pair.value.partition(",")[2].strip().rstrip(".")
    if not role or len(role.split()) > 8 or not role[0].isupper():
        return
    held = drop_article(role)
    questions = [
        Question("full", finish(f"Who is the {held}")),
        Question("indirect", finish(f"Can you tell me who the {held} is")),
        Question("keywords", " ".join([*content_words(held), "name"]), False),
        Question("synonym", finish(f"What is the name of the {held}")),
        Question("curt", finish(f"{held}: who is it")),
        Question("reader", finish(f"Who works as the {held}")),
    ]
    yield Fact(
        statement=statement, quote=f"{pair.key}: {pair.value}", questions=tuple(questions),
        answer=f"The {held} is {name}.", kind="person", value=name, subject=held, confidence=1.0,
        score=0.8,
    )  # fmt: skip
