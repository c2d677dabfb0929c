"""A question to the model in either dialect, what came of it, and the ways to refuse it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson

from tests.stub_teacher.tokens import count_tokens

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mark:
    """A prefix that is to be cached: its name, its length, and whether for an hour."""

    digest: str
    tokens: int
    hour: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A question to the model; ``max_tokens`` covers thinking and text."""

    model: str
    system: str
    turns: tuple[tuple[str, str], ...]
    max_tokens: int
    fingerprint: str
    input_tokens: int
    schema: Body | None = None
    thinks: bool = False
    shows_thinking: bool = True
    marks: tuple[Mark, ...] = ()
    salt: int = 0
    top_logprobs: int | None = None

    @property
    def user(self) -> str:
        return self.turns[-1][1]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says. ``stop`` is end_turn, max_tokens, refusal or content_filter."""

    text: str
    thinking: str
    stop: str
    text_tokens: int
    thinking_tokens: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer; ``input_tokens`` is the whole input, cached parts included."""

    input_tokens: int
    output_tokens: int
    thinking_tokens: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_hour: bool = False


class ApiError(Exception):
    """An answer other than 200. ``kind`` is Anthropic's type; ``code`` is OpenAI's, where it differs."""

    def __init__(
        self, status: int, kind: str, message: str, code: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.message, self.code = status, kind, message, code
        self.retry_after = retry_after


class ForeverError(ApiError):
    """The plan refuses this request, whenever it is asked."""

    def __init__(self) -> None:
        message = "This request is refused for ever by the stub's plan."
        super().__init__(400, "invalid_request_error", message)


@dataclass(frozen=True, slots=True)
class Options:
    """How the stub was started; the package's docstring says what each means."""

    port: int = 0
    key: str = ""
    models: tuple[str, ...] = ()
    latency: float = 0.0
    jitter: float = 0.0
    answer_tokens: int = 0
    batch_seconds: float = 0.2
    max_concurrent: int = 0
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    retry_after: float = 1.0
    prices: tuple[float, float] = (3.0, 15.0)
    cache_seconds: float = 300.0
    plan: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""
    resume: bool = False
    die_with_stdin: bool = False


def load_body(raw: bytes) -> Body:
    """Return the JSON object of a request's body.

    Raises:
        ApiError: 400; it is no JSON object.
    """
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        message = f"The request body is not valid JSON: {exc}"
        raise ApiError(400, "invalid_request_error", message) from exc
    if not isinstance(body, dict):
        raise ApiError(400, "invalid_request_error", "The request body is not a JSON object.")
    return body


def name_question(parts: Body) -> str:
    """Return the fingerprint of what makes a question."""
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def draw(*parts: object) -> float:
    """Return a number in [0, 1) that follows from the parts alone."""
    seed = ":".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(seed, digest_size=7).digest()) / 2**56


def measure_schema(schema: Body) -> tuple[int, str]:
    """Return how many tokens a schema has, and where it leaves ``additionalProperties`` open."""
    return _measure_schema(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS))


@lru_cache(maxsize=64)
def _measure_schema(canonical: bytes) -> tuple[int, str]:
    return count_tokens(canonical.decode()), _find_loose_object(orjson.loads(canonical))


def _find_loose_object(schema: object, place: str = "schema") -> str:
    """Return where a schema leaves ``additionalProperties`` open, or an empty text."""
    if isinstance(schema, list):
        found = (_find_loose_object(item, place) for item in schema)
        return next((one for one in found if one), "")
    if not isinstance(schema, dict):
        return ""
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return place
    found = (_find_loose_object(value, f"{place}.{key}") for key, value in schema.items())
    return next((one for one in found if one), "")
