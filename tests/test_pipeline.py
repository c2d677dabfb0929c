"""The whole pipeline under DVC, with the real stages, a few documents and a tiny student.

One project is run once for all tests here; a second clone runs apart, with another hash seed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

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

pytestmark = pytest.mark.slow


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


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build_project(tmp_path_factory.mktemp("first") / "project")
    run(folder, "dvc", "repro", PYTHONHASHSEED="1")
    commit(folder, "The first run")
    return folder


def test_a_second_repro_runs_nothing(project: Path) -> None:
    assert stages_run(run(project, "dvc", "repro")) == []


def test_two_clones_with_different_hash_seeds_give_equal_hashes(
    project: Path, tmp_path: Path
) -> None:
    run(tmp_path, "git", "clone", "--quiet", str(project), "other")
    run(tmp_path / "other", "dvc", "repro", PYTHONHASHSEED="2")
    assert hashed_outs(tmp_path / "other") == hashed_outs(project)


def test_a_prompt_edit_sends_only_its_own_requests_and_a_revert_none(project: Path) -> None:
    prompt = project / "prompts/simplified.md"
    before = prompt.read_text()
    edit(prompt, "You ", "You do ")
    edited = run(project, "dvc", "repro", "generate")
    sent = count_of(edited, "sent")
    assert 0 < sent < count_of(edited, "requests")
    assert sent == count_task(project, "simplified")
    assert count_of(edited, "answered") == count_of(edited, "requests") - sent
    prompt.write_text(before)
    reverted = run(project, "dvc", "repro", "--force", "--single-item", "render", "generate")
    assert count_of(reverted, "sent") == 0
    run(project, "dvc", "repro")


def test_a_comment_in_an_unrelated_folder_reruns_nothing(project: Path) -> None:
    with (project / "stillhouse/cli/__init__.py").open("a") as file:
        file.write("# nothing depends on this\n")
    assert stages_run(run(project, "dvc", "repro")) == []


def test_the_registered_model_is_found_by_the_digest_of_its_dataset(project: Path) -> None:
    md5 = hashed_outs(project)["data/dataset"]
    script = (
        "from stillhouse.lineage.registry import *; import mlflow, sys; from pathlib import Path;"
        f"mlflow.set_tracking_uri('sqlite:///{project}/.stillhouse/mlflow.db');"
        "runs = mlflow.search_runs(search_all_experiments=True,"
        f" filter_string=\"dataset.digest = '{md5}'\", output_format='list');"
        "print('found', len(runs))"
    )
    assert "found 1" in run(project, sys.executable, "-c", script)


def test_training_refuses_a_dataset_that_did_not_pass_the_gate(project: Path) -> None:
    gate = project / "reports/validation.json"
    passed = gate.read_text()
    gate.unlink()  # DVC may have linked it to its cache
    gate.write_text(passed.replace('"passed": true', '"passed": false'))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "stages.train", "tiny"], cwd=project, capture_output=True, text=True,
        check=False, env={**clean_environment(), "PATH": path},
    )  # fmt: skip
    assert done.returncode == 1
    assert "did not pass" in done.stderr
    assert "Traceback" not in done.stderr
    gate.write_text(passed)


def test_the_model_folder_holds_weights_and_provenance_and_no_pickle(project: Path) -> None:
    names = {path.name for path in (project / "models/tiny").iterdir()}
    assert {"model.safetensors", "provenance.json", "rows.parquet"} <= names
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in names)


def test_the_report_page_loads_nothing_from_elsewhere(project: Path) -> None:
    page = (project / "reports/index.html").read_text()
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page)


def count_of(output: str, name: str) -> int:
    (line,) = (line for line in output.splitlines() if line.startswith("generate: "))
    found = re.search(rf"\b{name}=(\d+)", line)
    assert found, line
    return int(found[1])


def count_task(project: Path, task: str) -> int:
    from stillhouse.base.records import Request
    from stillhouse.base.tables import read_table

    requests = read_table(project / "data/requests.parquet", Request)
    return sum(request.task == task for request in requests)
