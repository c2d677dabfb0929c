"""From data to the models that were made of them, by git's history and by MLflow."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from stillhouse.base.cache import find_caches, find_inner, find_out, name_object
from stillhouse.base.errors import InputError, suggest
from stillhouse.base.ids import Json
from stillhouse.base.lock import Lock, LockedStage, read_lock
from stillhouse.chronicle.states import MODELS
from stillhouse.history.commits import list_commits, read_locks
from stillhouse.history.mlflow import Registered, find_models
from stillhouse.history.resolve import open_workspace
from stillhouse.tracing.tables import SEED

_MD5: Final = re.compile(r"[0-9a-f]{32}(\.dir)?")
_SHORT: Final = 7
_WORKSPACE: Final = "workspace"


@dataclass(frozen=True, slots=True)
class Made:
    """A student made of some data: by the oldest commit that says so, and the refs where it is so.

    ``commit`` is empty where only the workspace says it. ``path`` is what the data were.
    """

    student: str
    model_md5: str
    path: str
    commit: str
    subject: str
    refs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Descent:
    """What was made of the bytes of an md5. ``unasked`` says why MLflow could not be asked, or nothing."""

    md5: str
    paths: tuple[str, ...]
    made: tuple[Made, ...]
    registered: tuple[Registered, ...]
    unasked: str


def find_descent(root: Path, data: str) -> Descent:
    """Return the models that were made of some data.

    Args:
        root: the project.
        data: a DVC md5, or the path of a table, folder or seed, whose bytes as they lie here are meant.

    Raises:
        InputError: it is neither; or no version knows these bytes, so that nothing follows of them.
    """
    md5, place = _name_md5(root, data)
    paths: set[str] = set()
    made: dict[tuple[str, str], Made] = {}
    for sha, subject, refs, lock in _list_locks(root):
        paths |= set(_list_paths(lock, md5))
        if place and _holds(root, lock, place, md5):
            paths.add(place)
        for student, model_md5, path in _find_made(root, lock, md5):
            before = made.get((student, model_md5))
            made[student, model_md5] = Made(
                student,
                model_md5,
                path,
                before.commit if before else sha,
                before.subject if before else subject,
                tuple(sorted({*(before.refs if before else ()), *refs})),
            )
    registered, unasked = _ask_mlflow(root, md5)
    if not paths and not registered:
        seed = f"{SEED.as_posix()}/"
        raise InputError(
            f"no version of dvc.lock and no registered model names these bytes (md5 {md5})",
            where=data,
            expected="data that a version was made of",
            remedy=f"`stillhouse trace {place.removeprefix(seed)}` tells which models saw one document"
            if place.startswith(seed)
            else "run `dvc repro` and commit dvc.lock, or fetch the branches that have it",
        )
    return Descent(md5, tuple(sorted(paths)), tuple(made.values()), registered, unasked)


def to_json(descent: Descent) -> dict[str, Json]:
    """Return it as `stillhouse log --data --json` prints it."""
    return {
        "md5": descent.md5,
        "paths": list(descent.paths),
        "models": [
            {
                "student": made.student,
                "model_md5": made.model_md5,
                "path": made.path,
                "commit": made.commit,
                "subject": made.subject,
                "refs": list(made.refs),
            }
            for made in descent.made
        ],
        "registered": [
            {
                "uri": one.uri,
                "student": one.student,
                "model_md5": one.model_md5,
                "weights_sha256": one.weights_sha256,
                "run_id": one.run_id,
            }
            for one in descent.registered
        ],
        "mlflow": descent.unasked or "asked",
    }


def to_text(descent: Descent) -> Iterator[str]:
    """Yield the answer in lines for a terminal."""
    named = ", ".join(descent.paths) or "data that no dvc.lock here names"
    yield f"{descent.md5}: {named}"
    if not descent.made:
        yield "By git's history no model was made of it."
    for made in descent.made:
        where = f"{made.commit[:_SHORT] or 'not committed'} {made.subject}".strip()
        refs = f" ({', '.join(made.refs)})" if made.refs else ""
        yield f"models/{made.student} {made.model_md5}, through {made.path}"
        yield f"  since {where}{refs}"
    if descent.unasked:
        yield f"MLflow was not asked: {descent.unasked}"
    elif not descent.registered:
        yield "MLflow knows no model of it."
    for one in descent.registered:
        yield f"{one.uri} (student {one.student}): `stillhouse audit {one.uri}`"


def _name_md5(root: Path, data: str) -> tuple[str, str]:
    """Return the md5 that is meant, and the path whose bytes it is of; empty where an md5 was given."""
    if _MD5.fullmatch(data):
        return data, ""
    path = os.path.relpath(data, root) if Path(data).is_absolute() else os.path.normpath(data)
    md5 = open_workspace(root).md5_of(Path(path).as_posix())
    if not md5:
        outs = {out for stage in read_lock(root).stages.values() for out in stage.outs}
        raise InputError(
            f"`{data}` is neither an md5 of DVC nor a path here",
            expected="32 hexadecimal digits (and `.dir`), or the path of data of this project",
            remedy=suggest(path, outs),
        )
    return md5, Path(path).as_posix()


def _list_locks(root: Path) -> Iterator[tuple[str, str, tuple[str, ...], Lock]]:
    """Yield (commit, subject, refs, lock) of every commit, oldest first, then of the workspace."""
    commits = list_commits(root)
    locks = dict(read_locks(root, (commit.lock_blob for commit in commits)))
    for commit in reversed(commits):
        if commit.lock_blob in locks:
            yield commit.sha, commit.subject, commit.refs, locks[commit.lock_blob]
    yield "", "", (_WORKSPACE,), read_lock(root)


def _holds(root: Path, lock: Lock, path: str, md5: str) -> bool:
    """Whether a stage wrote a folder that holds a file with these bytes."""
    for stage in lock.stages.values():
        wrote, inner = find_out(stage.outs, path)
        if inner and _list_inner(root, wrote, inner) == md5:
            return True
    return False


def _list_paths(lock: Lock, md5: str) -> Iterator[str]:
    for stage in lock.stages.values():
        yield from (path for path, known in stage.outs.items() if known == md5)
        yield from (path for path, known in stage.deps.items() if known == md5)


def _find_made(root: Path, lock: Lock, md5: str) -> Iterator[tuple[str, str, str]]:
    """Yield (student, md5 of the model, what it was made of) of each model made of the data."""
    if not any(_list_paths(lock, md5)):
        return
    for stage in lock.stages.values():
        for out, model_md5 in stage.outs.items():
            if PurePosixPath(out).parent == MODELS:
                path = next((path for path, known in _climb(root, lock, stage) if known == md5), "")
                if path:
                    yield PurePosixPath(out).name, model_md5, path


def _climb(root: Path, lock: Lock, stage: LockedStage) -> Iterator[tuple[str, str]]:
    """Yield (path, md5) of all that a stage read, and of all that this was made of.

    Only along bytes that agree: a stage that has run again since wrote something else, of which this
    stage read nothing.
    """
    waiting, seen = [stage], {stage.name}
    while waiting:
        reader = waiting.pop()
        for path, md5 in reader.deps.items():
            yield path, md5
            for writer in lock.stages.values():
                found = {out: wrote for out, wrote in writer.outs.items() if _is_of(out, path)}
                if not found or not _agrees(root, path, md5, found):
                    continue
                yield from found.items()
                if writer.name not in seen:
                    seen.add(writer.name)
                    waiting.append(writer)


def _is_of(out: str, path: str) -> bool:
    return f"{out}/".startswith(f"{path}/") or path.startswith(f"{out}/")


def _agrees(root: Path, path: str, md5: str, outs: Mapping[str, str]) -> bool:
    """Whether what was read may be what was written; where only a gone listing could tell, it may."""
    wrote, inner = find_out(outs, path)
    if not wrote:
        return True  # a folder was read that holds this output among others
    if not inner:
        return wrote == md5
    return _list_inner(root, wrote, inner) in ("", md5)


def _list_inner(root: Path, md5: str, inner: str) -> str:
    for cache in find_caches(root):
        listing = cache / name_object(md5)
        if listing.is_file():
            return find_inner(listing, inner)
    return ""


def _ask_mlflow(root: Path, md5: str) -> tuple[tuple[Registered, ...], str]:
    try:
        return tuple(find_models(root, md5)), ""
    except InputError as exc:
        return (), str(exc)
