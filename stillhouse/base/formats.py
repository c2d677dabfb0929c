"""The formats that a project's data was made with, pinned in ``formats:`` of params.yaml.

Code that comes with a merge or an upgrade may have other numbers in ``versions.py``. Everything would
then get other ids, be asked and paid again, and be trained again, without a word. So whoever writes
compares first. No stage lists the section as a parameter: accepting a number reruns nothing by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from stillhouse.base import versions
from stillhouse.base.errors import InputError, suggest
from stillhouse.base.params import PARAMS, Params, load_section, load_yaml

SECTION: Final = "formats"
Asks = Literal["all", "some", "offline", "none"]


class Formats(Params):
    """``formats:`` in params.yaml; each key is a constant of ``versions.py`` in small letters.

    The journal is no part of it: it says its own layout.
    """

    ids: int = Field(ge=1)
    normaliser: int = Field(ge=1)
    chunker: int = Field(ge=1)
    draws: int = Field(ge=1)
    answer_format: int = Field(ge=1)
    offline_teacher: int = Field(ge=1)
    judge: int = Field(ge=1)
    filters: int = Field(ge=1)
    provenance: int = Field(ge=1)


@dataclass(frozen=True, slots=True)
class Effect:
    """What another number of a format brings: in plain words, and which requests come out new."""

    words: str
    asks: Asks


EFFECTS: Final[Mapping[str, Effect]] = {
    "ids": Effect(
        "every request gets another id, so all answers would be asked for again (and paid again, "
        "where the teacher costs), and every student trained again",
        "all",
    ),
    "normaliser": Effect(
        "documents give another text, so the requests of all changed passages would be asked again "
        "(and paid again, where the teacher costs), and every student trained again",
        "some",
    ),
    "chunker": Effect(
        "documents are cut into other passages, so the requests of all changed passages would be "
        "asked again (and paid again, where the teacher costs), and every student trained again",
        "some",
    ),
    "draws": Effect(
        "fractions of the plan take other passages, so the requests about these would be asked, and "
        "paid, for the first time, and every student trained again",
        "some",
    ),
    "answer_format": Effect(
        "answers are read into other pairs; none is asked again, but every row changes and every "
        "student would be trained again",
        "none",
    ),
    "offline_teacher": Effect(
        "the offline teacher answers otherwise, so all its requests would be asked again, which "
        "costs time but no money, and every student trained again",
        "offline",
    ),
    "judge": Effect(
        "pairs get other scores; nothing is asked again, but every row changes and every student "
        "would be trained again",
        "none",
    ),
    "filters": Effect(
        "other pairs are rejected; nothing is asked again, but every row changes and every student "
        "would be trained again",
        "none",
    ),
    "provenance": Effect(
        "models/<student>/provenance.json is laid out otherwise; nothing is asked again, but every "
        "student would be trained again",
        "none",
    ),
}


@dataclass(frozen=True, slots=True)
class FormatChange:
    """A format whose number in the installed code is not the pinned one."""

    name: str
    pinned: int
    installed: int

    @property
    def effect(self) -> Effect:
        """What going on with the installed number brings."""
        return EFFECTS[self.name]

    def list_bumps(self) -> list[tuple[int, str]]:
        """Return (number, sentence) of each bump between the two that the installed code knows of."""
        low, high = sorted((self.pinned, self.installed))
        sentences = versions.BUMPS.get(self.name.upper(), {})
        return [
            (number, text) for number, text in sorted(sentences.items()) if low < number <= high
        ]


def list_installed() -> dict[str, int]:
    """Return the number of each format in the code that runs."""
    return {name: getattr(versions, name.upper()) for name in Formats.model_fields}


def lacks_section(params: Mapping[str, object]) -> bool:
    """Say whether nothing is pinned; a key that is near it is a slip of the pen, no such project."""
    return SECTION not in params and suggest(SECTION, params) is None


def compare_formats(path: Path = PARAMS) -> tuple[FormatChange, ...]:
    """Return the formats whose pinned number is not the installed one.

    Raises:
        InputError: the section is missing, lacks a format, or names an unknown one.
    """
    if lacks_section(load_yaml(path)):
        raise InputError(
            f"section `{SECTION}` is missing",
            where=str(path),
            remedy="`stillhouse upgrade --accept` appends it, with the installed numbers",
        )
    pinned = load_section(SECTION, Formats, path).model_dump()
    return tuple(
        FormatChange(name, pinned[name], number)
        for name, number in list_installed().items()
        if pinned[name] != number
    )


def check_formats(path: Path = PARAMS) -> None:
    """Refuse to write anything with other formats than the project's data was made with.

    Raises:
        InputError: a number differs; the first is explained.
    """
    if changes := compare_formats(path):
        raise InputError(
            explain_changes(changes),
            where=str(path),
            remedy="`stillhouse upgrade` shows all of it and accepts it, or go back to the version "
            "of the code that the project was made with",
        )


def explain_changes(changes: tuple[FormatChange, ...]) -> str:
    """Return in one clause what differs: the first format explained, the others named."""
    first, *others = changes
    more = ", ".join(f"{one.name} {one.pinned} -> {one.installed}" for one in others)
    return (
        f"`{SECTION}.{first.name}` is {first.pinned} and the installed code has {first.installed}: "
        f"{first.effect.words}{f' (also: {more})' if more else ''}"
    )
