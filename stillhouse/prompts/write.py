"""A corpus and the project's prompts into the table of requests: what the stage `render` does."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from stillhouse.base.params import PARAMS, load_section
from stillhouse.base.records import Chunk, Document, Rejection, Request
from stillhouse.base.runtime import load_runtime
from stillhouse.base.tables import StoredTable, open_table, write_sorted
from stillhouse.embedding.embed import Embedder
from stillhouse.prompts.focus import Focus, load_focus
from stillhouse.prompts.instructions import load_instructions, spread_instructions
from stillhouse.prompts.logs import load_logs
from stillhouse.prompts.plan import RenderParams
from stillhouse.prompts.production import FILE, choose_logs, make_subjects
from stillhouse.prompts.render import Material, render_each, show_chunk
from stillhouse.prompts.schemas import load_schemas, spread_schemas
from stillhouse.prompts.seeds import load_questions
from stillhouse.prompts.subject import Subject
from stillhouse.prompts.tables import load_table_subjects
from stillhouse.prompts.teacher import TeacherParams
from stillhouse.prompts.templates import Prompts, load_prompts

Pass: TypeAlias = Callable[[Iterable[Request]], Iterable[Request]]
INSTRUCTIONS = "instructions.jsonl"
STORE = "embeddings.sqlite"
UNUSED = "unused_prompts.parquet"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a project's files say is to be rendered: prompts, focus and the section ``render``."""

    prompts: Prompts
    focus: Focus
    params: RenderParams

    def asks(self, source: str) -> bool:
        """Say whether the plan asks anything about a source without a chunk, such as ``logs``."""
        plans = self.params.plan.questions
        return any(
            prompt.meta.source == source and task in plans and plans[task].fraction > 0
            for task, prompt in self.prompts.by_task.items()
        )


@dataclass(frozen=True, slots=True)
class Rendered:
    """How many passages and requests there are, and lines of the log that nothing is asked about."""

    chunks: int
    requests: int
    unused: int


def write_requests(
    root: Path, corpus: Path, out: Path, keep: Path | None, show: Pass = iter
) -> Rendered:
    """Render every request of the plan to the table ``out``; return how much there is.

    Beside it, ``unused_prompts.parquet`` names each line of ``prompts.jsonl`` that is not asked about.

    Args:
        root: the project, with its prompts, questions, focus and parameters.
        corpus: the folder with ``documents.parquet`` and ``chunks.parquet``.
        out: the table to write.
        keep: the folder where embeddings are remembered; None remembers none.
        show: what the requests pass through on their way, such as a progress bar.

    Raises:
        InputError: see ``render_each``, and the loaders of the seed files.
    """
    wanted = load_wanted(root)
    chunks = StoredTable(corpus / "chunks.parquet", Chunk)
    material, unused = open_material(root, corpus, wanted, keep)
    teacher = load_section("teacher", TeacherParams, root / PARAMS)
    rendered = render_each(material, wanted.prompts, wanted.focus, wanted.params, teacher)
    with open_table(out, Request, repeats="first") as requests:
        for request in show(rendered):
            requests.add(request)
    write_sorted(out.with_name(UNUSED), Rejection, unused)
    return Rendered(len(chunks), requests.count, len(unused))


def load_wanted(root: Path) -> Wanted:
    """Return what a project's files say is to be rendered."""
    return Wanted(
        load_prompts(root / "prompts"),
        load_focus(root / "data/seed/focus.yaml"),
        load_section("render", RenderParams, root / PARAMS),
    )


def open_material(
    root: Path, corpus: Path, wanted: Wanted, keep: Path | None
) -> tuple[Material, tuple[Rejection, ...]]:
    """Return all that can be asked about, and the lines of the log that are not asked about.

    ``keep`` is where embeddings are remembered, if anywhere. Conversations are looked through only where the plan asks for them. A project that has no
    ``prompts.jsonl`` or ``instructions.jsonl`` has none of either: both came later than projects did.
    """
    seed, params = root / "data/seed", wanted.params
    documents = StoredTable(corpus / "documents.parquet", Document)
    chunks = StoredTable(corpus / "chunks.parquet", Chunk)
    subjects, unused = list[Subject](), tuple[Rejection, ...]()
    if wanted.asks("logs") and (seed / FILE).exists():
        store = keep / STORE if keep else None
        embedder = Embedder(load_runtime(root / PARAMS), store)
        chosen = choose_logs(load_logs(seed / FILE), params.logs, embedder.embed)
        taught = _Taught(chunks, wanted.focus)
        subjects = make_subjects(chosen.logs, documents, taught, show_chunk, params.logs)
        unused = chosen.unused
    listed = seed / INSTRUCTIONS
    instructions = load_instructions(listed) if listed.exists() else []
    material = Material(
        documents=documents,
        chunks=chunks,
        everyday=load_questions(seed / "everyday.jsonl"),
        unanswered=load_questions(seed / "unanswered.jsonl", statements=True),
        others={"logs": subjects, "tables": load_table_subjects(seed / "tables")},
        spreads={
            "instructions": spread_instructions(instructions, params.instructions),
            "schemas": spread_schemas(load_schemas(seed / "schemas")),
        },
    )
    return material, unused


class _Taught:
    """The chunks of documents that are not held out: no question of a log may teach the others."""

    def __init__(self, chunks: Iterable[Chunk], focus: Focus) -> None:
        self._chunks = chunks
        self._held_out = {document.source for document in focus.held_out or ()}

    def __iter__(self) -> Iterator[Chunk]:
        return (chunk for chunk in self._chunks if chunk.source not in self._held_out)
