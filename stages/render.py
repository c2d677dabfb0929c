"""data/corpus + prompts/ + focus and question files -> data/requests.parquet: every teacher call."""

from pathlib import Path

from stillhouse.base.stage import run_stage, say_counts, show_progress
from stillhouse.prompts.write import write_requests


def main() -> None:
    """Render every request of the plan; nothing is sent."""
    chunks, requests = write_requests(
        Path(),
        Path("data/corpus"),
        Path("data/requests.parquet"),
        lambda rendered: show_progress(rendered, "render"),
    )
    say_counts("render", chunks=chunks, requests=requests)


if __name__ == "__main__":
    run_stage(main)
