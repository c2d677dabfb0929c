"""``stillhouse log``."""

from pathlib import Path
from typing import Annotated

import typer

from stillhouse.cli.output import AsJson, print_json


def log(
    student: Annotated[
        str, typer.Option("--student", help="Only versions that have this student.")
    ] = "",
    number: Annotated[
        int, typer.Option("-n", "--number", min=0, help="How many versions; 0 for all of them.")
    ] = 20,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            help="Instead: which models were made of these data? A DVC md5 or a path, of a table, "
            "a folder or a seed.",
        ),
    ] = "",
    html: Annotated[
        Path | None, typer.Option(help="Also write a page with plots to this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how the data and the students changed over time.

    One entry for each state of data and models on any branch, tag or experiment of DVC: rows, scores
    with the interval of the headline, tokens and dollars. It reads DVC's cache and verifies nothing.

    Example: stillhouse log --student smollm2 -n 10 --html log.html
    """
    from stillhouse.base.errors import InputError
    from stillhouse.base.params import check_project
    from stillhouse.chronicle.chronicle import read_chronicle
    from stillhouse.chronicle.show import to_json, to_text

    check_project()
    if data and (html or student):
        raise InputError("`--data` is a question of its own", expected="no `--html` or `--student`")
    if data:
        _answer(data, as_json=as_json)
        return
    if html is not None and html.is_dir():
        raise InputError("a folder stands there", where=f"--html {html}", expected="a file's path")
    chronicle = read_chronicle(Path(), student, number)
    if html is not None:
        from stillhouse.base.files import write_text
        from stillhouse.chronicle.page import render_page

        write_text(html, render_page(chronicle))
        typer.echo(f"The page: {html.resolve()}", err=True)
    if as_json:
        print_json(to_json(chronicle))
        return
    for line in to_text(chronicle):
        typer.echo(line)


def _answer(data: str, *, as_json: bool) -> None:
    from stillhouse.chronicle.descent import find_descent, to_json, to_text

    found = find_descent(Path(), data)
    if as_json:
        print_json(to_json(found))
        return
    for line in to_text(found):
        typer.echo(line)
