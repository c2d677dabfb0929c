"""Bodies of chat completions: what servers that are called compatible take of them differs.

What a server takes for a model is learnt from its refusals, which cost nothing: a request that it
refuses over a parameter that is no part of the question is sent again without, and so are all after it.
What was asked for in params.yaml (temperature, seed, effort) is never left out: with it refused, the
request is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from stillhouse.base.records import Request
from stillhouse.teachers.estimate import limit_output, read_parameters
from stillhouse.teachers.sdk import read_shared

Form = Literal["json_schema", "json_object", "none"]

_NEW_LIMIT: Final = "max_completion_tokens"
_OLD_LIMIT: Final = "max_tokens"
_OWN_HOSTS: Final = (".openai.com", ".azure.com")
_WEAKER: Final[dict[Form, Form]] = {"json_schema": "json_object", "json_object": "none"}
# A limit that is too high is refused by name, too; to rename it would help nobody.
_UNKNOWN: Final = re.compile(
    r"un(supported|recognized|known|expected)|not support|not permitted|not allowed"
)
_FORM: Final = re.compile(r"response.?format|json.?schema|json.?object|structured.?output|grammar")
_SCHEMA_NAME: Final = "answer"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a server takes for a model. ``limits``: names for an answer's length, to be tried in turn."""

    limits: tuple[str, ...] = (_OLD_LIMIT, _NEW_LIMIT)
    form: Form = "json_schema"
    logprobs: bool = True

    @classmethod
    def guess(cls, host: str, *, logprobs: bool, azure: bool = False) -> "Dialect":
        """Return what to begin with: OpenAI and Azure have dropped ``max_tokens``, others may not know more."""
        own = azure or f".{host}".endswith(_OWN_HOSTS)
        limits = (_NEW_LIMIT, _OLD_LIMIT) if own else (_OLD_LIMIT, _NEW_LIMIT)
        return cls(limits=limits, logprobs=logprobs)

    def learn(self, said: str) -> "tuple[Dialect, str] | None":
        """Return what to try after a refusal, and what the server does not take; None: nothing else."""
        words = said.lower()
        limit = self.limits[0]
        if len(self.limits) > 1 and re.search(rf"\b{limit}\b", words) and _UNKNOWN.search(words):
            return replace(self, limits=self.limits[1:]), limit
        if self.logprobs and "logprobs" in words:
            return replace(self, logprobs=False), "logprobs"
        if self.form != "none" and _FORM.search(words):
            return replace(self, form=_WEAKER[self.form]), f"response_format {self.form}"
        return None


def write_body(request: Request, model: str, dialect: Dialect) -> dict[str, Any]:
    """Return a request as a server of this dialect takes it; ``model`` is what it calls the model."""
    parameters = read_parameters(request)
    system = [{"role": "system", "content": request.system}] if request.system.strip() else []
    turns = [{"role": turn.role, "content": turn.content} for turn in request.messages]
    body: dict[str, Any] = {
        "model": model,
        "messages": system + turns,
        dialect.limits[0]: limit_output(request),
    }
    names = {"temperature": "temperature", "seed": "seed", "effort": "reasoning_effort"}
    body |= {theirs: parameters[ours] for ours, theirs in names.items() if ours in parameters}
    if request.output_schema and dialect.form != "none":
        body["response_format"] = _write_form(request.output_schema, dialect.form)
    if dialect.logprobs:
        # The token that was written is all that counts. llama.cpp gives its probability only among
        # the first so many, and without a number twenty of them.
        body |= {"logprobs": True, "top_logprobs": 1}
    return body


def read_tokens(choice: dict[str, Any]) -> Sequence[tuple[str | bytes, float]]:
    """Return the tokens of an answer with their log-probabilities; nothing where there are none."""
    try:
        entries = choice["logprobs"]["content"]
        return [
            (bytes(entry.get("bytes") or ()) or str(entry["token"]), float(entry["logprob"]))
            for entry in entries
        ]
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()


def _write_form(schema: str, form: Form) -> dict[str, Any]:
    if form == "json_object":
        return {"type": form}
    described = {"name": _SCHEMA_NAME, "strict": True, "schema": read_shared(schema)}
    return {"type": form, form: described}
