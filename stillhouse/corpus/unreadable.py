"""How a file says that it does not become a document, and what is said about all that did not."""

from typing import Final

from stillhouse.base.records import Rejection

# Left out because somebody wanted it so, or because nothing is lost by it; all others are a loss.
_ON_PURPOSE: Final = frozenset({"duplicate", "excluded", "hidden", "linked_folder"})
_NAMED: Final = 5  # lost files that a message names


class UnreadableError(Exception):
    """A file that is left out; ``reason`` is its short name, ``detail`` a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def skip_file(source: str, exc: UnreadableError) -> Rejection:
    """Return the record of a file, or a part of one, that is left out."""
    return Rejection(source, "file", source, (), "ingest", exc.reason, exc.detail)


class Losses:
    """What was left out: how often for each reason, and the first few files that should not be."""

    def __init__(self) -> None:
        self.by_reason: dict[str, int] = {}
        self.lost = 0
        self._first: list[Rejection] = []

    def add(self, skipped: Rejection) -> None:
        """Count a file that was left out."""
        self.by_reason[skipped.reason] = self.by_reason.get(skipped.reason, 0) + 1
        if skipped.reason not in _ON_PURPOSE:
            self.lost += 1
            self._first += [skipped] if len(self._first) < _NAMED else []

    def name_first(self) -> str:
        """Return the first lost files with their reasons and how many more there are, or nothing."""
        named = ", ".join(f"{one.rejected_id} ({one.reason})" for one in self._first)
        return f"{named} and {self.lost - _NAMED} more" if self.lost > _NAMED else named
