"""The validation gate, as those who stand behind it see it."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from stillhouse.base.errors import GateError, InputError
from stillhouse.base.files import read_text
from stillhouse.lineage.inputs import Digest

_REMEDY = "run `dvc repro validate` and mend what it names"


def read_gate(validation: Path, opened: Mapping[str, Digest], dataset: Iterable[Path]) -> None:
    """Refuse to go on unless the validation passed for exactly the files that were opened.

    The DAG alone is no gate: ``dvc repro -s train@x`` skips it and ``dvc commit -f`` passes a red
    one. So the stage that trains compares the md5 of what it opened with what was validated.

    Args:
        validation: ``reports/validation.json``: ``{"passed": bool, "tables": {path: md5}, …}``.
        opened: the digests of the files that this process opened, from an ``InputGuard``.
        dataset: the dataset's files; each must have been opened and validated.

    Raises:
        GateError: the validation failed, or it saw other bytes, or not this file at all.
    """
    record = _read(validation)
    if record.get("passed") is not True:
        raise GateError("the validation did not pass", where=str(validation), remedy=_REMEDY)
    tables = record.get("tables")
    validated = tables if isinstance(tables, dict) else {}
    for path in dataset:
        name = path.as_posix()
        if name not in opened:
            raise InputError("was not opened through the guard", where=name)
        if name not in validated:
            raise GateError(f"{name} was not validated", where=str(validation), remedy=_REMEDY)
        if validated[name] != opened[name].md5:
            raise GateError(
                f"{name} is not the file that passed",
                where=str(validation),
                expected=f"md5 {validated[name]}, got {opened[name].md5}",
                remedy=_REMEDY,
            )


def _read(path: Path) -> dict[str, object]:
    try:
        value = json.loads(read_text(path))
    except json.JSONDecodeError as exc:
        raise InputError(f"not JSON ({exc.msg})", where=str(path), remedy=_REMEDY) from exc
    if not isinstance(value, dict):
        raise InputError("not an object", where=str(path), expected='{"passed": …, "tables": …}')
    return value
