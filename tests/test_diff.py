"""A history of edits, each committed: the diff names exactly the right rows, and why each differs."""

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from stillhouse.base.errors import InputError
from stillhouse.base.lock import Lock, LockedStage
from stillhouse.base.records import Message, Pair, Rejection, Row
from stillhouse.base.tables import read_all, write_table
from stillhouse.cli.main import app
from stillhouse.diffing.causes import Why
from stillhouse.diffing.compare import compare_tables, find_shape, open_engine
from stillhouse.diffing.diff import Diff, make_diff
from stillhouse.diffing.selecting import Selecting
from stillhouse.diffing.settings import Settings
from stillhouse.diffing.tables import TABLES, find_table
from stillhouse.diffing.upstream import Upstream
from stillhouse.history.resolve import resolve
from stillhouse.history.version import GoneError
from tests.trace_project import HELD_OUT, LEAVE, STUDY, is_of
from tests.versions_project import Project, copy_project, make_history_project

TRAIN: Final = TABLES["train"].path
SEED: Final = "data/seed/documents"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A commit for each edit, each tagged with what was edited."""
    root = tmp_path_factory.mktemp("story")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(root))
        project = make_history_project(root)
        project.git("tag", "begin")

        def step(tag: str) -> None:
            project.step(tag)
            project.git("tag", tag)

        (project.root / "data/seed/review.jsonl").write_text("")
        step("review")
        project.edit("prompts/multi_step.md", "You", "You there")
        step("prompt")
        project.edit(f"{SEED}/{LEAVE}", "27.5 days", "28 days")
        step("document")
        project.set_params({"curate.thresholds.length": 1.0, "judge.answer_words_max": 9})
        step("judge")
        project.set_params({"curate.near_duplicate": 0.6})
        step("filter")
        project.set_params({"split.seed": 99})
        step("split")
        project.set_params({"render.plan.core.recall.phrasings": 2})
        step("parameters")
        # The code of a filter: other rows are dropped, and nothing but the code's hash says so.
        code = project.root / "stillhouse/quality/__init__.py"
        code.write_text("# another filter\n")
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr("stillhouse.quality.curate.find_exact_duplicates", _drop_longest)
            step("code")
        (project.root / SEED / STUDY).unlink()
        step("removed")
        # Passages are cut and asked for otherwise at once, so that few rows stay in their places.
        project.git("checkout", "begin", "--", ".")
        project.set_params({"ingest.max_tokens": 90, "render.plan.core.recall.phrasings": 2})
        step("cut")
        project.check_out("removed")
    return project


def _drop_longest(pairs: Any) -> Any:
    from stillhouse.quality.duplicates import Collision

    longest = max(pairs, key=lambda pair: (len(pair.messages[0].content), pair.pair_id))
    return [Collision(longest, pairs[0], 1.0, "is too long")]


@pytest.fixture
def project(made: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "p"))
    copied = copy_project(made, tmp_path / "p")
    monkeypatch.chdir(copied.root)
    return copied


def compare(project: Project, a: str, b: str, table: str = "train") -> Diff:
    found = find_table(table)
    return make_diff(
        resolve(project.root, a, found.path), resolve(project.root, b, found.path), found
    )


def rows_of(project: Project, revision: str, table: str = "train") -> dict[str, Row]:
    path = resolve(project.root, revision).open(TABLES[table].path)
    return {row.row_id: row for row in read_all(path, Row)}


def causes_of(diff: Diff) -> Mapping[tuple[str, tuple[str, ...]], int]:
    return Counter((change.kind, change.why.causes) for change in diff.changes)


def ids_of(diff: Diff, side: int) -> set[str]:
    """Return the ids of the differing rows that A (0) or B (1) has."""
    return {row["row_id"] for change in diff.changes if (row := diff.read(change)[side])}


@pytest.mark.parametrize(
    ("a", "b", "causes"),
    [
        ("begin", "review", {"review"}),
        ("review", "prompt", {"prompt"}),
        ("prompt", "document", {"document"}),
        ("document", "judge", {"judge"}),
        ("judge", "filter", {"filter"}),
        ("filter", "split", {"split"}),
        ("split", "parameters", {"parameters"}),
        ("parameters", "code", {"filter"}),
        ("code", "removed", {"document"}),
    ],
)
def test_every_row_that_differs_says_why_and_no_other_is_named(
    made: Project, a: str, b: str, causes: set[str]
) -> None:
    diff = compare(made, a, b)
    then, now = rows_of(made, a), rows_of(made, b)
    assert diff.changes
    # A row's id covers its words and all that reached the teacher: these ids, and no others, differ.
    assert ids_of(diff, 0) == then.keys() - now.keys()
    assert ids_of(diff, 1) == now.keys() - then.keys()
    assert all(change.why.causes for change in diff.changes)
    assert {cause for change in diff.changes for cause in change.why.causes} == causes
    counts = diff.head.counts
    assert counts.unchanged == len(then.keys() & now.keys())
    assert counts.unchanged + counts.changed + counts.added == len(now)
    assert counts.unchanged + counts.changed + counts.removed == len(then)
    for groups in (diff.head.by_task, diff.head.by_document):
        assert sum(one.unchanged for one in groups.values()) == counts.unchanged
        assert sum(one.differ for one in groups.values()) == counts.differ


def test_a_prompt_edit_changes_its_rows_in_place(made: Project) -> None:
    diff = compare(made, "review", "prompt")
    tasks = Counter(row.task for row in rows_of(made, "review").values())
    assert causes_of(diff) == {("changed", ("prompt",)): tasks["multi_step"]}
    assert diff.names == {"prompt": {"prompts/multi_step.md": tasks["multi_step"]}}
    assert set(diff.head.by_task) == set(tasks)
    assert diff.head.columns["prompt_sha256"] == tasks["multi_step"]


def test_an_edit_of_a_document_names_it_and_leaves_its_other_rows(made: Project) -> None:
    diff = compare(made, "prompt", "document")
    old = [diff.read(change)[0] for change in diff.changes]
    assert all("27.5" in json.dumps(row) for row in old if row)
    assert diff.names["document"] == {LEAVE: len(diff.changes)}
    others = [row for row in rows_of(made, "document").values() if LEAVE in row.slot_id]
    assert diff.stamps == {"document_ids": len(others) - len(ids_of(diff, 1))}


def test_a_stricter_judge_says_which_score_was_too_low(made: Project) -> None:
    diff = compare(made, "document", "judge")
    assert causes_of(diff).keys() == {("removed", ("judge",))}
    assert {(one.stage, one.reason) for one in diff.head.left} == {("curate", "length")}
    assert all("length 0.00 is below 1.00" in change.why.said for change in diff.changes)
    assert diff.names["judge"] == {"judge.answer_words_max 60 -> 9": len(diff.changes)}
    assert diff.stamps["judge_sha256"] == diff.head.counts.unchanged


def test_a_filter_names_the_row_that_was_kept(made: Project) -> None:
    diff = compare(made, "judge", "filter")
    said = [change.why.said for change in diff.changes]
    assert any("near_duplicate: question 0." in one and "similar to people/" in one for one in said)
    assert diff.names["filter"] == {"curate.near_duplicate 0.9 -> 0.6": len(diff.changes)}


def test_rows_that_are_held_out_otherwise_are_not_taken_for_each_other(made: Project) -> None:
    diff = compare(made, "filter", "split")
    assert {change.kind for change in diff.changes} == {"added", "removed"}
    assert all(change.why.said.startswith("split: ") for change in diff.changes)
    assert diff.names["split"] == {"split.seed 7 -> 99": len(diff.changes)}


def test_what_a_reviewer_decided_is_told(made: Project) -> None:
    diff = compare(made, "begin", "review", "reviewed")
    assert causes_of(diff) == {("added", ("review",)): 1, ("changed", ("review",)): 1}
    said = sorted(change.why.said for change in diff.changes)
    assert said == ["before, review: rejected by Ada: beside the point", "review: mended by Ada"]


@pytest.mark.parametrize("response", ["", "Twelve."])
def test_a_question_that_a_reviewer_reworded_is_a_change_by_review(
    project: Project, response: str
) -> None:
    project.check_out("begin")
    old = next(row for row in rows_of(project, "begin").values() if is_of(row, LEAVE))
    verdict = {
        "row_id": old.row_id, "verdict": "fix", "reviewer": "Bob", "reason": "unclear",
        "question": "How is it put better?", "response": response,
    }  # fmt: skip
    path = project.root / "data/seed/review.jsonl"
    path.write_text(path.read_text() + json.dumps(verdict) + "\n")
    project.step("reworded")
    diff = compare(project, "begin", "HEAD", "reviewed")
    assert causes_of(diff) == {("changed", ("review",)): 1}
    (change,) = diff.changes
    assert change.why.said == "review: mended by Bob: unclear"
    before, after = (row or {} for row in diff.read(change))
    assert before["row_id"] == old.row_id
    assert after["prompt"][-1]["content"] == "How is it put better?"
    assert after["completion"][-1]["content"] == (response or old.completion[-1].content)


def test_code_that_drops_a_row_is_named(made: Project) -> None:
    diff = compare(made, "parameters", "code", "curated")
    gone = [change for change in diff.changes if change.kind == "removed"]
    assert len(gone) == 1
    assert gone[0].why.said == "curate: duplicate: is too long"
    assert gone[0].why.names == {"filter": "stillhouse/quality"}


def test_a_removed_document_takes_its_rows(made: Project) -> None:
    diff = compare(made, "code", "removed")
    then = rows_of(made, "code")
    gone = {i for i, row in then.items() if row.slot_id.startswith(f"{STUDY}|")}
    by_document = {
        diff.read(change)[0]["row_id"]  # type: ignore[index]
        for change in diff.changes
        if "document" in change.why.causes and change.kind == "removed"
    }
    assert gone <= by_document
    assert set(diff.names["document"]) == {STUDY}


@pytest.mark.parametrize("table", ["train", "reviewed", "requests"])
def test_the_other_way_round_it_is_the_same_difference(made: Project, table: str) -> None:
    turned = {"added": "removed", "removed": "added", "changed": "changed"}

    def tell(diff: Diff, *, turn: bool) -> Counter[Any]:
        return Counter(
            (
                turned[change.kind] if turn else change.kind,
                change.why.causes,
                tuple(sorted({change.key, change.old_key or change.key})),
            )
            for change in diff.changes
        )

    there, back = compare(made, "begin", "cut", table), compare(made, "cut", "begin", table)
    assert tell(there, turn=False) == tell(back, turn=True)


def test_two_edits_at_once_are_told_apart(project: Project) -> None:
    project.check_out("begin")
    project.edit("prompts/multi_step.md", "You", "You there")
    project.edit(f"{SEED}/{LEAVE}", "27.5 days", "28 days")
    project.step("both")
    diff = compare(project, "begin", "HEAD")
    for change in diff.changes:
        old, new = (row or {} for row in diff.read(change))
        wanted = set()
        if change.task == "multi_step":
            wanted.add("prompt")
        if old.get("document_sha256") != new.get("document_sha256"):
            wanted.add("document")
        assert set(change.why.causes) == wanted
    found = {change.why.causes for change in diff.changes}
    assert {("prompt",), ("document",)} <= found


def test_a_stricter_judge_is_named_beside_the_row_s_own_change(project: Project) -> None:
    project.check_out("begin")
    project.set_params({"teacher.seed": 5, "judge.answer_words_max": 9})
    project.step("both")
    diff = compare(project, "begin", "HEAD", "reviewed")
    assert causes_of(diff).keys() == {
        ("changed", ("sampling",)), ("removed", ("sampling", "judge")), ("added", ("sampling",)),
    }  # fmt: skip
    assert set(diff.names["sampling"]) == {"teacher.seed none -> 5"}
    assert set(diff.names["judge"]) == {"judge.answer_words_max 60 -> 9"}


@pytest.mark.parametrize(("answer", "causes"), [(70, ()), (20, ("judge",))])
def test_a_row_too_long_for_both_judges_fell_by_its_own_change(
    answer: int, causes: tuple[str, ...]
) -> None:
    locks = [
        Lock(
            {
                stage: LockedStage(stage, {}, {}, "", {"params.yaml": {stage: values}})
                for stage, values in (
                    ("judge", {"question_words_max": 40, "answer_words_max": most}),
                    ("curate", {"thresholds": {"length": 1.0}}),
                )
            }
        )
        for most in (60, 9)
    ]
    here, there = (
        cast("Upstream", SimpleNamespace(lock=lock, read_scores=lambda _: {"length": [0.0]}))
        for lock in locks
    )
    detail = f"length 0.00 is below 1.00: question 5 words, answer {answer} words; allowed 3 to 40"
    rejection = Rejection("1", "pair", "slot", (), "curate", "length", detail)
    why = Selecting(Settings(*locks)).explain_score(
        rejection, Why(("document",)), here, there, "said"
    )
    assert why.causes == causes


@pytest.mark.parametrize("kind", ["renamed", "renumbered", "paragraph"])
def test_rows_whose_words_stay_are_no_removed_and_added_pair(project: Project, kind: str) -> None:
    project.check_out("begin")
    path = project.root / SEED / LEAVE
    if kind == "renamed":
        project.git("mv", f"{SEED}/{LEAVE}", f"{SEED}/people/leave.md")
        project.edit("data/seed/focus.yaml", LEAVE, "people/leave.md")
    elif kind == "renumbered":
        text = path.read_text()
        path.write_text(text.replace("\n## ", "\n## 1.2 "))
    else:
        path.write_text("Nothing is told here.\n\n" + path.read_text())
    project.step(kind)
    diff = compare(project, "begin", "HEAD", "reviewed")
    words: list[set[str]] = []
    for side, name in ((0, "removed"), (1, "added")):
        rows = [diff.read(change)[side] for change in diff.changes if change.kind == name]
        words.append({json.dumps([row["prompt"], row["completion"]]) for row in rows if row})
    assert not words[0] & words[1]
    assert {cause for change in diff.changes for cause in change.why.causes} <= {"document"}


def test_a_text_that_was_changed_under_its_old_id_is_found(project: Project) -> None:
    rows = read_all(project.root / TRAIN, Row)
    forged = replace(rows[0], completion=(Message("assistant", "Fifty days."),))
    write_table(project.root / TRAIN, Row, [forged, *rows[1:]])
    diff = compare(project, "HEAD", "workspace")
    assert [change.columns for change in diff.changes] == [("completion",)]
    assert diff.reworded == 1


def test_an_edited_table_is_no_proof_of_other_code(project: Project) -> None:
    pairs = read_all(project.root / TABLES["pairs"].path, Pair)
    forged = [replace(pairs[0], pair_id="f" * 64, response="Fifty days."), *pairs[1:]]
    write_table(project.root / TABLES["pairs"].path, Pair, forged)
    diff = compare(project, "HEAD", "workspace", "pairs")
    assert [change.why.causes for change in diff.changes] == [("unknown",)]
    assert "is not the file that dvc.lock names" in diff.unknown


def test_the_same_bytes_are_not_even_opened(project: Project) -> None:
    project.find_object(resolve(project.root, "HEAD").md5_of(TRAIN)).unlink()
    (project.root / TRAIN).unlink()
    diff = compare(project, "HEAD", "workspace")
    assert (diff.same, diff.head.counts.unchanged) == (True, 0)


def test_other_tables_say_why_too(made: Project) -> None:
    assert causes_of(compare(made, "code", "removed", "documents")) == {
        ("removed", ("document",)): 1
    }
    requests = compare(made, "begin", "prompt", "requests")
    assert causes_of(requests).keys() == {("changed", ("prompt",))}
    chunks = compare(made, "prompt", "document", "chunks")
    assert causes_of(chunks) == {("changed", ("document",)): 1}
    judged = compare(made, "document", "judge", "judgements")
    assert {causes for _, causes in causes_of(judged)} == {("judge",)}
    parameters = compare(made, "split", "parameters", "pairs")
    assert {causes for _, causes in causes_of(parameters)} == {("parameters",)}


def test_requests_are_asked_for_together(made: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    select = Upstream.select

    def watch(self: Upstream, table: str, *rest: Any) -> Any:
        asked.append(table)
        return select(self, table, *rest)

    monkeypatch.setattr(Upstream, "select", watch)
    for table in ("requests", "responses"):
        asked.clear()
        assert len(compare(made, "split", "parameters", table).changes) > 8
        assert len(asked) <= 4


@pytest.mark.parametrize("table", [name for name in TABLES if "judging" not in TABLES[name].path])
def test_every_table_can_be_compared(made: Project, table: str) -> None:
    diff = compare(made, "begin", "removed", table)
    counts = diff.head.counts
    assert counts.differ + counts.unchanged >= 0
    for change in diff.changes:
        assert diff.read(change) != (None, None)


def test_without_the_tables_behind_it_the_hashes_tell(project: Project) -> None:
    shutil.copy2(resolve(project.root, "prompt").open(TRAIN), project.root / "a.parquet")
    shutil.copy2(resolve(project.root, "document").open(TRAIN), project.root / "b.parquet")
    diff = compare(project, "a.parquet", "b.parquet")
    assert causes_of(diff).keys() == {("changed", ("document",))}
    shutil.copy2(resolve(project.root, "removed").open(TRAIN), project.root / "c.parquet")
    lost = compare(project, "b.parquet", "c.parquet")
    gone = [change for change in lost.changes if change.source == STUDY]
    assert gone
    assert all("document" in change.why.causes for change in gone)


def test_what_is_gone_is_said_and_never_guessed(project: Project) -> None:
    version = resolve(project.root, "judge")
    for table in ("pairs", "requests"):
        md5 = version.md5_of(TABLES[table].path)
        project.find_object(md5).unlink()
    diff = compare(project, "filter", "judge")
    assert "neither in DVC's cache nor in its remote" in diff.unknown or not any(
        "unknown" in change.why.causes for change in diff.changes
    )
    project.find_object(version.md5_of(TRAIN)).unlink()
    with pytest.raises(GoneError, match="dvc fetch --all-commits"):
        compare(project, "judge", "HEAD")


def test_a_slot_that_stands_twice_is_refused(project: Project) -> None:
    rows = read_all(project.root / TRAIN, Row)
    twice = [replace(rows[0], slot_id=rows[1].slot_id), *rows[1:]]
    write_table(project.root / TRAIN, Row, twice)
    with pytest.raises(InputError, match=r"rows share one slot_id: `.*` \(2 times\)"):
        compare(project, "HEAD", "workspace")


def test_other_schemas_are_refused(project: Project) -> None:
    table = pq.read_table(project.root / TRAIN)
    pq.write_table(table.drop_columns(["reasoning"]), project.root / TRAIN)
    with pytest.raises(InputError, match="column `reasoning` is string in the older"):
        compare(project, "HEAD", "workspace")


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("requests", "prompt_path"),
        ("chunks", "source"),
        ("documents", "source_sha256"),
        ("judgements", "score"),
        ("responses", "cached_tokens"),
    ],
)
def test_a_version_from_before_a_column_tells_what_it_can(
    project: Project, table: str, column: str
) -> None:
    project.check_out("prompt")
    path = project.root / TABLES[table].path
    pq.write_table(pq.read_table(path).drop_columns([column]), path)
    for ends in (("workspace", "document"), ("document", "workspace")):
        assert len(json.loads(invoke(*ends, "--json").stdout)["rows"]) == 2


def test_any_parquet_file_by_its_own_key(project: Project) -> None:
    first = pa.table({"name": ["a", "b", "c"], "x": [1, 2, 3], "y": [1.0, 2.0, None]})
    second = pa.table({"name": ["a", "b", "d"], "x": [1, 5, 3], "y": [1.0, 2.0, 1.0]})
    paths = [project.root / name for name in ("one.parquet", "two.parquet")]
    for path, table in zip(paths, (first, second), strict=True):
        pq.write_table(table, path)
    diff = compare(project, "one.parquet", "two.parquet", "one.parquet")
    assert [(change.kind, change.key) for change in diff.changes] == [
        ("changed", "b"), ("removed", "c"), ("added", "d"),
    ]  # fmt: skip
    with pytest.raises(InputError, match="has no column `nothing`"):
        make_diff(
            resolve(project.root, "one.parquet", "one.parquet"),
            resolve(project.root, "two.parquet", "one.parquet"),
            find_table("one.parquet"),
            ["nothing"],
        )


def test_edits_eight_bytes_apart_do_not_undo_each_other(tmp_path: Path) -> None:
    texts = [
        f"{'x' * 7}{i}1234567{j} days and more text to come" for i in range(10) for j in range(10)
    ]
    first, second = (
        pa.table({"name": [str(n) for n in range(9900)], "text": chosen})
        for chosen in (
            [one for one in texts for _ in range(99)],
            [other for one in texts for other in texts if other != one],
        )
    )
    paths = [tmp_path / name for name in ("a.parquet", "b.parquet")]
    for path, table in zip(paths, (first, second), strict=True):
        pq.write_table(table, path)
    table = find_table("a.parquet")
    with open_engine() as engine:
        compared = compare_tables(engine, *paths, find_shape(*paths, table))
    assert compared.old.num_rows == 9900


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["diff", *arguments], catch_exceptions=False)


def test_the_command_tells_it_in_80_columns(project: Project) -> None:
    said = invoke("document", "judge", "-n", "1")
    assert said.exit_code == 0
    assert all(len(line) <= 80 for line in said.stdout.splitlines())
    assert "Because of  judge" in said.stdout
    assert "all because of judge" in said.stdout
    assert invoke("document", "judge", "--exit-code").exit_code == 1
    assert invoke("HEAD", "HEAD", "--exit-code").exit_code == 0


def test_json_keeps_its_contract(project: Project) -> None:
    found = json.loads(invoke("review", "prompt", "--json").stdout)
    wanted = {"a", "b", "table", "counts", "columns", "causes", "by_task", "by_document", "rows"}
    assert wanted <= found.keys()
    assert {"added", "removed", "changed", "unchanged"} <= found["counts"].keys()
    assert {"slot_id", "kind", "causes", "old", "new"} <= found["rows"][0].keys()
    assert found["rows"][0]["old"]["task"] == "multi_step"


def test_markdown_is_a_comment_that_texts_cannot_break(project: Project) -> None:
    rows = read_all(project.root / TRAIN, Row)
    said = "<img src=x> | @everyone ![x](http://example.com) `code`\n# Title"
    forged = replace(rows[0], completion=(Message("assistant", said),))
    write_table(project.root / TRAIN, Row, [forged, *rows[1:]])
    shown = invoke("HEAD", "workspace", "--md", "--link", "https://ci.example.com/diff.html").stdout
    assert "[Every row, word by word](https://ci.example.com/diff.html)" in shown
    assert "<img" not in shown
    assert "@everyone" not in shown
    assert "\n# Title" not in shown
    prompt = invoke("review", "prompt", "--md").stdout
    assert "all from `prompts/multi_step.md`**" in prompt


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "nowhere: nothing is called so"),
        (("HEAD", "--table", "trian"), "did you mean `train`?"),
        (("HEAD", "--json", "--md"), "two forms of one answer"),
        (("HEAD", "--html", "data"), "a folder stands there"),
        (("HEAD..main",), "not one range; `stillhouse diff HEAD main`"),
    ],
)
def test_slips_are_one_sentence(project: Project, arguments: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(app, ["diff", *arguments])
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_held_out_documents_are_in_no_table(made: Project) -> None:
    assert all(HELD_OUT not in change.key for change in compare(made, "begin", "removed").changes)
