"""A local Hugging Face model as a teacher: the student's own base, greedy, free.

Prompts of one padded length are answered together. With weights in float32 the words then do not
hang on who else is in the batch: 32 SmolLM2 prompts gave the same tokens alone, by eights, all
together, in another order and with other padding; so did 36 of the bundled questions by sevens and
by sixty-fours. In bfloat16 17 of those 32 came out otherwise, so the weights are always float32 here.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from stillhouse.base.records import Request, Response
from stillhouse.base.runtime import Runtime, choose_device, use_threads
from stillhouse.teachers.protocol import Failure, Reply, Source, take_all

# A prompt's padded length comes from its own length alone, so that a neighbour never changes it.
_STEP: Final = 16
_TOGETHER: Final = 1024  # requests among which those of one length are put together


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A request as tokens."""

    request: Request
    tokens: tuple[int, ...]
    max_tokens: int

    @property
    def width(self) -> int:
        return -(-len(self.tokens) // _STEP) * _STEP

    @property
    def shape(self) -> tuple[int, int]:
        return self.width, self.max_tokens


class LocalModel:
    """Answers with the most likely tokens of the model that a request names."""

    name: Final = "base"
    costs: Final = False

    def __init__(self, open_folder: Callable[[str], Path], runtime: Runtime) -> None:
        """Take how to find a model's folder by its name; nothing is loaded before it is needed."""
        self._open_folder = open_folder
        self._runtime = runtime

    def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
        """Yield a reply for each request, batch by batch, short prompts first."""
        use_threads(self._runtime)
        models: dict[str, _Loaded] = {}
        for requests in take_all(source, _TOGETHER):
            for name in sorted({request.model for request in requests}):
                if name not in models:
                    models.clear()
                    models[name] = _Loaded(self._open_folder(name), self._runtime)
                theirs = [request for request in requests if request.model == name]
                yield from ([Reply(one)] for one in models[name].answer(theirs))


class _Loaded:
    """A model and its tokenizer, ready to answer."""

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self._batch = runtime.generation_batch
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self._model: Any = model.to(choose_device(runtime)).eval()
        ends = model.generation_config.eos_token_id
        ends = self._tokenizer.eos_token_id if ends is None else ends
        self._ends: list[int] = ends if isinstance(ends, list) else [ends]

    def answer(self, requests: Sequence[Request]) -> Iterator[Response | Failure]:
        prompts = [self._encode(request) for request in requests]
        window = self._model.config.max_position_embeddings
        fitting = [p for p in prompts if p.width + p.max_tokens <= window]
        for prompt in prompts:
            if prompt.width + prompt.max_tokens > window:
                error = (
                    f"{len(prompt.tokens)} tokens and their answer exceed the window of {window}"
                )
                yield Failure(prompt.request.request_id, error, permanent=True)
        fitting.sort(key=lambda prompt: (prompt.shape, prompt.request.request_id))
        for _, group in groupby(fitting, key=lambda prompt: prompt.shape):
            alike = list(group)
            for start in range(0, len(alike), self._batch):
                yield from self._answer_batch(alike[start : start + self._batch])

    def _encode(self, request: Request) -> _Prompt:
        system = [{"role": "system", "content": request.system}] if request.system.strip() else []
        turns = [{"role": turn.role, "content": turn.content} for turn in request.messages]
        text = self._tokenizer.apply_chat_template(
            system + turns, add_generation_prompt=True, tokenize=False
        )
        tokens = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return _Prompt(request, tuple(tokens), int(json.loads(request.parameters)["max_tokens"]))

    def _answer_batch(self, prompts: Sequence[_Prompt]) -> Iterator[Response]:
        for prompt, tokens in zip(prompts, self._generate(prompts), strict=True):
            ended = next((i for i, token in enumerate(tokens) if token in self._ends), None)
            yield Response(
                request_id=prompt.request.request_id,
                text=str(self._tokenizer.decode(tokens[:ended], skip_special_tokens=True)),
                reasoning="",
                stop_reason="max_tokens" if ended is None else "end_turn",
                input_tokens=len(prompt.tokens),
                output_tokens=len(tokens[:ended]),
                cached_tokens=0,
                model=prompt.request.model,
            )

    def _generate(self, prompts: Sequence[_Prompt]) -> list[list[int]]:
        """Return the new tokens of each prompt, padded at the end where it stopped early."""
        import torch
        from transformers import GenerationConfig

        width, max_tokens = prompts[0].shape
        pad = self._ends[0]
        rows = [[pad] * (width - len(p.tokens)) + list(p.tokens) for p in prompts]
        seen = [[0] * (width - len(p.tokens)) + [1] * len(p.tokens) for p in prompts]
        device = self._model.device
        # A configuration of its own: the model's may ask for sampling or a repetition penalty.
        greedy: Any = GenerationConfig
        with torch.inference_mode():
            out = self._model.generate(
                input_ids=torch.tensor(rows, device=device),
                attention_mask=torch.tensor(seen, device=device),
                generation_config=greedy(
                    do_sample=False,
                    max_new_tokens=max_tokens,
                    pad_token_id=pad,
                    eos_token_id=self._ends,
                ),
            )
        return [row[width:] for row in out.tolist()]
