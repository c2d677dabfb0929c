"""The JSON in which a teacher answers, as a schema that providers with structured output enforce."""

from typing import Final

from stillhouse.base.ids import Json, canonical_json

_PAIR: Final[dict[str, Json]] = {
    "fact": {"type": "string", "description": "the statement of the source, word for word"},
    "questions": {"type": "array", "items": {"type": "string"}},
    "reasoning": {"type": "string"},
    "answer": {"type": "string"},
    "confidence": {"type": ["number", "null"]},
}

ANSWER_SCHEMA: Final = canonical_json(
    {
        "type": "object",
        "properties": {
            "pairs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": _PAIR,
                    "required": sorted(_PAIR),
                    "additionalProperties": False,
                },
            }
        },
        "required": ["pairs"],
        "additionalProperties": False,
    }
)
