# ruff: noqa: S608 - queries are put together of our own names; a path or value is always a parameter
"""What a student's rows came of, counted over the tables' columns of ids; no text is read.

A million rows are counted in about a second. That the files are the tables of the student's own version
their hashes have told; here they are believed.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stillhouse.base.errors import InputError
from stillhouse.tracing.tables import (
    CHUNKS,
    CURATED,
    DATASET,
    DERIVED,
    DOCUMENTS,
    JUDGEMENTS,
    PAIRS,
    REJECTIONS,
    REQUESTS,
    RESPONSES,
    REVIEWED,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TRAIN, VALIDATION, TEST = DATASET
STEPS: Final = {
    "documents": DOCUMENTS,
    "passages": CHUNKS,
    "requests": REQUESTS,
    "answers": RESPONSES,
    "pairs": PAIRS,
    "judged": JUDGEMENTS,
    "curated": CURATED,
    "reviewed": REVIEWED,
    "train": TRAIN,
    "validation": VALIDATION,
    "test": TEST,
}

# Calls to teachers: of the plan, and those that develop pairs; and calls to judges.
_CALLS: Final = (REQUESTS, DERIVED)
JUDGED_BY: Final = Path("data/judging/requests.parquet")
# What earlier versions did not write yet, so that they lack nothing without it.
LATER: Final = (DERIVED, JUDGED_BY)

Files = Mapping[Path, Path]  # table -> where its bytes lie


@dataclass(frozen=True, slots=True)
class DocumentShare:
    """A document and how many training rows came of it; only its id where no table tells of it."""

    document_id: str
    rows: int
    source: str
    title: str
    license: str
    source_sha256: str


@dataclass(frozen=True, slots=True)
class PromptShare:
    """A prompt file in the words that it had; ``path`` is empty where no table tells of its requests."""

    path: str
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class TeacherShare:
    """Who answered: how many training rows came of it, and the tokens of all that it was asked.

    The tokens are None where the answers are not found. ``input_tokens`` are all that it read,
    ``cached_tokens`` those of them that came from its cache.
    """

    teacher: str
    model: str
    rows: int
    answers: int | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None


@dataclass(frozen=True, slots=True)
class JudgeShare:
    """One criterion of a judge: how many pairs were scored, and the mean score in [0, 1].

    ``rubric`` is the prompt file of a judge that is a model, with its hash; rules have none.
    """

    judge: str
    criterion: str
    judgements: int
    mean: float
    rubric: str = ""
    rubric_sha256: str = ""


@dataclass(frozen=True, slots=True)
class RejectionCount:
    """How many a stage left out for one reason."""

    stage: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Tally:
    """All counts. A step of the waterfall is None where its table is not found.

    ``rows`` were found of the rows that the student lists; ``without_document`` of them came of none.
    """

    rows: int
    without_document: int
    documents: tuple[DocumentShare, ...]
    prompts: tuple[PromptShare, ...]
    teachers: tuple[TeacherShare, ...]
    judges: tuple[JudgeShare, ...]
    tasks: Mapping[str, int]
    steps: Mapping[str, int | None]
    rejections: tuple[RejectionCount, ...] | None


EMPTY: Final = Tally(0, 0, (), (), (), (), {}, dict.fromkeys(STEPS), None)


def count(own: Files, here: Files, listed: Path | None) -> Tally:
    """Count what the rows of a student came of.

    Args:
        own: the tables of its own version, as far as they are found.
        here: other tables of the same names, which may know what is missing in these: ids are hashes
            of content, so that an equal id is an equal thing.
        listed: the student's list of rows, needed where its own train table is not found.

    Raises:
        InputError: a table is no whole Parquet file.
    """
    with open_tables() as database:
        _lay_rows(database, own, here, listed)
        _lay_requests(database, own, here)
        return Tally(
            rows=_ask(database, "select count(*) from rows")[0][0],
            without_document=_ask(database, "select count(*) from rows where len(documents) = 0")[
                0
            ][0],
            documents=tuple(_count_documents(database, own, here)),
            prompts=tuple(_count_prompts(database)),
            teachers=tuple(_count_teachers(database, own)),
            judges=tuple(_count_judges(database, own)),
            tasks=dict(_ask(database, _TASKS)),
            steps={name: _count_step(database, table, own) for name, table in STEPS.items()},
            rejections=_count_rejections(database, own),
        )


@contextmanager
def open_tables() -> Iterator["DuckDBPyConnection"]:
    """Yield a database in memory that reads Parquet; what it cannot read is an ``InputError``."""
    import duckdb

    database = duckdb.connect()
    try:
        yield database
    except duckdb.Error as exc:  # of damaged bytes it has many kinds, and some have none
        first = " ".join(str(exc).split())[:200]
        raise InputError(
            f"a table cannot be read ({first})",
            expected="Parquet as this version of Stillhouse writes it",
            remedy="run `dvc checkout` to put it back",
        ) from exc
    finally:
        database.close()


def read_parquet(database: "DuckDBPyConnection", path: Path, name: str) -> str:
    """Return how a query reads a file: by a variable of this name, since a path may hold any character."""
    database.execute(f"set variable {name} = $path", {"path": str(path)})
    return f"read_parquet(getvariable('{name}'), hive_partitioning = false)"


_TASKS: Final = "select task, count(*) as n from rows group by task order by n desc, task"
# Few rows have several documents, and only these can name one twice.
_ROWS: Final = """
    create temp {kind} rows as
    select request_id, prompt_sha256, task,
        case when len(document_ids) > 1 then list_distinct(document_ids) else document_ids end
        as documents
    from {source}
"""
_ASKED: Final = """
    create temp table asked as
    with own as (select request_id, prompt_sha256, count(*) as n from rows group by all)
    select n, prompt_sha256, prompt_path, teacher, model
    from own left join ({requests}) using (request_id)
"""


def _lay_rows(database: "DuckDBPyConnection", own: Files, here: Files, listed: Path | None) -> None:
    """Lay out the student's rows: its own table, or those that other tables know by their ids."""
    if TRAIN in own:
        source = read_parquet(database, own[TRAIN], "train")
        database.execute(_ROWS.format(kind="view", source=source))
        return
    places = [
        place
        for tables in (own, here)
        for table in (CURATED, REVIEWED, *DATASET)
        if (place := tables.get(table))
    ]
    if listed is None or not places:
        empty = (
            "(select '' as request_id, '' as prompt_sha256, '' as task, [''] as document_ids "
            "where false)"
        )
        database.execute(_ROWS.format(kind="view", source=empty))
        return
    known = " union all ".join(
        "select row_id, request_id, prompt_sha256, task, document_ids from "
        + read_parquet(database, place, f"other{number}")
        for number, place in enumerate(places)
    )
    wanted = read_parquet(database, listed, "listed")
    chosen = f"(select distinct on (row_id) * from ({known}) semi join {wanted} using (row_id))"
    database.execute(_ROWS.format(kind="table", source=chosen))


def _lay_requests(database: "DuckDBPyConnection", own: Files, here: Files) -> None:
    """Lay out how many rows each kind of request gave: prompt, teacher and model."""
    columns = "select request_id, prompt_path, teacher, model from "
    asked = [_both(database, table, own, here, columns, "request_id") for table in _CALLS]
    none = "select '' as request_id, '' as prompt_path, '' as teacher, '' as model where false"
    requests = " union all ".join(f"{columns} ({one})" for one in asked if one)
    database.execute(_ASKED.format(requests=requests or none))


def _count_documents(
    database: "DuckDBPyConnection", own: Files, here: Files
) -> Iterator[DocumentShare]:
    columns = "select document_id, source, title, license, source_sha256 from "
    known = _both(database, DOCUMENTS, own, here, columns, "document_id")
    none = (
        "select '' as document_id, '' as source, '' as title, '' as license, '' as source_sha256 "
        "where false"
    )
    found = _ask(
        database,
        f"""
        with learned as (
            select document_id, count(*) as n
            from (select unnest(documents) as document_id from rows) group by document_id
        )
        select document_id, n, coalesce(source, ''), coalesce(title, ''), coalesce(license, ''),
            coalesce(source_sha256, '')
        from learned left join ({known or none}) using (document_id)
        order by n desc, source, document_id
        """,
    )
    yield from (DocumentShare(*values) for values in found)


def _count_prompts(database: "DuckDBPyConnection") -> Iterator[PromptShare]:
    found = _ask(
        database,
        """
        select coalesce(prompt_path, '') as path, prompt_sha256, sum(n)::bigint as n
        from asked group by all order by n desc, path, prompt_sha256
        """,
    )
    yield from (PromptShare(*values) for values in found)


def _count_teachers(database: "DuckDBPyConnection", own: Files) -> Iterator[TeacherShare]:
    """Yield who answered, most rows first; one whose answers all fell is there with no row."""
    spent = "select '' as teacher, '' as model, 0 as n, 0 as i, 0 as o, 0 as c where false"
    told = RESPONSES in own and REQUESTS in own
    if told:
        answers = read_parquet(database, own[RESPONSES], "answers")
        tables = [read_parquet(database, own[t], f"asked_{t.stem}") for t in _CALLS if t in own]
        columns = "select request_id, teacher, model from"
        requests = " union all ".join(f"{columns} {table}" for table in tables)
        spent = f"""
            select teacher, q.model, count(*) as n, sum(input_tokens)::bigint as i,
                sum(output_tokens)::bigint as o, sum(cached_tokens)::bigint as c
            from ({requests}) q
            join (
                select request_id, input_tokens, output_tokens, cached_tokens from {answers}
            ) using (request_id)
            group by teacher, q.model
        """
    found = _ask(
        database,
        f"""
        with learned as (
            select coalesce(teacher, '') as teacher, coalesce(model, '') as model,
                sum(n)::bigint as rows
            from asked group by 1, 2
        )
        select coalesce(l.teacher, s.teacher) as t, coalesce(l.model, s.model) as m,
            coalesce(rows, 0) as r, n, i, o, c
        from learned l full join ({spent}) s on l.teacher = s.teacher and l.model = s.model
        order by r desc, t, m
        """,
    )
    for teacher, model, rows, *used in found:
        tokens = [number or 0 for number in used] if told and teacher else [None] * 4
        yield TeacherShare(teacher, model, rows, *tokens)


def _count_judges(database: "DuckDBPyConnection", own: Files) -> Iterator[JudgeShare]:
    if JUDGEMENTS not in own:
        return
    rubrics = "select '' as request_id, '' as prompt_path, '' as prompt_sha256 where false"
    if JUDGED_BY in own:
        asked = read_parquet(database, own[JUDGED_BY], "judged_by")
        rubrics = f"select request_id, prompt_path, prompt_sha256 from {asked}"
    found = _ask(
        database,
        f"""
        select judge, criterion, count(*) as n, avg(score), coalesce(max(prompt_path), ''),
            coalesce(max(prompt_sha256), '')
        from {read_parquet(database, own[JUDGEMENTS], "judgements")}
        left join ({rubrics}) using (request_id)
        group by judge, criterion order by judge, criterion
        """,
    )
    yield from (JudgeShare(*values) for values in found)


def _count_step(database: "DuckDBPyConnection", table: Path, own: Files) -> int | None:
    """Return how many records a table has; of judgements, how many pairs were judged.

    Requests are those of the plan and those that develop pairs.
    """
    if table not in own:
        return None
    source = read_parquet(database, own[table], f"step_{table.stem}")
    if table != JUDGEMENTS:
        derived = _count_step(database, DERIVED, own) if table == REQUESTS else 0
        return int(_ask(database, f"select count(*) from {source}")[0][0]) + (derived or 0)
    # Each judge gives a pair one score for a criterion, and some pairs are exempt from some criteria.
    asked = f"select max(n) from (select count(*) as n from {source} group by judge, criterion)"
    return int(_ask(database, asked)[0][0] or 0)


def _count_rejections(
    database: "DuckDBPyConnection", own: Files
) -> tuple[RejectionCount, ...] | None:
    places = [own[table] for table in REJECTIONS if table in own]
    if len(places) < len(REJECTIONS):
        return None
    known = " union all ".join(
        f"select stage, reason from {read_parquet(database, place, f'rejected{number}')}"
        for number, place in enumerate(places)
    )
    asked = f"select stage, reason, count(*) as n from ({known}) group by all order by n desc, stage, reason"
    return tuple(RejectionCount(*values) for values in _ask(database, asked))


def _both(
    database: "DuckDBPyConnection", table: Path, own: Files, here: Files, columns: str, key: str
) -> str:
    """Return a query of the records of a table's own version and, where these lack some, of others."""
    places = [tables[table] for tables in (own, here) if table in tables]
    parts = [
        f"{columns} {read_parquet(database, place, f'{table.stem}{number}')}"
        for number, place in enumerate(dict.fromkeys(places))
    ]
    if len(parts) < 2:
        return "".join(parts)
    numbered = (f"select *, {number} as place from ({part})" for number, part in enumerate(parts))
    return f"select distinct on ({key}) * exclude (place) from ({' union all '.join(numbered)}) order by place"


def _ask(database: "DuckDBPyConnection", asked: str) -> Sequence[tuple[Any, ...]]:
    return database.execute(asked).fetchall()
