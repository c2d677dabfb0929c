"""OpenAI's chat completions as a teacher: GPT, Azure, and every server that speaks like them.

vLLM, Ollama, llama.cpp and others are reached by `teachers.openai.base_url`. Only this module knows the
`openai` package, which is an extra.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, Final

from stillhouse.base.errors import InputError
from stillhouse.base.records import Request
from stillhouse.base.runtime import Runtime
from stillhouse.base.secrets import quote_server
from stillhouse.base.stage import log
from stillhouse.teachers.completion import read_completion
from stillhouse.teachers.dialect import Dialect, write_body
from stillhouse.teachers.estimate import Estimator
from stillhouse.teachers.http_errors import Service, explain_status, read_error
from stillhouse.teachers.params import OpenaiAccess, TeachersParams
from stillhouse.teachers.protocol import Reply, Source
from stillhouse.teachers.scheduler import Call, Limits, run_calls
from stillhouse.teachers.sdk import check_address, post_json, read_key, write_options

_PATH: Final = "/chat/completions"
_WHERE: Final = "params.yaml: teachers.openai"
_ADDRESS: Final = f"{_WHERE}.base_url, or OPENAI_BASE_URL"
_NO_KEY: Final = "none"  # what servers are told that want none: the SDK sends something always
_SERVICE: Final = Service(
    "the server",
    {
        401: "the key is not accepted; set the variable that `teachers.openai.key` names to a valid one",
        402: "the account cannot pay; mend its billing",
        403: "the key may not do this; ask for the right, or take another model",
        404: "no such model or address; mend `teacher.model`, or `teachers.ids` and `teachers.openai`",
    },
    no_money=("insufficient_quota", "billing_hard_limit_reached", "billing_not_active"),
    too_large=("request too large",),  # for the tokens per minute: no minute will be enough
)
# May be about one parameter: by OpenAI 400, of logprobs 403, by servers made with FastAPI 422.
_OVER_A_PARAMETER: Final = frozenset({400, 403, 422})


class OpenaiCompatible:
    """Asks a server for chat completions."""

    name: Final = "openai"
    costs: Final = True

    def __init__(self, teachers: TeachersParams, runtime: Runtime) -> None:
        """Take how it is reached; nothing connects before it is asked."""
        self._teachers, self._runtime = teachers, runtime
        self._estimator = Estimator((), teachers)

    def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
        """Yield replies as they come."""
        limits = Limits.of(self._runtime)
        yield from run_calls(self._open, source, limits, self._estimator.count_tokens)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Call]:
        async with connect(self._teachers.openai, self._runtime) as client:
            yield _Chat(client, self._teachers).ask


def connect(access: OpenaiAccess, runtime: Runtime) -> Any:
    """Return an open client of the SDK, which the caller closes.

    Raises:
        InputError: there is no key, no address, or the extra is not installed.
    """
    try:
        import openai
    except ImportError as exc:
        raise InputError(
            "an OpenAI-compatible server cannot be asked: the package `openai` is not installed",
            remedy="pip install 'stillhouse[openai]'",
        ) from exc
    key = read_key(access.key, "teachers.openai.key")
    shared = write_options(openai, runtime)
    client: Any
    try:
        if access.azure_version is not None:
            # With no key named, the SDK looks for AZURE_OPENAI_AD_TOKEN.
            azure: Any = openai.AsyncAzureOpenAI  # whose types demand an address in one of two ways
            address = {} if access.base_url is None else {"azure_endpoint": access.base_url}
            client = azure(api_key=key, api_version=access.azure_version, **address, **shared)
        else:
            client = openai.AsyncOpenAI(api_key=key or _NO_KEY, base_url=access.base_url, **shared)
    except (openai.OpenAIError, ValueError, TypeError) as exc:
        raise InputError(
            f"the server cannot be reached: {quote_server(str(exc))}",
            where=_WHERE,
            remedy="give what is missing",
        ) from exc
    check_address(client, _ADDRESS)
    return client


class _Chat:
    """A server, and what was learnt of it: a dialect for each model."""

    def __init__(self, client: Any, teachers: TeachersParams) -> None:
        self._client, self._teachers = client, teachers
        self._dialects: dict[str, Dialect] = {}
        access = teachers.openai
        azure = access.azure_version is not None
        self._first = Dialect.guess(client.base_url.host, logprobs=access.logprobs, azure=azure)
        self._plain = (
            not azure
        )  # whose SDK client reads the model off the body, to write its address

    async def ask(self, request: Request) -> Reply:
        """Return what came of a request, in a dialect that the server takes if it takes any."""
        import openai

        model = self._teachers.name_on_platform(request.model)
        while True:
            dialect = self._dialects.get(model, self._first)
            body = write_body(request, model, dialect)
            try:
                message = await post_json(openai, self._client, _PATH, body, plain=self._plain)
            except openai.APIStatusError as exc:
                status, said = exc.status_code, read_error(exc.body or exc.response.text)
                if status in _OVER_A_PARAMETER and self._learn(model, dialect, said):
                    continue
                headers = exc.response.headers
                return Reply(explain_status(_SERVICE, status, said, request.request_id, headers))
            if "choices" not in message and message.get("error"):
                return _explain_error(message["error"], request)
            return read_completion(message, request, self._teachers)

    def _learn(self, model: str, used: Dialect, said: str) -> bool:
        """Say whether to ask again; of many requests at once, the first to be refused teaches all."""
        if used != self._dialects.get(model, self._first):
            return True
        learnt = used.learn(said)
        if learnt is None:
            return False
        self._dialects[model], refused = learnt
        log.warning("%s takes no %s; asking without (%s)", model, refused, quote_server(said))
        return True


def _explain_error(error: object, request: Request) -> Reply:
    """Return the failure that a gateway wraps in a success (HTTP 200)."""
    code = error.get("code") if isinstance(error, Mapping) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    said = read_error(error)
    return Reply(explain_status(_SERVICE, status, said, request.request_id, MappingProxyType({})))
