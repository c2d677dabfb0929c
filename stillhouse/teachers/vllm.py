"""A vLLM server that has a student's teacher: what it says of itself, of text, and of given tokens."""

import json
import logging
import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2

from stillhouse.base.errors import InputError, StillhouseError, TeacherError, suggest
from stillhouse.base.runtime import Runtime
from stillhouse.base.secrets import quote_server
from stillhouse.teachers.http_errors import Service, explain_status, read_error
from stillhouse.teachers.params import VllmAccess
from stillhouse.teachers.scheduler import PassingError
from stillhouse.teachers.sdk import check_address, explain_connection, read_key

_WHERE: Final = "params.yaml: teachers.vllm.base_url"
_TEACHER: Final = "students.<name>.soft.teacher"
_MOVED: Final = "mend `teachers.vllm.base_url`: the server is elsewhere"
_SERVICE: Final = Service(
    "the vLLM server",
    {
        301: _MOVED,
        302: _MOVED,
        307: _MOVED,
        308: _MOVED,
        401: "set the variable that `teachers.vllm.key` names to the server's key (`--api-key`)",
        403: "the key may not do this; ask for the right",
        404: "no such model or address; mend `soft.teacher` or `teachers.vllm.base_url`",
    },
)
_NOT_THERE: Final = frozenset({404, 405, 501})
# What vLLM says where `--max-logprobs` is less than is asked for, in newer and in older versions.
_TOO_MANY: Final = re.compile(r"max allowed: (\d+)|Cannot request more than (\d+)")
_TOO_LONG: Final = re.compile(r"maximum (?:context|model) length", re.IGNORECASE)
# All that a model's generation_config.json may set: some versions apply it to the prompt, too.
_PLAIN: Final = {
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
}


class _RefusedError(Exception):
    """A server's refusal, before it is known what it means."""

    def __init__(self, status: int, said: str, headers: Mapping[str, str]) -> None:
        super().__init__(said)
        self.status, self.said, self.headers = status, said, headers


@asynccontextmanager
async def connect(access: VllmAccess, model: str, runtime: Runtime) -> AsyncIterator["VllmServer"]:
    """Open a server; nothing is sent yet.

    Raises:
        InputError: there is no address, or the key is missing.
    """
    if access.base_url is None:
        raise InputError(
            f"there is no address of the server that has the teacher {model}",
            where=_WHERE,
            expected="http://host:port/v1",
        )
    key = read_key(access.key, "teachers.vllm.key")
    for chatty in ("httpx2", "httpcore2"):  # their lines would hide the progress bar
        logging.getLogger(chatty).setLevel(logging.WARNING)
    root = access.base_url.rstrip("/").removesuffix("/v1")
    try:
        client = httpx2.AsyncClient(
            base_url=f"{root}/",
            headers={} if key is None else {"Authorization": f"Bearer {key}"},
            timeout=runtime.timeout_seconds,
            limits=httpx2.Limits(max_connections=None),  # how many are in flight is said elsewhere
        )
    except (httpx2.InvalidURL, ValueError, TypeError) as exc:
        said = quote_server(str(exc))
        raise InputError(f"the server cannot be reached: {said}", where=_WHERE) from exc
    async with client:
        check_address(client, _WHERE)
        yield VllmServer(client, model)


class VllmServer:
    """Calls of one server about one model. What may pass is a ``PassingError`` of each."""

    def __init__(self, client: httpx2.AsyncClient, model: str) -> None:
        self._client, self._model = client, model

    async def read_limit(self) -> int | None:
        """Return how many tokens a request may have, its answer included; None: it does not say.

        Raises:
            InputError: the server has no such model.
        """
        try:
            told = await self._call("v1/models")
        except _RefusedError as exc:
            if exc.status in _NOT_THERE:
                return None
            raise _explain(exc, 0) from exc
        try:
            limits = {str(one["id"]): one.get("max_model_len") for one in told["data"]}
        except (KeyError, TypeError, AttributeError):
            return None
        if self._model not in limits:
            raise InputError(
                f"the server has no model `{self._model}`",
                where=_TEACHER,
                expected=f"one of {', '.join(sorted(limits)) or 'none'}",
                remedy=suggest(self._model, limits),
            )
        limit = limits[self._model]
        return limit if isinstance(limit, int) else None

    async def encode(self, text: str) -> list[int] | None:
        """Return a text's tokens, none added; None where the server does not say."""
        return await self._encode({"prompt": text}, _NOT_THERE)

    async def encode_question(self, question: str) -> list[int] | None:
        """Return the tokens of a question in the server's chat template, up to where the answer begins.

        None where the model has no such template, or the server does not say.
        """
        turns = [{"role": "user", "content": question}]
        asked = {"messages": turns, "add_generation_prompt": True}
        return await self._encode(asked, _NOT_THERE | {400, 422})

    async def _encode(self, asked: Mapping[str, Any], none: Collection[int]) -> list[int] | None:
        body = {"model": self._model, "add_special_tokens": False, **asked}
        try:
            told = await self._call("tokenize", body)
        except _RefusedError as exc:
            if exc.status in none:
                return None
            raise _explain(exc, 0) from exc
        tokens = told.get("tokens") if isinstance(told, dict) else None
        return tokens if isinstance(tokens, list) else None

    async def score(self, tokens: Sequence[int], top_k: int) -> object:
        """Return the answer to a completion of one token behind ``tokens``, with their log-probabilities.

        One token, since vLLM refuses to write none (its issue 9336).

        Raises:
            PassingError: it may pass.
            InputError: the server gives fewer log-probabilities, or reads fewer tokens.
            TeacherError: it refuses for good.
        """
        body = {
            "model": self._model,
            "prompt": list(tokens),
            "max_tokens": 1,
            "prompt_logprobs": top_k,
            **_PLAIN,
        }
        try:
            return await self._call("v1/completions", body)
        except _RefusedError as exc:
            raise _explain(exc, top_k) from exc

    async def _call(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        try:
            if body is None:
                answer = await self._client.get(path)
            else:
                answer = await self._client.post(path, json=body)
        except httpx2.HTTPError as exc:
            raise explain_connection(self._client, exc) from exc
        if answer.status_code != 200:
            raise _RefusedError(answer.status_code, _read_words(answer), answer.headers)
        try:
            return answer.json()
        except ValueError as exc:
            raise PassingError(f"half an answer came ({quote_server(str(exc))})") from exc


def _read_words(answer: httpx2.Response) -> str:
    """Return the words of a refusal: newer versions of vLLM put them under ``error``, older ones do not."""
    try:
        told = json.loads(answer.content)
    except ValueError:
        return answer.text
    return read_error(told.get("error") or told) if isinstance(told, dict) else str(told)


def _explain(refused: _RefusedError, top_k: int) -> StillhouseError:
    """Return what a refusal for good means.

    Raises:
        PassingError: it may pass.
        TeacherError: it concerns every request.
    """
    many = _TOO_MANY.search(refused.said)
    if refused.status == 400 and many:
        most = many[1] or many[2]
        return InputError(
            f"the server gives at most {most} log-probabilities of a token",
            where="students.<name>.soft.top_k",
            expected=f"at most {most}, and it is {top_k}",
            remedy=f"begin the server with `--max-logprobs {top_k}`, or lower `soft.top_k`",
        )
    if refused.status == 400 and _TOO_LONG.search(refused.said):
        return InputError(
            f"the server reads no row so long ({quote_server(refused.said)})",
            where=_TEACHER,
            remedy="begin it with a longer `--max-model-len`, or lower `ingest.max_tokens`",
        )
    failure = explain_status(_SERVICE, refused.status, refused.said, "", refused.headers)
    return TeacherError(
        f"the vLLM server refuses it ({failure.error})",
        where=_WHERE,
        remedy="see that it is vLLM, and that it serves a model that completes text",
    )
