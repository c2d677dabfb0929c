"""Content ids and words as small numbers, so that millions of them are compared in arrays.

A number means one text for as long as an index lives: numbers are only ever added. Texts are compared
whole, never by a part of their hash.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[np.int32]
Keys = npt.NDArray[np.uint8]

NONE: Final = -1  # where there is no such id or word
_WIDTH: Final = 32
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_DIGITS: Final = np.full(256, 255, np.uint8)
_DIGITS[[ord(digit) for digit in "0123456789abcdef"]] = np.arange(16)


class Ids:
    """Numbers for content ids: 32 bytes each, the id itself where it is a sha256 in small hex digits.

    Any other text is known by its sha256, and kept in ``odd``.
    """

    def __init__(self) -> None:
        self._parts: list[Keys] = [np.empty((0, _WIDTH), np.uint8)]
        self._odd: dict[int, str] = {}
        self._order: tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        """Return how many there are; their numbers begin with 0."""
        return sum(map(len, self._parts))

    def extend(self, blob: bytes) -> None:
        """Take numbers that ``pack`` packed, behind those that are there."""
        begin = blob.index(b"\n") + 1
        for number, text in json.loads(blob[:begin]):
            self._odd[number] = text
        self._parts.append(np.frombuffer(blob, np.uint8, offset=begin).reshape(-1, _WIDTH))
        self._order = None

    def pack(self, first: int) -> bytes:
        """Return all from the number ``first`` on, to be kept."""
        odd = [[number, text] for number, text in self._odd.items() if number >= first]
        return json.dumps(odd).encode() + b"\n" + self._keys[first:].tobytes()

    def encode(self, texts: pa.Array) -> Numbers:
        """Return the number of each text, giving new ones to those that have none."""
        coded = texts.dictionary_encode()
        distinct = self._number(coded.dictionary)
        return distinct[np.asarray(coded.indices)] if len(texts) else distinct

    def find(self, text: str) -> int:
        """Return a text's number; NONE where it has none."""
        key = np.frombuffer(_make_key(text), np.uint8)
        near = np.flatnonzero(_head(self._keys) == _head(key[None, :])[0])
        return next((int(n) for n in near if (self._keys[n] == key).all()), NONE)

    def find_all(self, texts: Sequence[str]) -> dict[str, int]:
        """Return the number of each text that has one."""
        wanted = {_make_key(text): text for text in texts}
        if not wanted:
            return {}
        keys = np.frombuffer(b"".join(wanted), np.uint8).reshape(-1, _WIDTH)
        near = np.flatnonzero(np.isin(_head(self._keys), _head(keys))).tolist()
        found = ((wanted.get(self._keys[number].tobytes()), number) for number in near)
        return {text: number for text, number in found if text is not None}

    def find_beginning(self, start: str) -> list[int]:
        """Return the numbers of the ids that begin so; ``start`` are at most 64 hex digits."""
        heads = _head(self._keys)
        low, high = (np.uint64(int(start[:16].ljust(16, digit), 16)) for digit in "0f")
        near = np.flatnonzero((heads >= low) & (heads <= high)).tolist()
        found = [n for n in near if n not in self._odd and self.name(n).startswith(start)]
        return found + [n for n, text in self._odd.items() if text.startswith(start)]

    def name(self, number: int) -> str:
        """Return the text of a number."""
        return self._odd[number] if number in self._odd else self._keys[number].tobytes().hex()

    def names(self, numbers: Iterable[int]) -> list[str]:
        """Return the texts of numbers."""
        return [self.name(int(number)) for number in numbers]

    @property
    def _keys(self) -> Keys:
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0]

    def _number(self, distinct: pa.Array) -> Numbers:
        keys = _make_keys(distinct)
        heads = _head(keys)
        known, order = self._sorted()
        numbers = np.full(len(keys), NONE, np.int32)
        places = np.searchsorted(known, heads)
        waiting = np.arange(len(keys))
        while len(waiting):  # once, unless two ids begin with the same 64 bits
            inside = places < len(known)
            waiting, places = waiting[inside], places[inside]
            same = known[places] == heads[waiting]
            waiting, places = waiting[same], places[same]
            whole = (self._keys[order[places]] == keys[waiting]).all(axis=1)
            numbers[waiting[whole]] = order[places[whole]]
            waiting, places = waiting[~whole], places[~whole] + 1
        self._add(distinct, keys, numbers)
        return numbers

    def _add(self, distinct: pa.Array, keys: Keys, numbers: Numbers) -> None:
        new = np.flatnonzero(numbers == NONE)
        if not len(new):
            return
        count = len(self)
        numbers[new] = np.arange(count, count + len(new))
        for place in new[~_are_hex(distinct)[new]].tolist():
            self._odd[int(numbers[place])] = distinct[place].as_py()
        known, order = self._sorted()
        heads = _head(keys[new])
        by_head = np.argsort(heads, kind="stable")
        into = np.searchsorted(known, heads[by_head])
        self._order = (
            np.insert(known, into, heads[by_head]),
            np.insert(order, into, numbers[new][by_head]),
        )
        self._parts.append(keys[new])

    def _sorted(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        """Return the beginnings of all ids in order, and whose they are."""
        if self._order is None:
            heads = _head(self._keys)
            order = np.argsort(heads, kind="stable")
            self._order = (heads[order], order)
        return self._order


class Words:
    """Numbers for what is not an id and comes often: sources, tasks, paths, reasons."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.texts)

    def extend(self, blob: bytes) -> None:
        """Take words that ``pack`` packed, behind those that are there."""
        for text in json.loads(blob):
            self._take(text)

    def pack(self, first: int) -> bytes:
        """Return all from the number ``first`` on, to be kept."""
        return json.dumps(self.texts[first:]).encode()

    def encode(self, texts: pa.Array) -> Numbers:
        """Return the number of each text, giving new ones to those that have none."""
        coded = texts.dictionary_encode()
        distinct = self.number(coded.dictionary.to_pylist())
        return distinct[np.asarray(coded.indices)] if len(texts) else distinct

    def number(self, texts: Sequence[str]) -> Numbers:
        """As ``encode``, of plain texts."""
        return np.array([self._take(text) for text in texts], np.int32)

    def find(self, text: str) -> int:
        """Return a word's number; NONE where it has none."""
        return self._numbers.get(text, NONE)

    def _take(self, text: str) -> int:
        number = self._numbers.setdefault(text, len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        return number


def _head(keys: Keys) -> npt.NDArray[np.uint64]:
    """Return the first eight bytes of each key as a number that sorts as they do."""
    beginnings: npt.NDArray[Any] = np.ascontiguousarray(keys[:, :8]).view(">u8")
    return beginnings.reshape(-1).astype(np.uint64)


def _make_key(text: str) -> bytes:
    if _HEX.fullmatch(text):
        return bytes.fromhex(text)
    return hashlib.sha256(b"text\0" + text.encode("utf-8", "surrogatepass")).digest()


def _are_hex(texts: pa.Array) -> npt.NDArray[np.bool_]:
    import pyarrow.compute as pc  # late: a warm index needs none of it

    matches = pc.match_substring_regex(texts, pattern="^[0-9a-f]{64}$")
    return np.asarray(matches.to_numpy(zero_copy_only=False), np.bool_)


def _make_keys(texts: pa.Array) -> Keys:
    """Return the key of each text, 32 bytes wide."""
    if not len(texts):
        return np.empty((0, _WIDTH), np.uint8)
    import pyarrow.compute as pc  # late: a warm index needs none of it

    lengths = np.asarray(pc.binary_length(texts))
    if (lengths == 2 * _WIDTH).all():
        begin = int(np.frombuffer(texts.buffers()[1], np.int32)[texts.offset])
        raw = np.frombuffer(texts.buffers()[2], np.uint8)
        digits = _DIGITS[raw[begin : begin + len(texts) * 2 * _WIDTH]].reshape(-1, 2 * _WIDTH)
        if (digits < 16).all():
            keys: Keys = np.bitwise_or(digits[:, ::2] << 4, digits[:, 1::2], dtype=np.uint8)
            return keys
    whole = b"".join(_make_key(text) for text in texts.to_pylist())
    return np.frombuffer(whole, np.uint8).reshape(-1, _WIDTH)
