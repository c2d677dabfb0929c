"""A small finished project as DVC leaves it: tables, a student, ``dvc.lock``, cache and run cache.

Made by hand, without DVC: a test of tampering needs a project that is whole, a hundred times.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from stillhouse.base.ids import md5_file
from stillhouse.base.lock import read_lock
from stillhouse.base.records import Row
from stillhouse.base.tables import write_table
from stillhouse.lineage.doctor_yaml import DeclaredStage, read_stages
from stillhouse.lineage.inputs import InputGuard
from stillhouse.lineage.provenance import write_provenance
from stillhouse.planning.differences import ParameterFiles
from stillhouse.planning.hashes import Hashes, hash_listing
from stillhouse.planning.run_cache import name_run
from tests.lineage_project import BASE, TRAIN, VALIDATION, make_row, write_reports

STUDENT: Final = "tiny"
PIPELINE: Final = {
    "ingest": {
        "cmd": "python -m stages.ingest",
        "deps": ["data/seed/documents"],
        "params": ["ingest"],
        "outs": ["data/corpus/documents.parquet"],
    },
    "generate": {
        "cmd": "python -m stages.generate",
        "deps": ["data/corpus/documents.parquet"],
        "outs": ["data/generated"],
    },
    "split": {
        "cmd": "python -m stages.split",
        "deps": ["data/generated/responses.parquet"],
        "outs": ["data/dataset"],
    },
    "validate": {
        "cmd": "python -m stages.validate",
        "deps": ["data/corpus", "data/generated", "data/dataset"],
        "outs": ["reports/validation.json"],
    },
    "train": {
        "foreach": "${students}",
        "do": {
            "cmd": "python -m stages.train ${key}",
            "deps": [
                TRAIN.as_posix(),
                VALIDATION.as_posix(),
                "data/generated",  # a folder among the inputs, as captured distributions are
                "reports/validation.json",
            ],
            "params": ["students.${key}"],
            "outs": ["models/${key}"],
        },
    },
    "evaluate": {
        "foreach": "${students}",
        "do": {
            "cmd": "python -m stages.evaluate ${key}",
            "deps": ["models/${key}"],
            "metrics": ["reports/students/${key}/metrics.json"],
            "outs": ["reports/students/${key}/speed.json"],
        },
    },
    "report": {
        "cmd": "python -m stages.report",
        "deps": ["models", "reports/students"],
        "outs": ["reports/index.html"],
    },
}
# As DVC writes them beside the outputs.
IGNORED: Final = {
    "data": ["generated", "dataset"],
    "data/corpus": ["documents.parquet"],
    "models": [STUDENT],
    "reports": ["validation.json", "index.html"],
    f"reports/students/{STUDENT}": ["metrics.json", "speed.json"],
}
PARAMS: Final = {
    "ingest": {"max_tokens": 220},
    "register": {"experiment": "test", "model_prefix": "test-"},
    "students": {STUDENT: {"epochs": 2.0}},
}


def write_sealed(root: Path) -> Path:
    """Write the whole project below ``root``, as if `dvc repro` had just ended; return the root."""
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (root / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (root / ".gitignore").write_text("/.stillhouse/\n")
    for folder, ignored in IGNORED.items():
        write(root / folder / ".gitignore", "".join(f"/{name}\n" for name in ignored))
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": PIPELINE}, sort_keys=False))
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    for name, text in (("leave.md", "Staff have 27.5 days."), ("fleet/cars.md", "Cars are blue.")):
        write(root / "data/seed/documents" / name, text)
    write(root / "data/corpus/documents.parquet", "documents")
    lock_stage(root, "ingest")
    write(root / "data/generated/responses.parquet", "answers of a teacher")
    write(root / "data/generated/pairs.parquet", "pairs")
    lock_stage(root, "generate")
    write_dataset(root, range(1, 6))
    finish(root)
    return root


def finish(root: Path) -> None:
    """Run all that stands behind the dataset, as it lies there."""
    lock_stage(root, "split")
    write_validation(root, passed=True)
    lock_stage(root, "validate")
    train(root)
    lock_stage(root, f"train@{STUDENT}")
    write_reports(root, STUDENT)
    shutil.rmtree(root / "reports/students" / STUDENT / "training")
    lock_stage(root, f"evaluate@{STUDENT}")
    write(root / "reports/index.html", "<p>page</p>")
    lock_stage(root, "report")


def write(path: Path, text: str) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_dataset(root: Path, taught: range) -> None:
    """Write the three tables of the dataset."""
    write_table(root / TRAIN, Row, [make_row(number) for number in taught])
    write_table(root / VALIDATION, Row, [make_row(number) for number in range(16, 18)])
    write_table(root / "data/dataset/test.parquet", Row, [make_row(18)])


def write_validation(root: Path, *, passed: bool) -> None:
    """Write the gate's record of the tables that lie there."""
    paths = sorted((root / "data").rglob("*.parquet"))
    tables = {path.relative_to(root).as_posix(): md5_file(path) for path in paths}
    write(root / "reports/validation.json", json.dumps({"passed": passed, "tables": tables}))


def train(root: Path, weights: bytes = b"weights") -> None:
    """Write the student's folder as ``train`` leaves it."""
    folder = root / "models" / STUDENT
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    guard = InputGuard(root)
    guard.open(VALIDATION)
    guard.open(Path("reports/validation.json"))
    guard.open(Path("data/generated"))
    write_provenance(
        folder,
        student=STUDENT,
        guard=guard,
        train=TRAIN,
        base=BASE,
        parameters=PARAMS["students"][STUDENT],
        upstream=read_lock(root).upstream_of(TRAIN.parent),
    )


def lock_stage(root: Path, name: str, *, run_cache: bool = True) -> None:
    """Record a stage as DVC does after its command: lock, cache, run cache."""
    stage = next(stage for stage in read_stages(root) if stage.name == name)
    entry = make_entry(root, stage)
    for out in stage.outs:
        store(root, out.path)
    lock = read_raw(root)
    lock["stages"][name] = entry
    write_raw(root, lock)
    if run_cache:
        write_run(root, entry)


def make_entry(root: Path, stage: DeclaredStage) -> dict[str, Any]:
    """Return what the lock says of a stage as things lie now."""
    hashes = Hashes(root)
    entry: dict[str, Any] = {"cmd": stage.cmd}
    entry["deps"] = [{"path": p, "hash": "md5", "md5": hashes.find(p)} for p in sorted(stage.deps)]
    if stage.tracked:
        entry["params"] = ParameterFiles(root).read(stage.tracked)
    paths = sorted(out.path for out in stage.outs)
    entry["outs"] = [{"path": p, "hash": "md5", "md5": hashes.find(p)} for p in paths]
    return entry


def read_raw(root: Path) -> dict[str, Any]:
    """Return ``dvc.lock`` as it stands there."""
    path = root / "dvc.lock"
    return yaml.safe_load(path.read_text()) if path.exists() else {"schema": "2.0", "stages": {}}


def write_raw(root: Path, lock: Mapping[str, Any]) -> None:
    """Write ``dvc.lock``."""
    (root / "dvc.lock").write_text(yaml.safe_dump(dict(lock), sort_keys=False))


def write_run(root: Path, entry: Mapping[str, Any]) -> Path:
    """File a run in the run cache under the names that DVC gives it."""
    deps = {dep["path"]: dep["md5"] for dep in entry["deps"]}
    outs = [out["path"] for out in entry["outs"]]
    key = name_run(entry["cmd"], deps, entry.get("params", {}), outs)
    path = root / ".dvc/cache/runs" / key[:2] / key / hash_run(entry)
    write(path, yaml.safe_dump(dict(entry), sort_keys=False))
    return path


def hash_run(entry: Mapping[str, Any]) -> str:
    """Return the name of a run's file: DVC's own."""
    from dvc.utils import dict_sha256

    return str(dict_sha256(dict(entry), exclude=["size", "nfiles"]))


def object_of(root: Path, md5: str) -> Path:
    """Return where the cache keeps an md5."""
    return root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def store(root: Path, out: str) -> str:
    """Copy an output into the cache, a folder with its listing; return its md5."""
    path = root / out
    if path.is_dir():
        files = {
            file.relative_to(path).as_posix(): store(root, file.relative_to(root).as_posix())
            for file in sorted(path.rglob("*"))
            if file.is_file()
        }
        md5 = hash_listing(files)
        listing = [{"md5": one, "relpath": name} for name, one in sorted(files.items())]
        _put(object_of(root, md5), json.dumps(listing, sort_keys=True).encode())
        return md5
    md5 = md5_file(path)
    _put(object_of(root, md5), path.read_bytes())
    return md5


def _put(path: Path, content: bytes) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o444)


def commit(root: Path, message: str = "data") -> None:
    """Commit all that git keeps."""
    run = ("git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b")
    if not (root / ".git").exists():
        subprocess.run([*run, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*run, "add", "-A"], check=True)
    subprocess.run([*run, "commit", "-qm", message], check=True)
