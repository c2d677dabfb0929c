"""What is asked about without a chunk: everyday questions, and what the documents do not say."""

from dataclasses import dataclass
from pathlib import Path

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_jsonl


@dataclass(frozen=True, slots=True)
class SeedQuestion:
    """One line of a questions file; ``file`` is the file's name, the first part of its slot.

    Either ``question`` is set, or ``statement``: a sentence that the documents do *not* hold, from
    which the teacher makes the questions to decline, by the same means as those to answer.
    """

    file: str
    id: str
    question: str
    statement: str = ""


def load_questions(path: Path, *, statements: bool = False) -> list[SeedQuestion]:
    """Return the questions of a JSONL file, ``{"id": …, "question": …}`` a line, in its order.

    With ``statements``, a line may be ``{"id": …, "statement": …}`` instead.

    Raises:
        InputError: a key is missing, unknown or not a text, or an id is used twice.
    """
    found: dict[str, SeedQuestion] = {}
    for number, record in read_jsonl(path):
        place = f"{path}:{number}"
        kind = "statement" if statements and "statement" in record else "question"
        if set(record) != {"id", kind}:
            names = ", ".join(sorted(record))
            raise InputError(f"keys are {names}", where=place, expected=f"`id` and `{kind}`")
        name, text = record["id"], record[kind]
        if not (isinstance(name, str) and isinstance(text, str) and name and text.strip()):
            raise InputError(f"`id` or `{kind}` is not a text, or empty", where=place)
        if name in found:
            raise InputError(f"the id {name!r} is used twice", where=place)
        said = {"question": "", kind: text.strip()}
        found[name] = SeedQuestion(path.name, name, **said)
    return list(found.values())
