"""What was paid for once is found again: in the stage's own output, or in the history."""

import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from stillhouse.base import lock
from stillhouse.base.cache import find_caches
from stillhouse.base.errors import InputError
from stillhouse.base.lock import Lock, LockedStage, read_lock
from stillhouse.base.records import Request
from stillhouse.teachers.generate import Counts, GenerateParams
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.lookup import Archive, _Askers, list_asked, recall_answers
from tests.asking import (
    OUT,
    FakeTeacher,
    commit_answers,
    generate,
    git,
    make_request,
    make_response,
)

OLD, NEW = ([make_request(number) for number in span] for span in (range(3), range(3, 6)))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-b", "main")
    return folder


def run(
    project: Path, requests: Sequence[Request], *, costs: bool = True, allow_repay: bool = False
) -> Counts:
    """Generate with a new, empty journal."""
    shutil.rmtree(project / "home", ignore_errors=True)
    with Journal(project / "home" / "journal.sqlite") as journal:
        return generate(
            requests,
            [FakeTeacher(project / "ledger", costs=costs)],
            journal,
            Archive(project, project),
            GenerateParams(),
            allow_repay=allow_repay,
        ).counts


def answer(requests: Sequence[Request]) -> list:
    return [make_response(request) for request in requests]


def test_the_previous_output_is_found_without_a_journal(project: Path) -> None:
    commit_answers(project, answer(OLD), commit=False)
    assert run(project, OLD + NEW) == Counts(requests=6, answered=3, sent=3)


def test_what_was_found_in_an_output_is_kept_in_the_journal(project: Path) -> None:
    file = commit_answers(project, answer(OLD), commit=False)
    with Journal(project / "home" / "journal.sqlite") as journal:
        missing = recall_answers(
            {request.request_id: request.task for request in OLD + NEW},
            costs=True,
            journal=journal,
            archive=Archive(project, project),
            allow_repay=False,
        )
        file.unlink()
        assert missing == {request.request_id for request in NEW}
        kept = journal.read([request.request_id for request in OLD])
    assert kept == {response.request_id: response for response in answer(OLD)}


def test_an_older_commit_on_any_ref_is_found(project: Path) -> None:
    git(project, "commit", "--allow-empty", "-m", "start")
    git(project, "switch", "-c", "side")
    commit_answers(project, answer(OLD))
    git(project, "switch", "main")
    git(project, "update-ref", "refs/exps/one", "side")
    git(project, "branch", "-D", "side")
    commit_answers(project, answer(NEW))
    assert run(project, OLD + NEW) == Counts(requests=6, answered=6, sent=0)


def test_the_history_is_not_searched_for_a_free_teacher(project: Path) -> None:
    commit_answers(project, answer(OLD))
    commit_answers(project, answer(NEW))
    assert run(project, OLD + NEW, costs=False) == Counts(requests=6, answered=3, sent=3)


def test_paid_answers_that_cannot_be_read_stop_everything(project: Path) -> None:
    commit_answers(project, answer(OLD)).unlink()
    commit_answers(project, answer(NEW))
    with pytest.raises(InputError, match=r"3 answers that cost .* `dvc pull` .* --allow-repay"):
        run(project, OLD + NEW)
    assert not (project / "ledger").exists()
    assert run(project, OLD + NEW, allow_repay=True) == Counts(requests=6, answered=3, sent=3)


def test_unreadable_answers_stop_no_free_teacher(project: Path) -> None:
    commit_answers(project, answer(OLD)).unlink()
    assert run(project, OLD, costs=False) == Counts(requests=3, answered=0, sent=3)


def test_unreadable_answers_stop_nothing_when_none_is_missing(project: Path) -> None:
    commit_answers(project, answer(NEW)).unlink()
    commit_answers(project, answer(OLD))
    assert run(project, OLD) == Counts(requests=3, answered=3, sent=0)


def test_a_corrupted_cache_file_counts_as_unreadable(project: Path) -> None:
    file = commit_answers(project, answer(OLD))
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(InputError, match="cannot be read"):
        run(project, OLD)


def test_a_shallow_clone_does_not_pay_for_what_it_cannot_see(project: Path) -> None:
    commit_answers(project, answer(OLD))
    commit_answers(project, answer(NEW))
    clone = project.parent / "clone"
    git(project, "clone", "--depth", "1", project.as_uri(), str(clone))
    shutil.copytree(project / ".dvc", clone / ".dvc")
    with pytest.raises(InputError, match="--unshallow"):
        run(clone, OLD + NEW)
    assert run(clone, NEW) == Counts(requests=3, answered=3, sent=0)


def test_a_history_that_git_refuses_to_show_is_not_paid_for_again(project: Path) -> None:
    commit_answers(project, answer(OLD))
    commit_answers(project, answer(NEW))
    (project / ".git" / "HEAD").write_text("nothing of git")
    with pytest.raises(InputError, match="git does not show"):
        run(project, OLD)
    assert run(project, NEW).sent == 0


def test_a_project_without_git_or_dvc_just_asks(tmp_path: Path) -> None:
    assert run(tmp_path, OLD) == Counts(requests=3, answered=0, sent=3)


def test_a_lock_that_is_being_written_is_read_when_whole(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_answers(project, answer(OLD))
    path, whole = project / "dvc.lock", read_lock(project)
    text = path.read_text()
    looked = threading.Event()
    path.write_text("schema: '2.0'\nstages:\n  generate:\n    cmd: pyth")
    monkeypatch.setattr(lock.time, "sleep", lambda _: looked.set() or path.write_text(text))
    assert read_lock(project) == whole
    assert looked.is_set()


@pytest.mark.parametrize(
    "text", ["", "schema: '2.0'\nstages:\n", "a: [", "\ud83d".encode("utf-8", "surrogatepass")]
)
def test_a_lock_that_stays_torn_is_an_error(
    project: Path, text: str | bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_LOOK_AGAIN_SECONDS", 0.0)
    (project / "dvc.lock").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=r"rm dvc\.lock"):
        read_lock(project)


def test_upstream_names_all_that_a_folder_was_made_from() -> None:
    stages = {
        "render": LockedStage("render", {"prompts": "p", "data/corpus": "c"}, {"data/r": "r"}),
        "generate": LockedStage("generate", {"data/r": "r"}, {OUT: "g.dir"}),
        "ingest": LockedStage("ingest", {"seed": "s"}, {"data/corpus": "c"}),
        "judge": LockedStage("judge", {OUT: "g.dir"}, {"data/j": "j"}),
    }
    assert Lock(stages).upstream_of(Path(OUT) / "pairs.parquet") == {
        OUT: "g.dir",
        "data/r": "r",
        "data/corpus": "c",
        "prompts": "p",
        "seed": "s",
    }


def test_a_cache_elsewhere_is_found_through_the_configuration(project: Path) -> None:
    (project / ".dvc").mkdir()
    (project.parent / "shared").mkdir()
    (project / ".dvc" / "config").write_text(
        "[core]\n    analytics = false\n[cache]\n    dir = ../../shared\n['remote \"a\"']\n    url = b\n"
    )
    assert [path.resolve() for path in find_caches(project)] == [project.parent / "shared"]


def lock_of(teacher: object, made: str = "r", read: str = "r") -> Lock:
    params = {"params.yaml": {"render": {"seed": 1}} | ({"teacher": teacher} if teacher else {})}
    render = LockedStage("render", {}, {"data/requests.parquet": made}, "", params)
    generate = LockedStage("generate", {"data/requests.parquet": read}, {OUT: "g.dir"})
    return Lock({"render": render, "generate": generate})


def test_a_version_tells_whom_its_requests_went_to() -> None:
    both = {"provider": "offline", "others": [{"provider": "anthropic"}]}
    assert list_asked(lock_of(both)) == {"offline", "anthropic"}
    assert list_asked(lock_of({"model": "x"})) == {"offline"}
    assert list_asked(lock_of(None)) == {"offline"}  # older than all teachers that cost
    assert list_asked(lock_of("strange")) is None
    assert list_asked(Lock({})) is None


def test_an_output_belongs_to_the_version_whose_requests_it_was_made_of() -> None:
    free, paid = lock_of({"provider": "offline"}), lock_of({"provider": "anthropic"}, "s", "s")
    between = lock_of({"provider": "anthropic"}, made="s", read="r")  # only `render` ran again
    askers = _Askers([free, paid, between], "generate")
    assert not askers.may_hold(free, "anthropic")
    assert not askers.may_hold(between, "anthropic")
    assert askers.may_hold(paid, "anthropic")
    assert askers.may_hold(free, "")
    assert askers.may_hold(lock_of({"provider": "offline"}, read="unknown"), "anthropic")
    assert askers.may_hold(Lock({}), "anthropic")
    # Older than all teachers that cost, whatever it was made of.
    assert not askers.may_hold(lock_of(None, read="unknown"), "anthropic")


def test_an_unreadable_output_of_free_teachers_stops_nobody_who_pays(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    commit_answers(tmp_path, [make_response(make_request(1))]).unlink()
    lock = tmp_path / "dvc.lock"
    text = lock.read_text().replace(
        "    outs:",
        "    deps:\n    - path: data/requests.parquet\n      md5: " + "a" * 32 + "\n    outs:",
        1,
    )
    render = (
        "  render:\n    cmd: x\n    params:\n      params.yaml:\n        teacher: {provider: %s}\n"
        "    outs:\n    - path: data/requests.parquet\n      md5: " + "a" * 32 + "\n"
    )
    wanted = {make_request(2).request_id: "recall"}

    def recall() -> set[str]:
        git(tmp_path, "commit", "--amend", "-am", "a version")
        with Journal(tmp_path / "j") as journal:
            return recall_answers(
                wanted,
                costs=True,
                journal=journal,
                archive=Archive(tmp_path, tmp_path),
                allow_repay=False,
                teacher="anthropic",
            )

    lock.write_text(text + render % "offline")
    assert recall() == wanted.keys()
    lock.write_text(text + render % "anthropic")
    with pytest.raises(InputError, match="cost money are missing here"):
        recall()
