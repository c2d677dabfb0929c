"""The id of a row that a reviewer mended: it follows from the row and the mended words alone."""

from stillhouse.base.ids import Json, content_id


def name_fix(row_id: str, response: str, question: str = "") -> str:
    """Return the id that a row has after a reviewer's better answer, and question where one is given.

    So a fix is known without the verdicts of its version.
    """
    content: dict[str, Json] = {"row_id": row_id, "response": response}
    return content_id("reviewed", {**content, "question": question} if question else content)


def is_fix(row_id: str, of: str, response: str, question: str) -> bool:
    """Whether a row that says this is what a reviewer made of the row ``of``, with or without its question."""
    return row_id in (name_fix(of, response), name_fix(of, response, question))
