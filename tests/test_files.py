"""Files are whole or as they were, whatever happens in between, and the user's own stay so."""

import os
import stat
from pathlib import Path

import pytest

from stillhouse.base.errors import MachineError
from stillhouse.base.files import replace_folder, rewrite_text, write_text


def fill(path: Path, text: str) -> None:
    with replace_folder(path) as new:
        (new / "inner").mkdir()
        (new / "inner/file").write_text(text)


def list_files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("error", "raised"),
    [(OSError(5, "no"), MachineError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_an_error_between_two_renames_leaves_the_old_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, raised: type
) -> None:
    fill(tmp_path / "model", "old")
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(raised):
        fill(tmp_path / "model", "new")
    assert list_files(tmp_path) == {"model/inner/file": "old"}


def test_a_kill_between_two_renames_is_made_good_by_the_next_writer(tmp_path: Path) -> None:
    fill(tmp_path / "model", "old")
    abandoned = tmp_path / ".model.abc.part"
    (abandoned / "new").mkdir(parents=True)
    (tmp_path / "model").rename(abandoned / "old")
    with pytest.raises(RuntimeError), replace_folder(tmp_path / "model"):
        raise RuntimeError
    assert list_files(tmp_path) == {"model/inner/file": "old"}


def test_a_folder_reaches_the_disk_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    monkeypatch.setattr(
        os, "fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink())
    )
    fill(tmp_path / "model", "new")
    assert [Path(path).name for path in synced] == ["new", "inner", "file"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_an_output_has_the_mode_that_the_umask_leaves(
    tmp_path: Path, umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        write_text(tmp_path / "file", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_a_file_of_the_user_keeps_its_link_and_its_mode(tmp_path: Path) -> None:
    real, link = tmp_path / "elsewhere/params.yaml", tmp_path / "params.yaml"
    real.parent.mkdir()
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to("elsewhere/params.yaml")
    rewrite_text(link, "new")
    assert (link.is_symlink(), real.read_text()) == (True, "new")
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert sorted(path.name for path in real.parent.iterdir()) == ["params.yaml"]
