"""A row of any table as people read it."""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from stillhouse.base.ids import canonical_json
from stillhouse.base.records import Message
from stillhouse.diffing.shown import Side

_IDS: Final = ("row_id", "pair_id", "request_id", "fact_id", "chunk_id", "document_id")


def make_plain(value: Any) -> Any:
    """Return a value as JSON can say it: what is no text, number or list of these as its text."""
    if isinstance(value, Mapping):
        return {str(name): make_plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [make_plain(one) for one in value]
    plain = value is None or isinstance(value, str | int)
    return value if plain or (isinstance(value, float) and isfinite(value)) else str(value)


def show_side(row: Mapping[str, Any]) -> Side:
    """Return a row as one version has it; of a table without texts all its columns as JSON."""
    ids = {name: str(row[name]) for name in _IDS if row.get(name)}
    question = _read_turns(row.get("prompt") or row.get("messages"))
    answer = "\n\n".join(turn.content for turn in _read_turns(row.get("completion")))
    answer = answer or str(row.get("response") or row.get("text") or "")
    if not question and not answer:
        answer = canonical_json({name: value for name, value in row.items() if name not in ids})
    return Side(
        question,
        answer,
        str(row.get("reasoning") or row.get("rationale") or ""),
        str(row.get("context") or row.get("system") or ""),
        str(row.get("holdout") or ""),
        ids,
    )


def _read_turns(said: object) -> tuple[Message, ...]:
    """Return messages, of a table of another make too: a text alone is one, anything else is none."""
    if isinstance(said, str):
        return (Message("user", said),)
    turns = said if isinstance(said, list) else []
    told = (turn for turn in turns if isinstance(turn, Mapping))
    return tuple(Message(str(turn.get("role")), str(turn.get("content"))) for turn in told)
