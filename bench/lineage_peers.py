"""The answers of diff, trace and audit as a good user of DuckDB, or datacompy, would get them by hand.

Each is told which files hold the tables, which our commands find out by themselves, and runs as a process
of its own: ``python -m bench.lineage_peers NAME FILES``, where FILES is JSON. Prints JSON.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

ROW_KEY: Final = "slot_id"


@dataclass(frozen=True, slots=True)
class Files:
    """Where the bytes lie: two train tables, tables of HEAD's by name, and a document and a row to trace.

    ``models`` are name -> the model's list of rows, and train table and documents of its version.
    """

    old: str
    new: str
    tables: Mapping[str, str]
    models: Mapping[str, Mapping[str, str]]
    thing: str
    row: str


def join_raw(files: Files) -> dict[str, Any]:
    """Count added, removed and changed rows, and changes of each column, by a full outer join."""
    duckdb = _connect()
    columns = duckdb.execute("DESCRIBE FROM read_parquet(?)", [files.new]).fetchall()
    others = [name for name, *_ in columns if name != ROW_KEY]
    both = f"a.{ROW_KEY} IS NOT NULL AND b.{ROW_KEY} IS NOT NULL"
    differs = {name: f"a.{name} IS DISTINCT FROM b.{name}" for name in others}
    counts = [f"count(*) FILTER ({both} AND {test}) AS {name}" for name, test in differs.items()]
    row = duckdb.execute(
        f"""
        SELECT count(*) FILTER (a.{ROW_KEY} IS NULL), count(*) FILTER (b.{ROW_KEY} IS NULL),
            count(*) FILTER ({both} AND ({" OR ".join(differs.values())})), {", ".join(counts)}
        FROM read_parquet(?) a FULL OUTER JOIN read_parquet(?) b ON a.{ROW_KEY} = b.{ROW_KEY}
        """,
        [files.old, files.new],
    ).fetchall()[0]
    added, removed, changed, *by_column = row
    told = {name: count for name, count in zip(others, by_column, strict=True) if count}
    return {"added": added, "removed": removed, "changed": changed, "columns": told}


def compare_datacompy(files: Files) -> dict[str, Any]:
    """Count the same with datacompy over pandas; nested columns are made text, which it compares."""
    import datacompy
    import pyarrow as pa
    import pyarrow.parquet as pq

    def read(path: str) -> Any:
        table = pq.read_table(path)
        for at, field in enumerate(table.schema):
            if pa.types.is_list(field.type):
                inner = table.column(at).combine_chunks().flatten()
                text = inner.field("content") if pa.types.is_struct(inner.type) else inner
                table = table.set_column(at, field.name, text)  # one message, one id each
        return table.to_pandas()

    found = datacompy.Compare(read(files.old), read(files.new), join_columns=[ROW_KEY])
    changed = len(found.intersect_rows) - found.count_matching_rows()
    return {
        "added": len(found.df2_unq_rows), "removed": len(found.df1_unq_rows), "changed": int(changed),
        "columns": {c["column"]: int(c["unequal_cnt"]) for c in found.column_stats if c["unequal_cnt"]},
    }  # fmt: skip


def hash_both(files: Files) -> dict[str, Any]:
    """Say whether two tables have equal bytes."""
    sums = [_hash(path, "md5") for path in (files.old, files.new)]
    return {"equal": sums[0] == sums[1]}


def trace_raw(files: Files) -> dict[str, Any]:
    """Count what came of a document, and which models list a row of it."""
    duckdb = _connect()
    for name, path in files.tables.items():
        duckdb.execute(f"CREATE VIEW {name} AS FROM read_parquet('{path}')")
    duckdb.execute("CREATE TABLE c AS SELECT chunk_id FROM chunks WHERE source = ?", [files.thing])
    here = "list_has_any(chunk_ids, (SELECT list(chunk_id) FROM c))"
    counts = {name: f"{name} WHERE {here}" for name in ("requests", "pairs", "rejections", "train")}
    told = {name: _count(duckdb, asked) for name, asked in counts.items()}
    models = {
        name: _count(duckdb, _list_rows(own), files.thing) for name, own in files.models.items()
    }
    return {**told, "models": models}


def _list_rows(own: Mapping[str, str]) -> str:
    """Return the SQL of a model's rows that are of a document in its own version."""
    return f"""
        read_parquet('{own["rows"]}') WHERE row_id IN (
            SELECT row_id FROM read_parquet('{own["train"]}') WHERE list_has_any(document_ids, (
                SELECT list(document_id) FROM read_parquet('{own["documents"]}') WHERE source = ?)))
    """


def trace_row_raw(files: Files) -> dict[str, Any]:
    """Return what one row was made of, and which models list it."""
    duckdb = _connect()
    for name, path in files.tables.items():
        duckdb.execute(f"CREATE VIEW {name} AS FROM read_parquet('{path}')")
    duckdb.execute("CREATE TABLE t AS FROM train WHERE row_id = ?", [files.row])
    asked = {
        "requests": "requests SEMI JOIN t USING (request_id)",
        "responses": "responses SEMI JOIN t USING (request_id)",
        "chunks": "chunks WHERE list_contains((SELECT chunk_ids FROM t), chunk_id)",
        "documents": "documents WHERE list_contains((SELECT document_ids FROM t), document_id)",
        "judgements": "judgements WHERE pair_id = (SELECT row_id FROM t)",
    }
    told = {name: len(duckdb.execute(f"FROM {query}").fetchall()) for name, query in asked.items()}
    models = {
        name: _count(duckdb, f"read_parquet('{own['rows']}') WHERE row_id = ?", files.row)
        for name, own in files.models.items()
    }
    return {**told, "models": models}


def audit_raw(files: Files) -> dict[str, Any]:
    """Hash every file, and count the rows by document, prompt, teacher, task, and judgements."""
    sums = {name: _hash(path, "sha256") for name, path in files.tables.items()}
    return {"sha256": sums, **tally_raw(files)}


def tally_raw(files: Files) -> dict[str, Any]:
    """Count the rows by document, prompt, teacher, task, and judgements; nothing is hashed."""
    duckdb = _connect()
    for name, path in files.tables.items():
        duckdb.execute(f"CREATE VIEW {name} AS FROM read_parquet('{path}')")
    asked = {
        "documents": "SELECT d.source, count(*) FROM (SELECT unnest(document_ids) document_id "
        "FROM train) JOIN documents d USING (document_id) GROUP BY 1",
        "prompts": "SELECT q.prompt_path, t.prompt_sha256, count(*) FROM train t JOIN requests q "
        "USING (request_id) GROUP BY ALL",
        "teachers": "SELECT q.teacher, q.model, count(*) FROM train t JOIN requests q "
        "USING (request_id) GROUP BY ALL",
        "tokens": "SELECT sum(input_tokens), sum(output_tokens) FROM responses",
        "tasks": "SELECT task, count(*) FROM train GROUP BY 1",
        "judges": "SELECT judge, criterion, count(*), avg(score) FROM judgements GROUP BY ALL",
        "rejections": "SELECT stage, reason, count(*) FROM rejections GROUP BY ALL",
    }
    told = {name: len(duckdb.execute(query).fetchall()) for name, query in asked.items()}
    return {**told, "steps": {name: _count(duckdb, name) for name in files.tables}}


PEERS: Final[Mapping[str, Callable[[Files], dict[str, Any]]]] = {
    "raw join": join_raw,
    "datacompy": compare_datacompy,
    "md5 of both": hash_both,
    "raw trace": trace_raw,
    "raw row": trace_row_raw,
    "raw audit": audit_raw,
    "raw tally": tally_raw,
}


def write_command(name: str, files: Files) -> list[str]:
    """Return the command line that runs a peer."""
    return [sys.executable, "-m", "bench.lineage_peers", name, json.dumps(asdict(files))]


def _connect() -> Any:
    import duckdb

    return duckdb.connect()


def _count(duckdb: Any, asked: str, *told: str) -> int:
    return int(duckdb.execute(f"SELECT count(*) FROM {asked}", told).fetchall()[0][0])


def _hash(path: str, name: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, name).hexdigest()


if __name__ == "__main__":
    print(json.dumps(PEERS[sys.argv[1]](Files(**json.loads(sys.argv[2])))))
