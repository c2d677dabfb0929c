"""Questions that come without a passage: everyday ones, and ones the documents do not answer."""

from dataclasses import dataclass
from pathlib import Path

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_jsonl


@dataclass(frozen=True, slots=True)
class SeedQuestion:
    """One line of a questions file; ``file`` is the file's name, the first part of its slot."""

    file: str
    id: str
    question: str


def load_questions(path: Path) -> list[SeedQuestion]:
    """Return the questions of a JSONL file, ``{"id": …, "question": …}`` a line, in its order.

    Raises:
        InputError: a key is missing, unknown or not a text, or an id is used twice.
    """
    found: dict[str, SeedQuestion] = {}
    for number, record in read_jsonl(path):
        place = f"{path}:{number}"
        if set(record) != {"id", "question"}:
            names = ", ".join(sorted(record))
            raise InputError(f"keys are {names}", where=place, expected="`id` and `question`")
        name, question = record["id"], record["question"]
        if not (isinstance(name, str) and isinstance(question, str) and name and question.strip()):
            raise InputError("`id` or `question` is not a text, or empty", where=place)
        if name in found:
            raise InputError(f"the id {name!r} is used twice", where=place)
        found[name] = SeedQuestion(path.name, name, question.strip())
    return list(found.values())
