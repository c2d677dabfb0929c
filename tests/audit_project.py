"""A project whose every table was written by hand, with a student, its dvc.lock, cache and a commit.

One document and one answer hold markup that must never become part of a page.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import yaml

from stillhouse.base.files import write_json
from stillhouse.base.ids import Json, content_id, md5_file, sha256_text
from stillhouse.base.records import (
    Chunk,
    Document,
    Judgement,
    Message,
    Pair,
    Rejection,
    Request,
    Response,
    Row,
)
from stillhouse.base.tables import write_table
from stillhouse.lineage.inputs import InputGuard, hash_files, hash_path
from stillhouse.lineage.provenance import BaseModel, write_provenance
from tests.lineage_project import BASE, TRAIN, VALIDATION
from tests.making import make_chunk, make_document, make_pair, make_request, make_row

ROOT: Final = Path(__file__).parent.parent
EVIL: Final = "</script><script>window.hacked = 1</script><img src=x onerror=window.hacked=1>"
LEAVE: Final = "people/leave.md"
NASTY: Final = "people/<b>nasty</b>.md"
PROMPT: Final = "prompts/recall.md"
ROWS_OF_LEAVE: Final = 25
GATE: Final = "reports/validation.json"
_CHECK: Final = {"meaning": "All is well.", "name": "schema.columns", "observed": "0 of 9 break it"}


def make_audited(root: Path, student: str = "first") -> None:
    """Write tables, reports, a student and what records them; commit it all."""
    write_tables(root)
    shutil.copy2(ROOT / "params.yaml", root / "params.yaml")
    write_gate(root)
    train(root, student)
    record(root, student)
    (root / ".gitignore").write_text("/data\n/models\n/reports\n/.stillhouse\n/.dvc/cache\n")
    for command in (
        ("init", "-q", "-b", "main"),
        ("config", "user.email", "a@b.c"),
        ("config", "user.name", "Ada"),
        ("add", "-A"),
        ("commit", "-qm", f"Train {student}"),
    ):
        subprocess.run(["git", "-C", str(root), *command], check=True)


def write_tables(root: Path) -> None:
    """Write every table: 25 rows of one document, one of another, one of both, one of none."""
    documents, chunks = _make_documents(root)
    prompt = root / PROMPT
    prompt.parent.mkdir(parents=True)
    prompt.write_text("Ask about {passage}.")
    told = {"prompt_sha256": sha256_text("Ask about {passage}."), "teacher": "anthropic"}
    asked = [
        make_request([chunks[0]], model="claude-haiku-4-5", **told),
        make_request([chunks[1]], model="claude-haiku-4-5", **told),
        make_request(chunks, "multi_step", **told | {"teacher": "offline"}),
        make_request((), "replay", **told | {"teacher": "offline"}),
    ]
    pairs = [
        make_pair(
            f"How many days, wording {n}?", "27.5 days of leave", chunks[:1], request=asked[0]
        )
        for n in range(ROWS_OF_LEAVE)
    ]
    pairs += [
        make_pair("What is nasty?", f"It says {EVIL}", chunks[1:], request=asked[1]),
        make_pair("Leave and nasty?", "27.5 days", chunks, request=asked[2], task="multi_step"),
        make_pair("Who are you?", "A model.", request=asked[3], task="replay"),
    ]
    behind = ([documents[0]],) * ROWS_OF_LEAVE + ([documents[1]], documents, [])
    rows = [
        replace(make_row(pair, of), prompt_sha256=told["prompt_sha256"])
        for pair, of in zip(pairs, behind, strict=True)
    ]
    _write_made(root, asked, pairs)
    write_table(root / "data/curated/rows.parquet", Row, rows)
    fallen = Rejection(pairs[0].pair_id[::-1], "pair", "s", (), "curate", "duplicate", "")
    write_table(root / "data/curated/rejections.parquet", Rejection, [fallen])
    mended = _mend(rows[0])
    decision = {
        "row_id": rows[0].row_id, "new_id": mended.row_id, "slot_id": mended.slot_id,
        "verdict": "fix", "reviewer": "Ada <i>", "reason": "says it better",
    }  # fmt: skip
    write_review(root, len(rows), [decision])
    write_table(root / "data/reviewed.parquet", Row, [mended, *rows[1:]])
    write_table(root / TRAIN, Row, [mended, *rows[1:]])
    held = [
        make_row(make_pair(f"Held out {n}?", "27.5 days", chunks[:1]), documents[:1]) for n in "ab"
    ]
    write_table(root / VALIDATION, Row, held[:1])
    write_table(root / "data/dataset/test.parquet", Row, held[1:])


def write_review(root: Path, rows: int, decisions: list[dict[str, str]]) -> None:
    """Write what the stage ``review`` reports."""
    fixes = len(decisions)
    counts = {"rows": rows, "reviewed": fixes, "accept": 0, "reject": 0, "fix": fixes}
    write_json(root / "reports/review.json", {**counts, "unknown": [], "decisions": decisions})


def write_gate(root: Path, *, passed: bool = True) -> None:
    """Write the validation of the tables as they lie there."""
    tables: dict[str, Json] = {name: md5_file(root / name) for name in list_tables(root)}
    checks: list[Json] = [{**_CHECK, "passed": passed, "rows": []}]
    write_json(root / GATE, {"passed": passed, "tables": tables, "checks": checks, "versions": {}})


def train(
    root: Path, student: str, base: BaseModel = BASE, teachers: Sequence[BaseModel] = ()
) -> Path:
    """Write a student's folder as ``train`` leaves it, over the tables that lie there."""
    folder = root / "models" / student
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(f"weights of {student}".encode())
    (folder / "config.json").write_text("{}")
    guard = InputGuard(root)
    for path in (VALIDATION, Path(GATE)):
        guard.open(path)
    upstream = {name: md5_file(root / name) for name in list_tables(root)}
    write_provenance(
        folder, student=student, guard=guard, train=TRAIN, base=base,
        parameters={"epochs": 2.0, "batch": {"taught": 8}}, upstream=upstream, teachers=teachers,
    )  # fmt: skip
    return folder


def record(root: Path, *students: str) -> None:
    """Write the dvc.lock that names everything, and put everything into DVC's cache."""
    outs = {
        name: md5_file(root / name) for name in (*list_tables(root), GATE, "reports/review.json")
    }
    stages: dict[str, Json] = {"tables": _stage({}, outs)}
    for student in students:
        folder = f"models/{student}"
        read = {name: outs[name] for name in (TRAIN.as_posix(), VALIDATION.as_posix(), GATE)}
        stages[f"train@{student}"] = _stage(read, {folder: hash_path(root / folder).md5})
        _store_folder(root, root / folder)
    for name in outs:
        _store(root, (root / name).read_bytes())
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))


def list_tables(root: Path) -> list[str]:
    """Return the paths of all tables, below the project."""
    return [
        path.relative_to(root).as_posix() for path in sorted((root / "data").rglob("*.parquet"))
    ]


def drop_object(root: Path, md5: str) -> None:
    """Take an object out of the cache, as ``dvc gc`` does."""
    (root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).unlink()


def _make_documents(root: Path) -> tuple[list[Document], list[Chunk]]:
    seed = root / "data/seed/documents"
    texts = {
        LEAVE: "Staff have 27.5 days of leave a year. <b>Ask</b> Ada.",
        NASTY: f"It says {EVIL}",
    }
    documents, chunks = [], []
    for source, text in texts.items():
        (seed / source).parent.mkdir(parents=True, exist_ok=True)
        (seed / source).write_text(text)
        made = replace(make_document(source, text), source_sha256=sha256_text(text))
        documents.append(replace(made, title=EVIL) if source == NASTY else made)
        chunks.append(make_chunk(source, text))
    write_table(root / "data/corpus/documents.parquet", Document, documents)
    write_table(root / "data/corpus/chunks.parquet", Chunk, chunks)
    write_table(root / "data/corpus/skipped.parquet", Rejection, [])
    return documents, chunks


def _write_made(root: Path, asked: list[Request], pairs: list[Pair]) -> None:
    write_table(root / "data/requests.parquet", Request, asked)
    answers = [
        Response(
            request.request_id, "{}", "", "end_turn", 1_000_000, 200_000, 500_000, request.model
        )
        for request in asked
    ]
    write_table(root / "data/generated/responses.parquet", Response, answers)
    write_table(root / "data/generated/pairs.parquet", Pair, pairs)
    write_table(root / "data/generated/rejections.parquet", Rejection, [])
    scores = [
        Judgement(pair.pair_id, "offline/2", criterion, 0.5, "", "")
        for pair in pairs
        for criterion in ("format", "length")
    ]
    write_table(root / "data/judgements.parquet", Judgement, scores)


def _mend(row: Row) -> Row:
    better = "They have 27.5 days of leave."
    row_id = content_id("reviewed", {"row_id": row.row_id, "response": better})
    return replace(row, row_id=row_id, completion=(Message("assistant", better),))


def _stage(deps: Mapping[str, str], outs: Mapping[str, str]) -> dict[str, Json]:
    def list_hashes(paths: Mapping[str, str]) -> list[Json]:
        return [{"path": path, "hash": "md5", "md5": md5} for path, md5 in paths.items()]

    return {"cmd": "x", "deps": list_hashes(deps), "outs": list_hashes(outs)}


def _store_folder(root: Path, folder: Path) -> None:
    listing: list[Json] = [
        {"md5": digest.md5, "relpath": name} for name, digest in sorted(hash_files(folder).items())
    ]
    md5 = hash_path(folder).md5
    _store(root, json.dumps(listing, sort_keys=True).encode(), md5)
    for path in folder.iterdir():
        _store(root, path.read_bytes())


def _store(root: Path, content: bytes, md5: str = "") -> None:
    import hashlib

    name = md5 or hashlib.md5(content).hexdigest()
    place = root / ".dvc/cache/files/md5" / name[:2] / name[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
