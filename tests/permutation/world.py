"""A mapping of old values to new ones, and what it makes of a text."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.permutation.found import Found, Lexicon
from tests.permutation.scan import scan

Mapping2 = Mapping[str, Mapping[str, str]]
_COLUMN: Final = re.compile(r" {3,}")
NAMES: Final = ("name", "phrase", "grade name", "term", "colour", "prefix", "code")


@dataclass(frozen=True, slots=True)
class World:
    """``mapping``: kind -> old -> new; ``lexicon`` says which words are invented."""

    lexicon: Lexicon
    mapping: Mapping2

    def scan(self, text: str) -> list[Found]:
        """Return the values of a text; see ``scan``."""
        return scan(text, self.lexicon)

    def knows(self, found: Found) -> bool:
        """Say whether every value of ``found`` has a new one."""
        return all(value in self.mapping.get(kind, {}) for kind, value in found.keys)

    def write(self, found: Found) -> str:
        """Return the new text of ``found``."""
        return found.write(tuple(self.mapping[kind][value] for kind, value in found.keys))

    def edits(self, text: str) -> list[tuple[int, int, str]]:
        """Return (start, end, new text) of every value of ``text`` that has a new one."""
        return [(f.start, f.end, self.write(f)) for f in self.scan(text) if self.knows(f)]

    def apply(self, text: str) -> str:
        """Return ``text`` with every known value replaced."""
        return apply_edits(text, self.edits(text))

    def apply_aligned(self, text: str) -> str:
        """Like ``apply``, with the columns of a plain-text table kept in their places."""
        return "".join(self._apply_line(text))

    def _apply_line(self, text: str) -> list[str]:
        pieces: list[str] = []
        place = owed = 0
        for start, end, new in self.edits(text):
            between, owed = _settle(text[place:start], owed)
            pieces += [between, new]
            owed += len(new) - (end - start)
            place = end
        return [*pieces, _settle(text[place:], owed)[0]]


def _settle(text: str, owed: int) -> tuple[str, int]:
    """Take the letters by which a line grew from its first wide gap; a line's end forgets them."""
    line = text.split("\n", 1)[0]
    gap = _COLUMN.search(line)
    if owed and gap:
        width = max(2, len(gap.group()) - owed)
        text, owed = text[: gap.start()] + " " * width + text[gap.end() :], 0
    return text, 0 if "\n" in text else owed


def apply_edits(text: str, edits: Sequence[tuple[int, int, str]]) -> str:
    """Return ``text`` with the edits, which are in order and do not overlap, made."""
    pieces: list[str] = []
    place = 0
    for start, end, new in edits:
        pieces += [text[place:start], new]
        place = end
    return "".join([*pieces, text[place:]])


def lexicon_of(mapping: Mapping2) -> Lexicon:
    """Return the invented old words of a mapping, so that a check needs nothing else."""
    return Lexicon(**{field: frozenset(mapping.get(kind, {})) for field, kind in _FIELDS.items()})


def find_old_values(texts: Sequence[str], mapping: Mapping2) -> list[tuple[str, str]]:
    """Return (text, old value as written) for every old value of the mapping in ``texts``.

    A value that is, by chance, also a new one of its kind does not count: it may be meant.
    """
    lexicon = lexicon_of(mapping)
    new = _new_values(mapping, lexicon)
    return [
        (text, text[found.start : found.end])
        for text in texts
        for found in scan(text, lexicon)
        if any(_is_old(kind, value, mapping, new) for kind, value in found.keys)
    ]


def _new_values(mapping: Mapping2, lexicon: Lexicon) -> dict[str, set[str]]:
    new = {kind: set(values.values()) for kind, values in mapping.items()}
    for answer in mapping.get("computed", {}).values():
        for found in scan(answer, lexicon):
            for kind, value in found.keys:
                new.setdefault(kind, set()).add(value)
    return new


def _is_old(kind: str, value: str, mapping: Mapping2, new: Mapping[str, set[str]]) -> bool:
    if value not in mapping.get(kind, {}) or value in new[kind]:
        return False
    # A bare number may be a new value of any kind.
    return kind != "count" or not any(value in values for values in new.values())


_FIELDS: Final = {
    "names": "name",
    "phrases": "phrase",
    "grades": "grade name",
    "terms": "term",
    "colours": "colour",
    "codes": "code",
}
