"""data/corpus + prompts/ + focus and question files -> data/requests.parquet: every teacher call."""

from pathlib import Path

from stillhouse.base.params import load_section
from stillhouse.base.records import Chunk, Document, Request
from stillhouse.base.stage import run_stage, say_counts, show_progress
from stillhouse.base.tables import StoredTable, open_table
from stillhouse.prompts.focus import load_focus
from stillhouse.prompts.plan import RenderParams
from stillhouse.prompts.render import Material, render_each
from stillhouse.prompts.seeds import load_questions
from stillhouse.prompts.teacher import TeacherParams
from stillhouse.prompts.templates import load_prompts

SEED = Path("data/seed")
CORPUS = Path("data/corpus")


def main() -> None:
    """Render every request of the plan; nothing is sent."""
    params = load_section("render", RenderParams)
    chunks = StoredTable(CORPUS / "chunks.parquet", Chunk)
    material = Material(
        documents=StoredTable(CORPUS / "documents.parquet", Document),
        chunks=chunks,
        everyday=load_questions(SEED / "everyday.jsonl"),
        unanswered=load_questions(SEED / "unanswered.jsonl", statements=True),
    )
    prompts, focus = load_prompts(Path("prompts")), load_focus(SEED / "focus.yaml")
    teacher = load_section("teacher", TeacherParams)
    rendered = render_each(material, prompts, focus, params, teacher)
    with open_table(Path("data/requests.parquet"), Request, repeats="first") as requests:
        for request in show_progress(rendered, "render"):
            requests.add(request)
    say_counts("render", chunks=len(chunks), requests=requests.count)


if __name__ == "__main__":
    run_stage(main)
