"""A corpus and the project's prompts into the table of requests: what the stage `render` does."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from stillhouse.base.params import PARAMS, load_section
from stillhouse.base.records import Chunk, Document, Request
from stillhouse.base.tables import StoredTable, open_table
from stillhouse.prompts.focus import load_focus
from stillhouse.prompts.plan import RenderParams
from stillhouse.prompts.render import Material, render_each
from stillhouse.prompts.seeds import load_questions
from stillhouse.prompts.teacher import TeacherParams
from stillhouse.prompts.templates import load_prompts

Pass: TypeAlias = Callable[[Iterable[Request]], Iterable[Request]]


def write_requests(root: Path, corpus: Path, out: Path, show: Pass = iter) -> tuple[int, int]:
    """Render every request of the plan to the table ``out``; return how many chunks and requests.

    Args:
        root: the project, with its prompts, questions, focus and parameters.
        corpus: the folder with ``documents.parquet`` and ``chunks.parquet``.
        out: the table to write.
        show: what the requests pass through on their way, such as a progress bar.

    Raises:
        InputError: see ``render_each``.
    """
    seed, params = root / "data/seed", root / PARAMS
    chunks = StoredTable(corpus / "chunks.parquet", Chunk)
    material = Material(
        documents=StoredTable(corpus / "documents.parquet", Document),
        chunks=chunks,
        everyday=load_questions(seed / "everyday.jsonl"),
        unanswered=load_questions(seed / "unanswered.jsonl", statements=True),
    )
    rendered = render_each(
        material,
        load_prompts(root / "prompts"),
        load_focus(seed / "focus.yaml"),
        load_section("render", RenderParams, params),
        load_section("teacher", TeacherParams, params),
    )
    with open_table(out, Request, repeats="first") as requests:
        for request in show(rendered):
            requests.add(request)
    return len(chunks), requests.count
