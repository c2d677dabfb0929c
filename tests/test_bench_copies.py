"""Copies in which benchmarks run hold what the project holds, and results know what they came from."""

import subprocess
from pathlib import Path

import pytest

from bench.study import VARIANTS, name_run
from stillhouse.scaffold.copies import mirror_files

FILES = ("params.yaml", "data/seed/documents/a.md", "data/seed/documents/b.md", "prompts/recall.md")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    for name in (*FILES, "README.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    subprocess.run(["git", "add", "--all"], cwd=root, check=True)
    monkeypatch.chdir(root)
    return root


def test_what_leaves_the_project_leaves_its_copy_and_outputs_stay(
    project: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    mirror_files(copy)
    (copy / "data/requests.parquet").write_text("made there")
    Path("data/seed/documents/a.md").unlink()  # git still lists it
    Path("prompts/new.md").write_text("new")
    mirror_files(copy)
    held = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    kept = {*FILES, "README.md"} - {"data/seed/documents/a.md"}
    assert held == {*kept, "prompts/new.md", "data/requests.parquet"}


def test_a_result_is_of_its_code_parameters_prompts_and_documents(project: Path) -> None:
    keys = {name_run(name) for name in VARIANTS}
    assert len(keys) == len(VARIANTS)
    for name in FILES:
        Path(name).write_text("changed")
        assert name_run("shipped") not in keys
        keys.add(name_run("shipped"))
    Path("README.md").write_text("changed")
    assert name_run("shipped") in keys
