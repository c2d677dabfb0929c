"""``make clean`` takes away outputs and nothing that git tracks or nobody can make again."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
MADE = (
    "data/corpus/chunks.parquet",
    "data/requests.parquet",
    "models/smollm2/config.json",
    ".mypy_cache/x",
)
KEPT = (
    ".stillhouse/journal.sqlite",
    "data/seed/documents/new.md",
    "reports/notes.md",
    "dvc_plots/index.html",
)


def git(folder: Path, *command: str) -> str:
    done = subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def test_clean_leaves_what_git_tracks_and_what_is_no_output(tmp_path: Path) -> None:
    listed = git(ROOT, "ls-files", "-z", "*.gitignore").split("\0")
    for name in ("Makefile", *filter(None, listed)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    for name in (*MADE, *KEPT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    untracked = git(tmp_path, "ls-files", "--others", "--exclude-standard").split()
    assert untracked == ["data/seed/documents/new.md", "reports/notes.md"]  # dvc_plots is ignored

    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert git(tmp_path, "ls-files", "--deleted") == ""
    assert [name for name in (*MADE, *KEPT) if (tmp_path / name).exists()] == list(KEPT)
