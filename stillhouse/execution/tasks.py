"""The tasks whose answers are verified by running them, and what a slot says about them."""

from typing import Final

from stillhouse.base.records import split_slot

TEXT_TO_SQL: Final = "text_to_sql"
EXTRACTION: Final = "extraction"
CODE: Final = "code"
EXECUTES: Final = "executes"  # the criterion by which they are judged
VERIFIED: Final = frozenset({TEXT_TO_SQL, EXTRACTION, CODE})


def table_of(slot_id: str) -> str:
    """Return the table file of a slot of ``text_to_sql``: ``tables/boats.csv``."""
    return split_slot(slot_id)[0]


def schema_of(slot_id: str) -> str:
    """Return the schema's name in a slot of ``extraction``: ``contact``, or nothing."""
    parts = split_slot(slot_id)
    return parts[3].partition("/")[2] if len(parts) > 3 else ""
