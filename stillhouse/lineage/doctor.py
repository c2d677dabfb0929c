"""The environment and DVC's traps, looked at without changing anything.

Each check says only what can be told for sure; what cannot be looked at is no finding.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from stillhouse.base.errors import StillhouseError, explain_os_error

_RESTORE: Final = "mend it, or restore it from git"
Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. ``remedy`` says what to do, and is empty where all is well.

    ``fail`` is what stops the pipeline or lets it give a wrong result; ``warn`` what can cost
    data, money or an evening later.
    """

    check: str
    status: Status
    found: str
    remedy: str = ""


Check = Callable[[Path], Iterator[Finding]]


def examine(root: Path) -> list[Finding]:
    """Return the findings of all checks on the project at ``root``, in their order.

    A check that cannot read what it looks at ends with that as a failure of its own, and the next goes on.
    """
    return [finding for check in _list_checks() for finding in _run(check, root)]


def has_failed(findings: Sequence[Finding]) -> bool:
    """Say whether any check failed; warnings do not count."""
    return any(finding.status == "fail" for finding in findings)


def _run(check: Check, root: Path) -> Iterator[Finding]:
    try:
        yield from check(root)
    except (StillhouseError, OSError, UnicodeError) as exc:
        name = getattr(check, "__name__", "").removeprefix("check_").replace("_", " ")
        told = explain_os_error(exc) if isinstance(exc, OSError) else exc
        remedy = (told.remedy if isinstance(told, StillhouseError) else None) or _RESTORE
        yield Finding(name, "fail", str(told).removesuffix(f"; {remedy}"), remedy)


def _list_checks() -> tuple[Check, ...]:
    from stillhouse.lineage.doctor_environment import ENVIRONMENT
    from stillhouse.lineage.doctor_gate import GATE
    from stillhouse.lineage.doctor_home import HOME
    from stillhouse.lineage.doctor_pipeline import PIPELINE
    from stillhouse.lineage.doctor_repository import REPOSITORY

    return (*ENVIRONMENT, *HOME, *PIPELINE, *REPOSITORY, *GATE)
