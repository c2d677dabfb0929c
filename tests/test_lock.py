"""``dvc.lock`` read without DVC: what DVC takes for whole is whole to us too, and nothing else.

DVC rewrites the file in place, so that a kill leaves any beginning of it.
"""

import random
import re
from pathlib import Path

import pytest
import yaml
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from voluptuous import Invalid

from stillhouse.base import lock
from stillhouse.base.errors import InputError

TEXT = (Path(__file__).parent.parent / "dvc.lock").read_text()
CUT_HASH = re.compile(r" md5:(?! [0-9a-f]{32}(\.dir)?(\n|\Z))[^\n]*\Z")
LINE_ENDS = [at + 1 for at, sign in enumerate(TEXT) if sign == "\n"]


def dvc_reads(text: str) -> bool:
    try:
        COMPILED_LOCKFILE_SCHEMA(yaml.load(text, Loader=yaml.CSafeLoader))
    except (Invalid, yaml.YAMLError):
        return False
    return True


def we_read(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(lock, "_LOOK_AGAIN_SECONDS", 0)
    monkeypatch.setattr(lock, "_LOOKS", 2)
    (folder / "dvc.lock").write_text(text)
    try:
        lock.read_lock(folder)
    except InputError:
        return False
    return True


def test_each_beginning_of_a_lock_reads_as_in_dvc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(0)
    anywhere = [draw.randrange(len(TEXT)) for _ in range(60)]
    whole = []
    for end in [0, *LINE_ENDS[:24], *draw.sample(LINE_ENDS, 60), *anywhere, len(TEXT)]:
        text = TEXT[:end]
        whole.append(we_read(text, tmp_path, monkeypatch))
        # DVC takes a hash of which a part is left for another hash, and runs the stage again.
        assert whole[-1] == (dvc_reads(text) and not CUT_HASH.search(text)), text[-200:]
    assert {*whole} == {True, False}


def test_a_torn_lock_that_git_does_not_know_is_to_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_LOOK_AGAIN_SECONDS", 0)
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\nstages:\n  a:\n")
    with pytest.raises(InputError, match=r"run `rm dvc\.lock`, then `dvc repro`"):
        lock.read_lock(tmp_path)
