"""Students that reason before they answer: more room for a reply, and of that the answer alone counts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text
from stillhouse.base.ids import Json
from stillhouse.base.thoughts import Thoughts, read_thoughts
from stillhouse.evaluation.answering import Answering, Model, answer_prompts
from stillhouse.evaluation.intervals import share
from stillhouse.evaluation.metrics import DIGITS

ROOM: Final = 128  # tokens of reasoning, where nothing else is asked for
_PROVENANCE: Final = "provenance.json"


def reasons_first(folder: Path) -> bool:
    """Say whether a model folder's provenance tells of a student that reasons before it answers.

    Raises:
        InputError: what lies there as its provenance is none.
    """
    path = folder / _PROVENANCE
    if not path.is_file():
        return False
    try:
        parameters = json.loads(read_text(path))["parameters"]
        return bool(parameters.get("reasoning") == "before_answer")
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as exc:
        raise InputError(
            "not a provenance, which says whether the student reasons before it answers",
            where=str(path),
            remedy="restore it with `dvc checkout`, or take it out of the copy",
        ) from exc


def think_prompts(
    model: Model, prompts: Sequence[str], settings: Answering, room: int, what: str = "answering"
) -> list[Thoughts]:
    """Return what the model wrote for each prompt, taken apart.

    Args:
        model: the student.
        prompts: what it is asked.
        settings: as of other students; ``max_new_tokens`` are those of the answer that count.
        room: tokens beside those, for the reasoning.
        what: the name of the work on a progress bar.
    """
    limit, wide = settings.max_new_tokens, widen(settings, room)
    read = [read_thoughts(text) for text in answer_prompts(model, prompts, wide, what)]
    return [Thoughts(one.reasoning, _cut(model, one.answer, limit), one.finished) for one in read]


def widen(settings: Answering, room: int) -> Answering:
    """Return the settings with so many tokens more for each reply."""
    return settings.model_copy(update={"max_new_tokens": settings.max_new_tokens + room})


def _cut(model: Model, answer: str, limit: int) -> str:
    ids = model.tokenizer(answer.strip(), add_special_tokens=False)["input_ids"]
    return str(model.tokenizer.decode(ids[:limit], skip_special_tokens=True)).strip()


class Thinker:
    """A student as a function of prompts, whose reasoning is left out of its replies and counted."""

    def __init__(self, model: Model, settings: Answering, room: int) -> None:
        self._model, self._settings, self._room = model, settings, room
        self._reasoned, self._unfinished = list[bool](), list[bool]()

    def answer(self, prompts: Sequence[str], what: str) -> list[str]:
        """Return an answer for each prompt; where the reasoning did not end, an empty one."""
        return self._ask(prompts, self._settings, what)

    def answer_long(self, prompts: Sequence[str], what: str) -> list[str]:
        """Return answers that are to be executed."""
        update = {"max_new_tokens": self._settings.executed_tokens}
        return self._ask(prompts, self._settings.model_copy(update=update), what)

    def describe(self) -> dict[str, Json]:
        """Return how many replies there were, and the shares that reasoned and that came to no answer.

        Both with a Wilson interval of 95 %, each reply for itself.
        """
        return {
            "replies": len(self._reasoned),
            "reasoned": _describe(self._reasoned),
            "unfinished": _describe(self._unfinished),
        }

    def _ask(self, prompts: Sequence[str], settings: Answering, what: str) -> list[str]:
        found = think_prompts(self._model, prompts, settings, self._room, what)
        self._reasoned += [bool(one.reasoning) for one in found]
        self._unfinished += [not one.finished for one in found]
        return [one.answer for one in found]


def _describe(replies: Sequence[bool]) -> dict[str, Json]:
    if not replies:
        return {"n": 0}
    found = share(replies, [str(place) for place in range(len(replies))])
    return {
        "share": round(found.value, DIGITS),
        "low": round(found.low, DIGITS),
        "high": round(found.high, DIGITS),
    }
