"""Off a terminal, as under ``dvc repro``, a stage shows no progress bar, whichever library draws it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
STAGE = """
from tqdm.auto import tqdm as auto
from tqdm import tqdm as plain
from transformers.utils.logging import tqdm as wrapped
from stillhouse.base.stage import run_stage

def main():
    for kind in (auto, plain, wrapped):
        print(sum(kind(range(3), desc="bar")))

run_stage(main)
"""


def test_no_bar_is_drawn_where_stderr_is_no_terminal(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STAGE],
        cwd=ROOT,
        env={**os.environ, "STILLHOUSE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.split(), done.stderr) == (["3", "3", "3"], "")
