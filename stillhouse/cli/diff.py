"""``stillhouse diff``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillhouse.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stillhouse.teachers.params import Price

_SHOWN = 10


def diff(
    a: Annotated[
        str,
        typer.Argument(
            help="The older version: a git revision, an experiment, a path, an md5 of DVC, "
            "models/<student>, models:/name/version, a run of MLflow."
        ),
    ] = "HEAD",
    b: Annotated[
        str, typer.Argument(help="The newer one; without it, the workspace.")
    ] = "workspace",
    table: Annotated[
        str,
        typer.Option(
            help="train, validation, test, reviewed, curated, pairs, requests, derived, responses, judgements, "
            "chunks, documents, ..., or the path of a Parquet file."
        ),
    ] = "train",
    key: Annotated[
        str, typer.Option(help="Columns that name a row's place, with commas between them.")
    ] = "",
    shown: Annotated[
        int, typer.Option("-n", "--rows", min=0, help="Rows that are shown with their words.")
    ] = _SHOWN,
    as_json: AsJson = False,
    as_markdown: Annotated[
        bool, typer.Option("--md", help="Print Markdown, for a comment under a pull request.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with every row, word by word, to this file.")
    ] = None,
    link: Annotated[
        str, typer.Option(help="With --md: where that page will be, to link to it.")
    ] = "",
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 if any row differs.")
    ] = False,
) -> None:
    """Say which rows differ between two versions, and why.

    A row is changed if its words, its id or where it is held out differ. That it passed another judge,
    or that another paragraph of its document changed, leaves it unchanged and is counted apart.

    Example: stillhouse diff HEAD~1 --html diff.html
    """
    from stillhouse.base.errors import InputError
    from stillhouse.base.params import check_project
    from stillhouse.diffing.diff import make_diff
    from stillhouse.diffing.impact import measure_impact
    from stillhouse.diffing.show import to_json, to_markdown, to_text
    from stillhouse.diffing.tables import find_table
    from stillhouse.history.resolve import resolve

    if as_json and as_markdown:
        raise InputError("`--json` and `--md` are two forms of one answer", expected="one of them")
    if html is not None and html.is_dir():
        raise InputError("a folder stands there", where=f"--html {html}", expected="a file's path")
    check_project()
    if ".." in a and not Path(a).exists():
        older, _, newer = a.partition("..")
        raise InputError(
            "two versions are two arguments, not one range",
            where=a,
            remedy=f"`stillhouse diff {older or 'HEAD'} {newer.removeprefix('.') or 'HEAD'}`",
        )
    root, chosen = Path(), find_table(table)
    old, new = resolve(root, a, chosen.path), resolve(root, b, chosen.path)
    made = make_diff(old, new, chosen, tuple(part for part in key.split(",") if part))
    impact = None if made.same else measure_impact(old, new, _read_prices())
    if html is not None:
        from stillhouse.diffing.show import write_html

        write_html(html, made)
        typer.echo(f"The page: {html.resolve()}", err=True)
    if as_json:
        print_json(to_json(made, impact))
    else:
        lines = to_markdown(made, impact, link) if as_markdown else to_text(made, impact, shown)
        for line in lines:
            typer.echo(line)
    if exit_code and not made.same:
        raise typer.Exit(1)


def _read_prices() -> "Mapping[str, Price]":
    from stillhouse.base.params import PARAMS, load_section, load_yaml
    from stillhouse.teachers.params import TeachersParams

    has_section = PARAMS.exists() and "teachers" in load_yaml(PARAMS)
    return load_section("teachers", TeachersParams).prices if has_section else {}
