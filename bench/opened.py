"""An invented project on disk, and what is told of it to those who cannot find its bytes themselves."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from bench.invented_project import TRAIN
from bench.lineage_peers import Files
from stillhouse.base.cache import find_cached, find_caches
from stillhouse.base.records import split_slot
from stillhouse.history.commits import list_commits, read_locks

_SETTLED: Final = 2.5  # seconds; a hash is remembered of files that nobody touched for so long
_TABLES: Final = {
    "documents": "data/corpus/documents.parquet",
    "chunks": "data/corpus/chunks.parquet",
    "requests": "data/requests.parquet",
    "responses": "data/generated/responses.parquet",
    "pairs": "data/generated/pairs.parquet",
    "judgements": "data/judgements.parquet",
    "rejections": "data/curated/rejections.parquet",
    "train": str(TRAIN),
}


@dataclass(frozen=True, slots=True)
class Project:
    """An invented project, and what a peer must be told of it."""

    root: Path
    files: Files


def open_project(
    root: Path, write: Callable[[Path], object], *, settle: float = _SETTLED
) -> Project:
    """Return the project at ``root``, written if it is not there yet.

    What an earlier run remembered is dropped, so that the first run is a first run. ``settle`` is how
    many seconds nobody touches it.
    """
    if not root.exists():
        part = root.with_name(f"{root.name}.part")
        write(part)
        part.rename(root)
    for memory in sorted((root / ".stillhouse").glob("**/*"), reverse=True):
        memory.rmdir() if memory.is_dir() else memory.unlink()
    row = pq.ParquetFile(root / TRAIN).read_row_group(0, columns=["row_id", "slot_id"])
    row_id, slot_id = (row.column(name)[0].as_py() for name in ("row_id", "slot_id"))
    time.sleep(settle)
    return Project(root, find_files(root, split_slot(slot_id)[0], row_id))


def find_files(root: Path, thing: str, row: str) -> Files:
    """Return where the tables lie that a peer must be told of, with what it is to trace."""
    caches, trains, models = find_caches(root), [], {}

    def find(outs: Mapping[str, str], path: str) -> str:
        return str(find_cached(caches, outs, path)[1])

    commits = list_commits(root)
    locks = dict(read_locks(root, (commit.lock_blob for commit in commits)))
    for commit in commits:
        outs = {
            path: md5
            for stage in locks[commit.lock_blob].stages.values()
            for path, md5 in stage.outs.items()
        }
        train = find(outs, _TABLES["train"])
        trains.append(train)
        for model in (path for path in outs if path.startswith("models/")):
            models[f"{model}@{commit.sha[:7]}"] = {
                "rows": find(outs, f"{model}/rows.parquet"),
                "train": train,
                "documents": find(outs, _TABLES["documents"]),
            }
    tables = {name: str(root / path) for name, path in _TABLES.items()}
    return Files(trains[min(1, len(trains) - 1)], trains[0], tables, models, thing, row)
