"""``stillhouse doctor``."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from stillhouse.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stillhouse.lineage.doctor import Finding

_MARGIN = 24


def doctor(as_json: AsJson = False) -> None:
    """Look for what DVC or a stage would trip over; change nothing.

    `fail` stops the pipeline or makes it give wrong results, and ends this command with 1; `warn`
    can cost data, money or time later.

    Example: stillhouse doctor --json
    """
    from dataclasses import asdict

    from stillhouse.lineage.doctor import examine, has_failed

    findings = examine(Path())
    failed = has_failed(findings)
    if as_json:
        print_json({"good": not failed, "checks": [asdict(finding) for finding in findings]})
    else:
        for line in _describe(findings):
            typer.echo(line)
    if failed:
        raise typer.Exit(1)


def _describe(findings: "Sequence[Finding]") -> "Iterator[str]":
    for finding in findings:
        yield from _fill(f"{finding.status:<5} {finding.check}", finding.found)
        if finding.remedy:
            yield from _fill("", f"-> {finding.remedy}")
    counts = [sum(found.status == name for found in findings) for name in ("ok", "warn", "fail")]
    yield "{} good, {} to be warned of, {} failed".format(*counts)


def _fill(label: str, text: str) -> list[str]:
    from stillhouse.base.text import fold

    return fold(text, f"{label:<{_MARGIN - 1}} ", _MARGIN)
