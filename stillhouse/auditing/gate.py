"""The validation gate, looked at again: ``dvc commit -f`` walks past a red one, and so does ``-s``."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stillhouse.auditing.closure import Recorded
from stillhouse.auditing.places import Places
from stillhouse.auditing.problems import Outcome, Problem, Unchecked
from stillhouse.auditing.student import Student
from stillhouse.base.errors import StillhouseError
from stillhouse.lineage.gate import read_gate
from stillhouse.lineage.provenance import Provenance

RED: Final = "red gate"
VALIDATION: Final = "reports/validation.json"
_MEND: Final = "mend what it names, then `dvc repro --force validate` and `dvc repro`"


def check_gate(student: Student, provenance: Provenance, places: Places) -> Outcome:
    """Read the very validation that the training opened: it passed, and for what was opened."""
    expected = f"a validation that passed for the tables that {student.shown} was trained on"
    opened = provenance.inputs.get(VALIDATION)
    if opened is None:
        found = "its provenance.json names no validation"
        return Outcome((Problem(RED, VALIDATION, expected, found, student.retrain),))
    path = places.find(VALIDATION, opened.md5)
    if path is None:
        why = f"the validation that let {student.shown} pass (md5 {opened.md5}) is not here"
        return Outcome(unchecked=(Unchecked(VALIDATION, why, "`dvc fetch --all-commits`"),))
    folder = Path(provenance.dataset.path).parent
    tables = [Path(name) for name in provenance.inputs if Path(name).parent == folder]
    try:
        read_gate(path, provenance.inputs, tables)
    except StillhouseError as exc:
        found = f"{exc.what} (md5 {opened.md5})"
        return Outcome((Problem(RED, VALIDATION, expected, found, _MEND),))
    return Outcome(checked={"gates": 1})


def check_locked_gate(recorded: Recorded, places: Places) -> Iterator[Problem]:
    """Find validations that did not pass and that ``dvc.lock`` takes for done."""
    told: dict[str, list[str]] = {}
    for _, stage in recorded.pairs():
        trains = any(out.startswith("models/") for out in stage.outs)
        if md5 := stage.outs.get(VALIDATION) or (trains and stage.deps.get(VALIDATION)) or "":
            told.setdefault(md5, []).append(stage.name)
    for md5, names in told.items():
        path = places.find(VALIDATION, md5)
        if path is not None and not has_passed(path):
            found = f"one that did not (md5 {md5}; dvc.lock: {', '.join(names)})"
            yield Problem(RED, VALIDATION, "a validation that passed", found, _MEND)


def check_gate_here(recorded: Recorded, places: Places) -> Iterator[Problem]:
    """Find a validation in the working directory that did not pass, and that no run recorded."""
    path = places.root / VALIDATION
    known = {stage.outs.get(VALIDATION) for _, stage in recorded.pairs()}
    if path.is_file() and not has_passed(path) and places.digests.md5(path) not in known:
        found = "one that did not, of a run that dvc.lock does not hold: `dvc repro` stops there"
        yield Problem(RED, VALIDATION, "a validation that passed", found, _MEND)


def has_passed(path: Path) -> bool:
    """Say whether a validation's record says that all of it passed."""
    try:
        record = json.loads(path.read_bytes())
    except ValueError:
        return False
    return isinstance(record, dict) and record.get("passed") is True
