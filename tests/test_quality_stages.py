"""The stages from judge to split, over files, in a folder of their own."""

from pathlib import Path

import pytest

from stages import curate, judge, review, split
from stillhouse.base.ids import md5_file
from stillhouse.base.records import Chunk, Document, Pair, Rejection, Request, Row
from stillhouse.base.tables import read_all, write_table
from tests.making import make_chunk, make_document, make_pair, make_request

PARAMS = "judge: {}\ncurate: {thresholds: {groundedness: 0.6}}\nsplit: {validation_facts: 0.0}\n"
PARAMS += "review: {}\n"
OUTS = [
    "data/judgements.parquet",
    "data/curated/rows.parquet",
    "data/curated/rejections.parquet",
    "data/reviewed.parquet",
    "reports/review.json",
    "data/dataset/train.parquet",
    "data/dataset/validation.parquet",
    "data/dataset/test.parquet",
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    chunk = make_chunk()
    request = make_request([chunk])
    questions = (
        "How many days of leave are there",
        "How long is leave in days",
        "Leave: what is it",
    )
    pairs = [
        make_pair(f"{q}?", "27.5 days.", [chunk], request=request, fact="a") for q in questions
    ]
    pairs.append(make_pair("How many days are there?", "29 days.", [chunk], request=request))
    write_table(Path("data/corpus/documents.parquet"), Document, [make_document()])
    write_table(Path("data/corpus/chunks.parquet"), Chunk, [chunk])
    write_table(Path("data/requests.parquet"), Request, [request])
    write_table(Path("data/generated/pairs.parquet"), Pair, pairs)
    Path("params.yaml").write_text(PARAMS)
    for name in ("eval/gold.jsonl", "eval/general.jsonl", "review.jsonl"):
        path = Path("data/seed", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    Path("data/seed/focus.yaml").write_text("core: [{source: people/leave.md}]\n")
    return tmp_path


def run_all() -> dict[str, str]:
    for stage in (judge, curate, review, split):
        stage.main()
    return {out: md5_file(Path(out)) for out in OUTS}


@pytest.mark.usefixtures("project")
def test_pairs_become_a_split_dataset_and_nothing_is_lost() -> None:
    run_all()
    parts = [
        len(read_all(Path(f"data/dataset/{part}.parquet"), Row))
        for part in ("train", "validation", "test")
    ]
    assert parts == [2, 0, 1]
    rejections = read_all(Path("data/curated/rejections.parquet"), Rejection)
    assert [rejection.reason for rejection in rejections] == ["groundedness"]


@pytest.mark.usefixtures("project")
def test_the_same_inputs_give_the_same_bytes() -> None:
    assert run_all() == run_all()
