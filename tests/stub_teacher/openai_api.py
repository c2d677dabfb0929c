"""OpenAI's dialect: what a body must hold, and the shapes of answers and errors."""

import math
import time
from collections.abc import Mapping
from typing import Any, Final

from tests.stub_teacher.calls import (
    Answer,
    ApiError,
    Body,
    Call,
    Mark,
    Options,
    Usage,
    draw,
    load_body,
    measure_schema,
    name_question,
)
from tests.stub_teacher.limits import Allowance
from tests.stub_teacher.tokens import (
    PER_REQUEST,
    PER_TURN,
    count_shared,
    count_tokens,
    cut_tokens,
)

NAME: Final = "chat.completions"
_UNASKED: Final = frozenset(
    [
        "metadata",
        "user",
        "stream",
        "store",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
    ]
)
_ROLES: Final = frozenset({"system", "developer", "user", "assistant"})
_STOPS: Final = {
    "end_turn": "stop",
    "max_tokens": "length",
    "refusal": "stop",
    "content_filter": "content_filter",
}
_CODES: Final = {"authentication_error": "invalid_api_key", "not_found_error": "model_not_found"}
_DEFAULT_LIMIT: Final = 4096
_CACHE_STEP: Final = 128


def find_key(headers: Mapping[str, str]) -> str:
    bearer = headers.get("authorization", "").removeprefix("Bearer ").strip()
    return bearer or headers.get("api-key", "")


def check_key(headers: Mapping[str, str], options: Options) -> None:
    """Let a request in.

    Raises:
        ApiError: 401 for a missing or another key.
    """
    key = find_key(headers)
    if not key:
        raise ApiError(401, "authentication_error", "You didn't provide an API key.")
    if options.key and key != options.key:
        raise ApiError(401, "authentication_error", "Incorrect API key provided: ****.")


def read_call(raw: bytes, options: Options) -> Call:
    """Return the question that a body asks.

    Raises:
        ApiError: 400 or 404, in the server's words.
    """
    body = load_body(raw)
    for name in ("model", "messages"):
        if name not in body:
            raise _invalid(f"you must provide a {name} parameter")
    if body.get("stream"):
        raise _invalid("stream: the stub does not stream")
    if body.get("n", 1) != 1:
        raise _invalid("n: the stub gives one choice")
    model = body["model"]
    if options.models and model not in options.models:
        said = f"The model `{model}` does not exist or you do not have access to it."
        raise ApiError(404, "not_found_error", said)
    system, turns = _read_texts(body["messages"])
    schema, schema_size = _read_schema(body)
    limit = _read_number(body, "max_completion_tokens", 1, math.inf)
    limit = limit or _read_number(body, "max_tokens", 1, math.inf) or _DEFAULT_LIMIT
    temperature = _read_number(body, "temperature", 0, 2)
    shared = count_shared(system) if system else 0
    size = PER_REQUEST + PER_TURN * len(turns) + shared + schema_size
    size += sum(count_tokens(text) for _, text in turns)
    rest = {name: value for name, value in body.items() if name not in _UNASKED}
    cached = shared - shared % _CACHE_STEP
    seed = body.get("seed") if temperature else None
    return Call(
        model=model,
        system=system,
        turns=turns,
        max_tokens=int(limit),
        fingerprint=name_question(rest | {"messages": [["system", system], *turns]}),
        input_tokens=size,
        schema=schema,
        marks=(Mark(f"openai {model} {hash(system)}", cached, hour=False),),
        salt=int(seed or 0),
        top_logprobs=_read_logprobs(body),
    )


def render_answer(call: Call, answer: Answer, usage: Usage, request_id: str) -> Body:
    """Return the chat completion; ``request_id`` names it."""
    refused = answer.stop == "refusal"
    logprobs = None
    if call.top_logprobs is not None:
        logprobs = {"content": _render_logprobs(answer.text, call), "refusal": None}
    message = {
        "role": "assistant",
        "content": None if refused else answer.text,
        "refusal": "I'm sorry, I can't help with that." if refused else None,
    }
    return {
        "id": f"chatcmpl-{request_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": call.model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": logprobs,
                "finish_reason": _STOPS[answer.stop],
            }
        ],
        "usage": {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cache_read},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": "fp_stub",
    }


def render_error(error: ApiError, request_id: str) -> Body:
    kind = {429: "requests", 500: "server_error", 529: "server_error"}.get(error.status)
    code = error.code or _CODES.get(error.kind)
    said = {
        "message": error.message,
        "type": kind or "invalid_request_error",
        "param": None,
        "code": code or None,
    }
    return {"error": said}


def status_of(error: ApiError) -> int:
    """Return the HTTP status: OpenAI has no 529, an overloaded engine is a 503."""
    return 503 if error.status == 529 else error.status


def write_headers(request_id: str, requests: Allowance, tokens: Allowance) -> dict[str, str]:
    """Return the headers that stand on every answer."""
    return {
        "x-request-id": f"req_{request_id}",
        "openai-version": "2020-10-01",
        "x-ratelimit-limit-requests": str(requests.limit),
        "x-ratelimit-remaining-requests": str(requests.left),
        "x-ratelimit-reset-requests": f"{requests.reset:.3f}s",
        "x-ratelimit-limit-tokens": str(tokens.limit),
        "x-ratelimit-remaining-tokens": str(tokens.left),
        "x-ratelimit-reset-tokens": f"{tokens.reset:.3f}s",
    }


def _read_texts(messages: Any) -> tuple[str, tuple[tuple[str, str], ...]]:
    if not isinstance(messages, list) or not messages:
        raise _invalid("[] is too short - 'messages'")
    system, turns = "", []
    for place, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in _ROLES:
            raise _invalid(f"Invalid value for 'messages[{place}].role'.")
        text = _read_content(message.get("content"), place)
        if role in {"system", "developer"}:
            system += text
        else:
            turns.append((role, text))
    if not turns:
        raise _invalid("messages: the stub needs a message of the user")
    return system, tuple(turns)


def _read_content(content: Any, place: int) -> str:
    if isinstance(content, str):
        return content
    try:
        return "".join(part["text"] for part in content)
    except (TypeError, KeyError) as exc:
        raise _invalid(f"Invalid value for 'messages[{place}].content'.") from exc


def _read_number(body: Body, name: str, low: float, high: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _invalid(f"Invalid '{name}': expected a value from {low} to {high}.")
    return value


def _read_logprobs(body: Body) -> int | None:
    """Return how many alternatives of each token are wanted; None where no logprobs are."""
    top = _read_number(body, "top_logprobs", 0, 20)
    if not body.get("logprobs"):
        if top is not None:
            raise _invalid("'top_logprobs' is only allowed when 'logprobs' is enabled.")
        return None
    return int(top or 0)


def _read_schema(body: Body) -> tuple[Body | None, int]:
    """Return the schema that the answer is to fit, and its tokens."""
    form = body.get("response_format") or {"type": "text"}
    if form.get("type") in {"json_object", "text"}:
        return None, 0
    described = form.get("json_schema")
    if form.get("type") != "json_schema" or not isinstance(described, dict):
        raise _invalid("Invalid value for 'response_format'.")
    schema = described.get("schema")
    if not described.get("name") or not isinstance(schema, dict):
        raise _invalid(
            "Missing required parameter: 'response_format.json_schema.name' or '.schema'."
        )
    size, place = measure_schema(schema)
    if described.get("strict") and place:
        said = "'additionalProperties' is required to be supplied and to be false."
        raise _invalid(f"Invalid schema for response_format: In {place}, {said}")
    return schema, size


def _render_logprobs(text: str, call: Call) -> list[Body]:
    """Return each token with its probability by hash, in [0.5, 1), and its alternatives.

    The alternatives halve what is left from one to the next, so that all stay below 1 in sum.
    """
    shown = []
    for place, token in enumerate(cut_tokens(text)):
        first = 0.5 + draw(call.fingerprint, place) / 2
        rest = [(f" {'x' * number}", (1 - first) / 2**number) for number in range(1, 20)]
        tops = [(token, first), *rest][: call.top_logprobs or 0]
        entry = _render_token(token, first)
        shown.append(entry | {"top_logprobs": [_render_token(*top) for top in tops]})
    return shown


def _render_token(token: str, probability: float) -> Body:
    return {"token": token, "logprob": math.log(probability), "bytes": list(token.encode())}


def _invalid(message: str) -> ApiError:
    return ApiError(400, "invalid_request_error", message, code="")
