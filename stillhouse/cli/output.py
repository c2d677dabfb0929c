"""How commands print values: JSON is one document on stdout, with sorted keys."""

import io
import json
import sys
from typing import Annotated

import typer

from stillhouse.base.ids import Json

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def print_json(value: Json) -> None:
    """Print a value as an indented JSON document; escaped where the terminal lacks characters."""
    plain = sys.stdout.encoding.lower().replace("-", "") != "utf8"
    typer.echo(json.dumps(value, sort_keys=True, indent=2, ensure_ascii=plain))


def replace_unknown_characters() -> None:
    """Have what the terminal's encoding lacks (an en dash in Latin-1) printed as ``?``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
