"""How commands print values: JSON is one document on stdout, with sorted keys."""

import json
from typing import Annotated

import typer

from stillhouse.base.ids import Json

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def print_json(value: Json) -> None:
    """Print a value as an indented JSON document."""
    typer.echo(json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False))
