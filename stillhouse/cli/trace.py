"""``stillhouse trace``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillhouse.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from stillhouse.tracing.trace import Trace


def trace(
    thing: Annotated[
        str,
        typer.Argument(
            help="The id of a row, pair, request, chunk or document, or its first characters (4 or "
            "more); a document's path or file name; a prompt file; or models/<student>, of another "
            "commit models/<student>@<commit>."
        ),
    ],
    as_json: AsJson = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 unless every model is clean of it.")
    ] = False,
) -> None:
    """Say where something comes from, and which models saw it.

    Also what came of it on the way. Models are those in models/ and those that the dvc.lock of any
    commit on any ref names: branches, tags, experiments, stashes.

    A model is affected if it was trained on a row of the thing, clean if it was not, and unknown
    where that cannot be told: its tables are not found, or what it learned from was edited or went
    since and may have become the thing. Unknown is never taken for clean. Of a model itself: what its
    rows came from, and the models that began with its weights.

    Example: stillhouse trace people/annual-leave.md --exit-code
    """
    from stillhouse.base.params import check_project
    from stillhouse.tracing.trace import trace as trace_thing

    check_project()
    traced = trace_thing(Path(), thing, whole=as_json)
    if as_json:
        print_json(traced.to_json())
    else:
        _print(traced)
    if exit_code and traced.verdict != "clean":
        raise typer.Exit(1)


def _print(traced: "Trace") -> None:
    from stillhouse.tracing.text import describe_trace

    for line in describe_trace(traced):
        typer.echo(line)
