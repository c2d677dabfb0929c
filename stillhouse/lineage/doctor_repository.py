"""Checks of git and DVC in this clone: history, dvc.lock, what is stored where, who holds a lock."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from stillhouse.base.cache import find_caches
from stillhouse.base.dvc_config import read_dvc_config
from stillhouse.base.errors import StillhouseError
from stillhouse.base.files import read_text
from stillhouse.base.git import ask_git
from stillhouse.base.lock import LOCK, is_shallow, read_lock
from stillhouse.lineage.doctor import Check, Finding
from stillhouse.lineage.doctor_yaml import list_stages
from stillhouse.lineage.dvc_running import RWLOCK, read_holders

_NAMED: Final = 3  # paths named in a finding


def check_git(root: Path) -> Iterator[Finding]:
    """Find a project outside of git, or with only a part of its history."""
    if ask_git(root, "rev-parse", "--is-inside-work-tree").strip() != "true":
        yield Finding("git history", "warn", "not a git repository", "run `git init` and commit")
    elif is_shallow(root):
        found = "shallow: answers that earlier commits name cannot be found"
        yield Finding("git history", "warn", found, "run `git fetch --unshallow`")
    else:
        yield Finding("git history", "ok", "whole")


def check_lock(root: Path) -> Iterator[Finding]:
    """Find a dvc.lock that is torn, in conflict, or not committed."""
    path = root / LOCK
    if not path.exists():
        yield Finding(LOCK, "ok", "none yet: nothing has run")
        return
    try:
        read_lock(root)
    except StillhouseError as exc:
        yield Finding(LOCK, "fail", exc.what, exc.remedy or "")
        return
    if ask_git(root, "status", "--porcelain", "--", LOCK).strip():
        remedy = "commit it with the change that caused it"
        yield Finding(LOCK, "warn", "differs from the commit", remedy)
    else:
        yield Finding(LOCK, "ok", "readable, as committed")


def check_untracked(root: Path) -> Iterator[Finding]:
    """Find files that DVC hashes in a dependency and git does not know: no clone has them."""
    stages = list_stages(root)
    deps = sorted({dep for stage in stages for dep in stage.deps if (root / dep).exists()})
    if deps and _has_git(root):
        made = [out.path for stage in stages for out in stage.outs]
        new = [path for path in _list_untracked(root, deps) if not _is_below(path, made)]
        if new:
            found = f"{_name(new)}: part of a dependency, unknown to git"
            yield Finding("undeclared files", "warn", found, "`git add` or remove them")
        else:
            yield Finding("undeclared files", "ok", "git knows every dependency")


def check_links(root: Path) -> Iterator[Finding]:
    """Find links to nothing in a dependency: DVC cannot hash them and names no stage's reason."""
    deps = {dep for stage in list_stages(root) for dep in stage.deps if (root / dep).is_dir()}
    dead = sorted(
        # A dependency may lie elsewhere, as an absolute path; then so does what is in it.
        (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
        for dep in deps
        for path in (root / dep).rglob("*")
        if path.is_symlink() and not path.exists()
    )
    if dead:
        lead, remedy = "leads", "remove the link, or put there what it leads to"
        if len(dead) > 1:
            lead, remedy = "lead", "remove the links, or put there what they lead to"
        found = f'{_name(dead)} {lead} to nothing, so that `dvc repro` ends with "No such file"'
        yield Finding("links", "fail", found, remedy)


def check_outs(root: Path) -> Iterator[Finding]:
    """Find stage outputs that git tracks, which DVC refuses, or would add by mistake."""
    stages = list_stages(root)
    outs = sorted({out.path for stage in stages for out in stage.outs if out.cached})
    if not outs or not _has_git(root):
        return
    tracked = _split(ask_git(root, "ls-files", "-z", "--", *outs))
    loose = _list_untracked(root, [out for out in outs if (root / out).exists()])
    if tracked:
        remedy = f"run `git rm -r --cached {tracked[0]}`"
        yield Finding("outputs in git", "fail", f"git tracks {_name(tracked)}", remedy)
    if loose:
        remedy = "add them to the .gitignore beside them (DVC does so when a stage has run)"
        yield Finding("outputs in git", "warn", f"git does not ignore {_name(loose)}", remedy)
    if not tracked and not loose:
        yield Finding("outputs in git", "ok", "git leaves them to DVC")


def check_ignored(root: Path) -> Iterator[Finding]:
    """Find bytecode that DVC would hash: a mere import would then rerun stages."""
    path = root / ".dvcignore"
    text = read_text(path) if path.exists() else ""
    if "__pycache__" not in text and any(
        dep.endswith(".py") or any((root / dep).glob("**/*.py"))
        for stage in list_stages(root)
        for dep in stage.deps
        if (root / dep).exists() and dep.startswith("stillhouse")
    ):
        remedy = "add the line `__pycache__/` to .dvcignore"
        yield Finding("bytecode", "warn", "DVC hashes __pycache__ folders of code", remedy)


def check_remote(root: Path) -> Iterator[Finding]:
    """Find data that lies on this disk alone."""
    config = read_dvc_config(root)
    if config.default in config.remotes:
        yield Finding("remote", "ok", "there is one; push with `dvc push --all-commits`")
    elif config.remotes:
        found = f"`{config.remotes[0]}` is there, but no default: a plain `dvc push` fails"
        if config.default:
            found = f"the default, `{config.default}`, is not there: a plain `dvc push` fails"
        remedy = f"run `dvc remote default {config.remotes[0]}`"
        yield Finding("remote", "warn", found, remedy)
    elif any((cache / "files").is_dir() for cache in find_caches(root)):
        found = "none: what lies in DVC's cache lies on this disk alone"
        remedy = "`dvc remote add -d store PLACE`, then `dvc push --all-commits`"
        yield Finding("remote", "warn", found, remedy)
    else:
        yield Finding("remote", "ok", "none, and nothing to store yet")


def check_running(root: Path) -> Iterator[Finding]:
    """Find a DVC that runs here now, or a lock file that its end has torn."""
    holders = read_holders(root)
    if holders.torn:
        found = f"{RWLOCK} is torn: DVC was interrupted while it wrote it"
        yield Finding("DVC's lock", "fail", found, f"end any running dvc, then `rm {RWLOCK}`")
    elif holders.others:
        # DVC looks at the number alone; in a container the same few numbers come again and again.
        found = (
            f"left by a DVC that was killed: its number, {holders.others[0]}, "
            "is another process by now"
        )
        yield Finding("DVC's lock", "fail", found, f"end any running dvc, then `rm {RWLOCK}`")
    elif holders.running:
        found = f"held by the running process {holders.running[0]}"
        yield Finding("DVC's lock", "warn", found, "wait for its end before `dvc repro`")
    else:
        yield Finding("DVC's lock", "ok", "free")


def _has_git(root: Path) -> bool:
    return bool(ask_git(root, "rev-parse", "--git-dir").strip())


def _list_untracked(root: Path, paths: Sequence[str]) -> list[str]:
    """Return the files at or below the paths that git neither tracks nor ignores."""
    if not paths:
        return []
    return _split(ask_git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", *paths))


def _split(listing: str) -> list[str]:
    return [path for path in listing.split("\0") if path]


def _is_below(path: str, folders: Sequence[str]) -> bool:
    return any(f"{path}/".startswith(f"{folder}/") for folder in folders)


def _name(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(paths[:_NAMED]) + more


REPOSITORY: Final[tuple[Check, ...]] = (
    check_git,
    check_lock,
    check_untracked,
    check_links,
    check_outs,
    check_ignored,
    check_remote,
    check_running,
)
