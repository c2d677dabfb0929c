"""Training pairs spoilt as a careless teacher spoils them: eight kinds, each drawn with a seed.

The kinds were written down before any of them was measured, and none was changed for what a filter
does with it; docs/data.md says how many of each kind the filters find. A spoilt pair keeps its slot and
its passage, as a bad answer of a teacher would.
"""

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from stillhouse.base.ids import content_id
from stillhouse.base.records import Chunk, Message, Pair
from stillhouse.base.text import normalise

SHARE: Final = 0.3  # of the pairs, the eight kinds in turn

_DIGITS: Final = re.compile(r"\d+")
_WORD: Final = re.compile(r"[A-Za-z]+")
_UNITS: Final = (
    ("day", "week"),
    ("days", "weeks"),
    ("hour", "minute"),
    ("hours", "minutes"),
    ("month", "year"),
    ("months", "years"),
    ("metre", "foot"),
    ("metres", "feet"),
    ("millimetres", "inches"),
    ("kilograms", "pounds"),
    ("miles", "kilometres"),
    ("GB", "MB"),
    ("Celsius", "Fahrenheit"),
)
_GERMAN: Final = {
    "days": "Tage", "day": "Tag", "weeks": "Wochen", "week": "Woche", "months": "Monate", "month": "Monat",
    "years": "Jahre", "year": "Jahr", "hours": "Stunden", "minutes": "Minuten", "people": "Personen",
    "working": "Arbeits-", "after": "nach", "above": "über", "within": "innerhalb von", "every": "alle",
    "form": "Formular", "on": "auf", "at": "um", "by": "bis", "the": "die", "is": "ist", "and": "und",
    "a": "ein", "of": "von", "in": "in", "before": "vor", "from": "von", "to": "bis",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pool:
    """Pairs to choose training rows from; ``kinds`` names the fault of each spoilt one by its id."""

    pairs: tuple[Pair, ...]
    kinds: Mapping[str, str]


class Others:
    """The intact pairs, by what makes one a plausible mistake for another."""

    def __init__(self, pairs: Sequence[Pair], chunks: Mapping[str, Chunk]) -> None:
        self.pairs = pairs
        self.by_fact = _group(pairs, lambda pair: pair.fact_id)
        self.by_passage = _group(pairs, lambda pair: pair.chunk_ids[0])
        order = sorted(self.by_passage, key=lambda name: (chunks[name].source, chunks[name].start))
        self.beside = {
            name: [other for other in order[max(0, place - 1) : place + 2]
                   if other != name and chunks[other].source == chunks[name].source]
            for place, name in enumerate(order)
        }  # fmt: skip


def corrupt(pairs: Sequence[Pair], chunks: Mapping[str, Chunk], seed: int) -> Pool:
    """Return the pairs with ``SHARE`` of them spoilt in place, the kinds in turn.

    Where a kind is not possible (no number to get wrong), the next one that is takes its place.
    """
    generator, others = random.Random(seed), Others(pairs, chunks)
    spoilt, kinds, names = list(pairs), dict[str, str](), list(KINDS)
    for turn, place in enumerate(generator.sample(range(len(pairs)), round(SHARE * len(pairs)))):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            found = KINDS[name](pairs[place], others, generator)
            if found is not None:
                spoilt[place] = _rename(found, name)
                kinds[spoilt[place].pair_id] = name
                break
    return Pool(tuple(spoilt), kinds)


def truncate(pair: Pair, _: Others, generator: random.Random) -> Pair | None:
    """End the answer somewhere in its middle, as at a limit of tokens."""
    length = len(pair.response)
    cut = pair.response[: max(1, generator.randint(length * 3 // 10, length * 7 // 10))].rstrip()
    return _answer(pair, cut)


def miss_by_one(pair: Pair, _: Others, generator: random.Random) -> Pair | None:
    """Make one number of the answer one more or one less."""
    found = list(_DIGITS.finditer(pair.response))
    if not found:
        return None
    digits = generator.choice(found)
    number = max(0, int(digits.group()) + generator.choice((-1, 1)))
    other = str(number).zfill(len(digits.group()))
    return _answer(pair, pair.response[: digits.start()] + other + pair.response[digits.end() :])


def change_unit(pair: Pair, _: Others, __: random.Random) -> Pair | None:
    """Give the number of the answer another unit or currency."""
    swapped = dict(_UNITS) | {second: first for first, second in _UNITS}
    text = _WORD.sub(lambda word: swapped.get(word.group(), word.group()), pair.response)
    return _answer(pair, text.replace("£", "€") if text == pair.response else text)


def answer_elsewhere(pair: Pair, others: Others, generator: random.Random) -> Pair | None:
    """Answer with what another question, about any document, is answered with."""
    return _answer_of(pair, others.pairs, generator)


def answer_sibling(pair: Pair, others: Others, generator: random.Random) -> Pair | None:
    """Answer with another fact of the same passage: every word of it is there."""
    return _answer_of(pair, others.by_passage[pair.chunk_ids[0]], generator)


def ask_neighbour(pair: Pair, others: Others, generator: random.Random) -> Pair | None:
    """Ask a question about the passage before or behind, and answer from this one."""
    near = [other for name in others.beside[pair.chunk_ids[0]] for other in others.by_passage[name]]
    found = _draw_other(pair, near, generator)
    return None if found is None else _ask(pair, found.messages[-1].content)


def copy_wording(pair: Pair, others: Others, generator: random.Random) -> Pair | None:
    """Repeat another wording of the fact word for word, with an answer that it does not have."""
    same = [other for other in others.by_fact[pair.fact_id] if other.pair_id != pair.pair_id]
    if not same:
        return None
    asked = _ask(pair, generator.choice(same).messages[-1].content)
    return _answer_of(asked, others.by_passage[pair.chunk_ids[0]], generator)


def mix_languages(pair: Pair, _: Others, __: random.Random) -> Pair | None:
    """Answer half in German."""
    text = _WORD.sub(lambda word: _GERMAN.get(word.group().lower(), word.group()), pair.response)
    return _answer(pair, f"Die Antwort lautet: {text}")


Kind = Callable[[Pair, Others, random.Random], Pair | None]
KINDS: Final[Mapping[str, Kind]] = {
    "truncated": truncate,
    "missed_by_one": miss_by_one,
    "other_unit": change_unit,
    "answer_from_elsewhere": answer_elsewhere,
    "answer_of_a_sibling": answer_sibling,
    "question_of_a_neighbour": ask_neighbour,
    "wording_with_another_answer": copy_wording,
    "mixed_languages": mix_languages,
}


def _answer_of(pair: Pair, among: Iterable[Pair], generator: random.Random) -> Pair | None:
    found = _draw_other(pair, among, generator)
    return None if found is None else _answer(pair, found.response)


def _draw_other(pair: Pair, among: Iterable[Pair], generator: random.Random) -> Pair | None:
    """Return a pair about another fact with another answer, or none where there is none."""
    said = normalise(pair.response)
    fitting = [
        other
        for other in among
        if other.fact_id != pair.fact_id and normalise(other.response) != said
    ]
    return generator.choice(fitting) if fitting else None


def _answer(pair: Pair, response: str) -> Pair | None:
    """Return the pair with another answer; none where it would be the same."""
    same = normalise(response) == normalise(pair.response)
    return None if same or not response.strip() else replace(pair, response=response)


def _ask(pair: Pair, question: str) -> Pair:
    return replace(pair, messages=(*pair.messages[:-1], Message("user", question)))


def _rename(pair: Pair, kind: str) -> Pair:
    said = [kind, pair.pair_id, pair.messages[-1].content, pair.response]
    return replace(pair, pair_id=content_id("spoilt", said))


def _group(pairs: Iterable[Pair], name: Callable[[Pair], str]) -> Mapping[str, list[Pair]]:
    grouped: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        grouped[name(pair)].append(pair)
    return grouped
