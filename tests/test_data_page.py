"""docs/data.md explains every knob between a teacher's answer and a training row."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from stillhouse.base.questions import read_general, read_gold
from stillhouse.prompts.instructions import load_instructions
from stillhouse.prompts.logs import load_logs
from stillhouse.prompts.rubrics import RubricMeta
from stillhouse.prompts.seeds import load_questions
from stillhouse.prompts.templates import VARIABLES, PromptMeta
from stillhouse.quality.review import read_verdicts

ROOT = Path(__file__).parent.parent
SECTIONS = ("judge", "curate", "review", "validate")
KNOB = re.compile(r"`([a-z][a-z0-9_.]*)`")


def list_knobs(section: Mapping[str, object]) -> Iterator[str]:
    """Yield dotted keys down to the values; an empty mapping is a value."""
    for key, value in section.items():
        if isinstance(value, dict) and value:
            yield from (f"{key}.{rest}" for rest in list_knobs(value))
        else:
            yield key


def read_explained(section: str) -> set[str]:
    """Return the knobs in the first column of the tables below a section's heading."""
    _, _, rest = (ROOT / "docs/data.md").read_text().partition(f"\n## `{section}`\n")
    lines = rest.partition("\n## ")[0].splitlines()
    return {
        knob
        for line in lines
        if line.startswith("| `")
        for knob in KNOB.findall(line.split(" | ")[0])
    }


@pytest.mark.parametrize("section", SECTIONS)
def test_every_knob_of_the_section_stands_on_the_page(section: str) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    missing = set(list_knobs(params.get(section, {}))) - read_explained(section)
    assert missing == set(), f"explain them in docs/data.md under ## `{section}`"


def test_the_page_is_read_as_a_person_reads_it() -> None:
    assert {"thresholds.groundedness", "near_duplicate", "personal"} <= read_explained("curate")
    assert "near_duplicate" not in read_explained("judge")
    assert list(list_knobs({"a": {"b": 1, "c": {}}, "d": None})) == ["a.b", "a.c", "d"]


def list_lines(file: str) -> list[str]:
    """Return the JSON lines that the page shows for a seed file."""
    page = (ROOT / "docs/data.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith("|") and f"`{file}`" in line)
    return [found for found in re.findall(r"`(\{.*?\})`", row) if found.startswith('{"')]


@pytest.mark.parametrize(
    ("file", "load", "lines"),
    [
        ("eval/gold.jsonl", read_gold, 1),
        ("eval/general.jsonl", read_general, 1),
        ("everyday.jsonl", load_questions, 1),
        ("unanswered.jsonl", lambda path: load_questions(path, statements=True), 2),
        ("prompts.jsonl", lambda path: [*load_logs(path)], 1),
        ("instructions.jsonl", load_instructions, 1),
        ("review.jsonl", read_verdicts, 1),
    ],
)
def test_the_lines_that_the_page_shows_are_read(
    tmp_path: Path, file: str, load: Callable[[Path], list[object]], lines: int
) -> None:
    shown = list_lines(file)
    assert shown
    path = tmp_path / Path(file).name
    path.write_text("".join(f"{line}\n" for line in shown))
    assert len(load(path)) == lines


@pytest.mark.parametrize(
    ("heading", "model"),
    [("Front matter of a task or step", PromptMeta), ("Rubrics", RubricMeta)],
)
def test_every_key_of_a_prompts_front_matter_is_explained(
    heading: str, model: type[BaseModel]
) -> None:
    page = (ROOT / "docs/prompts.md").read_text()
    part = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    firsts = [line.split(" | ")[0] for line in part.splitlines() if line.startswith("| `")]
    assert set(KNOB.findall(" ".join(firsts))) == set(model.model_fields)


def test_every_variable_of_a_prompt_is_explained() -> None:
    page = (ROOT / "docs/prompts.md").read_text()
    part = page.partition("\n## Variables of a task or step\n")[2].partition("\n## ")[0]
    firsts = [line.split(" | ")[0] for line in part.splitlines() if line.startswith("| `")]
    assert set(KNOB.findall(" ".join(firsts))) == set(VARIABLES)
