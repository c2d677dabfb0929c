"""An audit counts what was developed from pairs with its prompts and teachers, and names judges' rubrics."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from stillhouse.auditing.samples import draw_samples
from stillhouse.auditing.tally import JUDGED_BY, LATER, STEPS, JudgeShare, count
from stillhouse.base.records import Judgement, Pair, Request, Row
from stillhouse.base.requests import DERIVED, REQUESTS
from stillhouse.base.tables import read_all, write_table
from tests.making import make_request
from tests.versions_project import Project, make_history_project

EVOLVE = {"steps": ["constraints", "steps"], "tasks": {"recall": 0.5}, "depth": 2}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("audited")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(root))
        made = make_history_project(root)
        made.set_params({"generate.evolve": EVOLVE})
        made.run()
        yield made


def find_files(project: Project) -> dict[Path, Path]:
    tables = (*STEPS.values(), *LATER)
    return {table: project.root / table for table in tables if (project.root / table).is_file()}


def read_rows(files: Mapping[Path, Path]) -> dict[str, Row]:
    return {row.row_id: row for row in read_all(files[STEPS["train"]], Row)}


def test_every_prompt_is_named_also_those_that_develop_pairs(project: Project) -> None:
    files = find_files(project)
    derived = {one.request_id for one in read_all(files[DERIVED], Request)}
    rows = [row for row in read_rows(files).values() if row.request_id in derived]
    found = count(files, {}, None)
    told = {share.path: share.rows for share in found.prompts if "evolve" in share.path}
    assert told == {
        f"prompts/evolve/{task}.md": sum(row.task == task for row in rows)
        for task in {row.task for row in rows}
    }
    assert "" not in {share.path for share in found.prompts}
    plan = len(read_all(files[REQUESTS], Request))
    assert found.steps["requests"] == found.steps["answers"] == plan + len(derived)
    assert sum(share.answers or 0 for share in found.teachers) == plan + len(derived)


def test_a_version_from_before_pairs_were_developed_is_counted(project: Project) -> None:
    files = {table: file for table, file in find_files(project).items() if table not in LATER}
    found = count(files, {}, None)
    assert found.steps["requests"] == len(read_all(files[REQUESTS], Request))
    assert "" in {share.path for share in found.prompts}  # of rows whose requests are in no table


def test_a_sample_names_teacher_and_prompt_of_what_was_developed(project: Project) -> None:
    files = find_files(project)
    rows = read_rows(files)
    documents = sorted({name for row in rows.values() for name in row.document_ids})
    samples = draw_samples(files, documents, None).rows.values()
    grown = [one for one in samples if one.task in ("constraints", "steps")]
    assert grown
    assert {one.prompt for one in grown} <= {f"prompts/evolve/{one.task}.md" for one in grown}
    assert all(one.teacher.startswith("offline") for one in samples)


def test_a_judge_that_is_a_model_is_named_with_its_rubric(project: Project, tmp_path: Path) -> None:
    files = find_files(project)
    pairs = read_all(project.root / "data/generated/pairs.parquet", Pair)[:2]
    asked = make_request(
        [], "judge_accuracy", teacher="anthropic", model="m",
        prompt_path="prompts/judge/accuracy.md", prompt_sha256="a" * 64,
    )  # fmt: skip
    scores = [
        Judgement(pair.pair_id, "anthropic/m", "accuracy", 0.5, "", asked.request_id)
        for pair in pairs
    ]
    by_rules = [Judgement(pair.pair_id, "offline/2", "format", 1.0, "", "") for pair in pairs]
    write_table(tmp_path / "judgements.parquet", Judgement, [*scores, *by_rules])
    write_table(tmp_path / "requests.parquet", Request, [asked])
    files |= {
        STEPS["judged"]: tmp_path / "judgements.parquet", JUDGED_BY: tmp_path / "requests.parquet"
    }  # fmt: skip
    assert count(files, {}, None).judges == (
        JudgeShare("anthropic/m", "accuracy", 2, 0.5, "prompts/judge/accuracy.md", "a" * 64),
        JudgeShare("offline/2", "format", 2, 1.0),
    )
