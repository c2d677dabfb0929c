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

# The rationale stands first: a judge that has to say why before it scores scores better (Zheng et al.
# 2023, "Judging LLM-as-a-Judge"). Canonical JSON keeps that order: it is the alphabet's.
JUDGEMENT_SCHEMA: Final = canonical_json(
    {
        "type": "object",
        "properties": {
            "rationale": {"type": "string"},
            "score": {"type": "integer", "enum": [1, 2, 3, 4, 5]},
        },
        "required": ["rationale", "score"],
        "additionalProperties": False,
    }
)

CONFIRM_SCHEMA: Final = canonical_json(
    {
        "type": "object",
        "properties": {"answer": {"type": "string"}},
        "required": ["answer"],
        "additionalProperties": False,
    }
)
