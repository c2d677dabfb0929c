"""Local Hugging Face models as teachers: the student's own base, and any other that one names.

Both are free, and answer batch by batch as ``local_model`` says.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from stillhouse.base.records import Request, Response
from stillhouse.base.runtime import Runtime, choose_device, use_threads
from stillhouse.teachers.confidence import Token, measure_confidence
from stillhouse.teachers.local_model import Prompt, Weights, Written
from stillhouse.teachers.protocol import Failure, Outcome, Reply, Source, take_all

_TOGETHER: Final = 1024  # requests among which those of one length are put together
_END_OF_THOUGHTS: Final = "</think>"  # of Qwen's, DeepSeek's and others' models
_TORN: Final = "\N{REPLACEMENT CHARACTER}"

_Load: TypeAlias = Callable[[str], Weights]
_Read: TypeAlias = Callable[[Weights, Prompt, Written], Response]


class LocalModel:
    """Answers with the most likely tokens of the model that a request names: the student's base.

    Its weights are float32 on every device, so that an answer is the same in any batch.
    """

    name: Final = "base"
    costs: Final = False

    def __init__(self, open_folder: Callable[[str], Path], runtime: Runtime) -> None:
        """Take how to find a model's folder by its name; nothing is loaded before it is needed."""
        self._open_folder = open_folder
        self._runtime = runtime

    def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
        """Yield a reply for each request, batch by batch, short prompts first."""
        use_threads(self._runtime)
        yield from _answer_all(source, self._load, _read_plain)

    def _load(self, model: str) -> Weights:
        device, batch = choose_device(self._runtime), self._runtime.generation_batch
        return Weights(self._open_folder(model), device, "float32", batch)


class HuggingFace:
    """Answers as the model that a request names, greedily or drawn, with the confidence it had.

    Its weights are float32 on a CPU: an answer is the same in any batch, but for numbers that round
    otherwise on another kind of machine. On a GPU they are bfloat16, at half the memory and several
    times the speed: there an answer may come out otherwise in another batch, and only the journal
    keeps it the same.
    """

    name: Final = "huggingface"
    costs: Final = False

    def __init__(self, open_folder: Callable[[str], Path], runtime: Runtime) -> None:
        """Take how to find a model's folder by its name; nothing is loaded before it is needed."""
        self._open_folder = open_folder
        self._runtime = runtime

    def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
        """Yield a reply for each request, batch by batch, short prompts first."""
        use_threads(self._runtime)
        yield from _answer_all(source, self._load, _read_measured)

    def _load(self, model: str) -> Weights:
        device = choose_device(self._runtime)
        dtype = "bfloat16" if device == "cuda" else "float32"
        return Weights(self._open_folder(model), device, dtype, self._runtime.generation_batch)


def _answer_all(source: Source, load: _Load, read: _Read) -> Iterator[Sequence[Reply]]:
    """Yield all replies, with one model in memory at a time."""
    models: dict[str, Weights] = {}
    for requests in take_all(source, _TOGETHER):
        left = {request.request_id: request for request in requests}
        for name in sorted({request.model for request in requests}):
            if name not in models:
                models.clear()
                models[name] = load(name)
            theirs = [request for request in requests if request.model == name]
            for outcomes in _answer(models[name], theirs, read):
                for outcome in outcomes:
                    del left[outcome.request_id]
                yield [Reply(outcome) for outcome in outcomes]
                if source.stopped:
                    source.put_back(list(left.values()))
                    return


def _answer(
    weights: Weights, requests: Sequence[Request], read: _Read
) -> Iterator[Sequence[Outcome]]:
    prompts = [weights.encode(request) for request in requests]
    if overlong := [prompt for prompt in prompts if not weights.holds(prompt)]:
        yield [_explain_overlong(prompt, weights.window) for prompt in overlong]
    for batch in weights.write([prompt for prompt in prompts if weights.holds(prompt)]):
        yield [
            read(weights, prompt, written) if written else _explain_memory(prompt)
            for prompt, written in batch
        ]


def _explain_overlong(prompt: Prompt, window: int | None) -> Failure:
    error = f"{len(prompt.tokens)} tokens and their answer exceed the window of {window}"
    return Failure(prompt.request.request_id, error, permanent=True)


def _explain_memory(prompt: Prompt) -> Failure:
    error = (
        f"the device's memory does not hold {len(prompt.tokens)} tokens and an answer of up to "
        f"{prompt.max_tokens}: choose a smaller model or `runtime.device: cpu`"
    )
    return Failure(prompt.request.request_id, error, permanent=False)


def _read_plain(weights: Weights, prompt: Prompt, written: Written) -> Response:
    text = weights.tokenizer.decode(written.tokens, skip_special_tokens=True)
    return _respond(prompt, written, "", str(text), ())


def _read_measured(weights: Weights, prompt: Prompt, written: Written) -> Response:
    pieces = _spell(weights, written.tokens)
    thoughts, end, text = "".join(pieces).rpartition(_END_OF_THOUGHTS)
    reasoning = thoughts.strip().removeprefix("<think>").strip() if end else ""
    answer = text.lstrip() if end else text
    tokens: list[Token] = list(zip(pieces, written.logprobs, strict=True))
    confidences = measure_confidence(prompt.request.task, answer, tokens)
    return _respond(prompt, written, reasoning, answer, confidences)


def _respond(
    prompt: Prompt, written: Written, reasoning: str, text: str, confidences: tuple[float, ...]
) -> Response:
    return Response(
        request_id=prompt.request.request_id,
        text=text,
        reasoning=reasoning,
        stop_reason="end_turn" if written.ended else "max_tokens",
        input_tokens=len(prompt.tokens),
        output_tokens=len(written.tokens),
        cached_tokens=0,
        model=prompt.request.model,
        confidences=confidences,
    )


def _spell(weights: Weights, tokens: Sequence[int]) -> list[str]:
    """Return what each token adds to the text; a character is on the token that completes it.

    A token's text may depend on the one before it (a space at the beginning), so each is decoded
    behind the last whole piece, and what that piece says alone is taken off.
    """

    def decode(part: Sequence[int]) -> str:
        tidy = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        return str(weights.tokenizer.decode(part, **tidy))

    pieces: list[str] = []
    start, done = 0, 0  # the last whole piece is tokens[start:done]
    for end in range(1, len(tokens) + 1):
        before, after = decode(tokens[start:done]), decode(tokens[start:end])
        if after.endswith(_TORN) and end < len(tokens):
            pieces.append("")
            continue
        pieces.append(after[len(before) :])
        start, done = done, end
    return pieces
