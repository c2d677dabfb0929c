"""Anthropic's endpoints of message batches, through the SDK's client: create, look, list, results."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Final

from stillhouse.base.errors import InputError, TeacherError
from stillhouse.base.runtime import Runtime
from stillhouse.base.secrets import quote_server
from stillhouse.teachers.claude import check_key, explain_status
from stillhouse.teachers.http_errors import read_retry_after
from stillhouse.teachers.params import TeachersParams
from stillhouse.teachers.protocol import Failure
from stillhouse.teachers.scheduler import PassingError

_PATH: Final = "/v1/messages/batches"
_PAGE: Final = 100
_TURNED_AWAY: Final = frozenset({429, 529})  # a 500 or 503 may come from before or after the deed


class MissingError(Exception):
    """The server says 404."""


class NotSubmittedError(PassingError):
    """A submission failed, and the server has certainly not taken it."""


@dataclass(frozen=True, slots=True)
class BatchState:
    """A batch as the server shows it; ``created`` in epoch seconds, ``done``: requests processed.

    ``readable``: it has ended and its results are still there.
    """

    name: str
    created: float
    requests: int
    done: int
    ended: bool
    readable: bool


class BatchApi:
    """An open connection; the caller closes it.

    Every method raises ``PassingError`` for what may pass and ``TeacherError`` for what does not.
    """

    def __init__(self, teachers: TeachersParams, runtime: Runtime) -> None:
        """Connect nothing yet.

        Raises:
            InputError: there is no key, or the address is none.
        """
        import anthropic

        for chatty in ("httpx2", "anthropic"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        try:
            self._client = anthropic.Anthropic(
                base_url=teachers.anthropic.base_url,
                max_retries=0,
                timeout=runtime.timeout_seconds,
                open_telemetry=False,
            )
        except (anthropic.AnthropicError, ValueError) as exc:
            raise InputError(
                f"Claude cannot be reached: {quote_server(str(exc))}",
                where="params.yaml: teachers.anthropic",
                remedy="give what is missing",
            ) from exc
        check_key(self._client)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def create(self, body: IO[bytes]) -> str:
        """Submit the batch that a file holds, and return its id.

        Raises:
            NotSubmittedError: it was turned away, or nothing was sent.
            PassingError: it may have been submitted or not.
            TeacherError: it was refused.
        """
        import httpx2

        body.seek(0)
        with _known_here(), _explained():
            answer = self._client.post(
                _PATH,
                content=body,
                cast_to=httpx2.Response,
                options={"headers": {"content-type": "application/json"}},
            )
            return _read_state(_load(answer.content)).name

    def retrieve(self, name: str) -> BatchState | None:
        """Return how far a batch is; None if the server says that there is no such batch."""
        try:
            return _read_state(self._get(f"{_PATH}/{name}"))
        except MissingError:
            # Not the batch but the address may be wrong, and then nothing must be given up.
            next(self.list_since(float("inf")), None)
            return None

    def list_since(self, moment: float) -> Iterator[BatchState]:
        """Yield the batches that were created since then (epoch seconds), newest first."""
        last = ""
        while True:
            after = f"&after_id={last}" if last else ""
            with _known_here():
                page = self._get(f"{_PATH}?limit={_PAGE}{after}")
            if not isinstance(page.get("data"), list):
                raise PassingError("the server's answer is no list of batches")
            states = [_read_state(found) for found in page["data"]]
            for state in states:
                if state.created < moment:
                    return
                yield state
            if not states or not page.get("has_more"):
                return
            last = states[-1].name

    @contextmanager
    def results(self, name: str) -> Iterator[Iterator[dict[str, Any]]]:
        """Open the results of a batch that has ended: a line for each request, in any order.

        Raises:
            MissingError: they are not there any more.
        """
        import httpx2

        with _explained():
            answer = self._client.get(
                f"{_PATH}/{name}/results", cast_to=httpx2.Response, stream=True
            )
            try:
                yield map(_load, _split_lines(answer.iter_bytes()))
            finally:
                answer.close()

    def _get(self, path: str) -> dict[str, Any]:
        import httpx2

        with _explained():
            return _load(self._client.get(path, cast_to=httpx2.Response).content)


@contextmanager
def _known_here() -> Iterator[None]:
    """Turn a 404 within the block into the error of a server without message batches."""
    try:
        yield
    except MissingError as exc:
        raise TeacherError(
            "the server at `teachers.anthropic.base_url` knows no message batches",
            remedy="set `runtime.batch: false`, or the address of Anthropic's API",
        ) from exc


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what the SDK raises within the block into what passes and what does not."""
    import anthropic
    import httpx2

    try:
        yield
    except anthropic.APIStatusError as exc:
        said = exc.api_message or exc.response.text
        if exc.status_code == 404:
            raise MissingError from exc
        if exc.status_code in _TURNED_AWAY:
            raise NotSubmittedError(
                f"{exc.status_code} {quote_server(said)}",
                overload=True,
                retry_after=read_retry_after(exc.response.headers),
            ) from exc
        refused = explain_status(exc.status_code, said, "", exc.response.headers)
        raise _refuse(refused) from exc
    except anthropic.APITimeoutError as exc:
        if isinstance(exc.__cause__, httpx2.ConnectTimeout | httpx2.PoolTimeout):
            raise NotSubmittedError("the server cannot be reached in time") from exc
        raise PassingError("no answer came in time (`runtime.timeout_seconds`)") from exc
    except anthropic.APIConnectionError as exc:
        cause = exc.__cause__ or exc
        kind = NotSubmittedError if isinstance(cause, httpx2.ConnectError) else PassingError
        raise kind(f"Claude cannot be reached ({quote_server(str(cause))})") from exc
    except httpx2.HTTPError as exc:
        raise PassingError(f"half an answer came ({quote_server(str(exc))})") from exc


def _refuse(refused: Failure) -> TeacherError:
    return TeacherError(
        f"Claude refuses a message batch ({refused.error})",
        remedy="mend it; what was submitted before goes on at the server",
    )


def _split_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines of a JSONL file. At LF alone: the other ends of lines may stand within a text."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from filter(bytes.strip, lines)
    if rest.strip():
        yield rest


def _load(raw: bytes) -> dict[str, Any]:
    try:
        loaded = json.loads(raw)
    except ValueError as exc:
        raise PassingError(f"half an answer came ({exc})") from exc
    return loaded if isinstance(loaded, dict) else {}


def _read_state(found: dict[str, Any]) -> BatchState:
    try:
        counts = {kind: int(count) for kind, count in found["request_counts"].items()}
        total = sum(counts.values())
        ended = found["processing_status"] == "ended"
        return BatchState(
            name=str(found["id"]),
            created=datetime.fromisoformat(found["created_at"]).timestamp(),
            requests=total,
            done=total - counts.get("processing", 0),
            ended=ended,
            readable=ended and bool(found.get("results_url")) and not found.get("archived_at"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise PassingError(f"the server's answer is no batch ({exc!r})") from exc
