"""Marks for Anthropic's prompt cache: where several requests begin alike, and where that pays."""

from hashlib import blake2b
from typing import Any, Final

# Anthropic caches nothing shorter: 1,024 tokens for most models, and English has some four characters
# to a token. A mark on less is ignored, and costs nothing.
_LEAST_CHARACTERS: Final = 4096
_MARK: Final = {"type": "ephemeral"}
_PASSAGE_END: Final = "</passage>"


class Marker:
    """Marks the beginnings that it has met before.

    Writing the cache costs a quarter more than reading afresh, reading it a tenth or less: so a beginning
    that comes once is not marked, and one that comes again pays off from its third time on. (Shared
    are a task's system prompt, and a passage asked about in several samples.)
    """

    def __init__(self) -> None:
        self._met: set[bytes] = set()

    def mark(self, body: dict[str, Any]) -> None:
        """Put marks into the body of a request, at the end of its system prompt and of its passages."""
        system = body.get("system", "")
        if self._repeats(system):
            body["system"] = [{"type": "text", "text": system, "cache_control": _MARK}]
        first = body["messages"][0]
        end = first["content"].rfind(_PASSAGE_END) + len(_PASSAGE_END)
        passages, rest = first["content"][:end], first["content"][end:]
        if end > len(_PASSAGE_END) and rest.strip() and self._repeats(system, passages):
            first["content"] = [
                {"type": "text", "text": passages, "cache_control": _MARK},
                {"type": "text", "text": rest},
            ]

    def _repeats(self, *beginning: str) -> bool:
        """Say whether a beginning is long enough and came before."""
        if sum(map(len, beginning)) < _LEAST_CHARACTERS:
            return False
        key = blake2b("\0".join(beginning).encode(), digest_size=12).digest()
        if key in self._met:
            return True
        self._met.add(key)
        return False
