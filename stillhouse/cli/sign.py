"""``stillhouse sign``."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from stillhouse.cli.output import AsJson, print_json

_PASSPHRASE = "STILLHOUSE_KEY_PASSPHRASE"  # noqa: S105 - the variable's name


def sign(
    model: Annotated[str, typer.Argument(help="A student, or its folder models/<student>.")] = "",
    key: Annotated[
        str,
        typer.Option(
            "--key", help="The name of a private key of yours, or its file; else the only one."
        ),
    ] = "",
    new_key: Annotated[
        str, typer.Option("--new-key", metavar="NAME", help="Make a pair of keys instead.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Sign a student with a key of yours, once it is verified.

    Signed are its name and the hashes of weights, provenance, dataset and rows. Signature and public
    key lie in signatures/, for git; the private key lies in your configuration folder, readable by
    you alone, and never in the project. `stillhouse verify` checks every signature.

    Example: stillhouse sign smollm2
    """
    from stillhouse.base.errors import InputError
    from stillhouse.base.params import check_project

    check_project()
    if bool(model) == bool(new_key):
        raise InputError(
            "`sign` takes either a student or `--new-key NAME`", expected="one of the two"
        )
    if new_key:
        _make_key(new_key, as_json=as_json)
    else:
        _sign(model, key, as_json=as_json)


def _make_key(name: str, *, as_json: bool) -> None:
    from stillhouse.auditing.keys import make_key

    private, public = make_key(Path(), name, _choose_passphrase())
    if as_json:
        told = {"name": name, "fingerprint": public.fingerprint}
        print_json({**told, "private": str(private), "public": str(public.path)})
        return
    typer.echo(f"private key: {private} (keep it, and keep it to yourself)")
    typer.echo(f"public key:  {public.path} (commit it; others compare the fingerprint)")
    typer.echo(f"fingerprint: {public.fingerprint}")


def _sign(model: str, name: str, *, as_json: bool) -> None:
    from stillhouse.auditing.keys import open_private
    from stillhouse.auditing.signature import make_statement, sign
    from stillhouse.auditing.verify import check_before_signing

    student = Path(model).name
    folder = check_before_signing(Path(), student)
    key_name, key = open_private(name, _ask_passphrase)
    path = sign(Path(), make_statement(student, folder), key_name, key)
    if as_json:
        print_json({"student": student, "key": key_name, "signature": str(path)})
    else:
        typer.echo(f"{student}: signed with `{key_name}` in {path}; commit it and signatures/keys")


def _choose_passphrase() -> str:
    """Return the passphrase of a new key: of the environment, of the terminal, else none."""
    if (given := os.environ.get(_PASSPHRASE)) is not None:
        return given
    if not sys.stdin.isatty():
        return ""
    return str(
        typer.prompt(
            "Passphrase (empty for none)",
            default="",
            show_default=False,
            hide_input=True,
            confirmation_prompt=True,
            err=True,
        )
    )


def _ask_passphrase(path: Path) -> str | None:
    if (given := os.environ.get(_PASSPHRASE)) is not None:
        return given
    if not sys.stdin.isatty():
        return None
    return str(typer.prompt(f"Passphrase of {path}", hide_input=True, err=True))
