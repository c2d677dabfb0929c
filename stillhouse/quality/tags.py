"""What kind of instruction a row is, told by rules: to count, to sample by, to compare datasets by."""

from dataclasses import dataclass
from typing import Final

from stillhouse.base.questions import question_of
from stillhouse.base.records import Pair
from stillhouse.base.text import words

_ASKING: Final = ("what", "when", "where", "who", "whom", "whose", "which", "why", "how")
_YES_NO: Final = frozenset(
    "am are can could did do does had has have is may might must shall should was were will would".split()  # noqa: SIM905
)
_SHORT: Final = 5  # words of an answer, at most
_MEDIUM: Final = 25


@dataclass(frozen=True, slots=True)
class RowTags:
    """A row's tags, such as ``asks:how_many``, its cluster where clusters were made, and its confidence."""

    row_id: str
    tags: tuple[str, ...]
    cluster: int | None
    confidence: float | None


def tag(pair: Pair, category: str) -> tuple[str, ...]:
    """Return a pair's tags in the order of the alphabet."""
    answer = words(pair.response)
    tags = {
        f"task:{pair.task}",
        f"asks:{_name_form(question_of(pair.messages, pair.context))}",
        f"answer:{_name_length(len(answer))}",
    }
    if category:
        tags.add(f"category:{category}")
    if any(word[0].isdigit() for word in answer):
        tags.add("answer:number")
    if pair.context:
        tags.add("passage:shown")
    if pair.reasoning:
        tags.add("reasoning:shown")
    if sum(turn.role == "user" for turn in pair.messages) > 1:
        tags.add("turns:many")
    return tuple(sorted(tags))


def _name_form(question: str) -> str:
    """Return how something is asked for: its question word, ``yes_no``, or ``instruction``."""
    asked = words(question.rpartition(":")[2] or question)
    if not asked:
        return "nothing"
    opening = asked[0].partition("'")[0]
    if opening == "how" and asked[1:2] in (["many"], ["much"]):
        return "how_many"
    if opening in _ASKING:
        return opening
    if opening in _YES_NO:
        return "yes_no"
    inside = next((word for word in asked if word in _ASKING), None)
    if question.rstrip().endswith("?"):
        return inside or "yes_no"
    return "instruction"


def _name_length(count: int) -> str:
    return "short" if count <= _SHORT else "medium" if count <= _MEDIUM else "long"
