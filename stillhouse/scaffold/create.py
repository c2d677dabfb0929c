"""A new project on disk, whole or not at all: made beside its place, then moved there."""

import errno
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stillhouse.base.errors import InputError, explain_os_error
from stillhouse.base.git import ask_git
from stillhouse.base.library import LIBRARY, PIPELINE, list_changed, read_library
from stillhouse.scaffold.project import Choices, build_files

_ANYWAY = "choose another folder, or say `--anyway`: files that are there stay as they are"


@dataclass(frozen=True, slots=True)
class Created:
    """What was done: the paths written, those that were there and stayed, and whether git began."""

    written: tuple[str, ...]
    kept: tuple[str, ...]
    git: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A project that is there already; ``changed`` are the stages with other code than recorded."""

    version: str
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    documents: int


def create_project(folder: Path, choices: Choices, *, anyway: bool = False) -> Created:
    """Write a new project, with git where no repository is around it.

    Args:
        folder: where; it and its parents are made.
        choices: name and device.
        anyway: also in a folder that holds files, none of which is overwritten, and also inside
            another git repository.

    Raises:
        InputError: the folder holds files or lies in a repository, and ``anyway`` was not said;
            it cannot be written to; or git cannot be run. Nothing is left behind.
    """
    around = _find_repository(folder)
    if not anyway:
        _refuse_unfit(folder, around)
    files = build_files(choices)
    try:
        return _create(folder, files, with_git=around is None)
    except OSError as exc:
        raise explain_os_error(exc, str(folder)) from exc


def describe_project(folder: Path) -> Standing | None:
    """Return what stands in a folder that is a project already; None where there is none."""
    if not (folder / LIBRARY).is_file():
        return None
    recorded = read_library(folder / LIBRARY)
    wanted = build_files(Choices(folder.resolve().name))
    documents = folder / "data/seed/documents"
    return Standing(
        version=recorded.version,
        changed=list_changed(recorded),
        missing=tuple(
            path for path in sorted(wanted) if _is_needed(path) and not (folder / path).exists()
        ),
        documents=sum(p.is_file() and not p.name.startswith(".") for p in documents.rglob("*")),
    )


def _is_needed(path: str) -> bool:
    """Whether a stage reads the file; the rest may be thrown away at will."""
    seed = path.startswith("data/seed/") and not path.endswith(".gitkeep")
    return seed or path in {PIPELINE, "params.yaml"}


def _refuse_unfit(folder: Path, around: Path | None) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError("is a file", where=str(folder), expected="a new or an empty folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(
            "the folder holds files",
            where=str(folder),
            expected="a new or an empty one",
            remedy=_ANYWAY,
        )
    if around is not None:
        raise InputError(
            f"lies inside the git repository {around}", where=str(folder), remedy=_ANYWAY
        )


def _find_repository(folder: Path) -> Path | None:
    """Return the root of the git repository that a folder, made or not, lies in."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    root = ask_git(there, "rev-parse", "--show-toplevel").strip()
    return Path(root) if root else None


def _create(folder: Path, files: Mapping[str, str], *, with_git: bool) -> Created:
    made = _make_folders(folder)
    # Inside the folder, so that moving is renaming on one file system.
    part = Path(tempfile.mkdtemp(prefix=".stillhouse-init-", dir=folder))
    try:
        for name, text in files.items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            (part / name).write_text(text, encoding="utf-8", newline="")
        if with_git:
            _begin_git(part)
        created = _move(part, folder, list(files), with_git=with_git)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        for path in made:
            path.rmdir()
        raise
    shutil.rmtree(part)
    return created


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and its parents; return those that were not there, the innermost first."""
    path = folder.absolute()
    for parent in (folder, *folder.parents):
        if parent.exists() and not parent.is_dir():  # the system would name what lies below it
            raise NotADirectoryError(errno.ENOTDIR, "", str(parent))
    missing = [p for p in (path, *path.parents) if not p.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        for made in (p for p in missing if p.exists()):
            made.rmdir()
        raise
    return missing


def _begin_git(folder: Path) -> None:
    try:
        done = subprocess.run(
            ["git", "init", "--quiet", "--initial-branch=main"],
            cwd=folder, check=False, capture_output=True, text=True,
        )  # fmt: skip
    except FileNotFoundError as exc:
        raise InputError("git is not installed", remedy="install it: DVC works in git") from exc
    if done.returncode:
        raise InputError(f"git init failed ({done.stderr.strip()})", where=str(folder.parent))


def _move(part: Path, folder: Path, names: list[str], *, with_git: bool) -> Created:
    """Move what is not there yet; on an error what was moved is taken away again."""
    wanted = [name for name in sorted(names) if not _stands(folder / name)]
    moved: list[Path] = []
    parents: list[Path] = []
    try:
        for name in [*wanted, *([".git"] if with_git else [])]:
            parents = [*_make_folders((folder / name).parent), *parents]
            (part / name).rename(folder / name)
            moved.append(folder / name)
    except BaseException:
        for path in moved:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in parents:
            path.rmdir()
        raise
    return Created(tuple(wanted), tuple(sorted(set(names) - set(wanted))), with_git)


def _stands(path: Path) -> bool:
    return path.exists() or path.is_symlink()
