"""data/corpus + prompts/ + focus, question, log and instruction files -> data/requests.parquet: every teacher call."""

from pathlib import Path

from stillhouse.base.home import home
from stillhouse.base.stage import run_stage, say_counts, show_progress
from stillhouse.prompts.write import write_requests


def main() -> None:
    """Render every request of the plan; nothing is sent."""
    done = write_requests(
        Path(),
        Path("data/corpus"),
        Path("data/requests.parquet"),
        home(),
        lambda rendered: show_progress(rendered, "render"),
    )
    say_counts("render", chunks=done.chunks, requests=done.requests, unused_prompts=done.unused)


if __name__ == "__main__":
    run_stage(main)
