"""DVC's configuration is read as DVC itself reads it, level by level."""

import os
from pathlib import Path

import pytest

from stillhouse.base.dvc_config import DvcConfig, find_remote_url, read_dvc_config

LEVELS = {
    "system/config": "[core]\n    remote = far\n['remote \"far\"']\n    url = s3://bucket\n",
    "user/config": "[cache]\n    dir = ~/cache\n",
    "project/.dvc/config": "[core]\n    analytics = false\n",
    "project/.dvc/config.local": "[core]\n    remote = near\n['remote \"near\"']\n    url = /mnt\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and this machine's and user's own configuration, all empty."""
    monkeypatch.setenv("DVC_SYSTEM_CONFIG_DIR", str(tmp_path / "system"))
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "user"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in LEVELS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    return tmp_path / "project"


def test_without_a_word_the_cache_is_dvcs_own(project: Path) -> None:
    assert read_dvc_config(project) == DvcConfig(project / ".dvc/cache", (), "")


def test_every_level_is_read_and_the_nearest_one_wins(project: Path) -> None:
    for name, text in LEVELS.items():
        (project.parent / name).write_text(text)
    home = Path(os.environ["HOME"])
    assert read_dvc_config(project) == DvcConfig(home / "cache", ("far", "near"), "near")
    (project / ".dvc/config").write_text("[cache]\n    dir = ../../shared\n")
    assert read_dvc_config(project).cache.resolve() == project.parent / "shared"


def test_it_is_what_dvc_itself_reads(project: Path) -> None:
    from dvc.config import Config

    for name, text in LEVELS.items():
        (project.parent / name).write_text(text)
    mine, theirs = read_dvc_config(project), Config(str(project / ".dvc"))
    assert str(mine.cache) == theirs["cache"]["dir"]
    assert (mine.default, set(mine.remotes)) == (theirs["core"]["remote"], set(theirs["remote"]))


def test_a_remote_lies_where_dvc_has_it(project: Path) -> None:
    from dvc.config import Config

    for name, text in LEVELS.items():
        (project.parent / name).write_text(text)
    (project / ".dvc/config").write_text("['remote \"Beside\"']\n    url = ../../store\n")
    theirs = Config(str(project / ".dvc"))["remote"]
    assert {name: find_remote_url(project, name) for name in ("far", "near", "beside")} == {
        name: str(remote["url"]) for name, remote in theirs.items()
    }
    assert find_remote_url(project, "beside") == str(project.parent / "store")
    assert find_remote_url(project, "nowhere") == ""
