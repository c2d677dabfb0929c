"""The server: where a path leads, and what stands between a call and its answer."""

import asyncio
import os
from types import ModuleType
from typing import Any, Final

import orjson
from aiohttp import web
from aiohttp.web_request import BaseRequest

from tests.stub_teacher import anthropic_api, faults, openai_api
from tests.stub_teacher.answers import compose
from tests.stub_teacher.batches import Batches, read_items
from tests.stub_teacher.calls import (
    ApiError,
    Body,
    Call,
    ForeverError,
    Options,
    Usage,
    draw,
    load_body,
    name_question,
)
from tests.stub_teacher.ledger import Ledger
from tests.stub_teacher.limits import Limits
from tests.stub_teacher.prefixes import Prefixes

DIED: Final = 70
_MOST_BYTES: Final = 256 * 2**20
_BATCHES: Final = "/v1/messages/batches"


class Stub:
    """One teacher. ``handle`` answers each HTTP request."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._ledger = Ledger(options.prices, options.log, options.resume)
        self._limits = Limits(options)
        self._prefixes = Prefixes(options.cache_seconds)
        self._free = asyncio.Event()
        self._set_plan(faults.read_plan(dict(options.plan)))
        self._batches = Batches(
            options, self._ledger, self._prefixes, lambda: (self._plan, self._doomed)
        )
        self._count = self._ledger.calls

    async def handle(self, request: BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        method, path = request.method, request.path
        if method == "POST" and path == "/v1/messages":
            return await self._take_call(request, anthropic_api)
        if method == "POST" and path.endswith("/chat/completions"):
            return await self._take_call(request, openai_api)
        if path.startswith("/stub/"):
            return await self._tell(request, method, path)
        asks_anthropic = path.startswith("/v1/messages") or "anthropic-version" in request.headers
        api = anthropic_api if asks_anthropic else openai_api
        if method == "POST" and path == _BATCHES:
            return await self._take_batch(request)
        return await self._look_up(request, api, method, path)

    async def _take_call(self, request: BaseRequest, api: ModuleType) -> web.StreamResponse:
        self._arrive()
        fingerprint, attempt, request_id = "", 0, self._next_id()
        try:
            raw = await request.read()
            self._ledger.key_lengths.add(len(api.find_key(request.headers)))
            api.check_key(request.headers, self._options)
            call: Call = api.read_call(raw, self._options)
            fingerprint = call.fingerprint
            self._limits.admit(self._ledger.in_flight, call.input_tokens)
            attempt = self._ledger.begin_attempt(fingerprint)
            body, fault = await self._answer(call, api, attempt, request_id)
            if fault == "cut":
                return await self._cut_off(request, api, body, request_id)
            return self._respond(api, 200, body, request_id)
        except ApiError as error:
            self._ledger.record(
                api.NAME,
                fingerprint,
                str(api.status_of(error)),
                attempt,
                forever=isinstance(error, ForeverError),
            )
            return self._refuse(api, error, request_id)
        finally:
            self._ledger.leave()

    async def _answer(
        self, call: Call, api: ModuleType, attempt: int, request_id: str
    ) -> tuple[bytes, str]:
        """Return the body of a call's answer, charged, and the fault that it met or an empty text."""
        answered = call.fingerprint in self._ledger.answers
        if self._doomed.holds(call.fingerprint, (call.system, call.user), answered):
            raise ForeverError
        cached = self._prefixes.look_up(call)
        fault = await self._stand(call.fingerprint, attempt, faults.DIRECT_CALL)
        answer = compose(call, self._options.answer_tokens, fault)
        # OpenAI takes nothing for what goes into its cache.
        written = cached.write if api is anthropic_api else 0
        usage = Usage(
            call.input_tokens,
            answer.text_tokens + answer.thinking_tokens,
            answer.thinking_tokens,
            cached.read,
            written,
            cached.hour,
        )
        self._prefixes.keep(call.marks)
        body = orjson.dumps(api.render_answer(call, answer, usage, request_id))
        status = "cut" if fault == "cut" else "200"
        self._ledger.record(api.NAME, call.fingerprint, status, attempt, usage)
        return body, fault

    async def _stand(self, fingerprint: str, attempt: int, kinds: tuple[str, ...]) -> str:
        """Wait as long as an answer takes, or fail by the plan; return a fault of the answer's.

        Raises:
            ApiError: 429 and 529 at once, 500 after the wait.
        """
        plan, options = self._plan, self._options
        fault = plan.find_fault(fingerprint, attempt, kinds)
        if fault == "429":
            message = "This request would exceed your rate limit."
            raise ApiError(
                429, "rate_limit_error", message, "rate_limit_exceeded", plan.retry_after
            )
        if fault == "529":
            raise ApiError(529, "overloaded_error", "Overloaded", retry_after=plan.retry_after)
        wait = options.latency + (plan.slow_seconds if fault == "slow" else 0.0)
        if options.jitter:
            wait += options.jitter * draw("jitter", fingerprint, attempt)
        if wait:
            await asyncio.sleep(wait)
        await self._free.wait()
        if fault == "500":
            raise ApiError(500, "api_error", "Internal server error")
        return fault

    async def _take_batch(self, request: BaseRequest) -> web.StreamResponse:
        self._arrive()
        fingerprint, attempt, request_id = "", 0, self._next_id()
        api = anthropic_api
        try:
            raw = await request.read()
            self._ledger.key_lengths.add(len(api.find_key(request.headers)))
            api.check_key(request.headers, self._options)
            items = read_items(load_body(raw))
            fingerprint = name_question({"batch": [item["params"] for item in items]})
            self._limits.admit(self._ledger.in_flight, 0)
            attempt = self._ledger.begin_attempt(fingerprint)
            fault = await self._stand(fingerprint, attempt, faults.BATCH_SUBMISSION)
            batch_id = self._batches.submit(items)
            body = orjson.dumps(self._batches.describe(batch_id, request.host))
            self._ledger.record("batches", fingerprint, "cut" if fault == "cut" else "200", attempt)
            if fault == "cut":
                return await self._cut_off(request, api, body, request_id)
            return self._respond(api, 200, body, request_id)
        except ApiError as error:
            self._ledger.record("batches", fingerprint, str(error.status), attempt)
            return self._refuse(api, error, request_id)
        finally:
            self._ledger.leave()

    async def _look_up(
        self, request: BaseRequest, api: ModuleType, method: str, path: str
    ) -> web.StreamResponse:
        """Answer what asks no model: batches, models, token counts."""
        request_id = self._next_id()
        try:
            raw = await request.read()
            api.check_key(request.headers, self._options)
            found = self._find(request, method, path, raw)
        except ApiError as error:
            return self._refuse(api, error, request_id)
        body = found.encode() if isinstance(found, str) else orjson.dumps(found)
        return self._respond(api, 200, body, request_id)

    def _find(self, request: BaseRequest, method: str, path: str, raw: bytes) -> Body | str:
        if (method, path) == ("POST", "/v1/messages/count_tokens"):
            body = {"max_tokens": 1, **load_body(raw)}
            return {"input_tokens": anthropic_api.read_params(body, self._options).input_tokens}
        if path.startswith(_BATCHES):
            return self._find_batch(request, method, path.removeprefix(_BATCHES))
        if (method, path) == ("GET", "/v1/models"):
            return _list_models(self._options)
        raise ApiError(404, "not_found_error", f"Not Found: {method} {path}")

    def _find_batch(self, request: BaseRequest, method: str, rest: str) -> Body | str:
        match method, *rest.strip("/").split("/"):
            case "GET", "":
                return self._batches.describe_page(request.query, request.host)
            case "GET", batch_id:
                return self._batches.describe(batch_id, request.host)
            case "GET", batch_id, "results":
                return self._batches.read_results(batch_id)
            case "POST", batch_id, "cancel":
                self._batches.cancel(batch_id)
                return self._batches.describe(batch_id, request.host)
            case "DELETE", batch_id:
                return self._batches.delete(batch_id)
            case _:
                raise ApiError(404, "not_found_error", f"Not Found: {method} {_BATCHES}{rest}")

    async def _tell(self, request: BaseRequest, method: str, path: str) -> web.Response:
        """Answer a test: the counters, the calls of a fingerprint, the plan."""
        if (method, path) == ("GET", "/stub/state"):
            return _json(self._ledger.describe())
        if (method, path) == ("GET", "/stub/calls"):
            fingerprint = request.query.get("fingerprint", "")
            return _json(
                {
                    "fingerprint": fingerprint,
                    "attempts": self._ledger.attempts.get(fingerprint, 0),
                    "answers": self._ledger.answers.get(fingerprint, 0),
                }
            )
        if path != "/stub/plan":
            return _json({"error": f"no such path: {path}"}, 404)
        if method == "POST":
            try:
                self._set_plan(faults.read_plan(orjson.loads(await request.read())))
            except (ValueError, TypeError) as exc:
                return _json({"error": str(exc)}, 400)
        return _json(self._plan.to_json())

    def _set_plan(self, plan: faults.Plan) -> None:
        self._plan = plan
        if plan.hold:
            self._free.clear()
        else:
            self._free.set()
        # What a plan doomed by number is doomed no longer under the next one; a log's count stays.
        self._doomed = faults.Doomed(plan, set(self._ledger.doomed))
        self._calls_of_plan = 0

    def _arrive(self) -> None:
        if self._plan.die_after is not None and self._calls_of_plan >= self._plan.die_after:
            os._exit(DIED)
        self._calls_of_plan += 1
        self._ledger.arrive()

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._count:024d}"

    def _respond(
        self, api: ModuleType, status: int, body: bytes, request_id: str, **more: str
    ) -> web.Response:
        headers = api.write_headers(request_id, *self._limits.describe())
        headers["content-type"] = "application/json"
        return web.Response(status=status, body=body, headers=headers | more)

    def _refuse(self, api: ModuleType, error: ApiError, request_id: str) -> web.Response:
        body = orjson.dumps(api.render_error(error, request_id))
        more = {} if error.retry_after is None else {"retry-after": f"{error.retry_after:g}"}
        return self._respond(api, api.status_of(error), body, request_id, **more)

    async def _cut_off(
        self, request: BaseRequest, api: ModuleType, body: bytes, request_id: str
    ) -> web.StreamResponse:
        headers = api.write_headers(request_id, *self._limits.describe())
        headers |= {"content-type": "application/json", "content-length": str(len(body))}
        response = web.StreamResponse(status=200, headers=headers)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        if request.transport is not None:
            request.transport.close()
        return response


async def serve(options: Options) -> None:
    """Listen on loopback and say so on stdout, until the process is ended."""
    stub, loop = Stub(options), asyncio.get_running_loop()
    server = web.Server(stub.handle, request_factory=_make_request, access_log=None)
    listener = await loop.create_server(server, "127.0.0.1", options.port, backlog=2048)
    if options.die_with_stdin:
        loop.add_reader(0, lambda: os.read(0, 1) or os._exit(0))
    port = listener.sockets[0].getsockname()[1]
    print(f"listening on http://127.0.0.1:{port}", flush=True)
    await listener.serve_forever()


def _make_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> BaseRequest:
    """Return a request whose body may be a whole batch: aiohttp's own limit is a megabyte."""
    loop = asyncio.get_running_loop()
    return BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_MOST_BYTES)


def _list_models(options: Options) -> Body:
    names = options.models or ("stub",)
    data = [
        {
            "id": name,
            "type": "model",
            "object": "model",
            "display_name": name,
            "created_at": "2026-01-01T00:00:00Z",
            "created": 1_767_225_600,
            "owned_by": "stub",
        }
        for name in names
    ]
    ends = {"has_more": False, "first_id": names[0], "last_id": names[-1]}
    return {"object": "list", "data": data, **ends}


def _json(value: Body, status: int = 200) -> web.Response:
    headers = {"content-type": "application/json"}
    return web.Response(status=status, body=orjson.dumps(value), headers=headers)
