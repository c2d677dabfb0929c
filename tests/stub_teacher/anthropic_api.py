"""Anthropic's dialect: what a body must hold, and the shapes of answers and errors."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.stub_teacher.calls import (
    Answer,
    ApiError,
    Body,
    Call,
    Mark,
    Options,
    Usage,
    load_body,
    measure_schema,
    name_question,
)
from tests.stub_teacher.limits import Allowance
from tests.stub_teacher.tokens import PER_REQUEST, PER_TURN, count_shared, count_tokens

NAME: Final = "messages"
ORGANIZATION: Final = "5fd9b6a0-0000-4000-8000-000000000000"
_SAMPLING: Final = ("temperature", "top_p", "top_k")
_UNASKED: Final = frozenset(
    {"metadata", "stream", "service_tier", "cache_control", "inference_geo"}
)
_KNOWN: Final = _UNASKED | {
    "model", "messages", "max_tokens", "system", "output_config", "thinking", "stop_sequences",
    "tools", "tool_choice", "container", "diagnostics", "speed",
}  # fmt: skip
_MARKS: Final = 4


def find_key(headers: Mapping[str, str]) -> str:
    """Return the key: SDK 2 sends it as a bearer, other clients as ``x-api-key``."""
    bearer = headers.get("authorization", "").removeprefix("Bearer ").strip()
    return headers.get("x-api-key", "") or bearer


def check_key(headers: Mapping[str, str], options: Options) -> None:
    """Let a request in.

    Raises:
        ApiError: 401 for a missing or another key, 400 without `anthropic-version`.
    """
    key = find_key(headers)
    if not key:
        raise ApiError(401, "authentication_error", "x-api-key header is required")
    if options.key and key != options.key:
        raise ApiError(401, "authentication_error", "invalid x-api-key")
    if "anthropic-version" not in headers:
        raise _invalid("anthropic-version: header is required")


def read_call(raw: bytes, options: Options) -> Call:
    """Return the question that a body asks.

    Raises:
        ApiError: 400 or 404, in the server's words.
    """
    return read_params(load_body(raw), options)


def read_params(body: Body, options: Options) -> Call:
    """Return the question of a body, or of the `params` of a batch's item; errors as `read_call`."""
    for name in _SAMPLING:
        if name in body:
            raise _invalid(f"{name}: this parameter is not supported by this model")
    if unknown := sorted(body.keys() - _KNOWN):
        raise _invalid(f"{unknown[0]}: Extra inputs are not permitted")
    for name in ("model", "max_tokens", "messages"):
        if name not in body:
            raise _invalid(f"{name}: Field required")
    if body.get("stream"):
        raise _invalid("stream: the stub does not stream")
    model, limit = body["model"], body["max_tokens"]
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise _invalid("max_tokens: Input should be greater than or equal to 1")
    if options.models and model not in options.models:
        raise ApiError(404, "not_found_error", f"model: {model}")
    system, turns, marks = _read_texts(body)
    thinks, shown = _read_thinking(body, limit)
    schema, schema_size = _read_schema(body)
    size = PER_REQUEST + PER_TURN * len(turns) + schema_size
    size += sum(count_tokens(text) for _, text in turns) + (count_shared(system) if system else 0)
    rest = {name: value for name, value in body.items() if name not in _UNASKED}
    question = rest | {"system": system, "messages": turns}
    return Call(
        model=model,
        system=system,
        turns=turns,
        max_tokens=limit,
        fingerprint=name_question(question),
        input_tokens=size,
        schema=schema,
        thinks=thinks,
        shows_thinking=shown,
        marks=marks,
    )


def render_answer(call: Call, answer: Answer, usage: Usage, request_id: str) -> Body:
    """Return the message; ``request_id`` names it."""
    content: list[Body] = []
    if answer.thinking:
        signature = hashlib.sha256(answer.thinking.encode()).hexdigest()
        thinking = answer.thinking if call.shows_thinking else ""
        content.append({"type": "thinking", "thinking": thinking, "signature": signature})
    if answer.text:
        content.append({"type": "text", "text": answer.text})
    refused = answer.stop in {"refusal", "content_filter"}
    said = "This request was declined by the stub's plan."
    details = {"type": "refusal", "category": None, "explanation": said} if refused else None
    return {
        "id": f"msg_{request_id}",
        "type": "message",
        "role": "assistant",
        "model": call.model,
        "content": content,
        "stop_reason": "refusal" if refused else answer.stop,
        "stop_sequence": None,
        "stop_details": details,
        "usage": _render_usage(usage),
    }


def render_error(error: ApiError, request_id: str) -> Body:
    return {
        "type": "error",
        "error": {"type": error.kind, "message": error.message},
        "request_id": f"req_{request_id}",
    }


def status_of(error: ApiError) -> int:
    return error.status


def write_headers(request_id: str, requests: Allowance, tokens: Allowance) -> dict[str, str]:
    """Return the headers that stand on every answer."""
    return {
        "request-id": f"req_{request_id}",
        "anthropic-organization-id": ORGANIZATION,
        "anthropic-ratelimit-requests-limit": str(requests.limit),
        "anthropic-ratelimit-requests-remaining": str(requests.left),
        "anthropic-ratelimit-requests-reset": _say_time(requests.reset),
        "anthropic-ratelimit-input-tokens-limit": str(tokens.limit),
        "anthropic-ratelimit-input-tokens-remaining": str(tokens.left),
        "anthropic-ratelimit-input-tokens-reset": _say_time(tokens.reset),
    }


def _say_time(seconds: float) -> str:
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _render_usage(usage: Usage) -> Body:
    hour = usage.cache_write if usage.cache_hour else 0
    return {
        "input_tokens": usage.input_tokens - usage.cache_read - usage.cache_write,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write - hour,
            "ephemeral_1h_input_tokens": hour,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.thinking_tokens},
        "service_tier": "standard",
    }


def _read_texts(body: Body) -> tuple[str, tuple[tuple[str, str], ...], tuple[Mark, ...]]:
    """Return the system text, the turns as role and text, and the prefixes marked for the cache."""
    blocks = [("", *block) for block in _read_blocks(body.get("system") or "", "system")]
    system = "".join(text for _, text, _ in blocks)
    turns: list[tuple[str, str]] = []
    messages = body["messages"]
    if not isinstance(messages, list) or not messages:
        raise _invalid("messages: at least one message is required")
    for place, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in {"user", "assistant"}:
            raise _invalid(f'messages.{place}.role: Input should be "user" or "assistant"')
        found = list(_read_blocks(message.get("content"), f"messages.{place}.content"))
        if not any(text for text, _ in found):
            raise _invalid(f"messages.{place}: text content blocks must be non-empty")
        turns.append((role, "".join(text for text, _ in found)))
        blocks += [(role, *block) for block in found]
    if turns[-1][0] != "user":
        said = "This model does not support assistant message prefill. "
        raise _invalid(said + "The conversation must end with a user message.")
    if body.get("cache_control") and blocks:
        blocks[-1] = (*blocks[-1][:2], body["cache_control"])
    return system, tuple(turns), _read_marks(body["model"], blocks)


def _read_blocks(content: Any, place: str) -> Iterator[tuple[str, Body | None]]:
    """Yield each text with its cache mark, if it has one."""
    if isinstance(content, str):
        yield content, None
        return
    if not isinstance(content, list):
        raise _invalid(f"{place}: Input should be a valid list")
    for number, block in enumerate(content):
        if not isinstance(block, dict) or block.get("type") != "text":
            raise _invalid(f"{place}.{number}.type: the stub reads blocks of type 'text' only")
        if not isinstance(block.get("text"), str):
            raise _invalid(f"{place}.{number}.text: Field required")
        yield block["text"], block.get("cache_control")


def _read_marks(model: str, blocks: list[tuple[str, str, Body | None]]) -> tuple[Mark, ...]:
    if not any(mark for _, _, mark in blocks):
        return ()
    digest, size, marks = hashlib.sha256(model.encode()), 0, []
    for role, text, mark in blocks:
        digest.update(f"\0{role}\0{text}".encode())
        size += count_shared(text)
        if mark:
            if mark.get("type") != "ephemeral" or mark.get("ttl", "5m") not in {"5m", "1h"}:
                raise _invalid("cache_control: Input should be ephemeral, with a ttl of 5m or 1h")
            marks.append(Mark(digest.copy().hexdigest(), size, mark.get("ttl") == "1h"))
    if len(marks) > _MARKS:
        said = f"A maximum of {_MARKS} blocks with cache_control may be provided."
        raise _invalid(f"{said} Found {len(marks)}.")
    return tuple(marks)


def _read_thinking(body: Body, limit: int) -> tuple[bool, bool]:
    """Return whether the model is to think, and whether its thoughts are to be shown."""
    given = body.get("thinking") or {"type": "disabled"}
    kind = given.get("type")
    if kind not in {"enabled", "adaptive", "disabled"}:
        raise _invalid("thinking.type: Input should be 'enabled', 'adaptive' or 'disabled'")
    if kind == "enabled":
        budget = given.get("budget_tokens")
        if not isinstance(budget, int):
            raise _invalid("thinking.enabled.budget_tokens: Field required")
        if budget < 1024:
            said = "Input should be greater than or equal to 1024"
            raise _invalid(f"thinking.enabled.budget_tokens: {said}")
        if limit <= budget:
            raise _invalid("`max_tokens` must be greater than `thinking.budget_tokens`.")
    return kind != "disabled", given.get("display") != "omitted"


def _read_schema(body: Body) -> tuple[Body | None, int]:
    """Return the schema that the answer is to fit, and its tokens."""
    form = (body.get("output_config") or {}).get("format")
    if not form:
        return None, 0
    if form.get("type") != "json_schema":
        raise _invalid("output_config.format.type: Input should be 'json_schema'")
    schema = form.get("schema")
    if not isinstance(schema, dict):
        raise _invalid("output_config.format.schema: Field required")
    size, place = measure_schema(schema)
    if place:
        said = "For 'object' type, 'additionalProperties' must be explicitly set to false"
        raise _invalid(f"output_config.format.{place}: {said}")
    return schema, size


def _invalid(message: str) -> ApiError:
    return ApiError(400, "invalid_request_error", message)
