"""A row of any table as people read it."""

from collections.abc import Mapping
from typing import Any, Final

from stillhouse.base.ids import canonical_json
from stillhouse.base.records import Message
from stillhouse.diffing.shown import Side

_IDS: Final = ("row_id", "pair_id", "request_id", "fact_id", "chunk_id", "document_id")


def show_side(row: Mapping[str, Any]) -> Side:
    """Return a row as one version has it; of a table without texts all its columns as JSON."""
    ids = {name: str(row[name]) for name in _IDS if row.get(name)}
    said = row.get("prompt") or row.get("messages") or ()
    question = tuple(Message(turn["role"], turn["content"]) for turn in said)
    completion = row.get("completion") or ()
    answer = "\n\n".join(turn["content"] for turn in completion)
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
