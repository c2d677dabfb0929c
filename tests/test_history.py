"""Every way to name a version, and the bytes behind it."""

import shutil
from pathlib import Path

import pytest

from stillhouse.base.errors import InputError
from stillhouse.base.ids import md5_file
from stillhouse.history.commits import list_commits, read_locks
from stillhouse.history.hashed import Hashed
from stillhouse.history.objects import read_objects
from stillhouse.history.resolve import resolve
from stillhouse.history.version import GoneError
from tests.versions_project import Project, copy_project, make_history_project

TRAIN = "data/dataset/train.parquet"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("history")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(root))
        project = make_history_project(root, "ada")
        project.train("ada")
        project.commit("train")
        project.git("tag", "v1")
        project.set_params({"curate.thresholds.groundedness": 0.9, "split.seed": 11})
        project.step("another split")
        project.git("update-ref", "refs/exps/ab/cdef/wide-glen", "HEAD~1")
    return project


@pytest.fixture
def project(made: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "p"))
    copied = copy_project(made, tmp_path / "p")
    monkeypatch.chdir(copied.root)
    return copied


@pytest.mark.parametrize("name", ["HEAD~1", "v1", "wide-glen"])
def test_revisions_tags_and_experiments(project: Project, name: str) -> None:
    version = resolve(project.root, name)
    assert version.commit == project.git("rev-parse", "HEAD~1")
    assert version.title == f"{name} ({version.commit[:7]})"
    found = version.open(TRAIN)
    assert md5_file(found) == version.md5_of(TRAIN)
    assert version.md5_of(TRAIN) != resolve(project.root, "").md5_of(TRAIN)


def test_the_workspace_is_what_lies_there(project: Project) -> None:
    (project.root / TRAIN).write_bytes(b"mine")
    for name in ("", "workspace", "."):
        version = resolve(project.root, name)
        assert version.md5_of(TRAIN) == md5_file(project.root / TRAIN)
        assert version.open(TRAIN).read_bytes() == b"mine"
    assert resolve(project.root, "HEAD").md5_of(TRAIN) != md5_file(project.root / TRAIN)


def test_an_md5_of_a_folder_or_a_file_is_its_version(project: Project) -> None:
    then = resolve(project.root, "v1")
    folder, file = then.lock.stages["split"].outs["data/dataset"], then.md5_of(TRAIN)
    assert folder.endswith(".dir")
    for md5 in (folder, file):
        version = resolve(project.root, md5)
        assert version.commit == then.commit
        assert version.md5_of(TRAIN) == file
        assert version.md5_of("data/requests.parquet") == then.md5_of("data/requests.parquet")


def test_a_path_is_a_table_a_folder_a_student_or_a_project(project: Project) -> None:
    copy = project.root / "copy"
    shutil.copytree(project.root / "data/dataset", copy)
    here = md5_file(project.root / TRAIN)
    for name in ("copy", "copy/train.parquet", str(copy), "data/dataset"):
        assert resolve(project.root, name).md5_of(TRAIN) == here
    student = resolve(project.root, "models/ada")
    assert student.student == "ada"
    assert student.md5_of(TRAIN) == resolve(project.root, "v1").md5_of(TRAIN)
    assert student.commit == resolve(project.root, "v1").commit
    clone = project.root.parent / "clone"
    project.git("clone", "--quiet", str(project.root), str(clone))
    other = resolve(project.root, str(clone))
    assert (other.root, other.workspace) == (clone, True)


def test_bytes_come_from_the_remote_into_the_cache(project: Project) -> None:
    remote = project.root.parent / "remote"
    shutil.move(project.root / ".dvc/cache", remote)
    config = f"[core]\n    remote = here\n['remote \"here\"']\n    url = {remote}\n"
    (project.root / ".dvc/config").write_text(config)
    version = resolve(project.root, "v1")
    assert version.find("data/judgements.parquet") is not None  # the workspace has the same bytes
    assert version.md5_of(TRAIN) == ""  # what another stage read may be an older one
    found = version.open(TRAIN)
    assert md5_file(found) == version.md5_of(TRAIN)
    assert found.is_relative_to(project.root / ".dvc/cache")
    assert version.list_folder("data/dataset") is not None


def test_what_the_remote_holds_wrongly_is_not_kept(project: Project) -> None:
    remote, md5 = project.root.parent / "remote", resolve(project.root, "v1").md5_of(TRAIN)
    shutil.move(project.root / ".dvc/cache", remote)
    config = f"[core]\n    remote = here\n['remote \"here\"']\n    url = {remote}\n"
    (project.root / ".dvc/config").write_text(config)
    version = resolve(project.root, "v1")
    (remote / "files/md5" / md5[:2] / md5[2:]).write_bytes(b"other")
    with pytest.raises(GoneError, match="neither in DVC's cache nor in its remote"):
        version.open(TRAIN)
    assert not project.find_object(md5).exists()


def test_a_poisoned_object_of_the_cache_is_not_believed(project: Project) -> None:
    version = resolve(project.root, "v1")
    project.find_object(version.md5_of(TRAIN)).write_bytes(b"poison")
    assert version.find(TRAIN) is None
    with pytest.raises(GoneError, match="dvc fetch --all-commits"):
        version.open(TRAIN)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("HEAD~9", "HEAD~9: nothing is called so; expected a git revision, an experiment"),
        ("v11", "did you mean `v1`"),
        ("f" * 32, "MLflow|no run has the id"),
        ("HEAD:params.yaml", "nothing is called so"),
        ("--all", "nothing is called so"),
        ("^HEAD", "nothing is called so"),
        ("/dev/zero", "nothing is called so"),
        ("begin..HEAD", "write `begin HEAD`, two versions"),
        ("prompts", "holds no `train.parquet`"),
    ],
)
def test_what_nothing_is_called_is_said(project: Project, name: str, said: str) -> None:
    with pytest.raises(InputError, match=said.replace("~", r"\~")):
        resolve(project.root, name)


def test_a_name_of_both_is_refused(project: Project) -> None:
    (project.root / "v1").mkdir()
    with pytest.raises(InputError, match=r"write `\./v1` for the path"):
        resolve(project.root, "v1")


def test_a_commit_without_lock_is_said(project: Project) -> None:
    project.git("rm", "--quiet", "dvc.lock")
    project.commit("no lock")
    with pytest.raises(InputError, match=r"has no readable `dvc\.lock`"):
        resolve(project.root, "HEAD")


def test_tracked_files_are_those_of_the_commit(project: Project) -> None:
    assert (
        resolve(project.root, "v1").read_tracked("params.yaml")
        == (project.git("show", "v1:params.yaml") + "\n").encode()
    )
    here = resolve(project.root, "").read_tracked("params.yaml")
    assert here == (project.root / "params.yaml").read_bytes()
    assert resolve(project.root, "v1").read_tracked("nothing.md") is None


def test_commits_of_all_refs_and_their_locks(project: Project) -> None:
    commits = list_commits(project.root)
    assert [commit.subject for commit in commits] == ["another split", "train", "begin"]
    assert commits[0].refs == ("main",)
    assert commits[1].refs == ("v1", "wide-glen")
    locks = dict(read_locks(project.root, [commit.lock_blob for commit in commits]))
    assert len(locks) == 3
    assert "models/ada" in locks[commits[1].lock_blob].stages["train@ada"].outs
    assert [commit.sha for commit in list_commits(project.root, "v1")] == [
        commit.sha for commit in commits[1:]
    ]


def test_a_branch_without_a_commit_hides_no_other(project: Project) -> None:
    project.git("checkout", "--quiet", "--orphan", "new")
    assert len(list_commits(project.root)) == 3


def test_a_project_in_a_folder_of_its_repository(tmp_path: Path, project: Project) -> None:
    outer = Project(tmp_path / "outer")
    shutil.copytree(project.root, outer.root / "inner", ignore=shutil.ignore_patterns(".git"))
    outer.git("init", "--quiet")
    outer.git("config", "user.email", "ada@example.com")
    outer.git("config", "user.name", "Ada")
    outer.commit("all")
    version = resolve(outer.root / "inner", "HEAD")
    assert version.md5_of(TRAIN)
    assert version.read_tracked("params.yaml")
    assert list_commits(outer.root / "inner")[0].lock_blob


def test_objects_that_are_not_there_are_none(project: Project) -> None:
    names = ["HEAD:nothing", "HEAD:dvc.lock", "no\nname", "0" * 40]
    found = read_objects(project.root, names)
    assert [one is not None for one in found] == [False, True, False, False]


def test_a_changed_file_is_hashed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stillhouse.history.hashed._SETTLED", -1.0)
    file, hashed = tmp_path / "a", Hashed(tmp_path)
    file.write_bytes(b"one")
    first = hashed.md5(file)
    seen = file.stat()
    monkeypatch.setattr("stillhouse.history.hashed.md5_file", lambda _: "read again")
    assert hashed.md5(file) == first
    file.write_bytes(b"two")
    import os

    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))  # the same size and time as before
    assert hashed.md5(file) == "read again"
    (tmp_path / "hashed.sqlite").write_bytes(b"no database at all" * 100)
    assert hashed.md5(file) == "read again"
