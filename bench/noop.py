"""``dvc repro`` when nothing changed, against as many stages that do nothing at all.

Both run alternately in one go; the empty pipeline has one output a stage and no dependency on code.
"""

import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import yaml

ROUNDS = 5


def time_repro(folder: Path) -> float:
    """Return the wall seconds of one ``dvc repro`` in ``folder``; it must have nothing to do."""
    began = time.perf_counter()
    done = subprocess.run(
        ["dvc", "repro"], cwd=folder, check=True, capture_output=True, text=True, env=_environment()
    )
    seconds = time.perf_counter() - began
    if "Running stage" in done.stdout + done.stderr:
        raise SystemExit(f"{folder}: `dvc repro` still had work to do; run it to its end first")
    return seconds


def build_empty(folder: Path, stages: int) -> None:
    """Write and run a pipeline of stages that only make a small file each."""
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True, env=_environment())
    names = [f"stage{number}" for number in range(stages)]
    pipeline = {
        name: {"cmd": f"echo {name} > {name}.txt", "outs": [f"{name}.txt"]} for name in names
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": pipeline}))
    subprocess.run(["dvc", "repro", "-q"], cwd=folder, check=True, env=_environment())


def main() -> None:
    """Print both medians and their ratio."""
    lock = yaml.load(Path("dvc.lock").read_text(), Loader=yaml.CSafeLoader)
    count = len(lock["stages"])
    with tempfile.TemporaryDirectory() as scratch:
        build_empty(Path(scratch), count)
        times: dict[Path, list[float]] = {Path(scratch): [], Path(): []}
        for _ in range(ROUNDS):
            for folder, measured in times.items():
                measured.append(time_repro(folder))
        empty, ours = (statistics.median(measured) for measured in times.values())
    print(f"{count} empty stages {empty:.2f} s, ours {ours:.2f} s, ratio {ours / empty:.2f}")


def _environment() -> dict[str, str]:
    return {**os.environ, "DVC_NO_ANALYTICS": "1"}


if __name__ == "__main__":
    main()
