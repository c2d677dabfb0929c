"""Journals that share a remote: nothing is bought twice, and nothing that came is lost."""

import errno
import gzip
import hashlib
import json
import logging
import math
import multiprocessing
import os
import re
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from stillhouse.base.errors import InputError, StoppedError, TeacherError
from stillhouse.base.records import Request
from stillhouse.teachers import remote, segments
from stillhouse.teachers.desk import Terms
from stillhouse.teachers.generate import Counts
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.params import JournalParams
from stillhouse.teachers.protocol import Reply, Source
from stillhouse.teachers.remote import FOLDER, Remote, open_journal_remote
from stillhouse.teachers.stores import Folder, UnreachableError
from tests.asking import ask, commit_answers, git, make_request, make_response
from tests.remote_project import Counting, Site, make_folder

FORK = multiprocessing.get_context("fork")
REQUESTS = [make_request(number) for number in range(12)]
FIRST, SECOND, *_ = REQUESTS
NONE_SENT = Counts(requests=12, answered=12, sent=0)


@pytest.fixture
def store(tmp_path: Path) -> Folder:
    return make_folder(tmp_path / "shared")


def list_segments(store: Folder) -> list[Path]:
    return sorted(Path(store.place).rglob("*.jsonl.gz"))


def put_segment(store: Folder, content: bytes) -> Path:
    digest = hashlib.sha256(content).hexdigest()
    path = Path(store.place) / FOLDER / digest[:2] / f"{digest}.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content))
    return path


def test_a_colleague_with_an_empty_journal_sends_nothing(tmp_path: Path, store: Folder) -> None:
    first, second = Site(tmp_path / "a", store), Site(tmp_path / "b", store)
    assert first.ask(REQUESTS).counts.sent == 12
    assert second.ask(REQUESTS).counts == NONE_SENT
    with Journal(first.journal) as mine, Journal(second.journal) as theirs:
        names = [request.request_id for request in REQUESTS]
        assert mine.read(names) == theirs.read(names)


def test_each_asks_only_what_the_other_has_not(tmp_path: Path, store: Folder) -> None:
    Site(tmp_path / "a", store).ask(REQUESTS[:8])
    assert Site(tmp_path / "b", store).ask(REQUESTS[4:]).counts == Counts(8, 4, 4)
    assert Site(tmp_path / "a", store).ask(REQUESTS).counts == NONE_SENT


def test_what_was_read_once_is_not_read_again(tmp_path: Path, store: Folder) -> None:
    Site(tmp_path / "a", store).ask(REQUESTS[:4])
    other = Site(tmp_path / "b", store)
    other.ask(REQUESTS[:8])
    for path in list_segments(store):
        path.write_bytes(b"")  # whoever read it again would say so
    assert other.ask(REQUESTS).counts == Counts(12, 8, 4)


def test_answers_of_free_teachers_stay_here(tmp_path: Path, store: Folder) -> None:
    mine = [make_request(number, teacher="offline") for number in range(3)]
    Site(tmp_path / "a", store).ask(mine, name="offline", costs=False)
    assert list_segments(store) == []


def test_answers_of_local_models_are_shared(tmp_path: Path, store: Folder) -> None:
    local = [make_request(number, teacher="huggingface") for number in range(3)]
    Site(tmp_path / "a", store).ask(local, name="huggingface", costs=False)
    other = Site(tmp_path / "b", store)
    assert other.ask(local, name="huggingface", costs=False).counts == Counts(3, 3, 0)


def test_what_came_before_an_error_is_shared(tmp_path: Path, store: Folder) -> None:
    with pytest.raises(OSError, match="cable"):
        Site(tmp_path / "a", store).ask(REQUESTS, breaks_after=5)
    assert Site(tmp_path / "b", store).ask(REQUESTS).counts == Counts(12, 5, 7)


def test_answers_from_before_there_was_a_remote_are_shared_too(
    tmp_path: Path, store: Folder
) -> None:
    Site(tmp_path / "a").ask(REQUESTS)
    assert Site(tmp_path / "a", store).ask(REQUESTS).counts == NONE_SENT
    assert Site(tmp_path / "b", store).ask(REQUESTS).counts == NONE_SENT


def test_what_was_found_in_an_earlier_output_is_shared(tmp_path: Path, store: Folder) -> None:
    commit_answers(
        make_repository(tmp_path), [make_response(one) for one in REQUESTS], commit=False
    )
    assert Site(tmp_path / "a", store, tmp_path / "repo").ask(REQUESTS).counts == NONE_SENT
    assert Site(tmp_path / "b", store).ask(REQUESTS).counts == NONE_SENT


def test_a_kill_loses_no_more_than_came_since_the_last_upload(
    tmp_path: Path, store: Folder
) -> None:
    site = Site(tmp_path / "a", store, upload_seconds=0.2)
    many = [make_request(number) for number in range(400)]
    process = FORK.Process(target=site.ask, args=(many,), kwargs={"seconds": 0.02})
    process.start()
    while process.is_alive() and (len(site.sent) < 160 or not list_segments(store)):
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL  # else it had uploaded when it ended
    came = len(site.sent)
    shutil.rmtree(site.folder)  # the runner is gone with its disk
    found = Site(tmp_path / "b", store).ask(many).counts.answered
    # 0.2 s between two uploads are 10 answers; the rest is for a busy machine.
    assert came - 100 <= found <= came
    assert found


def test_an_answer_between_two_uploads_is_in_the_next(tmp_path: Path, store: Folder) -> None:
    with Journal(tmp_path / "j") as journal:
        share = Remote(store, journal.path, 60.0)
        uploaded = []
        for request in REQUESTS[:3]:
            journal.record([make_response(request)], teacher="paid")
            uploaded.append(share.upload())
        assert uploaded == [1, 1, 1]
        assert share.upload() == 0


def test_equal_content_is_one_file(tmp_path: Path, store: Folder) -> None:
    for name in ("a", "b"):
        with Journal(tmp_path / name) as journal:
            journal.record([make_response(one) for one in REQUESTS], teacher="paid")
            assert Remote(store, journal.path, 60.0).upload() == 12
    (path,) = list_segments(store)
    content = gzip.decompress(path.read_bytes())
    assert path.name == f"{hashlib.sha256(content).hexdigest()}.jsonl.gz"
    assert path.parent.name == path.name[:2]
    assert {tuple(sorted(json.loads(line))) for line in content.splitlines()} == {
        (
            "cached_tokens",
            "confidences",
            "input_tokens",
            "kind",
            "model",
            "output_tokens",
            "reasoning",
            "request_id",
            "stop_reason",
            "teacher",
            "text",
        )
    }


def test_writers_at_once_lose_nothing(tmp_path: Path, store: Folder) -> None:
    many = [make_request(number) for number in range(80)]
    sites = [Site(tmp_path / name, store, upload_seconds=0.05) for name in "abcd"]
    parts = [many[start::4] for start in range(4)]
    processes = [
        FORK.Process(target=site.ask, args=(part,), kwargs={"seconds": 0.01})
        for site, part in zip(sites, parts, strict=True)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert Site(tmp_path / "e", store).ask(many).counts == Counts(80, 80, 0)
    assert [path for path in Path(store.place).rglob("*") if path.name.endswith(".part")] == []


def test_many_answers_are_several_segments(
    tmp_path: Path, store: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 1000)
    monkeypatch.setattr(remote, "_TOGETHER", 5)
    Site(tmp_path / "a", store).ask(REQUESTS)
    assert len(list_segments(store)) > 3
    assert Site(tmp_path / "b", store).ask(REQUESTS).counts == NONE_SENT


@pytest.mark.parametrize(
    ("strange", "read"),
    [
        ({"input_tokens": -1}, {"input_tokens": 0}),
        ({"cached_tokens": 2**60}, {"cached_tokens": 2**53}),
        ({"confidences": (0.5, math.nan)}, {"confidences": ()}),
    ],
)
def test_strange_figures_of_a_server_cost_nobody_the_answers(
    tmp_path: Path, store: Folder, strange: dict, read: dict
) -> None:
    with Journal(tmp_path / "j") as journal:
        answers = [replace(make_response(FIRST), **strange), make_response(SECOND)]
        journal.record(answers, teacher="paid")
        assert Remote(store, journal.path, 60.0).upload() == 2
    other = Site(tmp_path / "b", store)
    assert other.ask([FIRST, SECOND]).counts == Counts(2, 2, 0)
    with Journal(other.journal) as journal:
        found = journal.read([FIRST.request_id])[FIRST.request_id]
    assert found == replace(make_response(FIRST), **read)


def test_the_first_answer_stays(tmp_path: Path, store: Folder) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.record([make_response(FIRST, "theirs")], teacher="paid")
        Remote(store, journal.path, 60.0).upload()
    with Journal(tmp_path / "k") as journal:
        journal.record([make_response(FIRST, "mine")], teacher="paid")
        share = Remote(store, journal.path, 60.0)
        share.fetch(journal)
        assert journal.read([FIRST.request_id])[FIRST.request_id].text == "mine"
        assert share.upload() == 0  # the remote has an answer


def test_a_refusal_in_one_file_does_not_hide_the_answer_in_another(
    tmp_path: Path, store: Folder
) -> None:
    # The refusal is of a batch that somebody fetched for others; the answer came after a retry.
    order = set()
    for request in REQUESTS:
        refusal = replace(make_response(request, "No."), stop_reason="refusal")
        refused, given = (
            put_segment(store, segments.write_line(segments.make_answer("paid", one)))
            for one in (refusal, make_response(request))
        )
        order.add(refused.name < given.name)
    assert order == {True, False}
    assert Site(tmp_path / "a", store).ask(REQUESTS).counts == NONE_SENT


def test_a_refusal_that_was_paid_for_elsewhere_is_asked_for_again_only_by_who_wants_it(
    tmp_path: Path, store: Folder
) -> None:
    refusal = replace(make_response(FIRST, "No."), stop_reason="refusal")
    put_segment(store, segments.write_line(segments.make_answer("paid", refusal)))
    site = Site(tmp_path / "a", store)
    with pytest.raises(TeacherError, match=r"1 requests were refused for good, first: .*'No\.'"):
        site.ask([FIRST])
    assert site.sent == []
    with Journal(site.journal) as journal:
        journal.forget_failures([FIRST.request_id])
    assert site.ask([FIRST]).counts.sent == 1
    assert Site(tmp_path / "b", store).ask([FIRST]).counts == Counts(1, 1, 0)


def test_segments_that_have_gone_are_written_again(
    tmp_path: Path, store: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(tmp_path / "a", store)
    site.ask(REQUESTS[:4])
    (first,) = list_segments(store)
    site.ask(REQUESTS[:8])
    first.unlink()
    site.ask(REQUESTS)
    assert "1 files that were in" in caplog.text
    assert "are gone: their answers are uploaded again" in caplog.text
    assert Site(tmp_path / "b", store).ask(REQUESTS).counts == NONE_SENT


def test_a_remote_that_was_emptied_or_is_not_mounted_stops_what_costs(
    tmp_path: Path, store: Folder
) -> None:
    mine, theirs = Site(tmp_path / "a", store), Site(tmp_path / "b", store)
    mine.ask(REQUESTS[:4])
    theirs.ask(REQUESTS[:8])
    disk, there = tmp_path / "unmounted", Path(store.place)
    there.rename(disk)
    there.mkdir()  # where it was mounted
    with pytest.raises(
        UnreachableError, match=r"4 answers .* empty, and 1 files .* before; mount it, .*-repay"
    ):
        mine.ask(REQUESTS[:8])
    assert mine.ask(REQUESTS[:4]).counts == Counts(4, 4, 0)
    assert list_segments(store) == []
    there.rmdir()
    disk.rename(there)
    assert mine.ask(REQUESTS[:8]).counts == Counts(8, 8, 0)


def test_a_remote_that_was_emptied_on_purpose_fills_again(tmp_path: Path, store: Folder) -> None:
    site = Site(tmp_path / "a", store)
    site.ask(REQUESTS[:4])
    shutil.rmtree(Path(store.place) / "stillhouse")
    assert site.ask(REQUESTS[:8], allow_repay=True).counts == Counts(8, 4, 4)
    assert site.ask(REQUESTS).counts == Counts(12, 8, 4)
    assert Site(tmp_path / "b", store).ask(REQUESTS).counts == NONE_SENT


BAD = {
    b"not JSON\n": "invalid JSON",
    b'{"kind": "answer"}\n': "`teacher`: field required",
    b'{"kind": "secret"}\n': "secret",
    b'{"kind": "answer", "teacher": "paid", "request_id": 3}\n': "`request_id`: input should be",
    json.dumps({**json.loads(
        segments.write_line(segments.make_answer("paid", make_response(FIRST)))
    ), "input_tokens": -1}).encode(): "`input_tokens`: input should be greater",
    b'{"kind": "batch", "teacher": "paid", "name": "b", "submitted": NaN, "request_ids": []}\n':
        "`submitted`",
}  # fmt: skip


@pytest.mark.parametrize(("content", "said"), BAD.items())
def test_a_segment_that_says_something_else_is_named_and_left_out(
    tmp_path: Path, store: Folder, content: bytes, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = segments.write_line(segments.make_answer("paid", make_response(FIRST)))
    path = put_segment(store, good + content)
    with pytest.raises(InputError, match=r"1 answers that cost money .* cannot be read: .*repay"):
        Site(tmp_path / "a", store).ask([FIRST])
    assert Site(tmp_path / "a").sent == []
    assert str(path) in caplog.text
    assert said in caplog.text


DAMAGES = {
    "cut": lambda whole: whole[:-9],
    "empty": lambda _: b"",
    "no gzip": lambda _: b"hello",
    "flipped": lambda whole: whole[:30] + bytes([whole[30] ^ 1]) + whole[31:],
    "other content": lambda _: gzip.compress(b""),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_segment_stops_only_what_may_be_in_it(
    tmp_path: Path, store: Folder, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = Site(tmp_path / "a", store)
    first.ask(REQUESTS[:4])
    (path,) = list_segments(store)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    first.ask(REQUESTS[:8])
    other = Site(tmp_path / "b", store)
    assert other.ask(REQUESTS[4:8]).counts == Counts(4, 4, 0)
    assert path.name in caplog.text
    with pytest.raises(InputError, match=f"{path.name}.*--allow-repay"):
        other.ask(REQUESTS[:8])
    assert other.sent == []
    assert other.ask(REQUESTS[:8], allow_repay=True).counts == Counts(8, 4, 4)


def test_a_segment_that_unpacks_without_end_is_not_read(
    tmp_path: Path, store: Folder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(segments, "_MOST_BYTES", 2 << 20)
    put_segment(store, b"\n" * (2 << 20))
    assert Site(tmp_path / "a", store).ask([FIRST]).counts.sent == 1
    put_segment(store, b"\n" * ((2 << 20) + 1))
    with pytest.raises(InputError, match=r"1 answers that cost money .* cannot be read"):
        Site(tmp_path / "b", store).ask([SECOND])
    assert "longer than 2 MiB" in caplog.text


def test_a_file_that_is_no_segment_stops_nothing(
    tmp_path: Path, store: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    (Path(store.place) / FOLDER).mkdir(parents=True)
    (Path(store.place) / FOLDER / "notes.txt").write_text("mine")
    (Path(store.place) / FOLDER / "my\nown\x1b[2J.txt").touch()
    assert Site(tmp_path / "a", store).ask([FIRST]).counts.sent == 1
    assert "notes.txt is no file of answers" in caplog.text
    assert "/my own [2J.txt is no file of answers" in caplog.text


def test_a_remote_that_is_not_there_stops_what_costs(tmp_path: Path) -> None:
    site = Site(tmp_path / "a", Folder(tmp_path / "unmounted"))
    with pytest.raises(UnreachableError, match=r"12 answers .* cannot be reached.*mkdir -p"):
        site.ask(REQUESTS)
    assert site.sent == []
    assert not (tmp_path / "unmounted").exists()
    assert site.ask(REQUESTS, allow_repay=True).counts.sent == 12


def test_a_remote_that_is_not_there_stops_nothing_that_is_free(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    local = [make_request(number, teacher="huggingface") for number in range(3)]
    site = Site(tmp_path / "a", Folder(tmp_path / "unmounted"))
    assert site.ask(local, name="huggingface", costs=False).counts.sent == 3
    assert "3 answers are in this machine's journal alone" in caplog.text


def test_a_remote_that_is_not_there_is_a_warning_when_all_is_answered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Site(tmp_path / "a").ask(REQUESTS)
    gone = Folder(tmp_path / "unmounted")
    assert Site(tmp_path / "a", gone).ask(REQUESTS).counts == NONE_SENT
    assert "12 answers are in this machine's journal alone" in caplog.text


def test_a_remote_that_goes_away_meanwhile_is_tried_again(
    tmp_path: Path, store: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    class Flaky(Folder):
        def put(self, path: Path, name: str) -> None:
            if time.monotonic() < ends:
                raise UnreachableError("the cable is out", where=self.place)
            super().put(path, name)

    ends = time.monotonic() + 0.5
    site = Site(tmp_path / "a", Flaky(Path(store.place)), upload_seconds=0.05)
    assert site.ask(REQUESTS, seconds=0.1).counts.sent == 12
    assert caplog.text.count("the cable is out") == 1
    assert Site(tmp_path / "b", store).ask(REQUESTS).counts == NONE_SENT


def make_repository(tmp_path: Path) -> Path:
    project = tmp_path / "repo"
    project.mkdir()
    git(project, "init", "-b", "main")
    return project


def test_a_shallow_clone_with_the_remote_sends_nothing_and_without_refuses(
    tmp_path: Path, store: Folder
) -> None:
    project, answers = make_repository(tmp_path), [make_response(one) for one in REQUESTS]
    Site(tmp_path / "a", store).ask(REQUESTS)
    commit_answers(project, answers[:6])
    commit_answers(project, answers[6:])
    clone = tmp_path / "clone"
    git(project, "clone", "--depth", "1", project.as_uri(), str(clone))
    shutil.copytree(project / ".dvc", clone / ".dvc")
    without = Site(tmp_path / "b", archive=clone)
    with pytest.raises(InputError, match="--unshallow"):
        without.ask(REQUESTS)
    assert without.sent == []
    assert Site(tmp_path / "b", store, clone).ask(REQUESTS).counts == NONE_SENT


def note_batch(site: Site, requests: Sequence[Request], *, ended: bool = False) -> None:
    """Do as if a batch had been submitted from a machine."""
    site.folder.mkdir(exist_ok=True)
    with Journal(site.journal), sqlite3.connect(site.journal) as base:
        base.execute("DELETE FROM batches")
        base.execute("DELETE FROM batched")
        base.execute(
            "INSERT INTO batches (batch, teacher, name, submitted, requests, ended)"
            " VALUES (7, 'paid', 'msgbatch_1', ?, 2, ?)",
            (time.time(), ended),
        )
        base.executemany(
            "INSERT INTO batched (request_id, batch, expected, reserved) VALUES (?, 7, 0.5, 1.0)",
            [(one.request_id,) for one in requests],
        )


def read_batches(site: Site) -> tuple[list, list]:
    with sqlite3.connect(site.journal) as base:
        return (
            base.execute("SELECT teacher, name, ended FROM batches").fetchall(),
            base.execute(
                "SELECT request_id, expected, reserved FROM batched ORDER BY 1"
            ).fetchall(),
        )


def test_a_batch_that_was_submitted_elsewhere_is_known_until_it_ends(
    tmp_path: Path, store: Folder
) -> None:
    runner, other = Site(tmp_path / "a", store), Site(tmp_path / "b", store)
    note_batch(runner, [FIRST, SECOND])
    assert Remote(store, runner.journal, 60.0).upload() == 1
    with Journal(tmp_path / "b.sqlite") as journal:
        other.folder.mkdir()
    with Journal(other.journal) as journal:
        Remote(store, journal.path, 60.0).fetch(journal)
        names = sorted([FIRST.request_id, SECOND.request_id])
        assert read_batches(other) == (
            [("paid", "msgbatch_1", 0)],
            [(name, 0.0, 0.0) for name in names],
        )
        assert journal.claim(names, 2) == []  # nobody buys what is on its way
    note_batch(runner, [], ended=True)
    with Journal(runner.journal) as journal:
        journal.record([make_response(FIRST)], teacher="paid")
    assert Remote(store, runner.journal, 60.0).upload() == 2
    with Journal(other.journal) as journal:
        share = Remote(store, journal.path, 60.0)
        share.fetch(journal)
        assert read_batches(other) == ([("paid", "msgbatch_1", 1)], [])
        assert journal.claim(names, 2) == [SECOND.request_id]
        assert share.upload() == 0


def test_a_batch_of_ours_that_another_machine_fetched_counts_as_spent(
    tmp_path: Path, store: Folder
) -> None:
    runner, other = Site(tmp_path / "a", store), Site(tmp_path / "b", store)
    note_batch(runner, [FIRST, SECOND])
    Remote(store, runner.journal, 60.0).upload()
    other.folder.mkdir()
    with Journal(other.journal) as journal:
        share = Remote(store, journal.path, 60.0)
        share.fetch(journal)
        outcomes = [make_response(FIRST), make_response(SECOND)]
        journal.record(outcomes, teacher="paid", batched=True)
        journal._base.execute("UPDATE batches SET ended = 1")
        share.upload()
    with Journal(runner.journal) as journal:
        Remote(store, journal.path, 60.0).fetch(journal)
        account = journal.read_account()
        assert (account.spent, account.reserved) == (1.0, 0.0)


def test_an_answer_that_is_too_long_keeps_nothing_else_from_being_shared(
    tmp_path: Path,
    store: Folder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(remote, "LINE_BYTES", 1000)
    site, third = Site(tmp_path / "a", store), REQUESTS[2]
    note_batch(site, [third])
    with Journal(site.journal) as journal:
        journal.record([make_response(FIRST, "x" * 1000), make_response(SECOND)], teacher="paid")
    assert Remote(store, site.journal, 60.0).upload() == 2
    assert caplog.text.count(f"{FIRST.request_id} is too long") == 1
    other = Site(tmp_path / "b", store)
    fetch(other, store)
    assert read_batches(other) == ([("paid", "msgbatch_1", 0)], [(third.request_id, 0.0, 0.0)])
    with Journal(other.journal) as journal:
        names = [FIRST.request_id, SECOND.request_id]
        assert journal.find_answered(names) == {SECOND.request_id}


def fetch(site: Site, store: Folder) -> None:
    site.folder.mkdir(exist_ok=True)
    with Journal(site.journal) as journal:
        Remote(store, journal.path, 60.0).fetch(journal)


def test_answers_that_come_while_the_list_is_made_are_there_before_their_batch_ends(
    tmp_path: Path, store: Folder
) -> None:
    class Slow(Folder):
        lists = 0

        def list_files(self, folder: str) -> Sequence[str]:
            self.lists += 1
            names = super().list_files(folder)
            return [name for name in names if self.lists > 1 or name not in answers]

    runner, other = Site(tmp_path / "a", store), Site(tmp_path / "b", Slow(Path(store.place)))
    note_batch(runner, [FIRST, SECOND])
    Remote(store, runner.journal, 60.0).upload()
    fetch(other, store)
    with Journal(runner.journal) as journal:
        journal.record([make_response(FIRST), make_response(SECOND)], teacher="paid", batched=True)
        uploaded = Remote(store, runner.journal, 60.0).upload()
        journal._base.execute("UPDATE batches SET ended = 1")
    root = Path(store.place) / FOLDER
    answers = {
        path.relative_to(root).as_posix()
        for path in list_segments(store)
        if b"msgbatch_1" not in gzip.decompress(path.read_bytes())
    }
    assert (uploaded, len(answers)) == (2, 1)
    assert Remote(store, runner.journal, 60.0).upload() == 1
    assert other.ask([FIRST, SECOND]).counts == Counts(2, 2, 0)
    assert read_batches(other) == ([("paid", "msgbatch_1", 1)], [])


def test_a_batch_that_has_ended_is_not_waited_for_whatever_file_is_read_first(
    tmp_path: Path, store: Folder
) -> None:
    order = set()
    for number in range(8):
        begun = segments.Batch(
            teacher="paid",
            name=f"msgbatch_{number}",
            submitted=1e10,
            request_ids=(REQUESTS[number].request_id,),
        )
        ended = begun.model_copy(update={"request_ids": (), "ended": True})
        first, last = (put_segment(store, segments.write_line(one)) for one in (begun, ended))
        order.add(first.name < last.name)
    assert order == {True, False}
    other = Site(tmp_path / "a", store)
    fetch(other, store)
    with Journal(other.journal) as journal:
        assert journal.batches.list_open("paid") == []
        assert len(journal.claim([one.request_id for one in REQUESTS], 99)) == len(REQUESTS)


@pytest.mark.parametrize("of", ["paid", "another"])
def test_a_batch_that_nobody_fetches_is_waited_for_without_haste(
    tmp_path: Path, store: Folder, of: str
) -> None:
    line = segments.Batch(
        teacher=of, name="msgbatch_1", submitted=time.time(), request_ids=(FIRST.request_id,)
    )
    put_segment(store, segments.write_line(line))
    site = Site(tmp_path / "a", store)
    fetch(site, store)
    rounds = []

    class Busy(Counting):
        def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
            rounds.append(time.monotonic())
            yield from super().answer(source)

    with Journal(site.journal) as journal:
        teacher = Busy(site.folder / "ledger")
        asked = ask(teacher, [FIRST], journal, Terms(deadline_seconds=1.0))
    assert (asked.sent, asked.stop) == (0, "deadline")
    assert 1 <= len(rounds) <= 6


def test_a_batch_whose_results_no_server_keeps_any_more_is_left_out(
    tmp_path: Path, store: Folder
) -> None:
    put_segment(
        store,
        segments.write_line(
            segments.Batch(
                teacher="paid", name="old", submitted=1.0, request_ids=(FIRST.request_id,)
            )
        ),
    )
    assert Site(tmp_path / "a", store).ask([FIRST]).counts.sent == 1


def open_named(name: str | None, project: Path) -> Remote | None:
    with Journal(project / "j") as journal:
        return open_journal_remote(JournalParams(remote=name), journal, project)


def test_a_remote_is_a_folder_or_the_name_of_a_dvc_remote(tmp_path: Path) -> None:
    assert open_named(None, tmp_path) is None
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("['remote \"team\"']\n    url = ../store\n")
    for name in ("team", "./store", str(tmp_path / "store")):
        found = open_named(name, tmp_path)
        assert found is not None
        assert found._store.place == str(tmp_path / "store")
    for name, remedy in {
        "tema": "did you mean `team`",
        "elsewhere": "write `./elsewhere`",
        "s3://bucket/x": "`dvc remote add NAME s3://bucket/x`",
    }.items():
        with pytest.raises(InputError, match=rf"`{name}` is neither .* remotes team; .*{remedy}"):
            open_named(name, tmp_path)


@pytest.mark.parametrize("name", ["~nobody-of-this-name/x", "./a\0b"])
def test_a_name_that_is_no_path_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        InputError, match=r"^params.yaml: journal.remote: `.*` is no path \(.*\); exp"
    ):
        open_named(name, tmp_path)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ssh://me:hunter2@h:22/x", "ssh://h:22/x"),
        ("ssh://me:hun@ter2@[::1]:22/x", "ssh://[::1]:22/x"),
        ("https://me:hunter2/@127.0.0.1:1/x", "https://127.0.0.1:1/x"),
        ("https://127.0.0.1:1/x?sig=hunter2#ter2", "https://127.0.0.1:1/x"),
        ("https://[h/x", "https://[h/x"),
        ("s3://bucket/a@b", "s3://bucket/a@b"),
    ],
)
def test_a_login_in_an_address_is_never_shown(tmp_path: Path, url: str, shown: str) -> None:
    with pytest.raises(InputError, match=f"`{re.escape(shown)}` is neither") as raised:
        open_named(url, tmp_path)
    assert "ter2" not in str(raised.value)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text(f"['remote \"far\"']\n    url = {url}\n")
    found = open_named("far", tmp_path)
    assert found is not None
    assert found._store.place == shown
    with pytest.raises(UnreachableError) as unreachable:
        found._store.put(tmp_path / "j", "a")
    assert str(unreachable.value).startswith(f"{shown}: ")
    assert "ter2" not in str(unreachable.value)


def test_a_kind_of_remote_that_is_not_installed_is_one_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("['remote \"far\"']\n    url = hdfs://u:secret@h/x\n")
    found = open_named("far", tmp_path)
    assert found is not None
    with pytest.raises(UnreachableError, match=r"package for hdfs is not installed; run `pip inst"):
        Site(tmp_path / "a", found._store).ask(REQUESTS)
    assert "secret" not in caplog.text


def test_a_remote_that_dvc_reaches_itself_is_shared_through(tmp_path: Path) -> None:
    # `remote://` is resolved by DVC alone, and leads to its own file system.
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text(
        f"['remote \"base\"']\n    url = {tmp_path}\n"
        "['remote \"team\"']\n    url = remote://base/store\n"
    )
    found = open_named("team", tmp_path)
    assert found is not None
    first, second = (Site(tmp_path / name, found._store) for name in "ab")
    with pytest.raises(UnreachableError, match="is not there"):
        first.ask(REQUESTS)
    (tmp_path / "store").mkdir()
    assert first.ask(REQUESTS).counts.sent == 12
    assert second.ask(REQUESTS).counts == NONE_SENT
    assert [path.suffix for path in (tmp_path / "store").rglob("*") if path.is_file()] == [".gz"]


@pytest.mark.parametrize("hidden", ["stillhouse", "stillhouse/answers"])
@pytest.mark.parametrize("name", ["./store", "team"])
def test_what_may_not_be_listed_is_not_taken_for_empty(
    tmp_path: Path, name: str, hidden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text(
        f"['remote \"base\"']\n    url = {tmp_path}\n"
        "['remote \"team\"']\n    url = remote://base/store\n"
    )
    found, scandir = open_named(name, tmp_path), os.scandir
    assert found is not None
    (tmp_path / "store").mkdir()
    Site(tmp_path / "a", found._store).ask(REQUESTS)

    def refuse(path: str | int = ".") -> object:
        if f"{path}/".startswith(f"{tmp_path}/store/{hidden}/"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    other = Site(tmp_path / "b", found._store)
    with pytest.raises(UnreachableError, match=r"12 answers .* cannot be reached: .*Permission de"):
        other.ask(REQUESTS)
    assert other.sent == []


def test_ctrl_c_uploads_what_came(tmp_path: Path, store: Folder) -> None:
    site = Site(tmp_path / "a", store)

    def be_interrupted() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        logging.disable()
        try:
            site.ask(REQUESTS, seconds=0.2)
        except StoppedError as exc:
            os._exit(exc.exit_code)

    process = FORK.Process(target=be_interrupted)
    process.start()
    while len(site.sent) < 3:
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGINT)
    process.join()
    assert process.exitcode == 130
    came = len(Counting(site.folder / "ledger").read_ledger())
    assert Site(tmp_path / "b", store).ask(REQUESTS).counts == Counts(12, came, 12 - came)
