"""``reports/validation.html``: what the gate saw, for people, in one file without a network."""

from collections import defaultdict
from pathlib import Path
from typing import Final

from stillhouse.quality.gate import Check, Validation

TEMPLATE: Final = Path(__file__).with_name("validation_page.html")

GROUPS: Final = {
    "schema": "The tables are what they should be",
    "references": "Every id leads somewhere",
    "leakage": "Nothing that measures the student is taught to it",
    "coverage": "Everything that was asked for is there",
    "lengths": "Questions and answers have a sensible length",
    "distribution": "No kind of row outweighs the others",
    "personal": "No personal data by pattern",
}


def render_validation(validation: Validation) -> str:
    """Return the page as HTML text; equal validations give equal bytes."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(validation=validation, groups=_group(validation)) + "\n"


def _group(validation: Validation) -> dict[str, list[Check]]:
    """Return the checks under the title of their group, in the order of ``GROUPS``."""
    groups: dict[str, list[Check]] = defaultdict(list)
    for check in validation.checks:
        groups[check.name.partition(".")[0]].append(check)
    return {title: groups[name] for name, title in GROUPS.items() if groups[name]}
