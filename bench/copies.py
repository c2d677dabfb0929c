"""Copies of the working tree in which the pipeline runs with other parameters.

A copy shares the journal, the converted base weights and DVC's cache with the project that it came
from, so that no answer is asked for twice and no stage runs that has run before with the same inputs.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml

from stillhouse.base.home import home
from stillhouse.base.ids import combine_sha256, sha256_file

Settings = Mapping[str, object]

# What the pipeline reads of a working tree; it writes nothing there.
READ = ("data/seed", "dvc.yaml", "params.yaml", "prompts", "stages", "stillhouse")


def copy_tree(target: Path, settings: Settings) -> None:
    """Bring the files that git knows or would add into ``target``, with parameters changed.

    Args:
        target: the copy's folder; outputs of an earlier run in it stay, so that a run can go on;
            what the project no longer has, as a document, goes.
        settings: dotted key of ``params.yaml`` -> new value.
    """
    mirror_files(target)
    path = target / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key, value in settings.items():
        *parents, last = key.split(".")
        section = params
        for parent in parents:
            section = section[parent]
        section[last] = value
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    if not (target / ".git").exists():
        subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)
    cache = subprocess.run(["dvc", "cache", "dir"], check=True, capture_output=True, text=True)
    subprocess.run(["dvc", "cache", "dir", "--local", cache.stdout.strip()], cwd=target, check=True)


def mirror_files(target: Path) -> None:
    """Copy what git knows or would add; of what the pipeline reads, remove what is not among it."""
    names = _list_files()
    for name in names - {"dvc.lock"}:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(name, target / name)
    for folder in filter(Path.is_dir, (target / name for name in READ)):
        for path in folder.rglob("*"):
            if path.relative_to(target).as_posix() not in names and not path.is_dir():
                path.unlink()


def hash_tree() -> str:
    """Return one sha256 over all that decides what the pipeline makes: code, parameters, prompts, seed."""
    read = [name for name in _list_files() if any(Path(name).is_relative_to(top) for top in READ)]
    return combine_sha256({name: sha256_file(Path(name)) for name in read})


def _list_files() -> set[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    return {name for name in listed if Path(name).is_file()}


def run_in(target: Path, *command: str) -> None:
    """Run a command in a copy, with the project's own journal and base weights."""
    environment = {**os.environ, "STILLHOUSE_HOME": str(home().parent)}
    subprocess.run(command, cwd=target, check=True, env=environment)
