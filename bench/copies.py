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

Settings = Mapping[str, object]


def copy_tree(target: Path, settings: Settings) -> None:
    """Bring the files that git knows or would add into ``target``, with parameters changed.

    Args:
        target: the copy's folder; outputs of an earlier run in it stay, so that a run can go on.
        settings: dotted key of ``params.yaml`` -> new value.
    """
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if Path(name).is_file() and name != "dvc.lock":
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, target / name)
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


def run_in(target: Path, *command: str) -> None:
    """Run a command in a copy, with the project's own journal and base weights."""
    environment = {**os.environ, "STILLHOUSE_HOME": str(home().parent)}
    subprocess.run(command, cwd=target, check=True, env=environment)
