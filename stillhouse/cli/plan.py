"""``stillhouse plan``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillhouse.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from stillhouse.planning.plan import Plan


def plan(
    as_json: AsJson = False,
    as_markdown: Annotated[
        bool, typer.Option("--md", help="Print Markdown, for a comment under a pull request.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the plan to this file, for `generate` to follow.")
    ] = None,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code",
            help="End with 1 when over budget or when that cannot be told, when an obstacle is "
            "named, or, without a budget, when anything is to be paid.",
        ),
    ] = False,
    focus: Annotated[
        bool,
        typer.Option(
            "--focus",
            help="Say instead where students are weak on validation rows and dev gold, and what "
            "weights that asks for; no sealed question is looked at.",
        ),
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="With --focus: put the weights into focus.yaml.")
    ] = False,
) -> None:
    """Say what the next `dvc repro` will ask and cost.

    Nothing is sent or run, and no key is needed; only `--out` and `--focus --write` write. `STILLHOUSE_PLAN=FILE dvc repro` sends
    nothing that the plan in FILE does not hold.

    Example: stillhouse plan --out plan.json
    """
    if focus or write:
        _refuse_others(focus=focus, others=as_markdown or out is not None or exit_code)
        _show_focus(as_json=as_json, write=write)
        return
    from stillhouse.base.contradictions import check_contradictions
    from stillhouse.base.errors import InputError
    from stillhouse.base.params import PARAMS, check_project, load_yaml
    from stillhouse.base.runtime import load_runtime
    from stillhouse.planning.plan import make_plan
    from stillhouse.planning.show import to_file, to_json, to_markdown, to_text
    from stillhouse.teachers.roster import list_teachers

    if as_json and as_markdown:
        raise InputError("`--json` and `--md` are two forms of one answer", expected="one of them")
    if out is not None and out.is_dir():
        raise InputError("a folder stands there", where=f"--out {out}", expected="a file's path")
    check_project()
    check_contradictions(load_yaml(PARAMS))  # as every stage does: it would ask for nothing
    made = make_plan(Path(), list_teachers(load_runtime()))
    if out is not None:
        from stillhouse.base.files import write_json

        write_json(out, to_file(made))
    if as_json:
        print_json(to_json(made))
    else:
        for line in to_markdown(made) if as_markdown else to_text(made, str(out or "")):
            typer.echo(line)
    if exit_code and says_no(made):
        raise typer.Exit(1)


def _refuse_others(*, focus: bool, others: bool) -> None:
    from stillhouse.base.errors import InputError

    if not focus:
        raise InputError("`--write` goes with `--focus`", remedy="add --focus, or leave it out")
    if others:
        raise InputError(
            "`--focus` is no plan of requests", expected="it alone, with `--write` or `--json`"
        )


def _show_focus(*, as_json: bool, write: bool) -> None:
    from stillhouse.base.params import check_project
    from stillhouse.planning.focus import find_weakness, to_json, to_text, write_weights

    check_project()
    weakness = find_weakness(Path())
    if write:
        write_weights(Path(), weakness)
    if as_json:
        print_json(to_json(weakness, written=write))
    else:
        for line in to_text(weakness, written=write):
            typer.echo(line)


def says_no(made: "Plan") -> bool:
    """Whether somebody should look at a plan before it is carried out."""
    budget = made.budget
    to_be_paid = bool(made.paid.new) and made.cost.direct != 0
    to_be_paid |= bool(made.judging.high) and made.judging.most.direct != 0
    refused = budget.over is not False if budget.usd is not None else to_be_paid
    return refused or bool(made.obstacles)
