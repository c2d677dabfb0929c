"""How teachers are reached and what they cost: ``teachers:`` and ``journal:`` in params.yaml.

No stage lists these sections: no edit here asks anything again. Keys stand in the environment alone.
"""

import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from stillhouse.base.params import PARAMS, Params, load_section

_VARIABLE: Final = re.compile("[A-Za-z_][A-Za-z0-9_]*")


class Price(Params):
    """Dollars per million tokens; ``batch`` is the factor on all of them in a message batch."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cache_read: float | None = Field(default=None, ge=0)
    cache_write: float | None = Field(default=None, ge=0)
    batch: float = Field(default=1.0, gt=0, le=1)


class AnthropicAccess(Params):
    """How Claude is reached."""

    platform: Literal["api", "bedrock", "vertex"] = "api"
    base_url: str | None = None
    region: str | None = None
    project: str | None = None
    cache: bool = True


def _check_variable(key: str | None) -> str | None:
    # The message does not show it: who writes something else here has written the key itself.
    if key is not None and not _VARIABLE.fullmatch(key):
        raise ValueError(
            "what stands there is not the name of an environment variable; "
            "expected a name such as OPENAI_API_KEY, never the key itself"
        )
    return key


# The name of the variable that holds a key; None where the server wants none.
KeyVariable = Annotated[str | None, AfterValidator(_check_variable)]


class OpenaiAccess(Params):
    """How an OpenAI-compatible server is reached; ``key`` is the name of the variable that holds it."""

    base_url: str | None = None
    key: KeyVariable = "OPENAI_API_KEY"
    azure_version: str | None = None
    logprobs: bool = True


class VllmAccess(Params):
    """How the vLLM server is reached that has the teachers of students (``soft.served``)."""

    base_url: str | None = None
    key: KeyVariable = None


class TeachersParams(Params):
    """``teachers:`` in params.yaml. ``ids``: model in requests -> what the platform calls it."""

    anthropic: AnthropicAccess = AnthropicAccess()
    openai: OpenaiAccess = OpenaiAccess()
    vllm: VllmAccess = VllmAccess()
    ids: dict[str, str] = Field(default_factory=dict)
    prices: dict[str, Price] = Field(default_factory=dict)

    def name_on_platform(self, model: str) -> str:
        """Return what the platform calls a model."""
        return self.ids.get(model, model)


class JournalParams(Params):
    """``journal:`` in params.yaml: where answers that were paid for are shared."""

    remote: str | None = None
    upload_seconds: float = Field(default=30, gt=0, le=86_400)


def load_teachers(path: Path = PARAMS) -> TeachersParams:
    """Return the section ``teachers`` of ``params.yaml``."""
    return load_section("teachers", TeachersParams, path)


def load_journal(path: Path = PARAMS) -> JournalParams:
    """Return the section ``journal`` of ``params.yaml``."""
    return load_section("journal", JournalParams, path)
