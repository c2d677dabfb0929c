"""The templates for CI: valid, with commands that exist, one comment that is refreshed, no secret told."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from stillhouse.cli.main import app
from stillhouse.scaffold.project import Choices, build_files

GITHUB, GITLAB = ".github/workflows/stillhouse.yml", ".gitlab-ci.yml"
FILES = build_files(Choices("x"))
MARK = "<!-- stillhouse -->"


def read_steps() -> dict[str, dict[str, Any]]:
    """Return the named steps of the workflow."""
    steps = yaml.safe_load(FILES[GITHUB])["jobs"]["repro"]["steps"]
    return {step["name"]: step for step in steps if "name" in step}


def list_scripts() -> list[str]:
    workflow = yaml.safe_load(FILES[GITHUB])["jobs"]["repro"]["steps"]
    job = yaml.safe_load(FILES[GITLAB])["stillhouse"]
    runs = [step["run"] for step in workflow if "run" in step]
    return [*runs, *job["script"], *job["after_script"]]


@pytest.mark.parametrize("script", list_scripts())
def test_every_script_parses(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", [GITHUB, GITLAB])
def test_every_command_of_stillhouse_exists_with_its_options(name: str) -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    called = re.findall(
        r"^[^#\n]*?\bstillhouse (plan|diff|summary)\b([^|>\n]*)", FILES[name], re.MULTILINE
    )
    assert {command for command, _ in called} == {"plan", "diff", "summary"}
    for command, rest in called:
        known = {option for param in group.commands[command].params for option in param.opts}
        assert {word for word in rest.split() if word.startswith("--")} <= known
        takes = any(param.param_type_name == "argument" for param in group.commands[command].params)
        assert takes or command != "diff"


def test_secrets_are_in_no_script_and_forks_get_none() -> None:
    for script in list_scripts():
        assert "secrets." not in script
        assert not re.search(r"\bset -x|\bprintenv|\benv\s*$", script)
    workflow = yaml.safe_load(FILES[GITHUB])
    assert workflow[True] == {"pull_request": None, "workflow_dispatch": None}  # YAML's `on`
    assert workflow["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert "head.repo.full_name == github.repository" in read_steps()["Comment"]["if"]
    # What a stranger may choose, as the name of a branch, reaches scripts as variables alone.
    assert [script for script in list_scripts() if "${{" in script] == []


def run_step(name: str, folder: Path, **commands: str) -> None:
    """Run a step's script among fake commands, which get what they were called with in ``$*``."""
    (folder / "bin").mkdir()
    for command, body in commands.items():
        path = folder / "bin" / command
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)
    subprocess.run(
        ["bash", "-e", "-c", read_steps()[name]["run"]], cwd=folder, check=True,
        env={
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "GITHUB_BASE_REF": "main",
            "GITHUB_REPOSITORY": "me/x", "NUMBER": "7",
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        },
    )  # fmt: skip


def test_the_comment_holds_plan_diff_and_metrics_and_fits(tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text("the plan\n")
    told = 'case "$1" in summary) echo good; echo The page: x;; diff) echo "$*"; echo gone >&2; exit 2;; esac'
    metrics = "echo \"$*\"; for i in $(seq 30000); do printf '–'; done"
    run_step("Write the comment", tmp_path, stillhouse=told, dvc=metrics)
    comment = (tmp_path / "comment.md").read_bytes()
    text = comment.decode()
    assert len(comment) <= 60_000
    assert text.startswith(
        f"{MARK}\nthe plan\n\ngood\n\ndiff origin/main --md --html reports/diff.html\ngone\n\n"
    )
    assert "metrics diff --md origin/main\n–" in text
    assert (tmp_path / "summary.md").read_bytes() == comment


@pytest.mark.parametrize(
    ("known", "call"),
    [
        (
            "12",
            "api --silent --method PATCH repos/me/x/issues/comments/12 --field body=@comment.md",
        ),
        ("", "api --silent --method POST repos/me/x/issues/7/comments --field body=@comment.md"),
    ],
)
def test_there_is_one_comment_which_is_refreshed(known: str, call: str, tmp_path: Path) -> None:
    listing = f'echo "$*" >> calls; [ "$2" != --paginate ] || echo "{known}"'
    run_step("Comment", tmp_path, gh=listing)
    listed, written = (tmp_path / "calls").read_text().splitlines()
    assert MARK in listed
    assert written == call


@pytest.mark.parametrize(("known", "call"), [("12", "--request PUT"), ("", "")])
def test_so_it_is_on_gitlab(known: str, call: str, tmp_path: Path) -> None:
    notes = '[{"id": 3, "body": "x"}' + (
        f', {{"id": {known}, "body": "{MARK}…"}}]' if known else "]"
    )
    (tmp_path / "notes").write_text(notes)
    (tmp_path / "curl").write_text(
        '#!/bin/bash\necho "$*" >> calls; [[ "$*" == *per_page* ]] && cat notes; true\n'
    )
    (tmp_path / "curl").chmod(0o755)
    script = yaml.safe_load(FILES[GITLAB])["stillhouse"]["after_script"][-1]
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=tmp_path, check=True, capture_output=True, text=True,
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}", "COMMENT_TOKEN": "hunter2",
            "CI_API_V4_URL": "https://x/api", "CI_PROJECT_ID": "1", "CI_MERGE_REQUEST_IID": "7",
        },
    )  # fmt: skip
    written = (tmp_path / "calls").read_text().splitlines()[1]
    place = "https://x/api/projects/1/merge_requests/7/notes"
    assert written.endswith(f"body@comment.md {place}" + (f"/{known}" if known else ""))
    assert call in written
    assert "hunter2" not in done.stdout + done.stderr
