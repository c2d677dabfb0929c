"""A message batch before it is submitted: its requests, written into a file as the API takes them."""

import json
import tempfile
from dataclasses import dataclass
from typing import IO, Final

from stillhouse.teachers.caching import Marker
from stillhouse.teachers.claude import write_body
from stillhouse.teachers.params import TeachersParams
from stillhouse.teachers.protocol import Source

# The API takes 100,000 requests and 256 MB. Less can be lost at a time, and comes back sooner.
MOST_REQUESTS: Final = 10_000
MOST_BYTES: Final = 64_000_000
_BLOCK: Final = 256
_HEAD: Final = b'{"requests":['
_TAIL: Final = b"]}"


@dataclass(slots=True)
class Draft:
    """The names of the requests that ``body`` holds.

    ``number`` is the journal's, 0 before it has one. ``on_its_way``: it may be at the server.
    """

    names: list[str]
    body: IO[bytes]
    number: int = 0
    on_its_way: bool = False

    def close(self) -> None:
        """Remove the file."""
        self.body.close()


class Drafter:
    """Makes batches of what a source has. They lie on the disk: memory holds their names alone."""

    def __init__(self, teachers: TeachersParams, source: Source) -> None:
        self._teachers, self._source = teachers, source
        self._marker = Marker() if teachers.anthropic.cache else None

    def fill(self) -> Draft | None:
        """Return a batch as large as may be; None where nothing can be taken now."""
        draft = Draft([], tempfile.TemporaryFile())  # noqa: SIM115 - its owner closes it
        draft.body.write(_HEAD)
        while len(draft.names) < MOST_REQUESTS and self._add_block(draft):
            pass
        if not draft.names:
            draft.close()
            return None
        draft.body.write(_TAIL)
        return draft

    def _add_block(self, draft: Draft) -> bool:
        """Take some requests; return whether more may fit."""
        taken = self._source.take(min(_BLOCK, MOST_REQUESTS - len(draft.names)), batch=True)
        for place, request in enumerate(taken):
            params = write_body(request, self._teachers, self._marker)
            item = {"custom_id": request.request_id, "params": params}
            raw = json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode()
            if draft.names and draft.body.tell() + len(raw) + len(_TAIL) >= MOST_BYTES:
                self._source.put_back(taken[place:])
                return False
            draft.body.write(b"," + raw if draft.names else raw)
            draft.names.append(request.request_id)
        return bool(taken)
