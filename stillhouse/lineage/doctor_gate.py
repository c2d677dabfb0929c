"""Check of the validation gate: a red one, and a red one that DVC was told to take for done."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stillhouse.base.errors import StillhouseError
from stillhouse.base.ids import md5_file
from stillhouse.base.lock import read_lock
from stillhouse.lineage.doctor import Check, Finding

VALIDATION: Final = Path("reports/validation.json")


def check_gate(root: Path) -> Iterator[Finding]:
    """Find a validation that did not pass.

    After ``dvc commit --force`` a red gate is recorded as done, and with it the students that were
    trained before: no stage runs again, so none can refuse.
    """
    path = root / VALIDATION
    try:
        record: object = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return  # it has not run, or DVC makes it again
    try:
        locked = read_lock(root)
    except StillhouseError:
        return  # which `check_lock` tells
    if isinstance(record, dict) and record.get("passed") is True:
        yield Finding("gate", "ok", "the validation passed")
    elif md5_file(path) in locked.outs_of("validate").values():
        found = f"{VALIDATION} says that the validation did not pass, dvc.lock that it is done"
        remedy = "mend what it names, then `dvc repro --force validate` and `dvc repro`"
        yield Finding("gate", "fail", found, remedy)
    else:
        remedy = "mend what it names, then `dvc repro`"
        yield Finding("gate", "warn", f"{VALIDATION}: the validation did not pass", remedy)


GATE: Final[tuple[Check, ...]] = (check_gate,)
