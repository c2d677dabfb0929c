"""``stillhouse audit``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillhouse.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from stillhouse.auditing.audit import Audit


def audit(
    model: Annotated[
        str,
        typer.Argument(
            help="A student's name; a folder with provenance.json; 12 or more digits of the weights' "
            "sha256; models:/name/version or models:/name@alias; an MLflow run; a git revision with "
            "one student, or REVISION:student."
        ),
    ],
    as_json: AsJson = False,
    html: Annotated[
        Path | None, typer.Option(help="Write a page of it to this file: one file, no network.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Hash everything anew, whatever was hashed before.")
    ] = False,
    mlflow: Annotated[
        bool, typer.Option("--mlflow", help="Ask MLflow how it knows the model (takes seconds).")
    ] = False,
) -> None:
    """Say all that went into a model, verified by hashing.

    Its documents, prompts, teachers, judges, rows, reviews, the gate, git, MLflow and what it cost. Ends
    with 1 unless every link was hashed and is what the model's own records say. A link whose bytes
    are nowhere is not verified either; what the records tell is shown all the same.

    Example: stillhouse audit smollm2 --html audit.html
    """
    from stillhouse.auditing.audit import audit as audit_model
    from stillhouse.base.errors import InputError

    if html is not None and html.is_dir():
        raise InputError("a folder stands there", where=f"--html {html}", expected="a file's path")
    with audit_model(Path(), model, full=full, ask_mlflow=mlflow) as found:
        if html is not None:
            _write_page(found, html)
        if as_json:
            print_json(found.to_json())
        else:
            _print(found)
        verified = found.verified
    if not verified:
        raise typer.Exit(1)


def _print(found: "Audit") -> None:
    from stillhouse.auditing.audit_text import describe_audit

    for line in describe_audit(found):
        typer.echo(line)


def _write_page(found: "Audit", path: Path) -> None:
    from stillhouse.auditing.audit_page import render_audit
    from stillhouse.base.files import write_text

    write_text(path, render_audit(found))
    typer.echo(f"The page: {path.resolve()}", err=True)
