"""``make quick``: the pipeline with fewer facts and steps, in a copy, so that the real run stays as it is.

The copy shares the journal and the converted base weights with the project it came from.
"""

import os
import shutil
import subprocess
from pathlib import Path

import yaml

from stillhouse.base.stage import home

COPY = Path(".stillhouse/quick")
# A third of the core passages, fewer phrasings, no other documents: minutes instead of a quarter hour.
PLAN = {
    "core": {"recall": {"fraction": 0.33, "pairs": 24, "phrasings": 6}},
    "other": {},
    "questions": {"abstain": {"fraction": 0.5}, "replay": {"fraction": 0.5}},
}


def main() -> None:
    """Copy the working tree, shrink its plan, run it, and print its result."""
    shutil.rmtree(COPY, ignore_errors=True)
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if Path(name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, COPY / name)
    (COPY / "dvc.lock").unlink(missing_ok=True)
    _shrink(COPY / "params.yaml")
    environment = {**os.environ, "STILLHOUSE_HOME": str(home().parent)}
    for command in (["git", "init", "--quiet"], ["dvc", "repro"], ["stillhouse", "summary"]):
        subprocess.run(command, cwd=COPY, check=True, env=environment)


def _shrink(path: Path) -> None:
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    params["render"]["plan"] = PLAN
    for student in params["students"].values():
        student["epochs"] = 2
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    main()
