"""``make story``: five edits of a small project, each run with DVC and committed, and what is told of each.

A prompt, a document, the judge's threshold, a filter's code, a document that goes. After each edit
`stillhouse diff` has to name exactly the rows that differ, and why; in the end `stillhouse trace` has to
name exactly the models that saw the document which is gone. The rows are counted here from the tables
themselves. The teacher is offline and the student tiny: minutes, no key, no network.

    python -m tests.story [FOLDER]
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from stillhouse.base.records import Row
from stillhouse.base.tables import read_all
from tests.small_project import OTHER, build_project, commit, edit, run

GONE: Final = OTHER[0]
DOCUMENT: Final = "people/annual-leave.md"
_TRAIN: Final = Path("data/dataset/train.parquet")


@dataclass(frozen=True)
class Chapter:
    """An edit, the causes that a diff may name for it, and which rows it must have touched."""

    title: str
    edit: Callable[[Path], None]
    causes: frozenset[str]
    touches: Callable[[Row], bool]


def edit_prompt(project: Path) -> None:
    edit(project / "prompts/simplified.md", "You", "You kindly")


def edit_document(project: Path) -> None:
    edit(project / "data/seed/documents" / DOCUMENT, "29 days", "30 days")


def begin_lenient(project: Path) -> None:
    """Let the judge call answers of more than eight words too long, and pass them all the same."""
    set_params(
        project, {"judge": {"answer_words_max": 8}, "curate": {"thresholds": {"length": 0.0}}}
    )


def raise_threshold(project: Path) -> None:
    set_params(project, {"curate": {"thresholds": {"length": 1.0}}})


def set_params(project: Path, changes: dict[str, dict[str, Any]]) -> None:
    path = project / "params.yaml"
    params = yaml.safe_load(path.read_text())
    for section, values in changes.items():
        for name, value in values.items():
            known = params[section].get(name)
            params[section][name] = {**known, **value} if isinstance(value, dict) else value
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def change_filter(project: Path) -> None:
    edit(project / "stillhouse/quality/duplicates.py", "_SHINGLE: Final = 3", "_SHINGLE: Final = 1")


def remove_document(project: Path) -> None:
    (project / "data/seed/documents" / GONE).unlink()
    gold = project / "data/seed/eval/gold.jsonl"  # a question about no document is refused
    kept = [
        line for line in gold.read_text().splitlines() if GONE not in json.loads(line)["sources"]
    ]
    gold.write_text("".join(f"{line}\n" for line in kept))


STORY: Final = (
    Chapter(
        "A prompt is edited",
        edit_prompt,
        frozenset({"prompt"}),
        lambda row: row.task == "simplified",
    ),
    Chapter(
        "A document is edited",
        edit_document,
        frozenset({"document"}),
        lambda row: DOCUMENT in row.slot_id,
    ),
    Chapter(
        "The judge's threshold is raised", raise_threshold, frozenset({"judge"}), lambda _: True
    ),
    Chapter(
        "The code of a filter is changed", change_filter, frozenset({"filter"}), lambda _: True
    ),
    Chapter(
        "A document goes", remove_document, frozenset({"document"}), lambda row: GONE in row.slot_id
    ),
)


def tell(project: Path) -> None:
    """Run the story and print it; an assertion fails where a row or a cause is not the right one."""
    say(project, "dvc", "repro")
    commit(project, "The first version")
    models, saw = [weights(project)], [trained_on(project, GONE)]
    for number, chapter in enumerate(STORY, 1):
        print(f"\n## {number}. {chapter.title}\n", flush=True)
        before = rows(project)
        chapter.edit(project)
        say(project, "dvc", "repro", quiet=True)
        commit(project, chapter.title)
        check(project, chapter, before, rows(project))
        say(project, "stillhouse", "diff", "HEAD~1", "HEAD", "-n", "2")
        models.append(weights(project))
        saw.append(trained_on(project, GONE))
    print(f"\n## Which models saw {GONE}?\n", flush=True)
    check_trace(project, models, saw)
    say(project, "stillhouse", "trace", GONE)
    say(project, "stillhouse", "audit", "tiny")
    say(project, "stillhouse", "verify")


def check(project: Path, chapter: Chapter, before: dict[str, Row], after: dict[str, Row]) -> None:
    """Compare what the diff names with the tables themselves."""
    told: Any = json.loads(run(project, "stillhouse", "diff", "HEAD~1", "HEAD", "--json"))
    old = {row["old"]["row_id"] for row in told["rows"] if row["old"]}
    new = {row["new"]["row_id"] for row in told["rows"] if row["new"]}
    assert old == before.keys() - after.keys(), "rows of the old version"
    assert new == after.keys() - before.keys(), "rows of the new version"
    assert told["rows"], "nothing changed: the edit touched no row"
    for row in told["rows"]:
        assert set(row["causes"]) == chapter.causes, row
    named = [before[one] for one in old] + [after[one] for one in new]
    assert all(map(chapter.touches, named)), "a row of something else"


def check_trace(project: Path, models: list[str], saw: list[bool]) -> None:
    """Compare the verdicts with what each version was trained on."""
    told: Any = json.loads(run(project, "stillhouse", "trace", GONE, "--json"))
    affected = {
        model["weights_sha256"] for model in told["models"] if model["verdict"] == "affected"
    }
    clean = {model["weights_sha256"] for model in told["models"] if model["verdict"] == "clean"}
    wanted = {model for model, seen in zip(models, saw, strict=True) if seen}
    assert affected == wanted, told["models"]
    assert clean == set(models) - wanted, told["models"]
    assert told["verdict"] == "affected"


def rows(project: Path) -> dict[str, Row]:
    return {row.row_id: row for row in read_all(project / _TRAIN, Row)}


def trained_on(project: Path, source: str) -> bool:
    """Whether the student's tables hold a row of a document; rows that stop the training count."""
    tables = [project / _TRAIN, project / "data/dataset/validation.parquet"]
    return any(source in row.slot_id for table in tables for row in read_all(table, Row))


def weights(project: Path) -> str:
    path = project / "models/tiny/provenance.json"
    return str(json.loads(path.read_text())["weights_sha256"])


def say(project: Path, *command: str, quiet: bool = False) -> None:
    """Run a command, and show it as a transcript would."""
    print(f"$ {' '.join(command)}", flush=True)
    said = run(project, *command)
    print("" if quiet else said, flush=True)


def main() -> None:
    """Tell the story in a new folder, or in the one that is named."""
    named = sys.argv[1:2]
    folder = Path(named[0]) if named else Path(tempfile.mkdtemp(prefix="stillhouse-story-"))
    if folder.exists() and any(folder.iterdir()):
        sys.exit(f"error: {folder}: is not empty; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    project = build_project(folder)
    begin_lenient(project)
    tell(project)
    print(f"Every row, every cause and every verdict is right. The project: {folder}")
    if not named:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
