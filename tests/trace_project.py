"""A small project made by the real stages up to split, and a student that lists its rows."""

import contextlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
import yaml

from stages import curate, generate, ingest, judge, render, review, split
from stillhouse.base.ids import md5_file
from stillhouse.base.records import Row
from stillhouse.base.tables import read_all
from stillhouse.lineage.inputs import InputGuard
from stillhouse.lineage.provenance import BaseModel, write_provenance
from tests.lineage_project import BASE, TRAIN, VALIDATION

ROOT: Final = Path(__file__).parent.parent
LEAVE: Final = "people/annual-leave.md"
STUDY: Final = "people/training-and-study.md"
HELD_OUT: Final = "fleet/company-vehicles.md"
UNREAD: Final = "people/plan.xyz"
TASK: Final = {"fraction": 1.0, "pairs": 4, "phrasings": 4}


def make_project_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the project in a folder of its own, for a fixture of a whole module."""
    root = tmp_path_factory.mktemp("trace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(root))
        make_project(root)
    return root


def make_project(root: Path) -> None:
    """Run the stages from ingest to split on three documents; a fourth file cannot be read.

    A reviewer rejects the first row of the study policy and mends the second.
    """
    seed = root / "data/seed"
    for source in (LEAVE, STUDY, HELD_OUT):
        (seed / "documents" / source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / "data/seed/documents" / source, seed / "documents" / source)
    (seed / "documents" / UNREAD).write_text("?")
    shutil.copytree(ROOT / "prompts", root / "prompts")
    shutil.copy2(ROOT / "data/seed/sources.yaml", seed)
    (seed / "eval").mkdir()
    empty = ("everyday.jsonl", "unanswered.jsonl", "eval/gold.jsonl", "eval/general.jsonl")
    for name in (*empty, "review.jsonl"):
        (seed / name).write_text("")
    focus = {"version": 1, "core": [{"source": LEAVE}], "held_out": [{"source": HELD_OUT}]}
    (seed / "focus.yaml").write_text(yaml.safe_dump(focus))
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    tasks = {"recall": TASK, "multi_step": {"fraction": 1.0}}
    params["render"]["plan"] = {"core": tasks, "other": tasks, "questions": {}}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    with contextlib.chdir(root):
        for stage in (ingest, render, generate, judge, curate):
            stage.main()
        write_verdicts()
        for stage in (review, split):
            stage.main()


def rerun() -> None:
    """Run the stages behind ingest in the working directory."""
    for stage in (render, generate, judge, curate, review, split):
        stage.main()


def write_verdicts() -> None:
    """Let a reviewer reject one row about the study policy and mend another."""
    first, second = [row for row in read_rows("data/curated/rows.parquet") if is_of(row, STUDY)][:2]
    decided = {"reviewer": "Ada"}
    verdicts = [
        {**decided, "row_id": first.row_id, "verdict": "reject", "reason": "beside the point"},
        {**decided, "row_id": second.row_id, "verdict": "fix", "response": "Nine."},
    ]
    text = "".join(json.dumps(verdict) + "\n" for verdict in verdicts)
    Path("data/seed/review.jsonl").write_text(text)


def read_rows(path: str | Path) -> list[Row]:
    """Return the rows of a table below the working directory."""
    return read_all(Path(path), Row)


def is_of(row: Row, source: str) -> bool:
    """Whether a row's slot lies in a document."""
    return row.slot_id.startswith(f"{source}|")


def store_in_cache(root: Path) -> dict[str, str]:
    """Copy the tables into DVC's cache, as a commit leaves them; return what ``dvc.lock`` would say."""
    outs = {}
    for path in sorted((root / "data").rglob("*.parquet")):
        md5 = md5_file(path)
        cached = root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        cached.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, cached)
        outs[path.relative_to(root).as_posix()] = md5
    return outs


def train_student(
    root: Path,
    student: str,
    base: BaseModel = BASE,
    upstream: Mapping[str, str] | None = None,
    teachers: Sequence[BaseModel] = (),
) -> Path:
    """Write a student's folder as ``train`` leaves it, over the train table that lies there."""
    folder = root / "models" / student
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(student.encode())
    guard = InputGuard(root)
    guard.open(VALIDATION)
    write_provenance(
        folder, student=student, guard=guard, train=TRAIN, base=base, parameters={},
        upstream=upstream or {}, teachers=teachers,
    )  # fmt: skip
    return folder
