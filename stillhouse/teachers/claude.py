"""Claude as a teacher, through the ``anthropic`` SDK: Anthropic's own API, Bedrock or Vertex.

The SDK brings the connection: keys, signatures, proxies, private certificates, error classes. Its
aiohttp transport and raw posts are used: building and checking typed parameters and models costs more
time for a call than all the rest (`python -m bench.teachers`).
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, Final

from stillhouse.base.errors import InputError
from stillhouse.base.records import Request, Response
from stillhouse.base.runtime import Runtime
from stillhouse.base.secrets import quote_server
from stillhouse.teachers import http_errors
from stillhouse.teachers.caching import Marker
from stillhouse.teachers.estimate import Estimator, limit_output, read_parameters
from stillhouse.teachers.http_errors import Service
from stillhouse.teachers.money import Bill, find_price, price_usage
from stillhouse.teachers.params import TeachersParams
from stillhouse.teachers.protocol import Failure, Reply, Source, Usage
from stillhouse.teachers.scheduler import Call, Limits, PassingError, run_calls
from stillhouse.teachers.sdk import (
    check_address,
    check_key_text,
    post_json,
    read_shared,
    write_options,
)

_PATH: Final = "/v1/messages"
# Words of a 400 that is about the account, not about the request.
NO_CREDIT: Final = ("credit balance", "specified api usage limits")
_SERVICE: Final = Service(
    "Claude",
    {
        401: "the key is not accepted; set ANTHROPIC_API_KEY to a valid one",
        402: "the account cannot pay; mend its billing",
        403: "the key may not do this; ask for the right, or take another model",
        404: "no such model or address; mend `teacher.model`, or `teachers.ids` and `teachers.anthropic`",
    },
    no_money=NO_CREDIT,
)


class Claude:
    """Asks Claude; ``requests`` go out as single messages, or as batches where that is chosen."""

    name: Final = "anthropic"
    costs: Final = True

    def __init__(self, teachers: TeachersParams, runtime: Runtime) -> None:
        """Take how it is reached; nothing connects before it is asked."""
        self._teachers, self._runtime = teachers, runtime
        self._estimator = Estimator((), teachers)

    def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
        """Yield replies as they come, first those of batches that were submitted before."""
        from stillhouse.teachers.batches import open_batches

        with open_batches(self._teachers, self._runtime, source) as batches:
            if self._runtime.batch:
                yield from batches.ask()
                return
            yield from batches.fetch_ended()
            limits = Limits.of(self._runtime)
            yield from run_calls(self._open, source, limits, self._estimator.count_tokens)
            yield from batches.await_open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Call]:
        import anthropic

        # The other platforms rewrite the body and sign it.
        plain = self._teachers.anthropic.platform == "api"
        marker = Marker() if self._teachers.anthropic.cache else None
        async with connect(self._teachers, self._runtime) as client:

            async def call(request: Request) -> Reply:
                body = write_body(request, self._teachers, marker)
                try:
                    message = await post_json(anthropic, client, _PATH, body, plain=plain)
                except anthropic.APIStatusError as exc:
                    said = exc.api_message or exc.response.text
                    return Reply(
                        explain_status(
                            exc.status_code, said, request.request_id, exc.response.headers
                        )
                    )
                return read_message(message, request, self._teachers)

            yield call


def connect(teachers: TeachersParams, runtime: Runtime) -> Any:
    """Return an open client of the SDK for the platform, which the caller closes.

    Raises:
        InputError: there is no key, no region, or the platform's extra is not installed.
    """
    import anthropic

    access = teachers.anthropic
    shared = write_options(anthropic, runtime) | {"open_telemetry": False}
    if access.base_url is not None:
        shared["base_url"] = access.base_url
    try:
        if access.platform == "bedrock":
            return anthropic.AsyncAnthropicBedrock(aws_region=access.region, **shared)
        if access.platform == "vertex":
            return anthropic.AsyncAnthropicVertex(
                region=access.region or anthropic.NOT_GIVEN,
                project_id=access.project or anthropic.NOT_GIVEN,
                **shared,
            )
        client = anthropic.AsyncAnthropic(**shared)
    except (anthropic.AnthropicError, ValueError, ImportError) as exc:
        raise InputError(
            f"Claude cannot be reached: {quote_server(str(exc))}",
            where="params.yaml: teachers.anthropic",
            remedy="give what is missing; bedrock and vertex need "
            "`pip install 'stillhouse[bedrock]'` or `[vertex]`",
        ) from exc
    check_key(client)
    check_address(client, "params.yaml: teachers.anthropic.base_url, or ANTHROPIC_BASE_URL")
    return client


def write_body(
    request: Request, teachers: TeachersParams, marker: Marker | None = None
) -> dict[str, Any]:
    """Return a request as the Messages API takes it; marks for its cache are no part of its identity."""
    parameters = read_parameters(request)
    body: dict[str, Any] = {
        "model": teachers.name_on_platform(request.model),
        "max_tokens": limit_output(request),
        "messages": [{"role": turn.role, "content": turn.content} for turn in request.messages],
    }
    if request.system:
        body["system"] = request.system
    output: dict[str, Any] = {}
    if request.output_schema:
        output["format"] = {"type": "json_schema", "schema": read_shared(request.output_schema)}
    if effort := parameters.get("effort"):
        output["effort"] = effort
    if output:
        body["output_config"] = output
    match parameters.get("thinking"):
        case "off":
            body["thinking"] = {"type": "disabled"}
        case "adaptive":
            body["thinking"] = {"type": "adaptive", "display": "summarized"}
        case "budget":
            budget = parameters["thinking_tokens"]
            body["thinking"] = {
                "type": "enabled",
                "budget_tokens": budget,
                "display": "summarized",
            }
    if marker is not None:
        marker.mark(body)
    return body


def read_message(
    message: dict[str, Any], asked: Request | Bill, teachers: TeachersParams, *, batch: bool = False
) -> Reply:
    """Return the reply that a message of the API is, thoughts apart from the answer.

    ``asked`` is the request or what is known of it; without a model the server's word counts.

    Raises:
        PassingError: it is no such message.
    """
    try:
        used = message["usage"]
        usage = Usage(
            input_tokens=used["input_tokens"],
            output_tokens=used["output_tokens"],
            cache_read=used.get("cache_read_input_tokens") or 0,
            cache_write=used.get("cache_creation_input_tokens") or 0,
        )
        blocks = message["content"]
        response = Response(
            request_id=asked.request_id,
            text="".join(block["text"] for block in blocks if block["type"] == "text"),
            reasoning="\n\n".join(b["thinking"] for b in blocks if b["type"] == "thinking"),
            stop_reason=str(message["stop_reason"]),
            input_tokens=usage.input_tokens + usage.cache_read + usage.cache_write,
            output_tokens=usage.output_tokens,
            cached_tokens=usage.cache_read,
            model=str(message["model"]),
        )
    except (KeyError, TypeError) as exc:
        raise PassingError(f"the server's answer is no message (lacks {exc})") from exc
    price = find_price(teachers.prices, asked.model or response.model)
    return Reply(response, usage, price_usage(price, usage, batch=batch), batched=batch)


def explain_status(
    status: int, said: str, request_id: str, headers: Mapping[str, str] = MappingProxyType({})
) -> Failure:
    """Return the refusal of a request for good, by the status and the words of a server.

    Raises:
        PassingError: it may pass.
        TeacherError: it concerns every request.
    """
    return http_errors.explain_status(_SERVICE, status, said, request_id, headers)


def check_key(client: Any) -> None:
    """Refuse a client of the SDK that has found no key, or what is none.

    A line end behind a key, as `$(cat file)` on Windows leaves it, is taken away.

    Raises:
        InputError: there is none, or ANTHROPIC_API_KEY holds something else.
    """
    if not (client.api_key or client.auth_token or client.credentials):
        raise InputError(
            "there is no key for Claude",
            where="the environment",
            expected="ANTHROPIC_API_KEY",
            remedy="set it; it is never written anywhere",
        )
    for name, variable in (
        ("api_key", "ANTHROPIC_API_KEY"),
        ("auth_token", "ANTHROPIC_AUTH_TOKEN"),
    ):
        if key := getattr(client, name):
            setattr(client, name, key.strip())
            check_key_text(key.strip(), variable)
