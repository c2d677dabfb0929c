"""Personas, variations and evolution change the dataset as their parameters say, and `diff` says why."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stillhouse.base.records import Message, Pair, Request, join_slot, list_ancestors, list_steps
from stillhouse.base.requests import read_requests
from stillhouse.base.tables import read_all, write_table
from stillhouse.diffing.diff import Change, Diff, make_diff
from stillhouse.diffing.tables import TABLES
from stillhouse.history.resolve import resolve
from stillhouse.history.version import Version
from tests.making import make_request
from tests.trace_project import LEAVE
from tests.versions_project import Project, make_history_project

EVOLVE = {"steps": ["constraints", "steps"], "tasks": {"recall": 0.6}, "depth": 1, "seed": 29}
TASK = {"fraction": 1.0, "pairs": 4, "phrasings": 4}
GROUP = "render.plan.core.recall"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Versions, one tag for each, each made of the one before."""
    root = tmp_path_factory.mktemp("derived")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(root))
        made = make_history_project(root)
        made.set_params({"render.plan.other": {}, "render.plan.core": {"recall": TASK}})

        def keep(name: str, **params: Any) -> None:
            made.set_params({key.replace("__", "."): value for key, value in params.items()})
            made.step(name)
            made.git("tag", name)

        keep("plain")
        two = {**TASK, "personas": ["staff", "manager"]}
        keep("persona", render__plan__core={"recall": two})
        keep("variation", render__plan__core={"recall": {**two, "variations": ["plain", "brief"]}})
        keep("before", render__plan__core={"recall": TASK})
        keep("evolved", generate__evolve=EVOLVE)
        keep("more", generate__evolve={**EVOLVE, "tasks": {"recall": 1.0}})
        keep("deeper", generate__evolve={**EVOLVE, "tasks": {"recall": 1.0}, "depth": 2})
        keep("fewer", generate__evolve={**EVOLVE, "depth": 2})
        keep("seeded", generate__evolve={**EVOLVE, "depth": 2, "seed": 30})
        made.edit("prompts/evolve/steps.md", "Check your working.", "Check it twice.")
        keep("step-edited")
        made.edit(f"data/seed/documents/{LEAVE}", "19 working days", "23 working days")
        keep("document-edited")
        keep("own-counts", render__plan__core={"recall": {"fraction": 1.0}})
        made.edit("prompts/recall.md", "pairs: 8", "pairs: 3")
        keep("prompt-edited")
        manager = {"fraction": 1.0, "personas": ["manager"]}
        keep("swapped", render__plan__core={"recall": manager})
        yield made


def compare(project: Project, a: str, b: str, table: str = "pairs") -> Diff:
    return make_diff(resolve(project.root, a), resolve(project.root, b), TABLES[table])


def is_derived(change: Change) -> bool:
    return bool(list_steps(change.key))


def count(diff: Diff, *, derived: bool | None = None) -> Counter[tuple[str, tuple[str, ...]]]:
    chosen = [one for one in diff.changes if derived is None or is_derived(one) is derived]
    return Counter((one.kind, one.why.causes) for one in chosen)


def name_all(diff: Diff, cause: Any) -> set[str]:
    return {change.why.names[cause] for change in diff.changes}


@pytest.mark.parametrize(
    ("a", "b", "name"),
    [
        ("plain", "persona", "personas none -> ('staff', 'manager')"),
        ("persona", "variation", "variations none -> ('plain', 'brief')"),
    ],
)
@pytest.mark.parametrize("table", ["pairs", "requests", "curated"])
def test_a_persona_and_a_variation_add_rows_because_of_their_parameter(
    project: Project, a: str, b: str, name: str, table: str
) -> None:
    diff = compare(project, a, b, table)
    assert {causes for _, causes in count(diff)} == {("parameters",)}
    assert diff.head.counts.added > diff.head.counts.removed  # rows that are duplicates of new ones
    (told,) = name_all(diff, "parameters")
    assert told.startswith(f"{GROUP}.{name.split(maxsplit=1)[0]}")


def test_what_a_persona_added_goes_because_of_its_parameter(project: Project) -> None:
    diff = compare(project, "variation", "before")
    assert set(count(diff)) == {("removed", ("parameters",))}


def test_another_persona_is_a_parameter_for_rows_and_for_what_is_developed_from_them(
    project: Project,
) -> None:
    diff = compare(project, "prompt-edited", "swapped")
    assert {kind for kind, _ in count(diff, derived=True)} >= {"added", "removed"}
    assert {causes for _, causes in count(diff)} == {("parameters",)}


def test_evolution_adds_rows_and_changes_no_other(project: Project) -> None:
    diff = compare(project, "before", "evolved")
    assert set(count(diff)) == {("added", ("parameters",))}
    assert all(is_derived(change) for change in diff.changes)
    assert all(name.startswith("generate.evolve") for name in name_all(diff, "parameters"))
    derived = compare(project, "evolved", "more", "derived")
    assert set(count(derived)) == {("added", ("parameters",))}
    assert name_all(derived, "parameters") == {"generate.evolve.tasks.recall 0.6 -> 1.0"}


def test_another_round_adds_rows_by_its_parameter(project: Project) -> None:
    diff = compare(project, "more", "deeper")
    assert set(count(diff)) == {("added", ("parameters",))}
    assert name_all(diff, "parameters") == {"generate.evolve.depth 1 -> 2"}
    assert {len(list_steps(change.key)) for change in diff.changes} == {2}


def test_another_draw_is_sampling_and_a_smaller_share_parameters(project: Project) -> None:
    fewer = compare(project, "deeper", "fewer")
    assert {causes for _, causes in count(fewer)} == {("parameters",)}
    assert name_all(fewer, "parameters") == {"generate.evolve.tasks.recall 1.0 -> 0.6"}
    drawn = compare(project, "fewer", "seeded")
    assert {causes for _, causes in count(drawn)} == {("sampling",)}
    assert name_all(drawn, "sampling") == {"generate.evolve.seed 29 -> 30"}


def test_an_edited_step_is_named_and_touches_only_what_took_it(project: Project) -> None:
    diff = compare(project, "seeded", "step-edited")
    assert {causes for _, causes in count(diff)} == {("prompt",)}
    assert name_all(diff, "prompt") == {"prompts/evolve/steps.md"}
    assert all("steps" in list_steps(change.key) for change in diff.changes)


def test_an_edit_of_the_parents_prompt_is_the_cause_of_what_was_developed_from_it(
    project: Project,
) -> None:
    diff = compare(project, "own-counts", "prompt-edited")
    assert count(diff, derived=True)
    # How many pairs a prompt file asks for is a parameter of its requests, too.
    assert {causes for _, causes in count(diff)} == {("prompt", "parameters")}
    assert name_all(diff, "prompt") == {"prompts/recall.md"}


def test_an_edited_document_is_the_cause_of_what_was_developed_from_its_rows(
    project: Project,
) -> None:
    diff = compare(project, "step-edited", "document-edited")
    assert count(diff, derived=True)
    assert {causes for _, causes in count(diff)} == {("document",)}
    assert name_all(diff, "document") == {LEAVE}


def test_every_request_that_was_derived_names_a_pair_of_its_place(project: Project) -> None:
    project.check_out("document-edited")
    pairs = {
        one.pair_id: one for one in read_all(project.root / "data/generated/pairs.parquet", Pair)
    }
    derived = [request for request in read_requests(project.root) if request.parent_id]
    assert derived
    for request in derived:
        assert pairs[request.parent_id].slot_id == next(list_ancestors(f"{request.slot_id}|0|0"))


def test_requests_of_a_version_without_the_newer_columns_are_read(
    project: Project, tmp_path: Any
) -> None:
    import duckdb
    import pyarrow.parquet as pq

    from stillhouse.diffing.upstream import Upstream

    path = tmp_path / "requests.parquet"
    whole = pq.read_table(resolve(project.root, "plain").open("data/requests.parquet"))
    pq.write_table(whole.drop_columns(["category", "parent_id"]), path)
    upstream = Upstream(resolve(project.root, "plain"), duckdb.connect())
    upstream._paths["requests"] = path
    wanted = whole.column("request_id").to_pylist()[0]
    found = upstream.request(wanted)
    assert isinstance(found, Request)
    assert (found.request_id, found.category, found.parent_id) == (wanted, "", "")


def test_a_version_from_before_pairs_were_developed_has_an_empty_table(project: Project) -> None:
    diff = compare(project, "plain", "evolved", "derived")
    assert set(count(diff)) == {("added", ("parameters",))}


JUDGED = Path("data/judging/requests.parquet")


def write_judging(project: Project, rubric: str, pairs: Sequence[Pair]) -> None:
    """Put judges' calls beside the tables, as a judge's stage would."""
    asked = [
        replace(
            make_request(
                [], "accuracy", prompt_path="prompts/judge/accuracy.md", prompt_sha256=rubric,
                messages=(Message("user", pair.pair_id + rubric),),
            ),
            slot_id=join_slot(pair.slot_id, "anthropic/model", "accuracy", 0),
        )
        for pair in pairs
    ]  # fmt: skip
    write_table(project.root / JUDGED, Request, asked)


def test_a_judges_calls_say_whether_the_rubric_or_the_pair_is_another_one(
    project: Project, tmp_path: Path
) -> None:
    def look(revision: str, rubric: str, name: str) -> Version:
        path = resolve(project.root, revision).open(TABLES["pairs"].path)
        write_judging(project, rubric, read_all(path, Pair))
        file = tmp_path / name
        (project.root / JUDGED).rename(file)
        version = resolve(project.root, revision)
        return replace(version, files={**version.files, JUDGED.as_posix(): file})

    table = TABLES["judge_requests"]
    before = look("before", "a" * 64, "a.parquet")
    rubric = make_diff(before, look("before", "b" * 64, "b.parquet"), table)
    assert count(rubric) == {("changed", ("judge",)): rubric.head.counts.changed}
    persona = make_diff(
        look("plain", "a" * 64, "c.parquet"), look("persona", "a" * 64, "d.parquet"), table
    )
    assert set(count(persona)) == {("added", ("parameters",))}
