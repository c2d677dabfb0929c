"""Copies of a project's working tree in which its pipeline runs with other parameters.

A copy shares the journal, the converted base weights and DVC's cache with the project that it came
from, so that no answer is asked for twice and no stage runs that has run before with the same inputs.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from stillhouse.base.dvc_config import read_dvc_config
from stillhouse.base.errors import InputError, MachineError
from stillhouse.base.files import write_text
from stillhouse.base.home import home
from stillhouse.base.ids import combine_sha256, sha256_file
from stillhouse.base.params import PARAMS, load_yaml

Settings = Mapping[str, object]

_DOCUMENTS: Final = Path("data/seed/documents")

# What the pipeline reads of a working tree; it writes nothing there.
READ: Final = (
    "data/seed",
    "dvc.yaml",
    "library.yaml",
    "params.yaml",
    "prompts",
    "stages",
    "stillhouse",
)


def copy_tree(target: Path, settings: Settings, root: Path = Path()) -> None:
    """Bring the files that git knows or would add into ``target``, with parameters changed.

    Args:
        target: the copy's folder; outputs of an earlier run in it stay, so that a run can go on;
            what the project no longer has, as a document, goes.
        settings: dotted key of ``params.yaml`` -> new value.
        root: the project.

    Raises:
        InputError: the project is in no git repository, or ``params.yaml`` cannot be read.
        MachineError: git or DVC cannot be run.
    """
    params = change_params(load_yaml(root / PARAMS), settings)
    mirror_files(target, root)
    write_params(target, params)
    if not (target / ".git").exists():
        _run(["git", "init", "--quiet"], target)
    cache = read_dvc_config(root).cache.resolve()
    if read_dvc_config(target).cache.resolve() != cache:
        _run([sys.executable, "-m", "dvc", "cache", "dir", "--local", str(cache)], target)


def write_params(target: Path, params: Mapping[str, object]) -> None:
    """Write a copy's ``params.yaml``."""
    import yaml

    write_text(target / PARAMS, yaml.safe_dump(dict(params), sort_keys=False))


def change_params(params: Mapping[str, object], settings: Settings) -> dict[str, object]:
    """Return parameters with other values at dotted keys; a section that is missing is made."""
    changed = dict(params)
    for key, value in settings.items():
        name, _, rest = key.partition(".")
        if rest:
            section = changed.get(name)
            changed[name] = change_params(
                section if isinstance(section, dict) else {}, {rest: value}
            )
        else:
            changed[name] = value
    return changed


def mirror_files(target: Path, root: Path = Path()) -> None:
    """Copy what git knows or would add, and what DVC tracks beside it (``documents.dvc``).

    Of what the pipeline reads, what the project lacks is removed.
    """
    listed = list_files(root)
    names = listed | set(_list_tracked(listed, root))
    for top in READ:
        for path in [target / top, *(target / top).rglob("*")]:
            if path.relative_to(target).as_posix() not in names and path.is_file():
                path.unlink()
    for name in names - {"dvc.lock"}:
        _make_room(target, name)
        # A link among the documents stays one: `ingest` leaves out those that lead elsewhere.
        link = (root / name).is_symlink() and Path(name).is_relative_to(_DOCUMENTS)
        _copy_changed(root / name, target / name, as_link=link)


def hash_tree(root: Path = Path()) -> str:
    """Return one sha256 over all that decides what the pipeline makes: code, parameters, prompts, seed."""
    read = [name for name in list_files(root) if any(Path(name).is_relative_to(t) for t in READ)]
    return combine_sha256({name: sha256_file(root / name) for name in read})


def list_files(root: Path = Path()) -> set[str]:
    """Return the paths that git knows or would add, relative to the project, of files that are there.

    Raises:
        InputError: the project is in no git repository.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = _run(command, root).split("\0")
    except MachineError as exc:
        if "not a git repository" not in exc.what:
            raise
        raise InputError(
            "not a git repository", where=str(root.resolve()), remedy="run `git init` there"
        ) from exc
    # Also where nobody told git to leave it out: copies lie there, and what was paid for.
    there = (name for name in listed if not name.startswith(".stillhouse/"))
    return {name for name in there if (root / name).is_file()}


def copy_environment() -> dict[str, str]:
    """Return the environment of a command in a copy: the project's own journal and base weights.

    The interpreter's own programs come first, so that a pipeline runs also where nobody activated
    the environment. DVC's own variables stay behind: a copy is nobody's stage.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DVC_STAGE")}
    kept.pop("DVC_ROOT", None)
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**kept, "PATH": programs, "STILLHOUSE_HOME": str(home().parent)}


def run_in(target: Path, *command: str) -> None:
    """Run a command in a copy; ``CalledProcessError`` where it fails."""
    subprocess.run(command, cwd=target, check=True, env=copy_environment())


def _make_room(target: Path, name: str) -> None:
    """Remove a folder where a file of the project belongs now, and a file where a folder does."""
    path = target / name
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    for above in Path(name).parents:
        if (target / above).is_file():
            (target / above).unlink()


def _copy_changed(source: Path, target: Path, *, as_link: bool) -> None:
    """Copy a file unless size and time are equal, as DVC itself tells that a file has changed."""
    if target.is_symlink() or as_link:
        target.unlink(missing_ok=True)
    elif target.is_file():
        now, then = source.stat(), target.stat()
        if (then.st_size, then.st_mtime_ns) == (now.st_size, now.st_mtime_ns):
            return
        target.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target, follow_symlinks=not as_link)


def _list_tracked(listed: Iterable[str], root: Path) -> Iterator[str]:
    """Yield the files behind ``*.dvc``, which git leaves out."""
    for name in sorted(listed):
        if not name.endswith(".dvc"):
            continue
        outs = load_yaml(root / name).get("outs")
        for out in outs if isinstance(outs, list) else ():
            place = (root / name).parent / str(out.get("path", "") if isinstance(out, dict) else "")
            files = [place] if place.is_file() else place.rglob("*")
            yield from (f.relative_to(root).as_posix() for f in files if f.is_file())


def _run(command: list[str], folder: Path) -> str:
    """Return what a program printed; one that is missing or fails is a ``MachineError``."""
    try:
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    except FileNotFoundError as exc:
        raise MachineError(f"`{command[0]}` cannot be run", remedy="install it") from exc
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise MachineError(f"`{' '.join(command[:3])}` failed ({said})", where=str(folder))
    return done.stdout
