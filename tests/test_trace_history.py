"""A trace judges the models of every commit on every ref, and is never sure of what it cannot read."""

import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.histories import list_things, make_history
from stillhouse.base.errors import InputError
from stillhouse.base.files import write_json
from stillhouse.base.ids import md5_file
from stillhouse.base.records import Rejection, Row
from stillhouse.base.tables import read_all, write_table
from stillhouse.cli.main import app
from stillhouse.history.commits import Commit
from stillhouse.lineage.provenance import BaseModel, read_provenance
from stillhouse.tracing import index_file
from stillhouse.tracing.down import Step
from stillhouse.tracing.find import Thing
from stillhouse.tracing.index import Index
from stillhouse.tracing.models import ModelVerdict
from stillhouse.tracing.objects import hash_listing
from stillhouse.tracing.opening import with_index
from stillhouse.tracing.reading import FORMS, read_rows
from stillhouse.tracing.standing import Standing
from stillhouse.tracing.text import describe_trace
from stillhouse.tracing.trace import Trace, trace
from tests.lineage_project import BASE
from tests.random_history import PROMPTS, WORDS, State, make_tables, write_tables
from tests.trace_project import store_in_cache, train_student

WHO = {f"GIT_{role}_{key}": "a@b" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
INDEX = Path(".stillhouse/index.sqlite")
A, B, C = ("a.md", "b.md", "c.md")
UNUSED = "prompts/three.md"


def git(*command: str) -> str:
    done = subprocess.run(
        ["git", *command], check=True, capture_output=True, text=True, env={**os.environ, **WHO}
    )
    return done.stdout.strip()


def cache_file(md5: str) -> Path:
    return Path(".dvc/cache/files/md5", md5[:2], md5.removeprefix(md5[:2]))


def make_version(*sources: str, base: BaseModel = BASE) -> dict[str, str]:
    """Make tables of documents with one passage each and train `tiny` on them; return the outs."""
    documents = {source: (f"Fact of {source} is so.",) for source in sources}
    state = State(documents, dict(zip(PROMPTS[:2], WORDS, strict=False)), (), 0)
    shutil.rmtree("data", ignore_errors=True)
    write_tables(Path(), _teach_each(state))
    write_json(Path("reports/review.json"), {"decisions": []})
    shutil.rmtree("models", ignore_errors=True)
    outs = store_in_cache(Path())
    folder = train_student(Path(), "tiny", base, outs)
    listing = {}
    for path in sorted(folder.iterdir()):
        listing[path.name] = md5_file(path)
        cached = cache_file(listing[path.name])
        cached.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, cached)
    md5, data = hash_listing(listing)
    cache_file(md5).parent.mkdir(parents=True, exist_ok=True)
    cache_file(md5).write_bytes(data)
    return outs | {"models/tiny": md5}


def _teach_each(state: State) -> dict[str, tuple[type, list[Any]]]:
    """Return the first random tables of a version in which every document has a training row."""
    for seed in range(1000):
        tables = make_tables(Path(), random.Random(seed), state)
        taught = {row.slot_id.partition("|")[0] for row in tables["data/dataset/train.parquet"][1]}
        if taught == state.documents.keys():
            return tables
    raise AssertionError("no such tables")


def commit(outs: Mapping[str, str], message: str = "a version") -> str:
    """Commit a ``dvc.lock`` that names these outputs; return the commit."""
    told = [{"path": path, "md5": md5} for path, md5 in outs.items()]
    write_json(Path("dvc.lock"), {"schema": "2.0", "stages": {"all": {"outs": told}}})
    git("add", "dvc.lock")
    git("commit", "-q", "--allow-empty", "-m", message)
    return git("rev-parse", "HEAD")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, made once; tests work on copies."""
    root = tmp_path_factory.mktemp("history")
    with contextlib.chdir(root):
        git("init", "-q", "-b", "main")
        Path(".gitignore").write_text("/data\n/models\n/reports\n/.dvc\n/.stillhouse\n")
        git("add", ".gitignore")
        for name in ("params.yaml", "dvc.yaml"):
            Path(name).write_text("{}\n")
        commit(make_version(A, B, C), "old")
        commit(make_version(A, C), "new")
        Path(UNUSED).write_text("Never asked.")
    return root


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose `main` has a model of a, b and c, and then one without b, which lies here."""
    root = tmp_path / "project"
    shutil.copytree(made, root)
    monkeypatch.chdir(root)
    monkeypatch.delenv("STILLHOUSE_HOME", raising=False)
    return root


def judge(thing: str) -> dict[str, str]:
    return {model.model: model.verdict for model in trace(Path(), thing).models}


def short(revision: str) -> str:
    return git("rev-parse", revision)[:7]


def test_a_removed_document_names_exactly_the_models_of_every_ref_that_were_trained_on_it(
    project: Path,
) -> None:
    old, here = short("main~1"), make_version(A, C)
    git("checkout", "-q", "-b", "side")
    with_b = {f"tiny@{commit(make_version(A, B, C, 'd.md'))[:7]}"}
    git("checkout", "-q", "-b", "gone")
    with_b |= {f"tiny@{commit(make_version(A, B, C, 'f.md'))[:7]}"}
    git("tag", "v1")
    git("checkout", "-q", "--detach")
    with_b |= {f"tiny@{commit(make_version(A, B, C, 'e.md'))[:7]}"}
    git("update-ref", "refs/exps/12/3456/dusky-owl", "HEAD")
    git("checkout", "-q", "-f", "main")
    git("branch", "-q", "-D", "gone")
    make_version(A, C)
    told = trace(Path(), B)
    affected = {model.model for model in told.models if model.verdict == "affected"}
    assert affected == with_b | {f"tiny@{old}"}
    assert [m.model for m in told.models if m.verdict == "clean"] == ["tiny"]
    assert told.models[0].where == f"workspace, main, {short('main')}"
    assert told.models[0].commits == (git("rev-parse", "main"),)
    where = {model.model: model.where for model in told.models}
    assert where[f"tiny@{short('v1')}"] == f"v1, {short('v1')}"
    assert where[f"tiny@{short('refs/exps/12/3456/dusky-owl')}"].startswith("dusky-owl, ")
    assert here["models/tiny"] == make_version(A, C)["models/tiny"]
    assert told.models[0].weights_sha256 == read_provenance(Path("models/tiny")).weights_sha256


def test_commits_that_share_a_model_are_one_model_and_counted(project: Path) -> None:
    old = git("rev-parse", "main~1")
    git("checkout", "-q", "-b", "later", old)
    again = commit(make_version(A, B, C), "the same again")
    git("checkout", "-q", "-f", "main")
    make_version(A, C)
    (_, other) = trace(Path(), B).models
    assert other.commits == (again, old)
    assert other.where == f"later, {again[:7]} and 1 more commit"
    assert trace(Path(), f"models/{other.model}").thing.kind == "model"


def test_models_of_one_short_commit_keep_names_of_their_own() -> None:
    first, second = (Commit(f"{'a' * 7}{n}", (), 0, "", "") for n in (1, 2))
    assert Standing("tiny", "1.dir", (first,)).name(()) == "tiny@aaaaaaa"
    assert Standing("tiny", "2.dir", (second,)).name({"tiny@aaaaaaa"}) == "tiny@aaaaaaa2"


def test_a_stash_and_its_log_count(project: Path) -> None:
    for sources in ((B, C, "x.md"), (B, "y.md")):
        outs = make_version(*sources)
        told = [{"path": path, "md5": md5} for path, md5 in outs.items()]
        write_json(Path("dvc.lock"), {"schema": "2.0", "stages": {"all": {"outs": told}}})
        git("stash")
    make_version(A, C)
    affected = [verdict for verdict in judge(B).values() if verdict == "affected"]
    assert len(affected) == 3


@pytest.mark.parametrize("what", ["manifest", "listing", "rows", "data"])
@pytest.mark.parametrize("damage", ["gone", "poisoned"])
def test_what_the_cache_has_lost_or_holds_otherwise_is_unknown_and_never_clean(
    project: Path, what: str, damage: str
) -> None:
    old = f"tiny@{short('main~1')}"
    stages = json.loads(git("show", "main~1:dvc.lock"))["stages"]
    outs = {out["path"]: out["md5"] for out in stages["all"]["outs"]}
    listing = json.loads(cache_file(outs["models/tiny"]).read_bytes())
    inner = {entry["relpath"]: entry["md5"] for entry in listing}
    lost = {
        "manifest": inner["provenance.json"],
        "listing": outs["models/tiny"],
        "rows": inner["rows.parquet"],
        "data": outs["data/dataset/train.parquet"],
    }[what]
    assert judge(UNUSED) == {"tiny": "clean", old: "clean"}
    kept = cache_file(lost).read_bytes()
    cache_file(lost).unlink()
    if damage == "poisoned":
        cache_file(lost).write_bytes(kept[:-1] + b"?")
    told = trace(Path(), UNUSED)
    (verdict,) = [model for model in told.models if model.model == old]
    assert (verdict.verdict, "`dvc fetch --all-commits`" in verdict.why) == ("unknown", True)
    assert told.verdict == "unknown"
    cache_file(lost).write_bytes(kept)
    assert judge(UNUSED) == {"tiny": "clean", old: "clean"}


def test_a_model_inherits_from_a_student_of_another_ref(project: Path) -> None:
    git("checkout", "-q", "-b", "mother", "main~1")
    make_version(A, B)
    mother = read_provenance(Path("models/tiny")).weights_sha256
    git("checkout", "-q", "-f", "main")
    outs = make_version(C, base=BaseModel("bases/copied", mother, "local folder"))
    commit(outs, "a child")
    told = {model.model: (model.verdict, model.why) for model in trace(Path(), B).models}
    assert told["tiny"] == ("affected", f"began with `tiny@{short('mother')}`: affected")
    heirs = trace(Path(), f"models/tiny@{short('mother')}")
    assert heirs.models[0] == ModelVerdict(
        "tiny", "affected", 0, f"began with `tiny@{short('mother')}`: affected"
    )


def test_a_shallow_clone_says_that_models_before_the_cut_are_unknown(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("clone", "-q", "--depth", "1", f"file://{project}", str(tmp_path / "clone"))
    for folder in ("data", "models", "reports", ".dvc", "prompts"):
        shutil.copytree(project / folder, tmp_path / "clone" / folder)
    monkeypatch.chdir(tmp_path / "clone")
    told = trace(Path(), UNUSED)
    (here, cut) = told.models
    assert (cut.model, cut.verdict) == ("before the cut", "unknown")
    assert "git fetch --unshallow" in cut.why
    assert (here.verdict, told.verdict) == ("clean", "unknown")


def test_a_branch_without_a_commit_hides_no_model(project: Path) -> None:
    expected = judge(B)
    git("checkout", "-q", "--orphan", "fresh")
    assert judge(B) == expected


def test_a_repository_without_a_commit_has_no_gap(project: Path) -> None:
    shutil.rmtree(".git")
    git("init", "-q")
    assert judge(A) == {"tiny": "affected"}


def test_a_torn_lock_of_one_commit_is_told(project: Path) -> None:
    Path("dvc.lock").write_text("schema: '2.0'\nstages: [\n")
    git("commit", "-q", "-a", "-m", "torn")
    torn = short("HEAD")
    git("revert", "--no-edit", "HEAD")
    assert judge(C)[f"dvc.lock@{torn}"] == "unknown"
    assert judge(C)[f"dvc.lock@{torn}"] == "unknown"  # and when it is remembered


def test_what_was_rejected_is_in_no_model_only_if_every_model_of_every_ref_is_known(
    project: Path,
) -> None:
    make_version(A, C, "n.md")
    pair = next(step for step in trace(Path(), "n.md").downstream if step.kind == "pair")
    for table in (
        "curated/rows",
        "reviewed",
        "dataset/train",
        "dataset/validation",
        "dataset/test",
    ):
        _drop_row(Path(f"data/{table}.parquet"), pair.id)
    shutil.rmtree("models")
    outs = store_in_cache(Path())
    train_student(Path(), "later", upstream=outs)
    kept = Path("data/curated/rejections.parquet")
    dropped = Rejection(pair.id, "pair", "n.md|x", (), "curate", "duplicate", "as x")
    write_table(kept, Rejection, [dropped])

    def seen() -> object:
        told = trace(Path(), pair.id)
        return next(s.facts["seen"] for s in told.downstream if s.kind == "rejection")

    assert seen() == "by the teacher, in no model"
    old = f"tiny@{short('main~1')}"
    stages = json.loads(git("show", "main~1:dvc.lock"))["stages"]
    md5 = next(o["md5"] for o in stages["all"]["outs"] if o["path"] == "models/tiny")
    cache_file(md5).unlink()
    assert seen() == f"by the teacher; unknown: {old}"


def _drop_row(path: Path, row_id: str) -> None:
    write_table(path, Row, [row for row in read_all(path, Row) if row.row_id != row_id])


@pytest.mark.parametrize("damage", ["cut", "noise", "older", "blob", "numbers", "table", "empty"])
def test_an_index_that_is_torn_or_of_another_version_is_made_anew(
    project: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = trace(Path(), B).to_json()
    capsys.readouterr()
    match damage:
        case "cut":
            INDEX.write_bytes(INDEX.read_bytes()[: INDEX.stat().st_size // 2])
        case "noise":
            INDEX.write_bytes(b"no database at all" * 1000)
        case "empty":
            INDEX.write_bytes(b"")
        case _:
            with sqlite3.connect(INDEX) as base:
                base.execute(
                    {
                        "older": "pragma user_version = 99",
                        "blob": "update digest set data = zeroblob(length(data))",
                        "numbers": "update numbering set data = zeroblob(length(data))",
                        "table": "drop table numbering",
                    }[damage]
                )
            base.close()
    assert trace(Path(), B).to_json() == expected
    said = capsys.readouterr().err
    assert said.startswith("the index of traces is made anew") == (damage != "empty")
    assert said.count("\n") == (damage != "empty")
    assert trace(Path(), B).to_json() == expected
    assert capsys.readouterr().err == ""


def test_a_file_that_was_changed_with_its_size_and_time_set_back_is_hashed_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillhouse.tracing.index._SETTLED", -1.0)
    monkeypatch.setattr("stillhouse.history.hashed._SETTLED", -1.0)
    assert judge(B)["tiny"] == "clean"
    path = Path("models/tiny/model.safetensors")
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert judge(B)["tiny"] == "unknown"


def test_processes_at_once_come_to_the_same(project: Path) -> None:
    expected = trace(Path(), B).to_json()
    INDEX.unlink()
    with ProcessPoolExecutor(3, mp_context=get_context("fork")) as pool:
        told = [pool.submit(_trace_json, B) for _ in range(3)]
    assert [one.result() for one in told] == [expected] * 3
    assert trace(Path(), B).to_json() == expected


def test_a_trace_whose_index_grows_behind_its_back_begins_again(project: Path) -> None:
    table, times = Path("data/dataset/train.parquet"), []

    def work(index: Index) -> int:
        times.append(index.size)
        return int(index.rows(table).row.max())

    assert with_index(project, work) < times[-1]
    assert (times[0], len(times)) == (0, 2)


def test_a_table_that_changes_while_it_is_read_is_one_sentence(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Path("data/dataset/train.parquet")

    def read_late(*asked: Any) -> Any:
        os.utime(table, ns=(0, 0))
        return read_rows(*asked)

    form = replace(FORMS["rows"], read=read_late)
    monkeypatch.setitem(FORMS, "rows", form)
    refused = CliRunner().invoke(app, ["trace", B])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "changes while it is read; run it again" in refused.stderr


def _trace_json(thing: str) -> object:
    return trace(Path(), thing).to_json()


def test_an_index_that_another_process_holds_is_done_without(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = trace(Path(), B).to_json()
    INDEX.unlink()
    monkeypatch.setattr(index_file, "_PATIENCE_SECONDS", 0.05)
    trace(Path(), "prompts/one.md")
    INDEX.unlink()
    holder = sqlite3.connect(INDEX)
    holder.execute("begin exclusive")
    assert trace(Path(), B).to_json() == expected
    holder.close()


def test_a_student_of_a_commit_is_found_by_any_name_of_the_commit(project: Path) -> None:
    old = git("rev-parse", "HEAD~1")[:7]
    git("tag", "v1", "HEAD~1")
    for name in ("models/tiny@HEAD~1", "tiny@v1", "v1:tiny", f"models/tiny@{old}"):
        assert trace(Path(), name).thing.name == f"models/tiny@{old}"
    with pytest.raises(InputError, match="did you mean `models/tiny`"):
        trace(Path(), "models/tinny")


def test_many_models_are_grouped_affected_first_within_80_columns() -> None:
    models = [
        ModelVerdict(
            f"student-with-a-name@{n:07x}", "affected" if n < 30 else "unknown" if n < 40 else "clean",
            n, "trained on 3 rows of it", (f"{n:040x}",), "", f"experiment-{n}, {n:07x}",
        )
        for n in range(50)
    ]  # fmt: skip
    thing = Thing("document", "d" * 64, "people/leave.md")
    lines = list(describe_trace(Trace(thing, (), (), (), "affected", tuple(models), ())))
    assert lines[0] == (
        "document people/leave.md: affected: 30 of 50 models saw it, and of 10 it cannot"
    )
    assert max(map(len, lines)) <= 80
    assert len(lines) < 30
    heads = [line.split()[:2] for line in lines[1:] if " of 50 models" in line]
    assert heads == [["affected", "30"], ["unknown", "10"], ["clean", "10"]]
    said = " ".join(" ".join(lines).split())
    assert "30 models affected: trained on 3 rows of it student-with-a-name@0000000, " in said
    assert "and 24 more (--json lists all)" in said
    other = [replace(model, why=f"began with `{n}`: affected") for n, model in enumerate(models)]
    lines = list(describe_trace(Trace(thing, (), (), (), "affected", tuple(other), ())))
    assert "and 22 more affected (--json lists all)" in " ".join(lines)
    few = list(describe_trace(Trace(thing, (), (), (), "affected", tuple(models[:2]), ())))
    assert sum("affected: trained on 3 rows of it (experiment-" in line for line in few) == 2


def test_a_conversation_is_told_with_all_its_turns() -> None:
    said = [("system", "Be brief."), ("user", "Is leave booked?"), ("assistant", "In Leeward."), ("user", "And vans?")]  # fmt: skip
    facts = {
        "messages": [{"role": role, "content": text} for role, text in said],
        "response": "Too.",
    }
    thing = Thing("row", "d" * 64, "row")
    lines = describe_trace(
        Trace(thing, (Step("row", "d" * 64, facts),), (), (), "clean", (), ())  # type: ignore[arg-type]
    )
    told = " ".join(" ".join(lines).split())
    assert "Is leave booked? / In Leeward. / And vans? -> Too." in told


def test_the_synthetic_history_of_the_benchmark_is_traced_and_the_same_each_time(
    tmp_path: Path,
) -> None:
    histories = [make_history(tmp_path / name, versions=3, rows=2000) for name in ("a", "b")]
    assert histories[0].commits == histories[1].commits
    things = list_things(histories[0].root)
    told = {kind: trace(histories[0].root, thing) for kind, thing in things.items()}
    assert {kind: len(traced.models) for kind, traced in told.items()} == {
        **dict.fromkeys(things, 3),
        "model": 2,
    }
    assert {traced.verdict for kind, traced in told.items() if kind != "model"} == {"affected"}
    assert told["model"].verdict == "clean"


def test_the_command_tells_of_other_commits(project: Path) -> None:
    printed = CliRunner().invoke(app, ["trace", B, "--json"])
    told = json.loads(printed.stdout)["models"]
    assert [model["commits"] for model in told] == [
        [git("rev-parse", "main")],
        [git("rev-parse", "main~1")],
    ]
    assert CliRunner().invoke(app, ["trace", B, "--exit-code"]).exit_code == 1
