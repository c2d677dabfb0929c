"""``stillhouse version``."""

import typer

from stillhouse import __version__
from stillhouse.base import versions
from stillhouse.cli.output import AsJson, print_json


def version(as_json: AsJson = False) -> None:
    """Print the version; with --json also those of the formats.

    Example: stillhouse version --json
    """
    if not as_json:
        typer.echo(__version__)
        return
    formats = {n.lower(): value for n, value in vars(versions).items() if isinstance(value, int)}
    print_json({"stillhouse": __version__, "formats": formats})
