"""What a trace says of a student whose tables are older than the workspace's, or half-run ones."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from stages import ingest, review, split
from stillhouse.base.records import Chunk, Document, Pair, Row
from stillhouse.base.tables import read_all, write_table
from stillhouse.cli.main import app
from stillhouse.tracing.find import find_thing
from stillhouse.tracing.index import Index
from stillhouse.tracing.models import ModelVerdict
from stillhouse.tracing.opening import with_index
from stillhouse.tracing.past import list_here, want_tables
from stillhouse.tracing.reach import follow
from stillhouse.tracing.trace import trace
from stillhouse.tracing.trail import ABSENT, UNKNOWN
from tests.trace_project import (
    HELD_OUT,
    LEAVE,
    ROOT,
    STUDY,
    is_of,
    make_project_once,
    read_rows,
    rerun,
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
    return make_project_once(tmp_path_factory)


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


def rows_of_each(source: str) -> dict[str, int]:
    """Return the number of training rows of each passage of a document, by the passage's text."""
    return {
        chunk.text: sum(chunk.chunk_id in row.chunk_ids for row in read_rows(TRAIN))
        for chunk in chunks_of(source)
    }


def edit(source: str, change: Callable[[str], str]) -> None:
    (SEED / source).write_text(change((SEED / source).read_text()))


def lose_from_cache(table: Path, outs: dict[str, str]) -> None:
    md5 = outs[table.as_posix()]
    Path(".dvc/cache/files/md5", md5[:2], md5[2:]).unlink()


def test_in_a_whole_project_every_table_tells_of_every_row_whether_it_is_of_a_thing(
    project: Path,
) -> None:
    sources = [
        document.source for document in read_all(Path("data/corpus/documents.parquet"), Document)
    ]
    passages = [chunk.chunk_id for chunk in read_all(CHUNKS, Chunk)]
    things = (*sources, *passages, "plan.xyz", "recall.md", read_rows(TRAIN)[0].request_id)

    def tell(index: Index) -> None:
        index.prepare(want_tables(list_here(project)))
        for wanted in things:
            reach = follow(index, project, find_thing(index, project, wanted))
            assert UNKNOWN not in reach.touched
            names = index.ids.names(reach.validation)
            assert sorted(names) == sorted(row.row_id for row in read_rows(VALIDATION))
            assert ABSENT not in reach.touched[reach.validation]

    with_index(project, tell)


def test_after_a_rename_of_which_only_ingest_knows_nothing_is_clean_without_the_tables_of_then(
    project: Path,
) -> None:
    tables = ("generated/pairs", "curated/rows", "reviewed", "dataset/test")
    paths = [TRAIN, VALIDATION, *(Path(f"data/{table}.parquet") for table in tables)]
    items = [
        item for path in paths for item in read_all(path, Pair if "pairs" in path.name else Row)
    ]
    old = len({getattr(i, "row_id", "") or i.pair_id for i in items if is_of(i, STUDY)})
    (SEED / STUDY).rename(SEED / RENAMED)
    ingest.main()
    shutil.rmtree(".dvc/cache")
    passages = [chunk.chunk_id for chunk in chunks_of(RENAMED)]
    for thing in (RENAMED, *passages, HELD_OUT):
        assert judge(thing).verdict == "unknown", thing
        (untold,) = [step for step in trace(project, thing).downstream if step.kind == "untold"]
        assert untold.facts["count"] == old
        printed = CliRunner().invoke(app, ["trace", thing]).stdout
        assert f"unknown      {old} rows and pairs here may be of it" in printed
    assert judge(LEAVE).verdict == "affected"


def test_after_a_rename_of_which_only_ingest_knows_the_tables_of_then_tell(project: Path) -> None:
    trained, each = sum(is_of(row, STUDY) for row in read_rows(TRAIN)), rows_of_each(STUDY)
    (SEED / STUDY).rename(SEED / RENAMED)
    ingest.main()
    told = judge(RENAMED)
    assert (told.verdict, told.rows) == ("affected", trained)
    assert {chunk.text: judge(chunk.chunk_id).rows for chunk in chunks_of(RENAMED)} == each
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


def test_a_passage_of_a_renamed_document_is_found_in_an_older_model_by_its_text(
    project: Path,
) -> None:
    each, outs = rows_of_each(STUDY), store_in_cache(project)
    (SEED / STUDY).rename(SEED / RENAMED)
    ingest.main()
    rerun()
    ids = {chunk.text: chunk.chunk_id for chunk in chunks_of(RENAMED)}
    told = {text: judge(chunk_id) for text, chunk_id in ids.items()}
    assert {text: verdict.rows for text, verdict in told.items()} == each
    assert {verdict.verdict for text, verdict in told.items() if each[text]} == {"affected"}
    lose_from_cache(Path("data/corpus/documents.parquet"), outs)
    assert {text: judge(chunk_id) for text, chunk_id in ids.items()} == told
    lose_from_cache(CHUNKS, outs)
    assert {judge(chunk_id).verdict for chunk_id in ids.values()} == {"unknown"}


def test_an_edited_passage_is_unknown_to_an_older_model_and_an_added_one_clean(
    project: Path,
) -> None:
    edit(LEAVE, lambda text: text + "\n## Sabbaticals\n\nAfter nine years you get a sabbatical.\n")
    first = next(chunk for chunk in chunks_of(STUDY) if rows_of_each(STUDY)[chunk.text])
    edit(STUDY, lambda text: text.replace(first.text, first.text.replace(".", " indeed.", 1)))
    before = {chunk.chunk_id for chunk in read_all(CHUNKS, Chunk)}
    ingest.main()
    rerun()
    (edited,) = [chunk for chunk in chunks_of(STUDY) if chunk.chunk_id not in before]
    (added,) = [chunk for chunk in chunks_of(LEAVE) if chunk.chunk_id not in before]
    told = judge(edited.chunk_id)
    assert (told.verdict, STUDY in told.why) == ("unknown", True)
    assert judge(added.chunk_id).verdict == "clean"


def test_a_document_that_was_renamed_and_edited_is_found_by_its_passages_or_unknown(
    project: Path,
) -> None:
    each = rows_of_each(STUDY)
    (SEED / STUDY).rename(SEED / RENAMED)
    edit(
        RENAMED, lambda text: text + "\n## Sabbaticals\n\nAfter nine years you get a sabbatical.\n"
    )
    ingest.main()
    rerun()
    kept = sum(each.get(chunk.text, 0) for chunk in chunks_of(RENAMED))
    assert judge(RENAMED).verdict == "affected"
    assert 0 < judge(RENAMED).rows == kept
    edit(RENAMED, lambda text: text.replace(".", " indeed."))
    ingest.main()
    rerun()
    told = judge(RENAMED)
    assert (told.verdict, f"`{STUDY}`" in told.why) == ("unknown", True)
    assert judge(HELD_OUT).verdict == "clean"


def test_a_new_document_is_unknown_to_a_model_that_learned_one_that_is_gone(project: Path) -> None:
    (SEED / "people/new.md").write_text("# Sabbaticals\n\nAfter nine years you get a sabbatical.\n")
    ingest.main()
    rerun()
    assert judge("people/new.md").verdict == "clean"
    (SEED / STUDY).unlink()
    ingest.main()
    rerun()
    (passage,) = chunks_of("people/new.md")
    for thing in ("people/new.md", passage.chunk_id):
        assert (judge(thing).verdict, f"`{STUDY}`" in judge(thing).why) == ("unknown", True)
    assert judge(HELD_OUT).verdict == "clean"


def test_a_passage_that_moved_into_another_document_is_found_by_its_text(project: Path) -> None:
    each = rows_of_each(STUDY)
    moved = max(each, key=lambda text: each[text])
    edit(STUDY, lambda text: text.replace(moved, "Gone."))
    (SEED / "people/new.md").write_text(f"# New\n\n{moved}\n")
    ingest.main()
    rerun()
    (chunk,) = chunks_of("people/new.md")
    for thing in ("people/new.md", chunk.chunk_id):
        assert (judge(thing).verdict, judge(thing).rows) == ("affected", each[moved])


def test_a_copy_of_a_passage_that_still_stands_in_its_place_is_another_one(project: Path) -> None:
    each = rows_of_each(STUDY)
    copied = max(each, key=lambda text: each[text])
    (SEED / "people/new.md").write_text(f"# New\n\n{copied}\n")
    ingest.main()
    rerun()
    assert judge("people/new.md").verdict == "clean"
    assert judge(chunks_of("people/new.md")[0].chunk_id).verdict == "clean"


def test_equal_passages_under_the_same_headings_share_the_rows_that_name_one_of_them(
    project: Path,
) -> None:
    notice = "The notice period for a sabbatical is 37 days."
    edit(STUDY, lambda text: text + f"\n## Sabbaticals\n\n{notice}\n" * 2)
    ingest.main()
    rerun()
    shutil.rmtree("models/older")
    train_student(project, "newer", upstream=store_in_cache(project))
    twins = [chunk.chunk_id for chunk in chunks_of(STUDY) if notice in chunk.text]
    rows = [sum(twin in row.chunk_ids for row in read_rows(TRAIN)) for twin in twins]
    assert min(rows) == 0 < max(rows)  # of equal requests one is sent
    assert [judge(twin).rows for twin in twins] == [max(rows)] * 2
    (SEED / STUDY).rename(SEED / RENAMED)
    ingest.main()
    rerun()
    moved = [chunk.chunk_id for chunk in chunks_of(RENAMED) if notice in chunk.text]
    assert [judge(twin).rows for twin in moved] == [max(rows)] * 2


def test_a_document_that_is_gone_is_traced_by_name_and_ids_against_the_models_that_saw_it(
    project: Path,
) -> None:
    each, rows = rows_of_each(STUDY), [row for row in read_rows(TRAIN) if is_of(row, STUDY)]
    ids = {chunk.chunk_id: each[chunk.text] for chunk in chunks_of(STUDY)}
    document = chunks_of(STUDY)[0].document_id
    (SEED / STUDY).unlink()
    ingest.main()
    rerun()
    train_student(project, "newer", upstream=store_in_cache(project))
    for name in (STUDY, Path(STUDY).name, (SEED / STUDY).as_posix(), document, document[:12]):
        traced = trace(project, name)
        assert (traced.thing.kind, traced.thing.id, traced.thing.name) == (
            "document", document, STUDY,
        )  # fmt: skip
        told = {model.model: (model.verdict, model.rows) for model in traced.models}
        assert told == {"newer": ("clean", 0), "older": ("affected", len(rows))}
        (step,) = traced.upstream
        assert (step.id, step.facts["state"]) == (document, "gone")
        assert traced.downstream == ()
    for thing, count in (*ids.items(), (rows[0].row_id, 1)):
        told = {model.model: (model.verdict, model.rows) for model in trace(project, thing).models}
        assert told["newer"] == ("clean", 0)
        assert told["older"][1] == count
    request = trace(project, rows[0].request_id)
    assert (request.thing.kind, request.verdict) == ("request", "affected")
    assert [s.id for s in request.upstream if s.kind == "document"] == [document]
    told = json.loads(CliRunner().invoke(app, ["trace", STUDY, "--json"]).stdout)
    assert (told["thing"], told["kind"], told["datasets"]) == (STUDY, "document", [])


def test_what_a_document_that_is_gone_may_have_become_is_unknown(project: Path) -> None:
    (SEED / STUDY).unlink()
    (SEED / "people/new.md").write_text("# Sabbaticals\n\nYour sabbatical begins on 3 May.\n")
    ingest.main()
    rerun()
    train_student(project, "newer", upstream=store_in_cache(project))
    assert any(is_of(row, "people/new.md") for row in read_rows(TRAIN))
    newer, older = trace(project, STUDY).models
    assert (newer.verdict, "`people/new.md`" in newer.why, older.verdict) == (
        "unknown", True, "affected",
    )  # fmt: skip


def test_a_document_that_is_gone_is_found_in_half_run_tables_and_else_its_models_are_named(
    project: Path,
) -> None:
    trained = sum(is_of(row, STUDY) for row in read_rows(TRAIN))
    (SEED / STUDY).unlink()
    ingest.main()
    shutil.rmtree(".dvc/cache")
    assert (judge(STUDY).verdict, judge(STUDY).rows) == ("affected", trained)
    rerun()
    refused = CliRunner().invoke(app, ["trace", STUDY])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "tables that models here were made of are not found" in refused.stderr


def test_a_prompt_that_is_gone_is_traced_against_the_models_that_were_asked_with_it(
    project: Path,
) -> None:
    recall = Path("prompts/recall.md")
    trained = sum(row.task == "recall" for row in read_rows(TRAIN))
    recall.unlink()
    params = yaml.safe_load(Path("params.yaml").read_text())
    for group in ("core", "other"):
        params["render"]["plan"][group] = {"multi_step": {"fraction": 1.0}}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    rerun()
    train_student(project, "newer", upstream=store_in_cache(project))
    told = {
        model.model: (model.verdict, model.rows) for model in trace(project, str(recall)).models
    }
    assert told == {"newer": ("clean", 0), "older": ("affected", trained)}


def test_a_file_of_json_objects_stands_for_all_its_documents_in_every_version(
    project: Path,
) -> None:
    faq, study = "people/faq.jsonl", (SEED / STUDY).read_text()
    older = sum(is_of(row, STUDY) for row in read_rows(TRAIN))
    others = ("parental-leave.md", "sick-leave-and-care.md", "grievance-and-conduct.md")
    said = [(ROOT / SEED / "people" / name).read_text() for name in others]
    lines = [json.dumps({"text": text}) for text in said]
    (SEED / faq).write_text("".join(f"{line}\n" for line in lines))
    ingest.main()
    rerun()
    train_student(project, "middle", upstream=store_in_cache(project))
    mine = [row for row in read_rows(TRAIN) if row.slot_id.startswith(f"{faq}#")]
    assert len({row.slot_id.partition("|")[0] for row in mine}) > 1

    def tell(thing: str) -> dict[str, tuple[str, int]]:
        return {m.model: (m.verdict, m.rows) for m in trace(project, thing).models}

    for name in (faq, "faq.jsonl", (SEED / faq).as_posix()):
        assert tell(name) == {"middle": ("affected", len(mine)), "older": ("clean", 0)}
    told = json.loads(CliRunner().invoke(app, ["trace", faq, "--json"]).stdout)
    assert (told["thing"], told["kind"]) == (faq, "document")
    (step,) = told["upstream"]
    assert (step["state"], step["documents"]) == ("", len(said))
    (entry,) = trace(project, f"{faq}#1").upstream
    assert entry.facts["state"] == ""  # the file is here, but what is recorded is the line's hash
    assert tell(f"{faq}#1")["middle"][1] < len(mine)
    (SEED / faq).rename(SEED / "people/help.jsonl")
    ingest.main()
    rerun()
    both = {"middle": ("affected", len(mine)), "older": ("clean", 0)}
    assert tell("people/help.jsonl") == tell(faq) == both
    (SEED / "people/help.jsonl").unlink()
    (SEED / "z.json").write_text(json.dumps([{"text": study}, {"text": "# T\n\nA new one."}]))
    ingest.main()
    rerun()
    assert trace(project, "z.json").thing.twins == (STUDY,)  # whose text its first object has
    assert tell("z.json")["older"] == ("affected", older)
    assert tell(faq) == both
    assert trace(project, f"{faq}#2").upstream[0].facts["state"] == "gone"


def test_a_renamed_prompt_is_found_by_its_bytes_and_one_that_was_edited_too_is_unknown(
    project: Path,
) -> None:
    old, new, unused = (Path("prompts", f"{name}.md") for name in ("recall", "facts", "simplified"))
    trained = sum(row.task == "recall" for row in read_rows(TRAIN))
    other = judge("prompts/multi_step.md")
    old.rename(new)
    for rerun_too in (False, True):  # in half-run tables as well as in those of an older version
        if rerun_too:
            rerun()
            write_table(TRAIN, Row, [row for row in read_rows(TRAIN) if row.task != "recall"])
        assert (judge(str(new)).verdict, judge(str(new)).rows) == ("affected", trained)
        assert judge(str(unused)).verdict == "clean"
        assert judge("prompts/multi_step.md") == other
    new.write_text(new.read_text().replace("ordinary words", "plain words"))
    rerun()
    told = judge(str(new))
    assert (told.verdict, str(old) in told.why) == ("unknown", True)


def test_a_file_with_the_text_of_another_document_comes_to_the_rows_of_that_one(
    project: Path,
) -> None:
    trained = sum(is_of(row, STUDY) for row in read_rows(TRAIN))
    (SEED / "z.md").write_bytes((SEED / STUDY).read_bytes().replace(b"\n", b"\r\n"))
    ingest.main()
    train_student(project, "newer", upstream=store_in_cache(project))
    thing = trace(project, "z.md")
    assert (thing.thing.kind, thing.thing.twins) == ("skipped file", (STUDY,))
    assert {model.model: model.rows for model in thing.models} == dict.fromkeys(
        ("newer", "older"), trained
    )
    (seen,) = [step.facts["seen"] for step in thing.downstream if step.id == "z.md"]
    assert seen == f"as {STUDY}, which ingest read in its place"


def test_a_reviewers_fix_that_was_taken_back_is_still_in_the_model_that_learned_it(
    project: Path,
) -> None:
    decisions = json.loads(Path("reports/review.json").read_text())["decisions"]
    (fixed,) = [decision for decision in decisions if decision["new_id"]]
    for table in (TRAIN, VALIDATION):
        others = [row for row in read_rows(table) if row.row_id != fixed["new_id"]]
        if table == TRAIN:
            row = next(
                row for row in read_rows("data/reviewed.parquet") if row.row_id == fixed["new_id"]
            )
            others.append(row)
        write_table(table, Row, others)
    shutil.rmtree("models/older")
    train_student(project, "older", upstream=store_in_cache(project))
    Path("data/seed/review.jsonl").write_text("")
    review.main()
    assert judge(fixed["row_id"]).rows == 1  # split has not run yet
    split.main()
    assert fixed["new_id"] not in {row.row_id for row in read_rows(TRAIN)}
    assert judge(fixed["row_id"]).rows == 1
    shutil.rmtree(".dvc/cache")
    assert judge(fixed["row_id"]).verdict == "unknown"
