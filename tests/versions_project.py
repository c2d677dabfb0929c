"""A small project with a history: each commit holds what the real stages made, in git and DVC's cache.

The stages run in this process and their outputs are put into the cache as DVC would put them, so that
twenty versions take seconds. ``dvc.lock`` is written with the hashes that DVC would write.
"""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from stages import curate, generate, ingest, judge, render, review, split
from stillhouse.base.cache import name_object
from stillhouse.base.ids import md5_file
from stillhouse.base.lock import read_lock
from stillhouse.lineage.doctor_yaml import DeclaredStage, find_value, read_stages
from stillhouse.planning.hashes import Hashes
from tests.trace_project import ROOT, make_project, train_student

STAGES: Final = (ingest, render, generate, judge, curate, review, split)
NAMES: Final = tuple(stage.__name__.rpartition(".")[2] for stage in STAGES)
# Stand-ins for the folders of code that stages depend on: an edit of one changes its hash, as in a project.
CODE: Final = (
    "base",
    "corpus",
    "embedding",
    "prompts",
    "teachers",
    "quality",
    "distill",
    "lineage",
    "evaluation",
)
_MADE: Final = ("data/corpus", "data/generated", "data/judging", "data/curated", "data/dataset")
_IGNORED: Final = (
    "/data/*\n!/data/seed\n/models\n/reports\n/.stillhouse\n/.dvc/cache\n/.dvc/tmp\n__pycache__/\n"
)


@dataclass(frozen=True)
class Project:
    """A repository whose commits are versions of the data."""

    root: Path

    def git(self, *command: str) -> str:
        """Run git in it and return what it prints."""
        asked = ["git", "-C", str(self.root), *command]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()

    def run(self, stages: Sequence[Any] = STAGES) -> None:
        """Run stages from its root, as `dvc repro` would, and record them in ``dvc.lock``."""
        with contextlib.chdir(self.root):
            for stage in stages:
                stage.main()
        self.lock()

    def lock(self) -> None:
        """Record what lies there, and bring outputs into the cache."""
        hashes, params = Hashes(self.root), yaml.safe_load((self.root / "params.yaml").read_text())
        stages = {}
        for stage in read_stages(self.root):
            if stage.name not in NAMES and not self._has_outs(stage):
                continue
            for out in stage.outs:
                self._cache(out.path)
            stages[stage.name] = _describe(stage, hashes, params)
        text = yaml.safe_dump({"schema": "2.0", "stages": stages}, sort_keys=False)
        (self.root / "dvc.lock").write_text(text)

    def commit(self, message: str) -> str:
        """Commit what git keeps; return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def step(self, message: str) -> str:
        """Run the stages as far as split, and commit."""
        self.run()
        return self.commit(message)

    def train(self, student: str, **given: Any) -> Path:
        """Write a student's folder over the tables that lie there, and record it."""
        if (folder := self.root / "models" / student).exists():
            shutil.rmtree(folder)
        upstream = read_lock(self.root).upstream_of(Path("data/dataset"))
        made = train_student(self.root, student, upstream=upstream, **given)
        curve = self.root / "reports/students" / student / "training/curves.csv"
        _put(curve, b"step,cross_entropy\n1,2.0\n", again=True)
        self.lock()
        return made

    def check_out(self, revision: str) -> None:
        """Check out a revision with its data, as `git checkout` and `dvc checkout` would."""
        self.git("checkout", "--quiet", revision)
        for folder in (*_MADE, "models"):
            shutil.rmtree(self.root / folder, ignore_errors=True)
        for stage in read_lock(self.root).stages.values():
            for path, md5 in stage.outs.items():
                self._restore(path, md5)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that has to stand in a file, everywhere."""
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text, f"{path} does not hold {old!r}"
        (self.root / path).write_text(text.replace(old, new), encoding="utf-8")

    def set_params(self, changes: Mapping[str, object]) -> None:
        """Set dotted keys of params.yaml."""
        path = self.root / "params.yaml"
        params = yaml.safe_load(path.read_text())
        for key, value in changes.items():
            *above, last = key.split(".")
            section = params
            for name in above:
                section = section[name]
            section[last] = value
        path.write_text(yaml.safe_dump(params, sort_keys=False))

    def find_object(self, md5: str) -> Path:
        """Return where the cache keeps an object."""
        return self.root / ".dvc/cache" / name_object(md5)

    def _has_outs(self, stage: DeclaredStage) -> bool:
        return bool(stage.outs) and all((self.root / out.path).exists() for out in stage.outs)

    def _cache(self, path: str) -> None:
        here = self.root / path
        files = [here] if here.is_file() else sorted(f for f in here.rglob("*") if f.is_file())
        listing = []
        for file in files:
            md5 = md5_file(file)
            _put(self.find_object(md5), file.read_bytes())
            listing.append({"md5": md5, "relpath": file.relative_to(here).as_posix()})
        if here.is_dir():
            text = json.dumps(sorted(listing, key=lambda one: one["relpath"]), sort_keys=True)
            _put(self.find_object(Hashes(self.root).find(path) or ""), text.encode())

    def _restore(self, path: str, md5: str) -> None:
        target, found = self.root / path, self.find_object(md5)
        if not found.is_file():
            return
        if not md5.endswith(".dir"):
            _put(target, found.read_bytes(), again=True)
            return
        for entry in json.loads(found.read_text()):
            _put(target / entry["relpath"], self.find_object(entry["md5"]).read_bytes(), again=True)


def make_history_project(root: Path, *students: str) -> Project:
    """Make a project of three documents, with these students, and one commit on the branch ``main``."""
    make_project(root)
    _name_students(root / "params.yaml", students)
    shutil.copy2(ROOT / "dvc.yaml", root)
    shutil.copytree(ROOT / "stages", root / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    for package in CODE:
        (root / "stillhouse" / package).mkdir(parents=True)
        (root / "stillhouse" / package / "__init__.py").write_text("")
    (root / ".gitignore").write_text(_IGNORED)
    (root / ".dvcignore").write_text("__pycache__/\n")
    (root / ".dvc").mkdir(exist_ok=True)
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    project = Project(root)
    project.git("init", "--quiet", "--initial-branch", "main")
    project.git("config", "user.email", "ada@example.com")
    project.git("config", "user.name", "Ada")
    project.lock()
    project.commit("begin")
    return project


def copy_project(made: Project, folder: Path) -> Project:
    """Return a copy that a test may change; the caller sets ``STILLHOUSE_HOME``."""
    shutil.copytree(made.root, folder, symlinks=True)
    return Project(folder)


def _name_students(path: Path, students: Sequence[str]) -> None:
    params = yaml.safe_load(path.read_text())
    (settings,) = params["students"].values()
    params["students"] = {name: dict(settings) for name in students}
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def _put(path: Path, content: bytes, *, again: bool = False) -> None:
    if again or not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        # As if it had lain there for long: what has just been written is not remembered as hashed.
        os.utime(path)


def _describe(stage: DeclaredStage, hashes: Hashes, params: Mapping[str, object]) -> dict[str, Any]:
    deps = [
        {"path": dep, "hash": "md5", "md5": md5} for dep in stage.deps if (md5 := hashes.find(dep))
    ]
    outs = [
        {"path": out.path, "hash": "md5", "md5": hashes.find(out.path)}
        for out in stage.outs
        if hashes.find(out.path)
    ]
    told = {name: find_value(params, name) for name in stage.params}
    return {"cmd": stage.cmd, "deps": deps, "params": {"params.yaml": told}, "outs": outs}
