"""What a plan rests on: DVC's hashes and run cache worked out without DVC, the journal only looked at,
and how long stages took.
"""

import json
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from stillhouse.base import stage, timings
from stillhouse.base.errors import InputError
from stillhouse.base.timings import Part, Timing, note_part, read_timings, time_stage
from stillhouse.lineage.doctor_yaml import read_stages
from stillhouse.planning.hashes import Hashes
from stillhouse.planning.run_cache import RunCache, name_run
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.journal_view import JournalView
from stillhouse.teachers.layout import _LAYOUT
from stillhouse.teachers.money import Account, Bill, Budget, Reservation
from stillhouse.teachers.protocol import Failure, Usage
from tests.asking import make_request, make_response

ANSWERED, REFUSED, OTHER = (make_request(number) for number in range(3))


def write_journal(path: Path) -> None:
    with Journal(path) as journal:
        bill = Bill(ANSWERED.request_id, 0.5, "paid", "m", "recall", 100, Usage(10, 20))
        refusal = Failure(REFUSED.request_id, "no", permanent=True)
        journal.record([make_response(ANSWERED), refusal], [bill])


def list_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_view_reads_what_the_journal_holds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    write_journal(path)
    before = list_files(tmp_path)
    names = [request.request_id for request in (ANSWERED, REFUSED, OTHER)]
    with JournalView(path) as view:
        assert view.read(names) == {ANSWERED.request_id: make_response(ANSWERED)}
        assert set(view.read_refusals(names)) == {REFUSED.request_id}
        assert view.find_submitted(names) == set()
        assert view.read_account().spent == 0.5
        assert [rate.output_tokens for rate in view.read_rates()] == [20]
        with pytest.raises(InputError, match="readonly"):
            view.record([make_response(OTHER)])
    assert list_files(tmp_path) == before


def test_a_view_of_a_journal_that_is_not_there_is_empty_and_makes_none(tmp_path: Path) -> None:
    with JournalView(tmp_path / "no" / "journal.sqlite") as view:
        assert (view.read([OTHER.request_id]), view.read_rates()) == ({}, [])
    assert list(tmp_path.iterdir()) == []


def test_a_view_reads_a_journal_of_an_older_layout_and_leaves_it_so(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with closing(sqlite3.connect(path)) as base:
        base.executescript(_LAYOUT + "PRAGMA user_version = 1;")
        base.execute("INSERT INTO answers VALUES ('a', 'said', '', 'end_turn', 1, 2, 0, 'm')")
        base.commit()
    before = list_files(tmp_path)
    with JournalView(path) as view:
        assert view.read(["a"])["a"].text == "said"
        assert view.read_account().spent == 0
    assert list_files(tmp_path) == before


def leave_in_flight(path: Path) -> None:
    journal = Journal(path)
    journal.claim([OTHER.request_id], 1)
    journal.reserve([Reservation(OTHER.request_id, 0.25, 5.0)], None)
    os._exit(9)


def test_what_a_killed_process_reserved_is_no_more_in_the_way_of_a_plan(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    write_journal(path)
    killed = multiprocessing.get_context("spawn").Process(target=leave_in_flight, args=(path,))
    killed.start()
    killed.join()
    with Journal(path) as journal:
        journal.claim(["f" * 64], 1)
        journal.reserve([Reservation("f" * 64, 0.5, 1.0)], None)
        with JournalView(path) as view:
            assert view.read_account() == Account(0.5 + 0.25, 1.0)
        # The same as whoever asks next comes to.
        assert journal.reserve([Reservation("f" * 64, 0.5, 1.0)], Budget(1.75, 3600)) == 0
        assert journal.read_account() == Account(0.75, 1.0)


def test_a_view_sees_what_another_process_is_writing(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    write_journal(path)
    with Journal(path) as journal, JournalView(path) as view:
        journal.record([make_response(OTHER)])
        assert set(view.read([OTHER.request_id])) == {OTHER.request_id}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A DVC project of one stage, which has run."""
    (tmp_path / "data/sub/cache").mkdir(parents=True)
    for name in ("a.txt", "b.tmp", "sub/c.txt", "sub/cache/d.txt", "sub/b.tmp", "sub/.e", "sub/é"):
        (tmp_path / "data" / name).write_text(name)
    (tmp_path / ".dvcignore").write_text("*.tmp\n/nowhere\n")
    (tmp_path / "data/.dvcignore").write_text("cache/\n")
    (tmp_path / "params.yaml").write_text("a: 1.0e-5\nb: {c: [1, x], size: 3}\n")
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  copy:\n    cmd: mkdir out && cp data/a.txt out && cp data/a.txt one\n"
        "    deps: [data/sub, data/a.txt]\n    params: [a, b]\n    outs: [out, one]\n"
    )
    for command in (
        ["git", "init", "-q"],
        ["dvc", "init", "-q"],
        ["dvc", "repro", "-q"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True)
    return tmp_path


def test_hashes_and_run_cache_are_those_of_dvc(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dvc.repo import Repo

    hashes = Hashes(project)
    lock = (project / "dvc.lock").read_text()
    for name in ("data/sub", "data/a.txt", "out", "one"):
        assert f"path: {name}\n      hash: md5\n      md5: {hashes.find(name)}\n" in lock
    assert hashes.find("nothing") is None
    (declared,) = read_stages(project)
    deps = {name: str(hashes.find(name)) for name in declared.deps}
    params = {"params.yaml": {"a": 1e-5, "b": {"c": [1, "x"], "size": 3}}}
    outs = [out.path for out in declared.outs]
    (key,) = (path.parent.name for path in project.glob(".dvc/cache/runs/*/*/*"))
    assert name_run(declared.cmd, deps, params, outs) == key
    cache = RunCache([Path(Repo(str(project)).cache.local.path).parents[1]])
    found = cache.find_outs(declared.cmd, deps, params, outs)
    assert found == {name: hashes.find(name) for name in outs}
    params["params.yaml"]["a"] = 2
    assert cache.find_outs(declared.cmd, deps, params, outs) is None
    params["params.yaml"]["a"] = 1e-5
    (lost,) = project.glob(f".dvc/cache/files/md5/{str(found['one'])[:2]}/{str(found['one'])[2:]}")
    lost.unlink()
    assert cache.find_outs(declared.cmd, deps, params, outs) is None


def test_ten_runs_of_a_stage_are_kept_and_failed_ones_are_not(tmp_path: Path) -> None:
    for number in range(12):
        with time_stage("render", tmp_path, before=float(number)):
            pass
    with pytest.raises(ValueError, match="no"), time_stage("render", tmp_path):
        raise ValueError("no")
    (runs,) = read_timings(tmp_path).runs.values()
    assert [int(run.seconds) for run in runs] == list(range(2, 12))


def test_parts_are_taken_out_of_a_typical_run(tmp_path: Path) -> None:
    with time_stage("generate", tmp_path, before=7.0):
        note_part("offline", 100, 5.0)
        note_part("base", 0, 1.0)
    note_part("outside", 1, 1.0)
    found = read_timings(tmp_path)
    assert found.runs["generate"][0].parts == {"offline": Part(100, 5.0)}
    assert found.typical("generate") == pytest.approx(2.0, abs=0.5)
    assert found.pace("generate", "offline") == 0.05
    assert (found.pace("generate", "base"), found.typical("train@a")) == (None, None)


def write_some(folder: Path, name: str) -> None:
    for _ in range(5):
        with time_stage(name, folder):
            pass


def test_processes_that_end_together_lose_no_timing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    names = [f"stage-{number}" for number in range(3)]
    workers = [context.Process(target=write_some, args=(tmp_path, name)) for name in names]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert {name: len(runs) for name, runs in read_timings(tmp_path).runs.items()} == dict.fromkeys(
        names, 5
    )


@pytest.mark.parametrize("content", ["", "[1]", '{"a": 1}', '{"a": [{"seconds": 1}]}', "\x00"])
def test_a_broken_file_of_timings_says_nothing_and_is_written_anew(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "timings.json").write_text(content)
    assert read_timings(tmp_path).runs == {}
    with time_stage("render", tmp_path):
        pass
    assert list(json.loads((tmp_path / "timings.json").read_text())) == ["render"]


def test_a_stage_does_not_fail_because_its_timing_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "timings.json").mkdir()
    with time_stage("render", tmp_path):
        pass
    shutil.rmtree(tmp_path / "timings.json")


def test_the_age_of_a_process_is_in_seconds() -> None:
    assert 0 < timings.read_age() < 24 * 3600
    assert Timing(1.0).parts == {}


def test_an_option_with_a_value_is_read_and_refused_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["generate.py", "--allow-repay", "--plan", "a.json"])
    assert stage.read_option("--plan") == "a.json"
    rest = stage._drop_values(["--plan", "a.json", "--allow-repay"], ["--plan"])
    assert list(rest) == ["--plan", "--allow-repay"]
    monkeypatch.setattr("sys.argv", ["generate.py", "--plan"])
    with pytest.raises(InputError, match="`--plan` needs a value behind it"):
        stage.read_option("--plan")
    monkeypatch.setattr("sys.argv", ["generate.py"])
    assert stage.read_option("--plan") is None
