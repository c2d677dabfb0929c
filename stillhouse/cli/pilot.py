"""``stillhouse pilot``."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from stillhouse.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from stillhouse.pilot.pilot import Prepared


def pilot(
    fraction: Annotated[
        str, typer.Option(help="Part of each task's passages that is asked about.")
    ] = "0.1",
    as_json: AsJson = False,
    as_markdown: Annotated[bool, typer.Option("--md", help="Print Markdown.")] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the copy, to look at its rows and tables.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Pay for the pilot without being asked.")
    ] = False,
) -> None:
    """Run a fraction of it all: what the whole would give and cost.

    The pipeline runs with a probe student, in a copy of the working tree below .stillhouse/pilot,
    on a few passages for each task. Their answers are those of the whole, and are not asked again.
    Nothing of the project changes. Ends with 1 where the validation gate says no.

    Example: stillhouse pilot --fraction 0.05 --md
    """
    from stillhouse.base.errors import InputError
    from stillhouse.base.params import check_project
    from stillhouse.pilot.settings import check_fraction

    part = check_fraction(fraction)
    if as_json and as_markdown:
        raise InputError("--json and --md: only one of them")
    check_project()

    from stillhouse.pilot.pilot import (
        alone,
        prepare_pilot,
        refuse_unaffordable,
        remove_copy,
        run_pilot,
    )
    from stillhouse.pilot.printing import print_markdown, print_text, to_json
    from stillhouse.pilot.wording import word_foresight

    with alone():
        prepared = prepare_pilot(part)
        typer.echo(word_foresight(prepared.foresight), err=True)
        refuse_unaffordable(prepared)
        if prepared.costs and not yes:
            _confirm(prepared)
        report = run_pilot(prepared)
        if report.gate.passed and not keep:
            remove_copy()
    if as_json:
        print_json(to_json(report))
    else:
        for line in (print_markdown if as_markdown else print_text)(report):
            typer.echo(line)
    if not report.gate.passed:
        raise typer.Exit(1)


def _confirm(prepared: "Prepared") -> None:
    """Ask whether to pay, on a terminal; elsewhere nobody could answer."""
    from stillhouse.base.errors import InputError

    paid = prepared.foresight.pilot.cost.paid
    if not sys.stdin.isatty():
        raise InputError(
            f"{paid:,} requests of the pilot cost money; nothing was asked",
            remedy="say `--yes` to pay for them",
        )
    if not typer.confirm(f"Send {paid:,} requests that cost money?", err=True):
        typer.echo("nothing was asked", err=True)
        raise typer.Exit(1)
