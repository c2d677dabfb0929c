"""``dvc.lock``, of now and of earlier commits, read as the plain file that it is, without DVC.

It says which bytes, by md5, each stage last read and wrote; ``cache`` says where those bytes lie.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from stillhouse.base.errors import InputError, explain_os_error
from stillhouse.base.git import ask_git, run_git

LOCK: Final = "dvc.lock"

# DVC rewrites the lock in place, and a half of it may well be valid YAML: only a text that two
# looks this far apart agree on counts.
_LOOK_AGAIN_SECONDS: Final = 0.03
_LOOKS: Final = 100
_MD5: Final = re.compile(r"[0-9a-f]{32}(\.dir)?")
_HISTORY: Final = (
    "log",
    "--all",
    "--full-history",
    "-m",
    "--raw",
    "--no-abbrev",
    "--no-renames",
    "--format=",
    "--",
    LOCK,
)
_CONFLICT: Final = re.compile(r"^(?:<{7} |={7}$|>{7} )", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class LockedStage:
    """What a stage last read and wrote: path -> md5, ending in ``.dir`` for a folder.

    ``params`` are file -> dotted name -> value, as PyYAML reads what DVC wrote.
    """

    name: str
    deps: Mapping[str, str]
    outs: Mapping[str, str]
    cmd: str = ""
    params: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lock:
    """The stages of one version of ``dvc.lock`` by name (``train@smollm2``)."""

    stages: Mapping[str, LockedStage]

    def outs_of(self, stage: str) -> Mapping[str, str]:
        """Return what a stage wrote: path -> md5; nothing where the lock does not know it."""
        return self.stages[stage].outs if stage in self.stages else {}

    def upstream_of(self, path: Path) -> dict[str, str]:
        """Return path -> md5 of ``path`` and of all that it was made from, code included."""
        found: dict[str, str] = {}
        seen: set[str] = set()
        waiting = [path.as_posix()]
        while waiting:
            wanted = waiting.pop()
            for stage in self.stages.values():
                made = {out: md5 for out, md5 in stage.outs.items() if overlap(out, wanted)}
                found = {**made, **found}  # what a reader read goes before what lies there now
                if made and stage.name not in seen:
                    seen.add(stage.name)
                    found = {**found, **stage.deps}
                    waiting += stage.deps
        return dict(sorted(found.items()))


class TornLockError(ValueError):
    """The text is not a whole lock."""


def read_lock(project: Path = Path()) -> Lock:
    """Return ``project/dvc.lock`` as it is now; one without stages where there is no such file.

    Raises:
        InputError: the file stays unreadable, also when looked at again for seconds.
    """
    path = project / LOCK
    before: str | None = None
    for _ in range(_LOOKS):
        try:
            text = path.read_bytes().decode()
            if text == before:
                _refuse_conflict(text, path)
                return parse_lock(text)
        except FileNotFoundError:
            return Lock({})
        except OSError as exc:
            raise explain_os_error(exc, str(path)) from exc
        except ValueError:
            text = ""
        before = text
        time.sleep(_LOOK_AGAIN_SECONDS)
    # Where git knows none, DVC's run cache still knows what had run, as it does what came since.
    back = f"git checkout {LOCK}" if ask_git(project, "ls-files", "--", LOCK) else f"rm {LOCK}"
    raise InputError(
        "torn, not a readable lock file",
        where=str(path),
        remedy=f"run `{back}`, then `dvc repro`: what had run does not run again",
    )


def past_locks(repository: Path) -> Iterator[Lock]:
    """Yield every version of ``dvc.lock`` that a commit on any ref holds, newest first, each once.

    Experiments of DVC are refs too. A version that cannot be parsed is passed over.
    """
    for blob in _list_blobs(repository):
        try:
            yield parse_lock(ask_git(repository, "cat-file", "blob", blob))
        except TornLockError:
            continue


def is_shallow(repository: Path) -> bool:
    """Say whether the clone holds only a part of its history."""
    return ask_git(repository, "rev-parse", "--is-shallow-repository").strip() == "true"


def is_unreadable(repository: Path) -> bool:
    """Say whether git refuses to show a history that is there: not its owner's, damaged, no git."""
    place = repository.resolve()
    if not any((folder / ".git").exists() for folder in (place, *place.parents)):
        return False
    return run_git(repository, *_HISTORY) is None


def _refuse_conflict(text: str, path: Path) -> None:
    if found := _CONFLICT.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise InputError(
            "holds the marks of a merge conflict",
            where=f"{path}:{line}",
            remedy=f"keep one side, `git checkout --theirs {LOCK}`, then run `dvc repro`",
        )


def parse_lock(text: str) -> Lock:
    """Return what the text of a ``dvc.lock`` says.

    Raises:
        TornLockError: it is not a whole one.
    """
    try:
        lock = yaml.load(text, Loader=yaml.CSafeLoader)
        if lock["schema"] and lock.keys() == {"schema"}:
            return Lock({})
        return Lock({name: _read_stage(name, body) for name, body in lock["stages"].items()})
    except (yaml.YAMLError, TypeError, KeyError, AttributeError, ValueError) as exc:
        raise TornLockError from exc


def _read_stage(name: str, body: Mapping[str, Any]) -> LockedStage:
    params = body.get("params", {})
    if not all(isinstance(values, Mapping) for values in params.values()):
        raise TornLockError
    deps, outs = _read_hashes(body.get("deps", [])), _read_hashes(body.get("outs", []))
    return LockedStage(name, deps, outs, str(body.get("cmd", "")), params)


def _read_hashes(entries: list[Mapping[str, Any]]) -> dict[str, str]:
    hashes = {}
    for entry in entries:
        if None in (entry["path"], *entry.values()):
            raise TornLockError
        if "md5" in entry:
            if not _MD5.fullmatch(str(entry["md5"])):
                raise TornLockError
            hashes[entry["path"]] = entry["md5"]
    return hashes


def overlap(out: str, wanted: str) -> bool:
    """Say whether two paths are one, or one lies below the other."""
    return f"{out}/".startswith(f"{wanted}/") or f"{wanted}/".startswith(f"{out}/")


def _list_blobs(repository: Path) -> list[str]:
    """Return the git blobs of every ``dvc.lock``; -m and full history show merged-away sides too."""
    lines = ask_git(repository, *_HISTORY).splitlines()
    blobs = [line.split()[3] for line in lines if line.startswith(":")]
    return [blob for blob in dict.fromkeys(blobs) if blob.strip("0")]
