"""Whatever the shipped run of data rejects, ``stillhouse trace DOCUMENT`` tells with its reason.

The project is the repository's own: every document, prompt and parameter, up to the split. Only the
everyday questions are left out, which a model would have to answer and which are of no document.
"""

import contextlib
import json
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
import yaml
from typer.testing import CliRunner

from stages import curate, generate, ingest, judge, render, review, split
from stillhouse.base.records import Chunk, Rejection
from stillhouse.base.tables import read_all
from stillhouse.cli.main import app

ROOT: Final = Path(__file__).parent.parent
TOLD: Final = re.compile(r"([\d,]+) × (\w+): (.+?)(?:, as |$)")
LABEL: Final = 15  # columns of a label in a trace

Reasons = Counter[tuple[str, str]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped run up to the split; a file that nobody can read lies among the documents."""
    root = tmp_path_factory.mktemp("shipped")
    for name in ("data/seed", "prompts"):
        shutil.copytree(ROOT / name, root / name)
    (root / "data/seed/documents/people/plan.xyz").write_text("?")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    del params["render"]["plan"]["questions"]["replay"]
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(root):
        patch.setenv("STILLHOUSE_HOME", str(root))
        for stage in (ingest, render, generate, judge, curate, review, split):
            stage.main()
    return root


def read_rejections(root: Path) -> list[Rejection]:
    """Return what any stage rejected, from every table that says so."""
    tables = [*root.glob("data/*/rejections.parquet"), root / "data/corpus/skipped.parquet"]
    return [item for table in sorted(tables) for item in read_all(table, Rejection)]


def read_sources(root: Path) -> dict[str, str]:
    """Return the path of each passage's document."""
    return {c.chunk_id: c.source for c in read_all(root / "data/corpus/chunks.parquet", Chunk)}


def group_by_document(root: Path) -> Mapping[str, Reasons]:
    """Return how often each document's passages were rejected, by stage and reason."""
    sources = read_sources(root)
    reasons: Mapping[str, Reasons] = defaultdict(Counter)
    for item in read_rejections(root):
        for source in name_documents(item, sources):
            reasons[source][item.stage, item.reason] += 1
    return reasons


def name_documents(item: Rejection, sources: Mapping[str, str]) -> set[str]:
    """Return the documents that a rejection is about: a file is its own."""
    if item.stage == "ingest":
        return {item.rejected_id}
    return {sources[chunk] for chunk in item.chunk_ids}


def run_trace(thing: str, *options: str) -> str:
    return CliRunner().invoke(app, ["trace", thing, *options]).stdout


def read_told(printed: str) -> Reasons:
    """Return the rejections that a trace prints: how many for each stage and reason."""
    lines = (line[LABEL:] for line in printed.splitlines() if line.startswith(" " * LABEL))
    found = (TOLD.match(line) for line in lines)
    return Counter({(m[2], m[3]): int(m[1].replace(",", "")) for m in found if m is not None})


def test_the_trace_of_a_document_prints_every_rejection_with_its_reason(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    expected = group_by_document(project)
    assert len(expected) > 20
    assert {stage for reasons in expected.values() for stage, _ in reasons} >= {
        *("ingest", "generate", "curate")
    }
    assert {source: read_told(run_trace(source)) for source in expected} == expected


def test_what_is_of_no_document_is_told_by_its_id_and_json_lists_each_with_its_detail(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    rejections = read_rejections(project)
    sources = read_sources(project)
    assert all(item.reason and item.detail for item in rejections)
    for item in rejections:
        if not name_documents(item, sources):
            assert read_told(run_trace(item.rejected_id)) == {(item.stage, item.reason): 1}
    source, _ = max(group_by_document(project).items(), key=lambda found: found[1].total())
    steps = json.loads(run_trace(source, "--json"))["downstream"]
    listed = [step for step in steps if step["kind"] == "rejection"]
    assert Counter((s["id"], s["stage"], s["reason"], s["detail"]) for s in listed) == Counter(
        (item.rejected_id, item.stage, item.reason, item.detail)
        for item in rejections
        if source in name_documents(item, sources)
    )
