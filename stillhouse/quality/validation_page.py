"""``reports/validation.html``: what the gate saw, for people, in one file without a network."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.base.questions import question_of
from stillhouse.base.records import Row
from stillhouse.quality.gate import ROWS_SHOWN, Check, Validation
from stillhouse.quality.remedies import remedy_for

TEMPLATE: Final = Path(__file__).with_name("validation_page.html")

GROUPS: Final = {
    "schema": "The tables are what they should be",
    "references": "Every id leads somewhere",
    "leakage": "Nothing that measures the student is taught to it",
    "checked": "What machines and people checked is right",
    "coverage": "Everything that was asked for is there",
    "lengths": "Questions and answers have a sensible length",
    "distribution": "No kind of row outweighs the others",
    "collapse": "Wording and subjects are varied",
    "baseline": "The dataset is like the baseline, where one is set",
    "production": "Training is like what is asked in production",
    "personal": "No personal data by pattern",
}


@dataclass(frozen=True, slots=True)
class Broken:
    """What breaks a check: its id, and where that is a row of the dataset what the row says."""

    id: str
    place: str = ""
    question: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A check as the page shows it: how it turned out, what breaks it, and what to do then."""

    check: Check
    remedy: str
    broken: tuple[Broken, ...]


def render_validation(validation: Validation, parts: Mapping[str, Sequence[Row]]) -> str:
    """Return the page as HTML text; equal validations of equal rows give equal bytes.

    ``parts`` are the dataset's rows by part, so that a row that breaks a check can be read there.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    rows = {row.row_id: _show(row, part) for part, found in parts.items() for row in found}
    lines = [
        Line(
            check,
            remedy_for(check.name),
            tuple(rows.get(name, Broken(name)) for name in check.rows),
        )
        for check in validation.checks
    ]
    groups = _group(lines)
    return template.render(validation=validation, groups=groups, shown=ROWS_SHOWN) + "\n"


def _group(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """Return the lines under the title of their group, in the order of ``GROUPS``."""
    groups: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        groups[line.check.name.partition(".")[0]].append(line)
    return {title: groups[name] for name, title in GROUPS.items() if groups[name]}


def _show(row: Row, part: str) -> Broken:
    answer = "\n".join(turn.content for turn in row.completion)
    place = f"{part} · {row.task} · {row.slot_id}"
    return Broken(row.row_id, place, question_of(row.prompt, row.context), answer)
