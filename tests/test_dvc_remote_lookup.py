"""Answers that DVC's cache lacks are fetched from the project's default DVC remote."""

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stillhouse.base.errors import InputError
from stillhouse.teachers.generate import Counts
from stillhouse.teachers.stores import UnreachableError, open_remote
from tests.asking import commit_answers, git, make_request, make_response
from tests.remote_project import Site

OLD, NEW = ([make_request(number) for number in span] for span in (range(3), range(3, 6)))
ALL = OLD + NEW


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of two versions whose outputs lie in a folder remote alone; see ``push``."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-b", "main")
    for requests in (OLD, NEW):
        commit_answers(folder, [make_response(one) for one in requests])
    push(folder, tmp_path / "store")
    (folder / ".dvc/config").write_text(
        "[core]\n    remote = store\n['remote \"store\"']\n    url = ../../store\n"
    )
    return folder


def push(project: Path, store: Path) -> None:
    """Do as `dvc push --all-commits`, then lose the cache."""
    store.mkdir()
    shutil.move(project / ".dvc/cache/files", store / "files")


def list_tables(tmp_path: Path) -> list[Path]:
    """Return the stored tables, and not the listings of folders."""
    files = (tmp_path / "store/files/md5").rglob("*")
    return [path for path in files if path.is_file() and path.suffix != ".dir"]


def test_own_and_older_outputs_are_fetched_from_the_remote(tmp_path: Path, project: Path) -> None:
    assert Site(tmp_path / "a", archive=project).ask(ALL).counts == Counts(6, 6, 0)
    assert not any((project / ".dvc/cache").rglob("*"))


def test_without_a_default_remote_it_is_as_before(tmp_path: Path, project: Path) -> None:
    (project / ".dvc/config").write_text("['remote \"store\"']\n    url = ../../store\n")
    site = Site(tmp_path / "a", archive=project)
    with pytest.raises(InputError, match=r"6 answers that cost .* `dvc pull` .* --allow-repay"):
        site.ask(ALL)
    assert site.sent == []


def test_a_free_teacher_is_asked_at_once(tmp_path: Path, project: Path) -> None:
    free = Site(tmp_path / "a", archive=project)
    assert free.ask(ALL, costs=False).counts == Counts(6, 0, 6)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"other bytes")])
def test_what_is_not_whole_there_either_fails_closed(
    tmp_path: Path, project: Path, damage: object
) -> None:
    damage(list_tables(tmp_path)[0])  # type: ignore[operator]
    site = Site(tmp_path / "a", archive=project)
    with pytest.raises(
        InputError, match=r"3 answers that cost .* cannot be read: [0-9a-f]{32}.dir"
    ):
        site.ask(ALL)
    assert site.sent == []
    assert site.ask(ALL, allow_repay=True).counts == Counts(6, 3, 3)


def test_a_remote_that_is_not_there_fails_closed(
    tmp_path: Path, project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(tmp_path / "store")
    site = Site(tmp_path / "a", archive=project)
    with pytest.raises(InputError, match="6 answers that cost"):
        site.ask(ALL)
    assert "are not sought in DVC's remote" in caplog.text
    assert site.sent == []


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder and notes what was asked for."""

    def __init__(self, asked: list[str], *args: object, **more: object) -> None:
        self._asked = asked
        super().__init__(*args, **more)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def asked(tmp_path: Path, project: Path) -> Iterator[list[str]]:
    """What was asked of a web server that holds the remote, which DVC alone can reach."""
    found: list[str] = []
    handler = partial(Handler, found, directory=str(tmp_path / "store"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (project / ".dvc/config").write_text(
            "[core]\n    remote = web\n"
            f"['remote \"web\"']\n    url = http://127.0.0.1:{server.server_port}\n"
        )
        yield found
        server.shutdown()


def test_only_the_files_that_are_needed_are_fetched(
    tmp_path: Path, project: Path, asked: list[str]
) -> None:
    assert Site(tmp_path / "a", archive=project).ask(ALL).counts == Counts(6, 6, 0)
    stored = {
        "/" + path.relative_to(tmp_path / "store").as_posix()
        for path in (tmp_path / "store").rglob("*")
        if path.is_file()
    }
    assert set(asked) == stored
    assert len(stored) == 4
    asked.clear()
    assert Site(tmp_path / "b", archive=project).ask(NEW).counts == Counts(3, 3, 0)
    assert len(set(asked)) == 2  # of the newest version alone, its listing and its table


def test_what_a_server_does_not_have_fails_closed(
    tmp_path: Path, project: Path, asked: list[str]
) -> None:
    list_tables(tmp_path)[0].unlink()
    site = Site(tmp_path / "a", archive=project)
    with pytest.raises(InputError, match="3 answers that cost"):
        site.ask(ALL)
    assert asked
    assert site.sent == []


def test_answers_cannot_be_shared_over_http(
    tmp_path: Path, project: Path, asked: list[str]
) -> None:
    site = Site(tmp_path / "a", open_remote("web", project))
    with pytest.raises(UnreachableError, match=r"cannot list its files.*; name a folder or"):
        site.ask(ALL)
    assert site.sent == []


def test_a_key_that_a_server_repeats_is_not_shown(
    tmp_path: Path,
    project: Path,
    asked: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(self: Handler) -> None:
        asked.append(self.path)
        self.send_error(403, "no right with hunter2-hunter2")

    config = project / ".dvc/config"
    config.write_text(f"{config.read_text().rstrip()}?sig=hunter3\n")  # which DVC's HTTP repeats
    monkeypatch.setenv("STORE_TOKEN", "hunter2-hunter2")
    monkeypatch.setattr(Handler, "do_GET", refuse)
    site = Site(tmp_path / "a", archive=project)
    with pytest.raises(InputError, match="6 answers that cost"):
        site.ask(ALL)
    assert asked
    assert "no right with ***" in caplog.text
    assert "hunter" not in caplog.text
