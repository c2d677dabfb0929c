"""A git history of locks whose tables and scores lie in DVC's cache, made without any stage."""

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from stillhouse.base.cache import name_object
from tests.lineage_project import score

ROOT: Final = Path(__file__).parent.parent
_FIRST: Final = 1_760_000_000  # seconds; a day between two commits


@dataclass(frozen=True)
class Made:
    """What one version is made of: numbers of rows, core facts known of 100, the teacher's model."""

    rows: int
    known: int = 40
    model: str = "claude-haiku-4-5"
    weights: str = ""
    students: tuple[str, ...] = ("tiny",)


def begin(root: Path) -> None:
    """Make a repository with this project's params.yaml."""
    root.mkdir(parents=True, exist_ok=True)
    (root / ".dvc").mkdir()
    (root / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    git(root, "init", "--quiet", "--initial-branch=main")


def git(root: Path, *command: str, seconds: int = _FIRST) -> str:
    """Run git with a clock and an author of its own."""
    who = {
        f"GIT_{role}_{part}": f"t@{part}"
        for role in ("AUTHOR", "COMMITTER")
        for part in ("NAME", "EMAIL")
    }
    when = {f"GIT_{role}_DATE": f"{seconds} +0000" for role in ("AUTHOR", "COMMITTER")}
    done = subprocess.run(
        ["git", "-C", root, *command], check=True, capture_output=True, text=True,
        env={**os.environ, **who, **when},
    )  # fmt: skip
    return done.stdout.strip()


def commit(root: Path, day: int, subject: str, made: Made | None = None) -> str:
    """Commit, with a new lock if one is given; return the sha."""
    if made is not None:
        (root / "dvc.lock").write_text(write_lock(root, made))
    git(root, "add", "--all")
    git(root, "commit", "--allow-empty", "--quiet", "-m", subject, seconds=_FIRST + day * 86_400)
    return git(root, "rev-parse", "HEAD")


def write_lock(root: Path, made: Made) -> str:
    """Put the tables and scores of a version into the cache and return its lock."""
    table = {"request_id": [str(n) for n in range(made.rows)]}
    requests = {**table, "model": [made.model] * made.rows, "teacher": ["anthropic"] * made.rows}
    used = {"input_tokens": 1000, "output_tokens": 100, "cached_tokens": 0}
    answers = {**table, "model": requests["model"], **{k: [v] * made.rows for k, v in used.items()}}
    train = keep_table(root, table)
    dataset = keep_folder(root, {"train.parquet": train})
    outs = {
        "render": {"data/requests.parquet": keep_table(root, requests)},
        "generate": {
            "data/generated": keep_folder(
                root,
                {
                    "responses.parquet": keep_table(root, answers),
                    "pairs.parquet": keep_table(root, {"pair_id": table["request_id"] * 2}),
                },
            )
        },
        "curate": {"data/curated": keep_folder(root, {"rows.parquet": train})},
        "split": {"data/dataset": dataset},
    }
    deps = {
        "render": {"prompts": hash_text(f"prompts {made.rows}") + ".dir"},
        "generate": outs["render"],
        "curate": {"data/generated": outs["generate"]["data/generated"]},
        "split": {"data/curated/rows.parquet": train},
    }
    for student in made.students:
        model = hash_text(f"{student} {made.weights or made.rows}") + ".dir"
        deps[f"train@{student}"] = {"data/dataset/train.parquet": train}
        outs[f"train@{student}"] = {f"models/{student}": model}
        deps[f"evaluate@{student}"] = {f"models/{student}": model}
        path = f"reports/students/{student}/metrics.json"
        outs[f"evaluate@{student}"] = {path: keep(root, make_metrics(student, made.known))}
    stages = {
        name: {"cmd": name, "deps": _list(deps[name]), "outs": _list(outs[name])} for name in outs
    }
    return yaml.safe_dump({"schema": "2.0", "stages": stages}, sort_keys=False)


def make_metrics(student: str, known: int) -> bytes:
    """Return the scores of a student that knows so many of 100 core facts."""
    core = {**score(100, known), "by_kind_scope": {"recall/core": score(100, known)}}
    sets = {"gold": {"student": core}, "general": {"student": score(50, 30)}}
    value = {
        "student": student,
        "sets": sets,
        "abstention": {"right": score(20, 9), "false": score(80, 4)},
    }
    return json.dumps(value).encode()


def keep_table(root: Path, columns: Mapping[str, list[object]]) -> str:
    """Put a table into the cache; return its md5."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(dict(columns)), sink)
    return keep(root, sink.getvalue().to_pybytes())


def keep_folder(root: Path, files: Mapping[str, str]) -> str:
    """Put a folder's listing into the cache; return its md5."""
    listing = [{"md5": md5, "relpath": name} for name, md5 in sorted(files.items())]
    content = json.dumps(listing, sort_keys=True).encode()
    return keep(root, content, ".dir")


def keep(root: Path, content: bytes, suffix: str = "") -> str:
    """Put bytes into the cache; return their md5."""
    md5 = hashlib.md5(content).hexdigest() + suffix
    path = root / ".dvc/cache" / name_object(md5)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return md5


def hash_text(text: str) -> str:
    """Return the md5 of a text."""
    return hashlib.md5(text.encode()).hexdigest()


def _list(entries: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"path": path, "hash": "md5", "md5": md5} for path, md5 in entries.items()]
