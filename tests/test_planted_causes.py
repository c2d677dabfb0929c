"""Five hundred random edits of known cause over twenty versions: every row says exactly what was edited.

The corpus is made here, so that what an edit may touch is known without asking the code under test: a
section holds one fact, a row's passages say of which sections it is, its task of which prompt.
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from stillhouse.base.records import Chunk, Row
from stillhouse.base.tables import read_all
from stillhouse.diffing.diff import make_diff
from stillhouse.diffing.tables import TABLES
from stillhouse.history.resolve import resolve
from tests.versions_project import Project, make_history_project

VERSIONS: Final = 20
EDITS: Final = 25
DOCUMENTS: Final = 8
SECTIONS: Final = 10
TASKS: Final = ("recall", "multi_step", "simplified")
THINGS: Final = (
    "pump", "valve", "boiler", "ladder", "winch", "crane", "kiln", "press", "lathe", "mixer",
    "drum", "fan", "hoist", "saw", "chiller", "filter", "gauge", "dryer", "conveyor", "furnace",
)  # fmt: skip
NAMES: Final = ("Borlan", "Tessel", "Varric", "Odrin")


@dataclass
class Corpus:
    """What stands in the documents: the value of each section's fact, and how often prompts were edited."""

    values: dict[tuple[int, int], int]
    prompts: Counter[str] = field(default_factory=Counter)
    phrasings: int = 3
    verdicts: list[dict[str, str]] = field(default_factory=list)

    def write(self, root: Path) -> None:
        folder = root / "data/seed/documents"
        for number in range(DOCUMENTS):
            sections = [self._section(number, section) for section in range(SECTIONS)]
            text = f"# Manual {NAMES[number % 4]} {number}\n\n" + "\n".join(sections)
            (folder / f"manual-{number}.md").write_text(text)
        lines = "".join(json.dumps(verdict) + "\n" for verdict in self.verdicts)
        (root / "data/seed/review.jsonl").write_text(lines)

    def _section(self, number: int, section: int) -> str:
        thing = f"{NAMES[(number + section) % 4]} {THINGS[(number * 7 + section) % 20]}"
        value = self.values[number, section]
        said = f"The inspection interval of the {thing} in hall {number} is {value} days."
        return f"## Section {section}\n\n{said}\n"


@dataclass(frozen=True)
class Planted:
    """The edits between two versions."""

    sections: frozenset[tuple[int, int]]
    prompts: frozenset[str]
    parameters: bool
    reviewed: frozenset[str]

    @property
    def count(self) -> int:
        return len(self.sections) + len(self.prompts) + len(self.reviewed) + self.parameters


def draw(corpus: Corpus, rows: list[Row], dice: random.Random, version: int) -> Planted:
    """Choose edits and make them in the corpus; of several kinds at once in most versions."""
    prompts = dice.sample(TASKS, k=version % 3) if version % 4 else []
    parameters = version % 5 == 2
    reviews = 5 if version % 3 else 0
    sections = dice.sample(sorted(corpus.values), EDITS - len(prompts) - parameters - reviews)
    for place in sections:
        corpus.values[place] = 10_000 + version * 1000 + dice.randrange(1000)
    corpus.prompts.update(prompts)
    corpus.phrasings += parameters
    chosen = dice.sample(rows, k=reviews)
    for number, row in enumerate(chosen):
        verdict = {
            "row_id": row.row_id,
            "reviewer": "Ada",
            "verdict": "fix",
            "response": f"Mended {version}.",
        }
        if number == 0:
            verdict |= {"verdict": "reject", "reason": "beside the point"}
        corpus.verdicts.append(verdict)
    return Planted(
        frozenset(sections),
        frozenset(prompts),
        parameters,
        frozenset(row.row_id for row in chosen),
    )


def read_sections(project: Project, revision: str) -> dict[str, tuple[int, int]]:
    """Return chunk -> (document, section) of one version."""
    path = resolve(project.root, revision).open(TABLES["chunks"].path)
    found = {}
    for chunk in read_all(path, Chunk):
        if "Section " in chunk.anchor:
            section = chunk.anchor.rpartition("Section ")[2].split(":")[0]
            found[chunk.chunk_id] = (int(chunk.source[7:-3]), int(section))
    return found


def expect(row: dict[str, Any], planted: Planted, sections: dict[str, tuple[int, int]]) -> set[str]:
    """Return the causes that were planted on a row, by what it was made of."""
    causes = set()
    if planted.sections & {sections[one] for one in row["chunk_ids"] if one in sections}:
        causes.add("document")
    if row["task"] in planted.prompts:
        causes.add("prompt")
    if planted.parameters and row["task"] == "recall":
        causes.add("parameters")
    return causes


def check(
    project: Project, planted: Planted, table: str
) -> Iterator[tuple[set[str], set[str], Any]]:
    """Yield (found, planted, row) of every difference between the last two versions."""
    a, b = resolve(project.root, "HEAD~1"), resolve(project.root, "HEAD")
    diff = make_diff(a, b, TABLES[table])
    then, now = read_sections(project, "HEAD~1"), read_sections(project, "HEAD")
    for change in diff.changes:
        old, new = diff.read(change)
        wanted: set[str] = set()
        for row, sections in ((old, then), (new, now)):
            if row:
                wanted |= expect(row, planted, sections)
        # A verdict names the bytes of a row: after another edit it is of a row that is no more.
        if old and old["row_id"] in planted.reviewed and not wanted:
            wanted.add("review")
        yield set(change.why.causes), wanted, change


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("planted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(root))
        made = make_history_project(root)
        for path in (root / "data/seed/documents").rglob("*"):
            if path.is_file():
                path.unlink()
        focus = {"version": 1, "core": [{"source": "manual-0.md"}], "held_out": []}
        (root / "data/seed/focus.yaml").write_text(yaml.safe_dump(focus))
        yield made


def plan(project: Project, phrasings: int) -> None:
    tasks: dict[str, Any] = {name: {"fraction": 1.0} for name in TASKS}
    tasks["recall"] |= {"pairs": 4, "phrasings": phrasings}
    project.set_params(
        {
            "render.plan": {"core": tasks, "other": tasks, "questions": {}},
            "curate.near_duplicate": 1.0,
        }
    )


@pytest.mark.parametrize("seed", [1])
def test_rows_carry_exactly_the_planted_causes(project: Project, seed: int) -> None:
    dice = random.Random(seed)
    corpus = Corpus({(d, s): 100 + 17 * d + s for d in range(DOCUMENTS) for s in range(SECTIONS)})
    texts = {name: (project.root / f"prompts/{name}.md").read_text() for name in TASKS}
    plan(project, corpus.phrasings)
    corpus.write(project.root)
    project.step("begin")
    right: Counter[str] = Counter()
    found: Counter[tuple[str, ...]] = Counter()
    wrong: dict[tuple[str, str], list[str]] = defaultdict(list)
    edits = lacking = 0
    for version in range(1, VERSIONS + 1):
        rows = read_all(project.root / TABLES["reviewed"].path, Row)
        planted = draw(corpus, rows, dice, version)
        edits += planted.count
        corpus.write(project.root)
        for name, count in corpus.prompts.items():
            edited = texts[name].replace("You", f"You (edition {count})", 1)
            (project.root / f"prompts/{name}.md").write_text(edited)
        plan(project, corpus.phrasings)
        project.step(f"version {version}")
        for table in ("reviewed", "train"):
            for causes, wanted, change in check(project, planted, table):
                right[table] += causes == wanted
                found[tuple(sorted(causes))] += 1
                lacking += not causes
                if causes != wanted:
                    wrong[str(sorted(causes)), str(sorted(wanted))].append(
                        f"{version} {table} {change.kind} {change.key} {change.why.said}"
                    )
    missed = {key: (len(rows), rows[:3]) for key, rows in wrong.items()}
    assert edits >= VERSIONS * EDITS
    assert not lacking
    total = sum(found.values())
    assert total > 4000
    assert {("document",), ("prompt",), ("document", "prompt"), ("review",)} <= found.keys()
    assert sum(right.values()) >= 0.99 * total, missed
