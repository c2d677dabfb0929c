"""Who answers the prompts: ``teacher:`` in params.yaml, one teacher or several."""

import hashlib
import math
from collections.abc import Iterator
from typing import Final, Literal

from pydantic import Field, model_validator

from stillhouse.base import versions
from stillhouse.base.ids import Json
from stillhouse.base.model_name import refuse_student
from stillhouse.base.params import Params
from stillhouse.base.records import join_slot

Provider = Literal["offline", "anthropic", "openai", "huggingface"]
Effort = Literal["minimal", "low", "medium", "high", "xhigh", "max"]

MAIN: Final = "main"  # in a prompt's front matter: whoever `teacher:` names
BASE: Final = "base"  # in a prompt's front matter: the student's own base
_CLAUDE: Final = "claude-sonnet-5-5"
_LEAST_THINKING: Final = 1024  # what the Messages API takes as a budget


class Member(Params):
    """One teacher. All but ``share`` reaches it, and so is part of what a request is."""

    provider: Provider = "offline"
    model: str | None = Field(default=None, min_length=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    seed: int | None = Field(default=None, ge=0)
    thinking: Literal["default", "off", "adaptive", "budget"] = "default"
    thinking_tokens: int = Field(default=0, ge=0)
    effort: Effort | None = None
    share: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _takes_what_it_is_given(self) -> "Member":
        given = self.model_fields_set
        if self.provider in ("openai", "huggingface") and self.model is None:
            raise ValueError(f"provider `{self.provider}` needs a `model`")
        if self.provider == "huggingface" and self.model is not None:
            refuse_student(self.model)
        if self.provider == "anthropic":
            for name in ("temperature", "seed"):
                if getattr(self, name) is not None:
                    raise ValueError(f"provider `anthropic` takes no `{name}`: leave it null")
        elif self.thinking != "default":
            raise ValueError("`thinking` is Claude's alone: leave it at default")
        if self.effort is not None and self.provider not in ("anthropic", "openai"):
            raise ValueError(f"provider `{self.provider}` knows no `effort`: leave it null")
        if self.thinking == "budget" and self.thinking_tokens < _LEAST_THINKING:
            raise ValueError(
                f"`thinking: budget` needs {_LEAST_THINKING} `thinking_tokens` or more"
            )
        if self.provider == "offline" and "model" in given and self.model is not None:
            raise ValueError("provider `offline` has no `model`: leave it null")
        return self

    @property
    def model_name(self) -> str:
        """The model as a request names it."""
        if self.provider == "offline":
            return f"reader-{versions.OFFLINE_TEACHER}"
        return self.model or _CLAUDE

    @property
    def sampling(self) -> dict[str, Json]:
        """What is set of all that shapes an answer beside the prompt; nothing for the offline teacher."""
        chosen: dict[str, Json] = {
            "temperature": self.temperature,
            "seed": self.seed,
            "thinking": None if self.thinking == "default" else self.thinking,
            "thinking_tokens": self.thinking_tokens or None,
            "effort": self.effort,
        }
        return {name: value for name, value in chosen.items() if value is not None}


class TeacherParams(Member):
    """``teacher:`` in params.yaml: the first teacher, and how ``others`` stand beside it."""

    combine: Literal["share", "all"] = "share"
    others: tuple[Member, ...] = ()

    @model_validator(mode="after")
    def _are_different(self) -> "TeacherParams":
        names = [(member.provider, member.model_name) for member in self.members]
        if len(set(names)) < len(names):
            raise ValueError("two of the teachers are the same model")
        return self

    @property
    def members(self) -> tuple[Member, ...]:
        """All teachers, the first of them first."""
        return (self, *self.others)

    def choose(self, slot: str) -> Iterator[tuple[Member, str]]:
        """Yield who answers a place, each with the mark that tells its slot from the first one's.

        By share, the draw is a weighted rendezvous (highest random weight: Thaler and Ravishankar
        1998, weights by Schindelhauer and Schomaker 2005): a teacher that is added or goes takes its
        own share of the places and moves no other.
        """
        if self.combine == "share":
            yield max(self.members, key=lambda member: _weigh(member, slot)), ""
            return
        for member in self.members:
            first = member is self
            named = f"@{member.provider}/{member.model_name}"
            yield member, "" if first else join_slot(named)


def _weigh(member: Member, slot: str) -> float:
    key = f"{member.provider}\n{member.model_name}\n{slot}".encode()
    number = int.from_bytes(hashlib.blake2b(key, digest_size=6).digest())
    return -member.share / math.log((number + 0.5) / 2**48)
