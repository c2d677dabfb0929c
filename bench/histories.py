"""A synthetic project with many versions: tables, caches, students and commits, without any stage.

``make_history(root, versions=50, rows=100_000)`` makes a git repository whose ``dvc.lock`` names, at
each commit, the tables of one version and a student trained on them, with the bytes in DVC's cache.
From version to version a share of the documents is edited: their passages, requests and rows get new
ids, all others stay. The last version lies in the workspace. The same arguments give the same bytes.

Run as ``python -m bench.histories`` it makes one such history and one project of a million rows in
temporary folders, and prints the seconds of ``stillhouse trace`` over both, cold and warm.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillhouse.base import versions as formats
from stillhouse.base.files import write_json, write_text
from stillhouse.base.ids import md5_file, merkle_root, sha256_file
from stillhouse.base.records import (
    Chunk,
    Document,
    Judgement,
    Pair,
    Rejection,
    Request,
    Response,
    Row,
)
from stillhouse.base.tables import ROW_GROUP, arrow_schema
from stillhouse.lineage.inputs import Digest
from stillhouse.lineage.model_folder import weights_sha256
from stillhouse.lineage.provenance import BaseModel, Dataset, Provenance, SeenRow

CHUNKS_EACH: Final = 10  # of a document
REQUESTS_EACH: Final = 5  # of a chunk
ROWS_EACH: Final = 10  # of a request
ROUNDS: Final = 5
SETTLED: Final = 2.5  # seconds, after which a file's hash is remembered (history/hashed.py)
_ROWS_OF_DOCUMENT: Final = CHUNKS_EACH * REQUESTS_EACH * ROWS_EACH
_PROMPTS: Final = ("prompts/recall.md", "prompts/facts.md")
_FOLDERS: Final = ("data/generated", "data/curated", "data/dataset")
_MAIN: Final = "from stillhouse.cli.main import app; app()"
_CORPUS: Final = "data/corpus"
_MESSAGES: Final = arrow_schema(Row).field("prompt").type


@dataclass(frozen=True, slots=True)
class History:
    """What was made: the commits, oldest first, and the sources of the documents."""

    root: Path
    commits: tuple[str, ...]
    sources: tuple[str, ...]


class _World:
    """Everything by number; ``edits`` counts how often each document was edited."""

    def __init__(self, rows: int) -> None:
        self.documents = max(rows // _ROWS_OF_DOCUMENT, 2)
        self.edits = np.zeros(self.documents, np.int64)
        self._made: dict[str, tuple[np.ndarray, list[str]]] = {}

    def count(self, kind: str) -> int:
        """Return how many there are of a kind."""
        return self.documents * {"document": 1, **_EACH}[kind]

    def sources(self) -> list[str]:
        return [f"part-{n % 20:02d}/document-{n:05d}.md" for n in range(self.documents)]

    def ids(self, kind: str) -> pa.Array:
        """Return the ids of a kind; those of an edited document are others than before."""
        each = {"document": 1, **_EACH}[kind]
        edits = np.repeat(self.edits, each)
        before, ids = self._made.get(kind, (np.full(len(edits), -1), [""] * len(edits)))
        for n in np.flatnonzero(edits != before).tolist():
            ids[n] = _hash(kind, n, int(edits[n]))
        self._made[kind] = (edits, ids)
        return pa.array(ids)

    def edit(self, share: float, chance: np.random.Generator) -> None:
        """Edit some of the documents."""
        count = max(int(self.documents * share), 1)
        self.edits[chance.choice(self.documents, count, replace=False)] += 1


_EACH: Final = {
    "chunk": CHUNKS_EACH,
    "request": CHUNKS_EACH * REQUESTS_EACH,
    "row": _ROWS_OF_DOCUMENT,
}


def make_history(
    root: Path, *, versions: int = 50, rows: int = 100_000, share: float = 0.02, seed: int = 0
) -> History:
    """Make the project at ``root``, which does not exist yet.

    Args:
        root: the new project.
        versions: commits, each with tables and a student ``bench`` of its own.
        rows: of each version's three tables of the dataset together.
        share: of the documents that is edited from one version to the next.
        seed: of what is edited.
    """
    root.mkdir(parents=True)
    world, chance = _World(rows), np.random.default_rng(seed)
    _run(root, "git", "init", "-q", "-b", "main")
    write_text(root / ".gitignore", "/data/\n/models/\n/.stillhouse/\n/.dvc/cache/\n")
    write_text(root / "params.yaml", "{}\n")
    write_text(root / "dvc.yaml", "stages: {}\n")
    write_text(root / ".dvc/config", "")
    for prompt in _PROMPTS:
        write_text(root / prompt, f"{prompt}\n")
    write_json(root / "reports/review.json", {"decisions": []})
    commits = []
    for version in range(versions):
        if version:
            world.edit(share, chance)
        outs = _write_version(root, world, version, last=version == versions - 1)
        _write_lock(root, outs)
        _run(root, "git", "add", "-A")
        _run(root, "git", "commit", "-q", "-m", f"version {version}")
        commits.append(_run(root, "git", "rev-parse", "HEAD").strip())
    return History(root, tuple(commits), tuple(world.sources()))


def _write_version(root: Path, world: _World, version: int, *, last: bool) -> dict[str, str]:
    """Write the tables and the student of a version; return what ``dvc.lock`` says of them."""
    tables = {"data/requests.parquet": _requests(root, world), **_corpus(world)}
    tables |= _dataset(root, world)
    if last:
        tables |= _between(world, tables)
    shutil.rmtree(root / "data", ignore_errors=True)
    outs = {path: _write(root / path, table, record) for path, (record, table) in tables.items()}
    for path, md5 in outs.items():
        _store(root, root / path, md5)
    for folder in _FOLDERS:
        inner = {
            path.removeprefix(f"{folder}/"): outs.pop(path)
            for path in list(outs)
            if path.startswith(f"{folder}/")
        }
        outs[folder] = _store_folder(root, inner)
    return outs | {"models/bench": _write_student(root, version, outs)}


def _corpus(world: _World) -> dict[str, tuple[type, dict[str, Any]]]:
    sources, documents = pa.array(world.sources()), world.ids("document")
    of_chunk = np.repeat(np.arange(world.documents), CHUNKS_EACH)
    texts = pa.array([f"Text {i}" for i in world.ids("chunk").to_pylist()])
    places = [f"Part {n % CHUNKS_EACH}:0" for n in range(world.count("chunk"))]
    chunks = {
        "chunk_id": world.ids("chunk"),
        "document_id": documents.take(pa.array(of_chunk)),
        "source": sources.take(pa.array(of_chunk)),
        "headings": _lists(pa.array([place[:-2] for place in places])),
        "anchor": pa.array(places),
        "start": pa.array(np.zeros(len(of_chunk), np.int64)),
        "end": pa.array(np.full(len(of_chunk), 70)),
        "text": texts,
    }
    told = {
        "document_id": documents,
        "source": sources,
        "source_sha256": documents,
        "media_type": "text/markdown",
        "title": sources,
        "text": sources,
        "license": "CC0-1.0",
    }
    skipped: dict[str, Any] = {"rejected_id": pa.array([], pa.string())}
    return {
        f"{_CORPUS}/documents.parquet": (Document, told),
        f"{_CORPUS}/chunks.parquet": (Chunk, chunks),
        f"{_CORPUS}/skipped.parquet": (Rejection, skipped),
    }


def _requests(root: Path, world: _World) -> tuple[type, dict[str, Any]]:
    count = world.count("request")
    of = np.arange(count) // REQUESTS_EACH
    sources = pa.array(world.sources()).take(pa.array(of // CHUNKS_EACH)).to_pylist()
    prompts = pa.array([sha256_file(root / prompt) for prompt in _PROMPTS])
    turn = pa.array(np.arange(count) % len(_PROMPTS))
    slots = [f"{source}|Part {n}:0|recall|plain||0" for n, source in enumerate(sources)]
    columns = {
        "request_id": world.ids("request"),
        "slot_id": pa.array(slots),
        "chunk_ids": _lists(world.ids("chunk").take(pa.array(of))),
        "task": pa.array(["recall", "facts"]).take(turn),
        "prompt_path": pa.array(_PROMPTS).take(turn),
        "prompt_sha256": prompts.take(turn),
        "teacher": "offline",
        "model": "offline-1",
        "output_schema": "{}",
        "parameters": "{}",
        "messages": _messages("user", pa.array([f"Ask about {slot}" for slot in slots])),
    }
    return Request, columns


def _rows(root: Path, world: _World) -> dict[str, Any]:
    count = world.count("row")
    row = np.arange(count)
    request, chunk, document = (
        pa.array(row // ROWS_EACH),
        pa.array(row // (ROWS_EACH * REQUESTS_EACH)),
        pa.array(row // _ROWS_OF_DOCUMENT),
    )
    sources = pa.array(world.sources()).take(document).to_pylist()
    slots = [
        f"{s}|Part {n // ROWS_EACH}:0|recall|plain||0|{n % ROWS_EACH}"
        for n, s in enumerate(sources)
    ]
    ids = world.ids("row")
    turn = pa.array((row // ROWS_EACH) % len(_PROMPTS))
    prompts = pa.array([sha256_file(root / prompt) for prompt in _PROMPTS])
    return {
        "row_id": ids,
        "slot_id": pa.array(slots),
        "request_id": world.ids("request").take(request),
        "chunk_ids": _lists(world.ids("chunk").take(chunk)),
        "document_ids": _lists(world.ids("document").take(document)),
        "task": pa.array(["recall", "facts"]).take(turn),
        "fact_id": world.ids("request").take(request),
        "prompt": _messages("user", pa.array([f"What is said in place {n}?" for n in row])),
        "completion": _messages(
            "assistant", pa.array([f"It says {i[:12]}." for i in ids.to_pylist()])
        ),
        "prompt_sha256": prompts.take(turn),
        "document_sha256": world.ids("chunk").take(chunk),
        **{
            f"{name}_sha256": _hash(name, 0, 0)
            for name in ("teacher", "parameters", "judge", "filter", "code")
        },
    }


def _dataset(root: Path, world: _World) -> dict[str, tuple[type, dict[str, Any]]]:
    """Split the rows: of a request the last goes to validation or test, by turns."""
    rows = _rows(root, world)
    number = np.arange(world.count("row"))
    last, odd = number % ROWS_EACH == ROWS_EACH - 1, (number // ROWS_EACH) % 2 == 1
    parts = {"train": ~last, "validation": last & odd, "test": last & ~odd}
    return {
        f"data/dataset/{name}.parquet": (Row, _filter(rows, mask)) for name, mask in parts.items()
    }


def _between(world: _World, tables: Mapping[str, tuple[type, dict[str, Any]]]) -> dict[str, Any]:
    """Return the tables that lie between the requests and the dataset."""
    parts = [columns for path, (_, columns) in tables.items() if path.startswith("data/dataset/")]
    rows = {
        name: pa.concat_arrays([part[name] for part in parts])
        if isinstance(value, pa.Array)
        else value
        for name, value in parts[0].items()
    }
    pairs = {name: rows[name] for name in ("slot_id", "request_id", "chunk_ids", "task", "fact_id")}
    pairs |= {"pair_id": rows["row_id"], "messages": rows["prompt"], "response": rows["slot_id"]}
    rejected = world.ids("row").slice(0, 0)
    judged = {
        "pair_id": rows["row_id"],
        "judge": "lexical",
        "criterion": "grounded",
        "request_id": "",
    }
    dropped: dict[str, Any] = {"rejected_id": rejected}
    return {
        "data/generated/responses.parquet": (
            Response,
            {"request_id": world.ids("request"), "text": "[]", "model": "offline-1"},
        ),
        "data/generated/pairs.parquet": (Pair, pairs),
        "data/generated/rejections.parquet": (Rejection, dropped),
        "data/judgements.parquet": (Judgement, judged),
        "data/curated/rows.parquet": (Row, rows),
        "data/curated/rejections.parquet": (Rejection, dropped),
        "data/reviewed.parquet": (Row, rows),
    }


def _write(path: Path, columns: Mapping[str, Any], record: type) -> str:
    """Write a table as the stages do, columns that are not given empty; return its md5."""
    schema = arrow_schema(record)
    key = schema.names[0]
    count = len(columns[key])
    arrays = [_fill(columns.get(field.name), field.type, count) for field in schema]
    table = pa.Table.from_arrays(arrays, schema=schema)
    table = table.take(
        pa.array(np.argsort(np.asarray(columns[key].to_pylist(), "U64"), kind="stable"))
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(
        path, schema, compression="zstd", store_schema=False, write_page_checksum=True
    ) as writer:
        writer.write_table(table, row_group_size=ROW_GROUP)
    return md5_file(path)


def _fill(value: Any, kind: pa.DataType, count: int) -> pa.Array:
    if isinstance(value, pa.Array):
        return value.cast(kind) if value.type != kind else value
    if value is not None:
        return pa.repeat(pa.scalar(value, kind), count)
    if pa.types.is_list(kind):
        return pa.ListArray.from_arrays(
            pa.array(np.zeros(count + 1, np.int32)), pa.array([], kind.value_type), type=kind
        )
    return pa.repeat(pa.scalar("" if pa.types.is_string(kind) else 0, kind), count)


def _lists(values: pa.Array) -> pa.Array:
    """Return a list of one for each value."""
    kind = arrow_schema(Row).field("chunk_ids").type
    return pa.ListArray.from_arrays(
        pa.array(np.arange(len(values) + 1, dtype=np.int32)), values, type=kind
    )


def _messages(role: str, contents: pa.Array) -> pa.Array:
    turns = pa.StructArray.from_arrays(
        [pa.repeat(role, len(contents)), contents], fields=list(_MESSAGES.value_type)
    )
    return pa.ListArray.from_arrays(
        pa.array(np.arange(len(contents) + 1, dtype=np.int32)), turns, type=_MESSAGES
    )


def _filter(columns: Mapping[str, Any], mask: np.ndarray) -> dict[str, Any]:
    chosen = pa.array(mask)
    return {
        name: value.filter(chosen) if isinstance(value, pa.Array) else value
        for name, value in columns.items()
    }


def _write_student(root: Path, version: int, outs: Mapping[str, str]) -> str:
    """Write a student's folder over the tables that lie there, and into the cache; return its md5."""
    folder = root / "models/bench"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(f"weights {version}".encode())
    train, validation = (root / f"data/dataset/{name}.parquet" for name in ("train", "validation"))
    ids = pq.read_table(train, columns=["row_id"]).column(0).to_pylist()
    table = {"row_id": pa.array(ids), "row_sha256": pa.array(ids)}
    _write(folder / "rows.parquet", table, SeenRow)
    files = {path.name: sha256_file(path) for path in sorted(folder.iterdir())}
    provenance = Provenance(
        version=formats.PROVENANCE,
        student="bench",
        weights_sha256=weights_sha256(files),
        files=files,
        dataset=Dataset(
            "data/dataset/train.parquet",
            md5_file(train),
            sha256_file(train),
            len(ids),
            merkle_root(ids),
        ),
        inputs={
            "data/dataset/validation.parquet": Digest(md5_file(validation), sha256_file(validation))
        },
        upstream={path: md5 for path, md5 in outs.items() if path.startswith("data/")},
        base=BaseModel("tiny", _hash("base", 0, 0), "a hub"),
        parameters={},
        packages={},
    )
    write_json(folder / "provenance.json", asdict(provenance))
    inner = {path.name: md5_file(path) for path in sorted(folder.iterdir())}
    for name, md5 in inner.items():
        _store(root, folder / name, md5)
    return _store_folder(root, inner)


def _write_lock(root: Path, outs: Mapping[str, str]) -> None:
    stages = {
        path.replace("/", "-"): {"cmd": "true", "outs": [{"path": path, "hash": "md5", "md5": md5}]}
        for path, md5 in outs.items()
    }
    write_text(root / "dvc.lock", json.dumps({"schema": "2.0", "stages": stages}, indent=1))


def _store(root: Path, path: Path, md5: str) -> None:
    target = root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _store_folder(root: Path, inner: Mapping[str, str]) -> str:
    listing = [{"md5": md5, "relpath": path} for path, md5 in sorted(inner.items())]
    data = json.dumps(listing, sort_keys=True).encode()
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest() + ".dir"
    target = root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return md5


def _hash(kind: str, number: int, edits: int) -> str:
    return hashlib.sha256(f"{kind} {number} {edits}".encode()).hexdigest()


def _run(root: Path, *command: str) -> str:
    who = {
        f"GIT_{role}_{key}": "bench@example.com"
        for role in ("AUTHOR", "COMMITTER")
        for key in ("NAME", "EMAIL")
    }
    when = {f"GIT_{role}_DATE": "2026-01-01T00:00:00Z" for role in ("AUTHOR", "COMMITTER")}
    done = subprocess.run(
        command,
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **who, **when},
    )
    return done.stdout


def time_trace(root: Path, thing: str, *options: str) -> tuple[float, float]:
    """Return the wall seconds of ``stillhouse trace`` from its start to its end, and its peak in GiB."""
    command = [sys.executable, "-c", _MAIN, "trace", thing, *options]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    environment.pop("STILLHOUSE_HOME", None)
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"`stillhouse trace {thing}` ended with {process.returncode}")
    return time.perf_counter() - began, used.ru_maxrss / 2**20


def measure(title: str, root: Path, things: Mapping[str, str]) -> None:
    """Print the seconds and the memory of a trace of each thing: the first one builds the index."""
    (first, *_) = things.values()
    seconds, peak = time_trace(root, first)
    size = (root / ".stillhouse/index.sqlite").stat().st_size / 2**20
    print(f"{title}, cold: {seconds:.1f} s, {peak:.2f} GiB, index {size:.0f} MiB")
    for name, thing in things.items():
        warm = [time_trace(root, thing) for _ in range(ROUNDS)]
        middle = sorted(seconds for seconds, _ in warm)[ROUNDS // 2]
        print(f"{title}, {name}: {middle:.2f} s, {max(peak for _, peak in warm):.2f} GiB")


def list_things(root: Path) -> dict[str, str]:
    """Return a thing of every kind in the workspace, by kind."""
    table = pq.read_table(
        root / "data/dataset/train.parquet", columns=["row_id", "request_id", "chunk_ids"]
    )
    row = table.slice(table.num_rows // 2, 1).to_pylist()[0]
    documents = pq.read_table(root / "data/corpus/documents.parquet", columns=["source"])
    return {
        "document": documents.column(0)[0].as_py(),
        "passage": row["chunk_ids"][0],
        "request": row["request_id"],
        "row": row["row_id"],
        "prompt": _PROMPTS[0],
        "model": "models/bench",
    }


def main() -> None:
    """Make both projects in a temporary folder and print what a trace takes over them."""
    with tempfile.TemporaryDirectory() as scratch:
        for title, versions, rows in (
            ("1 version of 1 M rows", 1, 1_000_000),
            ("50 versions of 100 K rows", 50, 100_000),
        ):
            root = Path(scratch) / f"{versions}x{rows}"
            make_history(root, versions=versions, rows=rows)
            time.sleep(SETTLED)
            measure(title, root, list_things(root))


if __name__ == "__main__":
    main()
