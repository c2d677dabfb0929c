"""What was read from passages, packed, in memory that does not grow past a bound."""

import hashlib
import zlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from stillhouse.base.packing import builder, decode, encode, flattener
from stillhouse.prompts.passages import Passage
from stillhouse.teachers.offline.facts import Fact

_OVERHEAD: Final = 250  # bytes of an entry beside its facts: key, object heads, the table's slot


class Memory:
    """Facts of the passages used last, kept in at most ``limit`` bytes.

    A passage is asked about in up to six tasks. Requests come in the order of their ids, which are
    hashes, so all passages of a corpus come between two of them: what counts is how many passages
    fit. Packed, one takes about 2 KB instead of 25.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._flatten, self._build = flattener(Fact), builder(Fact)
        self._packed: OrderedDict[bytes, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._packed)

    def recall(self, passage: Passage, read: Callable[[Passage], list[Fact]]) -> list[Fact]:
        """Return what ``read`` finds in a passage, from memory where it was read before."""
        key = _key(passage)
        if (packed := self._packed.get(key)) is not None:
            self._packed.move_to_end(key)
            return self._unpack(packed)
        facts = read(passage)
        self._keep(key, self._pack(facts))
        return facts

    def _pack(self, facts: list[Fact]) -> bytes:
        return zlib.compress(encode([self._flatten(fact) for fact in facts]), zlib.Z_BEST_SPEED)

    def _unpack(self, packed: bytes) -> list[Fact]:
        return [self._build(values) for values in decode(zlib.decompress(packed))]

    def _keep(self, key: bytes, packed: bytes) -> None:
        self._packed[key] = packed
        self.used += len(packed) + _OVERHEAD
        while self.used > self.limit:
            _, oldest = self._packed.popitem(last=False)
            self.used -= len(oldest) + _OVERHEAD


def _key(passage: Passage) -> bytes:
    parts = (passage.source, passage.section, passage.text)
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()
