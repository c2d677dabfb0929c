"""Rubrics: what a judge is asked of a pair, one file for each criterion in ``prompts/judge``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import Field, model_validator

from stillhouse.base.errors import InputError, suggest
from stillhouse.base.params import Params
from stillhouse.base.tasks import CONFIRM
from stillhouse.prompts.templates import Parsed, parse_file

FOLDER: Final = Path("prompts/judge")
SCORES: Final = 5
VARIABLES: Final = ("anchors", "answer", "material", "pair", "passages", "question")


class RubricMeta(Params):
    """A rubric's front matter.

    ``passage``: the judge needs a passage, and pairs without one are not judged by it. ``anchors`` say
    what each score means, from the lowest to the highest.
    """

    passage: bool = True
    max_tokens: int = Field(default=512, ge=1)
    anchors: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _every_score_means_something(self) -> "RubricMeta":
        if self.anchors and len(self.anchors) != SCORES:
            raise ValueError(f"`anchors` are {SCORES}, one for each score from 1 to {SCORES}")
        return self


@dataclass(frozen=True, slots=True)
class Rubrics:
    """The rubrics of a project by criterion; with ``confirm`` the question asked anew."""

    by_criterion: Mapping[str, Parsed[RubricMeta]]
    confirm: Parsed[RubricMeta] | None = None

    @property
    def sha256(self) -> dict[str, str]:
        """The sha256 of each file by its name without the ending."""
        files = dict(self.by_criterion)
        if self.confirm is not None:
            files[CONFIRM] = self.confirm
        return {name: file.sha256 for name, file in sorted(files.items())}


def load_rubrics(
    criteria: Iterable[str], *, confirm: bool = False, folder: Path = FOLDER
) -> Rubrics:
    """Return the rubrics of these criteria, and with ``confirm`` the file of that name.

    Raises:
        InputError: there is no such file, or something in it is wrong.
    """
    by_criterion = {name: _load(name, folder) for name in criteria}
    for name, rubric in by_criterion.items():
        if not rubric.meta.anchors:
            raise InputError(
                "a rubric without `anchors`",
                where=str(folder / f"{name}.md"),
                expected=f"what each score from 1 to {SCORES} means, lowest first",
            )
    return Rubrics(by_criterion, _load(CONFIRM, folder) if confirm else None)


def _load(name: str, folder: Path) -> Parsed[RubricMeta]:
    path = folder / f"{name}.md"
    if not path.is_file():
        known = sorted(one.stem for one in folder.glob("*.md") if one.stem != CONFIRM)
        listed = ", ".join(known) or "none is there; `stillhouse init` brings some to a new project"
        raise InputError(
            f"there is no rubric `{name}`",
            where=str(path),
            expected=f"one of {listed}" if known else listed,
            remedy=suggest(name, known),
        )
    return parse_file(path, RubricMeta, VARIABLES)
