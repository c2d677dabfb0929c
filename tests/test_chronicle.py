"""Versions over git's history: one entry for each state, figures of the very md5s, nothing invented."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stillhouse.base.cache import name_object
from stillhouse.base.errors import InputError
from stillhouse.chronicle import descent
from stillhouse.chronicle.chronicle import read_chronicle
from stillhouse.chronicle.descent import find_descent
from stillhouse.chronicle.figures import Cost
from stillhouse.chronicle.page import render_page
from stillhouse.chronicle.show import to_json, to_text
from stillhouse.cli.main import app
from tests.chronicle_project import Made, begin, commit, git, hash_text, write_lock

FIRST, SECOND, OTHER, TRIED = Made(3), Made(5, known=80), Made(2, known=0), Made(8, known=50)
EXPERIMENT = "refs/exps/ab/" + "c" * 38 + "/lean-toad"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions on main, one on a branch, and an experiment that main then took over."""
    root = tmp_path_factory.mktemp("chronicle")
    begin(root)
    (root / ".gitignore").write_text("/.dvc/cache\n")
    commit(root, 0, "No data yet")
    commit(root, 1, "First rows", FIRST)
    git(root, "branch", "other")
    commit(root, 2, "README")
    commit(root, 4, "More rows", SECOND)
    git(root, "tag", "v1")
    commit(root, 5, "Tried: a longer prompt", TRIED)
    git(root, "update-ref", EXPERIMENT, "HEAD")
    git(root, "reset", "--quiet", "--hard", "HEAD~1")
    commit(root, 6, "Taken over, with an eight", TRIED)
    git(root, "checkout", "--quiet", "other")
    commit(root, 3, "Fewer rows, \x1b[31mred", OTHER)
    git(root, "checkout", "--quiet", "main")
    return root


@pytest.fixture(autouse=True)
def _here(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    for variable in ("MLFLOW_TRACKING_URI", "STILLHOUSE_HOME", "DVC_ROOT"):
        monkeypatch.delenv(variable, raising=False)


def test_commits_of_one_state_are_one_entry_also_across_an_experiment(root: Path) -> None:
    told = [
        (line.chapter.commit.subject, line.chapter.commits, line.chapter.refs)
        for line in read_chronicle(root).lines
    ]
    assert told == [
        ("Tried: a longer prompt", 2, ("HEAD", "lean-toad", "main")),
        ("More rows", 1, ("v1",)),
        ("Fewer rows, \x1b[31mred", 1, ("other",)),
        ("First rows", 2, ()),
    ]


def test_figures_are_those_of_each_version(root: Path) -> None:
    lines = read_chronicle(root).lines
    counts = [line.figures.counts for line in lines]
    assert counts == [
        {"requests": n, "answers": n, "pairs": 2 * n, "kept": n, "rows": n} for n in (8, 5, 2, 3)
    ]
    # 1 dollar for a million tokens read, 5 for a million written
    assert lines[0].figures.cost == Cost(8000, 800, 0, pytest.approx(0.012), ())
    cores = [line.figures.scores["tiny"].core for line in lines]  # type: ignore[union-attr]
    assert [core.accuracy for core in cores if core] == [0.5, 0.8, 0.0, 0.4]


def test_lines_fit_80_columns_and_hold_no_control_character(root: Path) -> None:
    text = list(to_text(read_chronicle(root)))
    assert text[4:9] == [
        f"{git(root, 'rev-parse', 'v1')[:7]}  2025-10-13  (v1) More rows",
        "  5 rows       5 requests > 5 answers > 10 pairs > 5 kept",
        "  tiny         core 80% (70-90)  open book -  general 60%  declines 45%",
        "  cost         5.0k tokens read, 500 written, $0.01",
        f"{git(root, 'rev-parse', 'other')[:7]}  2025-10-12  (other) Fewer rows,  [31mred",
    ]
    assert max(map(len, text)) <= 80
    assert all(line.isprintable() for line in text)


def test_json_says_what_was_found_and_that_nothing_was_verified(root: Path) -> None:
    value = json.loads(CliRunner().invoke(app, ["log", "--json", "-n", "2"]).stdout)
    assert (len(value["versions"]), value["left_out"], value["verified"]) == (2, 2, False)
    version = value["versions"][1]
    assert (version["commit"], version["date"]) == (
        git(root, "rev-parse", "v1"),
        "2025-10-13T08:53:20+00:00",
    )
    assert version["students"][0]["core_recall"] == {
        "n": 100, "accuracy": 0.8, "low": pytest.approx(0.7), "high": 0.9,
    }  # fmt: skip
    assert version["students"][0]["model_md5"] == hash_text("tiny 5") + ".dir"


def test_bytes_that_are_gone_are_a_dash_and_say_how_to_fetch(root: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(root), str(clone))
    chronicle = read_chronicle(clone)
    assert {count for line in chronicle.lines for count in line.figures.counts.values()} == {None}
    text = list(to_text(chronicle))
    assert "  - rows       - requests > - answers > - pairs > - kept" in text
    assert "  tiny         core -  open book -  general -  declines -" in text
    assert len(chronicle.missing) > 3
    assert "  dvc fetch --all-commits" in text  # of three paths and no more it names each


def test_a_model_without_a_price_has_no_dollars_and_a_free_one_costs_nothing(
    tmp_path: Path,
) -> None:
    begin(tmp_path)
    commit(tmp_path, 1, "x", Made(2, model="gpt-of-mine"))
    (line,) = read_chronicle(tmp_path).lines
    assert line.figures.cost == Cost(2000, 200, 0, None, ("gpt-of-mine",))
    assert any("no price for gpt-of-mine" in told for told in to_text(read_chronicle(tmp_path)))


def test_what_only_the_workspace_has_comes_first(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    (copy / "dvc.lock").write_text(write_lock(copy, Made(1, known=90)))
    chronicle = read_chronicle(copy)
    assert [line.chapter.refs for line in chronicle.lines][:2] == [
        ("workspace",),
        ("HEAD", "lean-toad", "main"),
    ]
    assert chronicle.lines[0].figures.counts["rows"] == 1


def test_only_versions_of_a_student_and_a_near_name_for_a_wrong_one(tmp_path: Path) -> None:
    begin(tmp_path)
    commit(tmp_path, 1, "one", Made(2))
    commit(tmp_path, 2, "two", Made(2, students=("tiny", "large")))
    told = [line.chapter.commit.subject for line in read_chronicle(tmp_path, "large").lines]
    assert told == ["two"]
    assert [line.chapter.commits for line in read_chronicle(tmp_path, "tiny").lines] == [2]
    with pytest.raises(InputError, match=r"one of large, tiny; did you mean `large`\?"):
        read_chronicle(tmp_path, "lareg")


def test_what_was_read_of_a_lock_is_remembered_and_a_broken_memory_is_none(
    root: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    expected = to_json(read_chronicle(copy))
    assert not (copy / ".stillhouse").exists()  # looking makes no folder
    (copy / ".stillhouse").mkdir()
    memory = copy / ".stillhouse/chronicle.json"
    assert to_json(read_chronicle(copy)) == expected
    assert len(json.loads(memory.read_text())["states"]) == 4
    assert to_json(read_chronicle(copy)) == expected
    for broken in ("{", "[]", '{"layout": 1, "states": {"a": {}}}', '{"layout": 0}'):
        memory.write_text(broken)
        assert to_json(read_chronicle(copy)) == expected


def test_a_damaged_object_is_unknown_and_no_traceback(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    for path in (copy / ".dvc/cache/files").rglob("*"):
        if path.is_file():
            path.write_bytes(b"nothing")
    (line, *_) = read_chronicle(copy).lines
    assert (line.figures.cost, line.figures.scores, set(line.figures.counts.values())) == (
        None,
        {"tiny": None},
        {None},
    )


def test_the_page_stands_alone_and_escapes_what_others_wrote(tmp_path: Path) -> None:
    begin(tmp_path)
    commit(tmp_path, 1, "<script>alert(1)</script>", Made(2))
    commit(tmp_path, 2, "more", Made(4))
    page = render_page(read_chronicle(tmp_path))
    assert page == render_page(read_chronicle(tmp_path))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert not [found for found in ("http://", "https://", "url(") if found in page]
    assert page.count("<circle") == 2 * (4 + 5)  # points of four headlines and five counts


def test_an_empty_history_is_one_sentence(tmp_path: Path) -> None:
    begin(tmp_path)
    assert next(iter(to_text(read_chronicle(tmp_path)))).startswith("No version yet")
    assert "No version yet." in render_page(read_chronicle(tmp_path))


def test_data_lead_to_the_models_that_were_made_of_them(root: Path) -> None:
    found = find_descent(root, hash_text("prompts 5") + ".dir")
    assert found.paths == ("prompts",)
    assert [(made.student, made.model_md5, made.path) for made in found.made] == [
        ("tiny", hash_text("tiny 5") + ".dir", "prompts")
    ]
    assert (found.made[0].commit, found.made[0].refs) == (git(root, "rev-parse", "v1"), ("v1",))
    assert "there is no MLflow store yet" in found.unasked


def test_a_stage_that_ran_again_since_gives_no_model_to_its_new_data(tmp_path: Path) -> None:
    begin(tmp_path)
    old, new = write_lock(tmp_path, Made(3)), write_lock(tmp_path, Made(4))
    # The dataset of 4 rows is made, the student not trained again.
    half = new.partition("  train@tiny:")[0] + "  train@tiny:" + old.partition("  train@tiny:")[2]
    (tmp_path / "dvc.lock").write_text(half)
    commit(tmp_path, 1, "Half way")
    assert find_descent(tmp_path, hash_text("prompts 4") + ".dir").made == ()
    rows = half.partition("path: data/dataset/train.parquet\n")[2].split("md5: ")[1].split()[0]
    assert [made.student for made in find_descent(tmp_path, rows).made] == ["tiny"]


def test_a_table_of_which_no_model_was_made_yet_is_known_by_the_folder_that_holds_it(
    tmp_path: Path,
) -> None:
    begin(tmp_path)
    path, content = "data/dataset/train.parquet", b"new rows"
    md5 = hashlib.md5(content).hexdigest()
    listing = json.dumps([{"md5": md5, "relpath": "train.parquet"}]).encode()
    folder = f"{hashlib.md5(listing).hexdigest()}.dir"
    for name, held in ((md5, content), (folder, listing)):
        place = tmp_path / ".dvc/cache" / name_object(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(held)
    out = {"path": "data/dataset", "hash": "md5", "md5": folder}
    lock = {"schema": "2.0", "stages": {"split": {"cmd": "x", "outs": [out]}}}
    (tmp_path / "dvc.lock").write_text(json.dumps(lock))
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_bytes(content)
    found = find_descent(tmp_path, path)
    assert (found.paths, found.made) == ((path,), ())
    assert "By git's history no model was made of it." in list(descent.to_text(found))


def test_a_path_stands_for_the_bytes_that_lie_there(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    requests = "data/requests.parquet"
    md5 = find_descent(copy, requests).md5  # not here: what the lock names
    (copy / "data").mkdir()
    shutil.copy2(copy / ".dvc/cache" / name_object(md5), copy / requests)
    assert [made.student for made in find_descent(copy, requests).made] == ["tiny"]
    (copy / requests).write_bytes(b"other")
    with pytest.raises(InputError, match=r"no version of dvc\.lock and no registered model names"):
        find_descent(copy, requests)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "f" * 32], "no version of dvc.lock and no registered model names these bytes"),
        (["--data", "data/request.parquet"], "did you mean `data/requests.parquet`?"),
        (["--data", "a", "--html", "x"], "`--data` is a question of its own"),
        (["--html", "."], "a folder stands there"),
        (["--student", "x"], "no version here has a student `x`; expected one of tiny"),
    ],
)
def test_a_mistake_is_one_sentence_and_two(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["log", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
