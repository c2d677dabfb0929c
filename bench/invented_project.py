"""A project of two commits whose tables have as many rows as one likes, as a finished pipeline leaves it.

It is a git repository with ``dvc.lock`` at each commit, DVC's cache, and a student that lists its rows;
nothing ran and nothing was trained. HEAD~1 is the first version of ``bench.rows``, HEAD the second.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from contextlib import chdir
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from bench.rows import Block, choose_rows, write_rows
from bench.upstream import write_upstream
from stillhouse.base.files import write_json, write_text
from stillhouse.base.ids import md5_file
from stillhouse.base.lock import read_lock
from stillhouse.lineage.inputs import InputGuard
from stillhouse.lineage.provenance import BaseModel, write_provenance
from stillhouse.planning.hashes import hash_listing

STUDENT: Final = "probe"
TRAIN: Final = Path("data/dataset/train.parquet")
_ROOT: Final = Path(__file__).parent.parent
_COPIED: Final = ("params.yaml", "prompts")
_OTHERS: Final = {"validation": 0.01, "test": 0.01}  # of the rows of train
_TABLES: Final = ("data/corpus/documents.parquet", "data/corpus/chunks.parquet")
_BASE: Final = BaseModel("tiny", "b" * 64, "nothing that was trained")
_AUTHOR: Final = {f"GIT_{who}_{what}": "bench@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}  # fmt: skip
_STAGES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "ingest": (("data/seed/documents",), (*_TABLES, "data/corpus/skipped.parquet")),
    "render": ((*_TABLES, "prompts"), ("data/requests.parquet",)),
    "generate": (("data/requests.parquet",), ("data/generated",)),
    "judge": ((_TABLES[1], "data/generated/pairs.parquet"), ("data/judgements.parquet",)),
    "curate": (
        (_TABLES[1], "data/generated/pairs.parquet", "data/judgements.parquet", "data/requests.parquet"),
        ("data/curated",),
    ),
    "review": (("data/curated/rows.parquet",), ("data/reviewed.parquet", "reports/review.json")),
    "split": ((_TABLES[0], "data/reviewed.parquet"), ("data/dataset",)),
    "validate": (("data/dataset",), ("reports/validation.json",)),
    f"train@{STUDENT}": (
        (str(TRAIN), "data/dataset/validation.parquet", "reports/validation.json"),
        (f"models/{STUDENT}",),
    ),
}  # fmt: skip


def write_project(root: Path, rows: int) -> None:
    """Write the project; its workspace is HEAD's."""
    root.mkdir(parents=True)
    first, second = choose_rows(rows)
    write_text(root / ".gitignore", "/data/*\n!/data/seed/\n/models/\n/reports/\n/.stillhouse/\n")
    write_text(root / ".dvc/config", "[core]\n    analytics = false\n")
    write_text(root / ".dvc/.gitignore", "/cache\n/tmp\n")
    for name in _COPIED:
        copy = shutil.copytree if (_ROOT / name).is_dir() else shutil.copy2
        copy(_ROOT / name, root / name)
    stages = {
        name: {"cmd": "true", "deps": list(deps), "outs": list(outs)}
        for name, (deps, outs) in _STAGES.items()
    }
    write_text(root / "dvc.yaml", yaml.safe_dump({"stages": stages}))
    _git(root, "init", "--quiet")
    for subject, block, dropped in (
        ("First version", first, _none(first)),
        ("Second version", second, _leave_out(first, second)),
    ):
        write_version(root, block, dropped)
        _git(root, "add", "--all")
        _git(root, "commit", "--quiet", "--message", subject)


def write_version(root: Path, train: Block, dropped: Block) -> None:
    """Write tables, student and ``dvc.lock`` of one version, and keep its bytes in DVC's cache."""
    parts = {"train": train, **_choose_others(train)}
    everything = Block(
        np.concatenate([part.numbers for part in parts.values()]),
        np.concatenate([part.edits for part in parts.values()]),
    )
    for name, part in parts.items():
        write_rows(root / f"data/dataset/{name}.parquet", part)
    write_upstream(root, everything, dropped)
    reviewed, curated = root / "data/reviewed.parquet", root / "data/curated/rows.parquet"
    write_rows(reviewed, everything)
    curated.unlink(missing_ok=True)
    os.link(reviewed, curated)
    write_json(root / "reports/review.json", {"decisions": []})
    tables = {path.relative_to(root).as_posix(): md5_file(path) for path in _find_tables(root)}
    write_json(root / "reports/validation.json", {"passed": True, "tables": tables})
    write_student(root)
    write_lock(root)


def write_student(root: Path) -> None:
    """Write a student's folder as ``train`` leaves it, over the train table that lies there."""
    folder = root / "models" / STUDENT
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_lock(root, (name for name in _STAGES if not name.startswith("train@")))
    guard = InputGuard(root)
    (folder / "model.safetensors").write_bytes(guard.open(TRAIN).read_bytes()[-4096:])
    write_text(folder / "config.json", '{"model_type": "llama"}')
    write_text(folder / "tokenizer.json", "{}")
    for path in ("data/dataset/validation.parquet", "reports/validation.json"):
        guard.open(Path(path))
    with chdir(root):
        write_provenance(
            folder, student=STUDENT, guard=guard, train=TRAIN, base=_BASE, parameters={},
            upstream=read_lock().upstream_of(TRAIN),
        )  # fmt: skip


def write_lock(root: Path, names: Iterable[str] = _STAGES) -> None:
    """Write ``dvc.lock`` over what lies there, and keep the bytes of every output in the cache."""
    stages: dict[str, Any] = {}
    for name in names:
        deps, outs = _STAGES[name]
        stages[name] = {
            "cmd": "true",
            "deps": [_describe(root, path) for path in deps],
            "outs": [_describe(root, path, keep=True) for path in outs],
        }
    write_text(root / "dvc.lock", yaml.safe_dump({"schema": "2.0", "stages": stages}))


def _describe(root: Path, path: str, *, keep: bool = False) -> dict[str, str]:
    place = root / path
    if place.is_file():
        return {"path": path, "md5": _keep(root, place) if keep else md5_file(place)}
    files = {
        file.relative_to(place).as_posix(): _keep(root, file) if keep else md5_file(file)
        for file in sorted(place.rglob("*"))
        if file.is_file()
    }
    if keep:
        listing = [{"md5": md5, "relpath": name} for name, md5 in sorted(files.items())]
        write_text(_name_object(root, hash_listing(files)), json.dumps(listing, sort_keys=True))
    return {"path": path, "md5": hash_listing(files)}


def _keep(root: Path, file: Path) -> str:
    """Link a file into the cache: writers replace files, so that the object keeps its bytes."""
    md5 = md5_file(file)
    kept = _name_object(root, md5)
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        os.link(file, kept)
    return md5


def _name_object(root: Path, md5: str) -> Path:
    return root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def _choose_others(train: Block) -> dict[str, Block]:
    """Return the rows of the other tables of the dataset: of documents that train has not."""
    chosen, start = {}, 4 * len(train.numbers) // 150 * 150
    for name, share in _OTHERS.items():
        count = max(1, round(len(train.numbers) * share))
        numbers = np.arange(start, start + count, dtype=np.uint64)
        chosen[name] = Block(numbers, np.zeros_like(numbers))
        start += (count // 150 + 1) * 150
    return chosen


def _leave_out(first: Block, second: Block) -> Block:
    gone = np.setdiff1d(first.numbers, second.numbers)
    return Block(gone, np.zeros_like(gone))


def _none(block: Block) -> Block:
    return block.at(np.empty(0, dtype=np.intp))


def _find_tables(root: Path) -> list[Path]:
    return sorted((root / "data").rglob("*.parquet"))


def _git(root: Path, *command: str) -> None:
    subprocess.run(["git", "-C", root, *command], check=True, env={**os.environ, **_AUTHOR})
