"""docs/data.md explains every knob between a teacher's answer and a training row."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

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
