"""``stillhouse``: the commands, and what an error looks like.

Nothing heavy is imported before a command needs it: ``stillhouse --help`` must feel instant.
"""

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from stillhouse import __version__
from stillhouse.base.ending import end_in_a_sentence
from stillhouse.cli.ask import ask
from stillhouse.cli.audit import audit
from stillhouse.cli.baseline import app as baseline
from stillhouse.cli.diff import diff
from stillhouse.cli.doctor import doctor
from stillhouse.cli.init import init
from stillhouse.cli.journal import app as journal
from stillhouse.cli.log import log
from stillhouse.cli.output import replace_unknown_characters
from stillhouse.cli.pilot import pilot
from stillhouse.cli.plan import plan
from stillhouse.cli.register import register
from stillhouse.cli.retry import retry
from stillhouse.cli.review import review
from stillhouse.cli.sign import sign
from stillhouse.cli.stage import stage
from stillhouse.cli.summary import summary
from stillhouse.cli.trace import trace
from stillhouse.cli.upgrade import upgrade
from stillhouse.cli.verify import verify
from stillhouse.cli.version import version

_PIPE = 141  # 128 + SIGPIPE, as a shell has it of any command


class OneSentence(TyperGroup):
    """Commands that end as stages do: one sentence on stderr and its exit code, no traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Parse and run, on any terminal."""
        replace_unknown_characters()
        return super().main(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what a user can mend, or Ctrl-C, ends it in one sentence."""
        with end_in_a_sentence():
            try:
                return super().invoke(ctx)
            except BrokenPipeError:
                pass
        # Whoever read the results has gone (`| head`). Not 1: that would say that the answer is no.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is in the buffer
        raise typer.Exit(_PIPE)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


app = typer.Typer(
    cls=OneSentence,
    help="Distil documents into a small language model, and prove what went into it.",
    epilog="Results go to stdout, everything else to stderr. Exit codes: 0 good, 1 the answer is "
    "no, 2 something is missing or wrong.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _begin(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and end.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


_COMMANDS = (
    init,
    plan,
    pilot,
    summary,
    diff,
    log,
    trace,
    audit,
    verify,
    sign,
    ask,
    review,
    register,
    retry,
    doctor,
    upgrade,
    version,
)
for command in _COMMANDS:
    app.command()(command)
app.add_typer(journal, name="journal")
app.add_typer(baseline, name="baseline")
# Whatever stands behind the stage's name is the stage's own.
app.command(context_settings={"ignore_unknown_options": True})(stage)
