"""What is known of pairs while they are thinned, and how one that goes is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from stillhouse.base.questions import list_questions
from stillhouse.base.records import Chunk, Pair, Request
from stillhouse.quality.boundary import Confidences
from stillhouse.quality.duplicates import Merit

Kind = Literal["document", "task", "category"]
KINDS: Final[tuple[Kind, ...]] = ("document", "task", "category")

Drop = tuple[Pair, str, str]  # what goes, the reason, and in words
Rank = tuple[bool, float, str]  # what pairs are ordered by, the best first


@dataclass(frozen=True, slots=True)
class Material:
    """What is known of the pairs: requests and chunks by id, and by pair id merit and confidence."""

    requests: Mapping[str, Request]
    chunks: Mapping[str, Chunk]
    merits: Mapping[str, Merit]
    confidences: Confidences

    def value_of(self, kind: Kind, pair: Pair) -> str:
        """Return a pair's first document (its path), task or category; empty where it has none."""
        if kind == "document":
            found = (self.chunks[one] for one in pair.chunk_ids if one in self.chunks)
            return next((chunk.source for chunk in found), "")
        if kind == "task":
            return pair.task
        request = self.requests.get(pair.request_id)
        return request.category if request else ""

    def values_asked(self, kind: Kind) -> set[str]:
        """Return the documents, tasks or categories that there are."""
        if kind == "document":
            return {chunk.source for chunk in self.chunks.values()}
        asked = self.requests.values()
        found = {one.task if kind == "task" else one.category for one in asked}
        return found - {""}


def text_of(pair: Pair) -> str:
    """Return what of a pair is embedded: its question without the passage, of a conversation all of them."""
    return "\n".join(list_questions(pair.messages, pair.context))
