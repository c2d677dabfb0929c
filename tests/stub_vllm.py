"""A stub of a vLLM server: a tiny model's own log-probabilities in vLLM's words, with limits and faults.

It computes each entry from the tokens before it by itself, with no code of the project: what is captured
from it can be compared with what the project captures from the same model at hand. Its forms are those of
vLLM's source: it was never compared with a real server.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from aiohttp import web
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.teacher_servers import run_in_thread

Json = dict[str, Any]


@dataclass
class StubVllm:
    """What the server is, what goes wrong with it, and what it was asked.

    ``faults`` are what becomes of the next completions, one each: a status, or ``cut`` (half an answer)
    or ``drop`` (none). ``spoil`` changes answers. ``prompts`` are those that were answered whole. Behind
    the first completion none is answered before ``together`` of them have been in flight at once.
    """

    folder: Path
    model: str = "big"
    key: str = ""
    max_logprobs: int = 20
    max_model_len: int | None = 512
    lacks: tuple[str, ...] = ()
    old_errors: bool = False
    faults: deque[int | str] = field(default_factory=deque)
    spoil: Callable[[Json], object] = lambda answer: answer
    latency: float = 0.0
    together: int = 1
    tokenizer: Path | None = None
    template: str = ""
    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    bodies: list[Json] = field(default_factory=list)
    prompts: list[tuple[int, ...]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    def __post_init__(self) -> None:
        self._model = AutoModelForCausalLM.from_pretrained(self.folder, dtype=torch.float32)
        self._tokenizer = AutoTokenizer.from_pretrained(self.tokenizer or self.folder)
        self._enough = asyncio.Event()
        if self.template:
            self._tokenizer.chat_template = self.template

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.asked[path] += 1
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            said = f"no key like {request.headers.get('Authorization')}"
            return web.json_response({"error": said}, status=401)
        if path in self.lacks:
            return web.json_response({"detail": "Not Found"}, status=404)
        if path == "/v1/models":
            card = {"id": self.model, "object": "model", "max_model_len": self.max_model_len}
            return web.json_response({"object": "list", "data": [card]})
        body = await request.json()
        if path == "/tokenize":
            return web.json_response(self._tokenize(body))
        if path == "/v1/completions":
            return await self._complete(request, body)
        return web.json_response({"detail": "Not Found"}, status=404)

    def _tokenize(self, body: Json) -> Json:
        text = body.get("prompt")
        if text is None:
            text = self._tokenizer.apply_chat_template(
                body["messages"], add_generation_prompt=True, tokenize=False
            )
        tokens = self._tokenizer(text, add_special_tokens=body["add_special_tokens"])["input_ids"]
        return {"count": len(tokens), "max_model_len": self.max_model_len, "tokens": tokens}

    async def _complete(self, request: web.Request, body: Json) -> web.StreamResponse:
        self.bodies.append(body)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency)
            if self.most_in_flight >= self.together:
                self._enough.set()
            if len(self.bodies) > 1:
                await self._enough.wait()
            fault = self.faults.popleft() if self.faults else 0
            if isinstance(fault, int) and fault:
                headers = {"retry-after": "0.01"} if fault in {429, 503} else {}
                return web.json_response(
                    self._say("it is too much", fault), status=fault, headers=headers
                )
            if (refused := self._refuse(body)) is not None:
                return web.json_response(self._say(refused, 400), status=400)
            answer = web.json_response(self.spoil(self._score(body)))
            if fault:
                return await _cut(request, answer, begin=fault == "cut")
            self.prompts.append(tuple(body["prompt"]))
            return answer
        finally:
            self.in_flight -= 1

    def _refuse(self, body: Json) -> str | None:
        if body["max_tokens"] < 1:
            return f"max_tokens must be at least 1, got {body['max_tokens']}."
        k = body["prompt_logprobs"]
        if k > self.max_logprobs:
            return f"Requested prompt logprobs of {k}, which is greater than max allowed: {self.max_logprobs}"
        limit = self.max_model_len
        if limit is not None and len(body["prompt"]) + body["max_tokens"] > limit:
            return f"This model's maximum context length is {limit} tokens."
        return None

    def _say(self, message: str, status: int) -> Json:
        error = {"message": message, "type": "BadRequestError", "param": None, "code": status}
        return {"object": "error", **error} if self.old_errors else {"error": error}

    @torch.inference_mode()
    def _score(self, body: Json) -> Json:
        """Token t's entry: the k likeliest behind the tokens before it, and it itself."""
        tokens, k = body["prompt"], body["prompt_logprobs"]
        entries: list[Json | None] = [None]
        for place in range(1, len(tokens)):
            scores = self._model(torch.tensor([tokens[:place]])).logits[0, -1]
            log_p = scores.log_softmax(-1)
            order = log_p.argsort(descending=True).tolist()
            shown = [*order[:k], *({tokens[place]} - set(order[:k]))]
            entries.append(
                {
                    str(token): {
                        "logprob": float(log_p[token]),
                        "rank": order.index(token) + 1,
                        "decoded_token": self._tokenizer.decode([token]),
                    }
                    for token in shown
                }
            )
        choice = {"index": 0, "text": "x", "finish_reason": "length", "prompt_logprobs": entries}
        return {
            "id": "cmpl-1",
            "object": "text_completion",
            "model": body["model"],
            "choices": [choice],
        }


async def _cut(request: web.Request, answer: web.Response, *, begin: bool) -> web.StreamResponse:
    """Close the connection, where it is wanted behind half of the answer."""
    body = bytes(answer.body)  # type: ignore[arg-type]
    half = web.StreamResponse(headers={"content-length": str(len(body))})
    if begin:
        await half.prepare(request)
        await half.write(body[: len(body) // 2])
    assert request.transport is not None
    request.transport.close()
    return half


@contextmanager
def serve_vllm(stub: StubVllm) -> Iterator[StubVllm]:
    """Run the server on loopback; ``stub.url`` is its address."""

    @asynccontextmanager
    async def run() -> AsyncIterator[int]:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", stub.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()

    with run_in_thread(run) as port:
        stub.url = f"http://127.0.0.1:{port}/v1"
        yield stub
