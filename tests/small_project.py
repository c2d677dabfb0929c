"""A small project of this repository's code: five documents, few questions and a tiny student.

``build_project`` writes one on which nothing was run. Where a run of the whole pipeline is where a
test begins, ``copy_shared`` gives a copy of one that all test files and workers share: a run takes
minutes, most of which is starting Python fourteen times.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from stillhouse.base.records import Request
from stillhouse.base.tables import read_table
from tests.tiny import build_tiny_model

ROOT = Path(__file__).parent.parent
CODE = (
    "stillhouse",
    "stages",
    "prompts",
    ".dvc/config",
    ".dvcignore",
    "dvc.yaml",
    "pyproject.toml",
)
CORE = ("people/annual-leave.md", "money/expenses-and-travel.md")
OTHER = ("people/training-and-study.md", "exceptions/dunmarrick-laboratory.md")
HELD_OUT = ("fleet/company-vehicles.md",)
EXEMPT = re.compile(r"speed\.json|registration\.json")


def build_project(folder: Path) -> Path:
    """Write a small project of this repository's code, five documents and a tiny student."""
    for name in CODE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)
    seed = folder / "data/seed"
    for name in (*CORE, *OTHER, *HELD_OUT):
        (seed / "documents" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / "data/seed/documents" / name, seed / "documents" / name)
    for name in (
        "sources.yaml", "review.jsonl", "prompts.jsonl", "instructions.jsonl", "baseline.json",
        "nothing.txt",
    ):  # fmt: skip
        shutil.copy2(ROOT / "data/seed" / name, seed / name)
    for name in ("tables", "schemas"):
        shutil.copytree(ROOT / "data/seed" / name, seed / name)
    shrink_questions(seed)
    shrink_focus(seed)
    shrink_params(folder)
    build_tiny_model(folder / "tiny-student")
    shutil.copy2(ROOT / ".gitignore", folder / ".gitignore")
    run(folder, "git", "init", "--quiet", "--initial-branch=main")
    commit(folder, "A small project")
    return folder


def shrink_questions(seed: Path) -> None:
    (seed / "eval").mkdir()
    for name, count in (
        ("everyday.jsonl", 24),
        ("unanswered.jsonl", 24),
        ("eval/general.jsonl", 6),
    ):
        lines = (ROOT / "data/seed" / name).read_text().splitlines()[:count]
        (seed / name).write_text("\n".join(lines) + "\n")
    used = {*CORE, *OTHER, *HELD_OUT}
    gold = [json.loads(line) for line in (ROOT / "data/seed/eval/gold.jsonl").open()]
    kept = [g for g in gold if set(g["sources"]) <= used][::3]
    (seed / "eval/gold.jsonl").write_text("".join(json.dumps(g) + "\n" for g in kept))


def shrink_focus(seed: Path) -> None:
    focus = yaml.safe_load((ROOT / "data/seed/focus.yaml").read_text())
    focus["core"] = [entry for entry in focus["core"] if entry["source"] in CORE]
    focus["held_out"] = [entry for entry in focus["held_out"] if entry["source"] in HELD_OUT]
    (seed / "focus.yaml").write_text(yaml.safe_dump(focus, sort_keys=False, allow_unicode=True))


def shrink_params(folder: Path) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    (student,) = params["students"].values()
    params["students"] = {"tiny": {**student, "model": "tiny-student", "epochs": 0.2}}
    params["render"]["base"] = "tiny-student"
    params["references"]["bases"] = ["tiny-student"]
    params["validate"] |= {"rows_per_task_min": 0, "train_rows_min": 20, "abstain_share_max": 0.5}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def run(folder: Path, *command: str, **environment: str) -> str:
    """Run a command in ``folder`` and return what it printed; a failure shows that."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False,
        env={**clean_environment(), "PATH": path, **environment},
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def clean_environment() -> dict[str, str]:
    own = ("DVC_ROOT", "STILLHOUSE_HOME", "MLFLOW_TRACKING_URI")
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return {
        **kept, "HF_HUB_OFFLINE": "1", "DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1",
        "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org",
        "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org",
    }  # fmt: skip


def commit(folder: Path, message: str) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", message)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def fail(folder: Path, *command: str) -> str:
    """Run a command that must fail; return what it printed."""
    path = f"{Path(sys.executable).parent}:{clean_environment()['PATH']}"
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False,
        env={**clean_environment(), "PATH": path},
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "Traceback" not in said
    return said


def stages_run(output: str) -> list[str]:
    return re.findall(r"Running stage '([^']+)'", output)


def hashed_outs(folder: Path) -> dict[str, str]:
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    return {
        out["path"]: out["md5"]
        for stage in lock["stages"].values()
        for out in stage.get("outs", [])
        if not EXEMPT.search(out["path"])
    }


def edit_params(folder: Path, change: Callable[[dict[str, dict[str, object]]], object]) -> None:
    path = folder / "params.yaml"
    params = yaml.safe_load(path.read_text())
    change(params)
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def find_shared(factory: pytest.TempPathFactory) -> Path:
    """Return the project that ran whole and is committed; who comes first runs it, others wait.

    It is everybody's: change nothing in it.
    """
    base = factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    done = place / "done"
    with FileLock(f"{place}.lock"):
        if not done.exists():
            shutil.rmtree(place, ignore_errors=True)  # of a worker whose run failed
            folder = build_project(place / "project")
            run(folder, "dvc", "repro", PYTHONHASHSEED="1")
            commit(folder, "The first run")
            done.touch()
    return place / "project"


def copy_shared(factory: pytest.TempPathFactory, folder: Path) -> Path:
    """Return a copy of the project that ran, with its history, cache and journal."""
    return Path(shutil.copytree(find_shared(factory), folder, symlinks=True))


def count_of(output: str, name: str) -> int:
    (line,) = (line for line in output.splitlines() if line.startswith("generate: "))
    found = re.search(rf"\b{name}=(\d+)", line)
    assert found, line
    return int(found[1])


def count_task(project: Path, task: str) -> int:
    requests = read_table(project / "data/requests.parquet", Request)
    return sum(request.task == task for request in requests)


def sent_in(said: str) -> int:
    return count_of(said, "sent")
