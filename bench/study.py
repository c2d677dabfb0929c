"""``make study``, second part: the recipe's ablations, each a full run of data and training in a copy.

Resumable: a variant that is done with this code, these parameters, prompts and seeds is not run again, and DVC goes on where a killed one stopped.
The outcome goes to ``.stillhouse/study/results.jsonl``; what it taught belongs into docs/LOG.md.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from stillhouse.base.ids import content_id
from stillhouse.scaffold.copies import Settings, copy_tree, hash_tree, run_in

STUDY = Path(".stillhouse/study")
RESULTS = STUDY / "results.jsonl"
Arm = TypeVar("Arm")
STUDENT = "students.smollm2"

# One knob away from the shipped recipe, each; `shipped` itself with further seeds.
VARIANTS: dict[str, Settings] = {
    "shipped": {},
    "seed-1": {f"{STUDENT}.seed": 1},
    "seed-2": {f"{STUDENT}.seed": 2},
    "sentences": {
        "render.plan.core.recall.variations": ["plain"],
        "render.plan.other.recall.variations": ["plain"],
        "render.plan.core.open_book.variations": ["plain"],
        "render.plan.other.open_book.variations": ["plain"],
    },
    "declining": {f"{STUDENT}.batch.abstain": 0.1, f"{STUDENT}.batch.abstain_from": 0.0},
    "declining-late": {f"{STUDENT}.batch.abstain": 0.25, f"{STUDENT}.batch.abstain_from": 0.8},
    "embeddings-learn": {f"{STUDENT}.freeze_embeddings": False},
    "no-replay": {f"{STUDENT}.batch.replay": 0},
    "replay-by-words": {f"{STUDENT}.replay_weight": 0.0},
    "replay-weight-0.1": {f"{STUDENT}.replay_weight": 0.1},
    "slow": {f"{STUDENT}.learning_rate": 1e-4},
    "fast": {f"{STUDENT}.learning_rate": 5e-4},
    "more-phrasings": {"render.plan.core.recall.phrasings": 24},
    "few-phrasings": {"render.plan.core.recall.phrasings": 4},
}


def main() -> None:
    """Run the variants named on the command line, or all, and print the table."""
    chosen = sys.argv[1:] or list(VARIANTS)
    done = read_results()
    for name in chosen:
        key = name_run(name)
        if key not in done:
            done[key] = {"key": key, "name": name, **run_variant(name)}
            append_result(done[key])
    print_table([done[key] for key in map(name_run, VARIANTS) if key in done])


def name_run(name: str) -> str:
    """Return the id of a variant's outcome: its settings, and the code and data that they are run on."""
    settings = json.dumps(VARIANTS[name])
    return content_id("variant", {"name": name, "settings": settings, "tree": hash_tree()})


def run_variant(name: str) -> dict[str, object]:
    """Run one variant to the end and return its headline figures."""
    folder = STUDY / name
    copy_tree(folder, VARIANTS[name])
    run_in(folder, "dvc", "repro", "evaluate@smollm2")
    metrics = json.loads((folder / "reports/students/smollm2/metrics.json").read_text())
    sets, declined = metrics["sets"], metrics["abstention"]
    return {
        "core_recall": sets["gold"]["student"]["by_kind_scope"]["recall/core"]["accuracy"],
        "open": sets["gold_open"]["student"]["accuracy"],
        "general": sets["general"]["student"]["accuracy"],
        "declined": declined["right"]["accuracy"],
        "falsely": declined["false"]["accuracy"],
    }


def read_results(path: Path = RESULTS) -> dict[str, dict[str, object]]:
    """Return the results so far by key; what a kill left of a last line counts for nothing."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    whole = (json.loads(line) for line in lines if line.startswith("{") and line.endswith("}"))
    return {record["key"]: record for record in whole}


def append_result(record: dict[str, object], path: Path = RESULTS) -> None:
    """Put a result on disk before the next one begins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        torn = file.tell() and path.read_bytes()[-1:] != b"\n"
        file.write(b"\n" if torn else b"")
        file.write(json.dumps(record, sort_keys=True).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def run_missing(
    arms: Iterable[tuple[str, Arm]],
    path: Path,
    run: Callable[[Arm], dict[str, object]],
    tell: Callable[[dict[str, object]], None],
) -> list[dict[str, object]]:
    """Return the outcome of every (key, arm); those that ``path`` holds are not run again, others are told."""
    done, outcomes = read_results(path), list[dict[str, object]]()
    for key, arm in arms:
        if key not in done:
            done[key] = {"key": key, **run(arm)}
            append_result(done[key], path)
            tell(done[key])
        outcomes.append(done[key])
    return outcomes


def print_table(records: list[dict[str, object]]) -> None:
    """Print one line for each variant."""
    names = ("core_recall", "open", "general", "declined", "falsely")
    print("variant".ljust(18) + "".join(name.rjust(13) for name in names))
    for record in records:
        values = "".join(f"{record[name]:13.3f}" for name in names)
        print(str(record["name"]).ljust(18) + values)


if __name__ == "__main__":
    main()
