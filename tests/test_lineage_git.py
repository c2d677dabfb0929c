"""Dirtiness means code, parameters or seeds, never what a run writes."""

import subprocess
from pathlib import Path

from stillhouse.lineage.git import GitState, read_git


def _git(root: Path, *command: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", "-C", root, *identity, *command], check=True, capture_output=True)


def test_outs_and_the_lock_are_not_dirt_but_an_edit_is(tmp_path: Path) -> None:
    _git(tmp_path, "init", "-b", "main")
    (tmp_path / "params.yaml").write_text("a: 1\n")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-m", "one")
    (tmp_path / "dvc.lock").write_text("x")
    (tmp_path / "models" / "s").mkdir(parents=True)
    (tmp_path / "models" / "s" / "w").write_text("x")
    clean = read_git(tmp_path, ["models/s"])
    assert (clean.branch, clean.changed, clean.dirty) == ("main", (), False)
    assert len(clean.commit) == 40
    (tmp_path / "params.yaml").write_text("a: 2\n")
    (tmp_path / "models-of-mine.txt").write_text("x")
    assert read_git(tmp_path, ["models"]).changed == ("models-of-mine.txt", "params.yaml")


def test_outside_a_repository_nothing_is_known(tmp_path: Path) -> None:
    assert read_git(tmp_path) == GitState("", "", ())


def test_the_repository_is_told_without_its_credentials(tmp_path: Path) -> None:
    _git(tmp_path, "init", "-b", "main")
    _git(tmp_path, "remote", "add", "origin", "https://me:hunter2@git.example.org/handbook.git")
    assert read_git(tmp_path).remote == "https://git.example.org/handbook.git"
    _git(tmp_path, "remote", "set-url", "origin", "git@git.example.org:handbook.git")
    assert read_git(tmp_path).remote == "git@git.example.org:handbook.git"
