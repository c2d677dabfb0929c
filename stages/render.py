"""data/corpus + prompts/ + focus and question files -> data/requests.parquet: every teacher call."""

from pathlib import Path

from stillhouse.base.params import load_section
from stillhouse.base.records import Chunk, Document, Request
from stillhouse.base.stage import run_stage, say_counts
from stillhouse.base.tables import read_all, write_table
from stillhouse.prompts.focus import load_focus
from stillhouse.prompts.plan import RenderParams
from stillhouse.prompts.render import Material, render
from stillhouse.prompts.seeds import load_questions
from stillhouse.prompts.templates import load_prompts

SEED = Path("data/seed")
CORPUS = Path("data/corpus")


def main() -> None:
    """Render every request of the plan; nothing is sent."""
    params = load_section("render", RenderParams)
    material = Material(
        documents=read_all(CORPUS / "documents.parquet", Document),
        chunks=read_all(CORPUS / "chunks.parquet", Chunk),
        everyday=load_questions(SEED / "everyday.jsonl"),
        unanswered=load_questions(SEED / "unanswered.jsonl", statements=True),
    )
    prompts = load_prompts(Path("prompts"))
    requests = render(material, prompts, load_focus(SEED / "focus.yaml"), params)
    write_table(Path("data/requests.parquet"), Request, requests)
    say_counts("render", chunks=len(material.chunks), requests=len(requests))


if __name__ == "__main__":
    run_stage(main)
