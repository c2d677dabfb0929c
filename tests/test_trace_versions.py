"""What a trace says of a student whose tables are older than the workspace's, or half-run ones."""

import shutil
from pathlib import Path

import pytest

from stages import ingest
from stillhouse.base.records import Chunk, Document, Row
from stillhouse.base.tables import read_all, write_table
from stillhouse.lineage.trace import trace
from stillhouse.lineage.trace_find import find_thing
from stillhouse.lineage.trace_models import ModelVerdict
from stillhouse.lineage.trace_reach import follow
from tests.trace_project import (
    HELD_OUT,
    LEAVE,
    STUDY,
    is_of,
    make_project,
    read_rows,
    store_in_cache,
    train_student,
)

TRAIN = Path("data/dataset/train.parquet")
VALIDATION = Path("data/dataset/validation.parquet")
CHUNKS = Path("data/corpus/chunks.parquet")
SEED = Path("data/seed/documents")
RENAMED = "people/study.md"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, made once; tests work on copies."""
    root = tmp_path_factory.mktemp("versions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(root))
        make_project(root)
    return root


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy with a student called `older`, whose tables are in the cache; it is the working directory."""
    root = tmp_path / "project"
    shutil.copytree(made, root)
    monkeypatch.setenv("STILLHOUSE_HOME", str(root))
    train_student(root, "older", upstream=store_in_cache(root))
    monkeypatch.chdir(root)
    return Path()


def judge(thing: str) -> ModelVerdict:
    (verdict,) = trace(Path(), thing).models
    return verdict


def chunks_of(source: str) -> list[Chunk]:
    return [chunk for chunk in read_all(CHUNKS, Chunk) if chunk.source == source]


def test_in_a_whole_project_every_table_tells_of_every_row_whether_it_is_of_a_thing(
    project: Path,
) -> None:
    sources = [
        document.source for document in read_all(Path("data/corpus/documents.parquet"), Document)
    ]
    passages = [chunk.chunk_id for chunk in read_all(CHUNKS, Chunk)]
    for wanted in (*sources, *passages, "plan.xyz", "recall.md", read_rows(TRAIN)[0].request_id):
        reach = follow(project, find_thing(project, wanted))
        assert None not in reach.touched.values()
        assert reach.validation.keys() == {row.row_id for row in read_rows(VALIDATION)}


def test_after_a_rename_of_which_only_ingest_knows_nothing_is_clean_without_the_tables_of_then(
    project: Path,
) -> None:
    (SEED / STUDY).rename(SEED / RENAMED)
    ingest.main()
    shutil.rmtree(".dvc/cache")
    passages = [chunk.chunk_id for chunk in chunks_of(RENAMED)]
    for thing in (RENAMED, *passages, HELD_OUT):
        assert judge(thing).verdict == "unknown", thing
    assert judge(LEAVE).verdict == "affected"


def test_after_a_rename_of_which_only_ingest_knows_the_tables_of_then_tell(project: Path) -> None:
    trained = sum(is_of(row, STUDY) for row in read_rows(TRAIN))
    (SEED / STUDY).rename(SEED / RENAMED)
    ingest.main()
    told = judge(RENAMED)
    assert (told.verdict, told.rows) == ("affected", trained)
    assert judge(HELD_OUT).verdict == "clean"


def test_a_file_that_ingest_leaves_out_by_now_keeps_the_rows_that_are_still_here(
    project: Path,
) -> None:
    trained = sum(is_of(row, STUDY) for row in read_rows(TRAIN))
    Path("data/seed/sources.yaml").write_text(f"version: 1\nexclude: [{STUDY}]\n")
    ingest.main()
    shutil.rmtree(".dvc/cache")
    assert trace(project, STUDY).thing.kind == "skipped file"
    assert judge(STUDY).rows == trained


def test_validation_rows_of_passages_that_no_table_has_are_unknown(project: Path) -> None:
    shutil.rmtree("models/older")
    write_table(TRAIN, Row, [row for row in read_rows(TRAIN) if not is_of(row, STUDY)])
    steering = [row for row in read_rows(VALIDATION) if is_of(row, STUDY)]
    assert steering
    train_student(project, "older")
    (SEED / STUDY).rename(SEED / RENAMED)
    ingest.main()
    assert judge(RENAMED).verdict == "unknown"
