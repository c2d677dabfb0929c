"""``stillhouse verify``."""

from pathlib import Path
from typing import Annotated

import typer

from stillhouse.cli.output import AsJson, print_json


def verify(
    model: Annotated[
        str,
        typer.Argument(
            help="A student of params.yaml, its folder, models:/NAME/VERSION, an exported folder, or "
            "a git revision; without one, all that the workspace holds."
        ),
    ] = "",
    remote: Annotated[
        bool,
        typer.Option("--remote", help="Download what the default DVC remote has, and hash it."),
    ] = False,
    all_commits: Annotated[
        bool,
        typer.Option("--all-commits", help="Also the objects that any commit's dvc.lock names."),
    ] = False,
    require_signature: Annotated[
        bool,
        typer.Option("--require-signature", help="A student that nobody signed is a problem."),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="What cannot be checked here is a problem, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Hash everything again, and say exactly what is wrong.

    `dvc status` believes the size and time of a file and never opens its cache. This reads every
    byte: dvc.lock against dvc.yaml, parameters and itself; workspace, cache and run cache against
    dvc.lock; each student against its provenance, every row against the train table, the gate,
    MLflow's entries and signatures. Ends with 1 where something is wrong; what is not on this machine
    is told apart.

    Example: stillhouse verify smollm2 --json
    """
    from stillhouse.auditing.named import find_named
    from stillhouse.auditing.problems import be_strict
    from stillhouse.auditing.verify import Wanted
    from stillhouse.auditing.verify import verify as check
    from stillhouse.auditing.verify_text import describe
    from stillhouse.base.params import check_project

    check_project()
    named = find_named(Path(), model)
    wanted = Wanted(
        named.student, all_commits=all_commits, remote=remote, signature=require_signature
    )
    outcome = check(named.version, wanted, named.folder)
    if strict:
        outcome = be_strict(outcome)
    if as_json:
        print_json(outcome.to_json())
    else:
        for line in describe(outcome, named.title):
            typer.echo(line)
    if not outcome.verified:
        raise typer.Exit(1)
