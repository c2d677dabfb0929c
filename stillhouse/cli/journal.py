"""``stillhouse journal stats|export|import``: what was asked and answered here."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stillhouse.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stillhouse.base.runtime import Runtime
    from stillhouse.teachers.stats import InFlight, Stats

_LABEL: Final = 11  # columns before what is said
_WIDTH: Final = 79
_OLD: Final = "before there were names"
_HEADS: Final = ("teacher", "model", "task", "calls", "read", "written", "dollars")
_WIDEST: Final = (11, 22, 10, 6, 7, 7, 9)

app = typer.Typer(
    help="What teachers answered here: figures, a copy, answers of others.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
def stats(as_json: AsJson = False) -> None:
    """Say how many answers there are, what failed, is in flight, and was spent.

    Example: stillhouse journal stats --json
    """
    from dataclasses import asdict

    from stillhouse.base.runtime import load_runtime
    from stillhouse.teachers.params import load_journal
    from stillhouse.teachers.stats import read_stats
    from stillhouse.teachers.stores import open_remote

    runtime, remote = load_runtime(), load_journal().remote
    path = _find_journal()
    place = open_remote(remote, Path()).place if remote else ""
    found = read_stats(path, runtime.window_seconds, place)
    if as_json:
        window = {"budget_usd": runtime.budget_usd, "budget_window": runtime.budget_window}
        print_json({**asdict(found), **window, "journal": str(path)})
        return
    for label, said in _describe(found, runtime, path):
        typer.echo(
            textwrap.fill(
                said,
                _WIDTH,
                initial_indent=label.ljust(_LABEL),
                subsequent_indent=" " * _LABEL,
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
    if found.uses:
        typer.echo()
        for line in _tabulate(found):
            typer.echo(line)


@app.command("export")
def export_file(
    file: Annotated[Path, typer.Argument(help="A .jsonl, .jsonl.gz or .parquet to write.")],
    teacher: Annotated[str, typer.Option(help="Only answers of this teacher.")] = "",
    model: Annotated[str, typer.Option(help="Only answers of this model.")] = "",
    as_json: AsJson = False,
) -> None:
    """Write the answers to a file, which `stillhouse journal import` takes.

    Example: stillhouse journal export answers.jsonl.gz --teacher anthropic
    """
    from stillhouse.teachers.exchange import export_answers

    count = export_answers(_find_journal(), file, teacher, model)
    if as_json:
        print_json({"file": str(file), "answers": count})
        return
    typer.echo(f"{count:,} answers written to {file}")


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A .jsonl, .jsonl.gz or .parquet of answers.")],
    as_json: AsJson = False,
) -> None:
    """Take answers from a file; one that is here already stays as it is.

    Example: stillhouse journal import answers.jsonl.gz
    """
    from dataclasses import asdict

    from stillhouse.base.home import home
    from stillhouse.base.params import check_project
    from stillhouse.teachers.exchange import import_answers
    from stillhouse.teachers.journal import Journal

    check_project()
    path = home() / "journal.sqlite"
    with Journal(path):  # lays it out
        imported = import_answers(path, file)
    if as_json:
        print_json(asdict(imported))
        return
    typer.echo(
        f"{imported.new:,} new answers, {imported.equal:,} known already, {imported.different:,} "
        "different from those that are here, which stay"
    )


def _find_journal() -> Path:
    """Return the project's journal, brought to this version's layout."""
    from stillhouse.base.errors import InputError
    from stillhouse.base.home import find_home
    from stillhouse.teachers.journal import Journal

    path = find_home(Path()) / "journal.sqlite"
    if not path.exists():
        raise InputError("no journal is there: nothing was asked yet", where=str(path))
    with Journal(path):
        return path


def _describe(stats: "Stats", runtime: "Runtime", path: Path) -> "Iterator[tuple[str, str]]":
    from stillhouse.teachers.money import word_limit

    yield "journal", f"{path} ({_shorten_count(stats.size)}B)"
    each = [f"{name or _OLD} {count:,}" for name, count in stats.answers.items()]
    yield "answers", f"{sum(stats.answers.values()):,}" + (f": {', '.join(each)}" if each else "")
    again = " (`stillhouse retry` has these asked again)" if stats.permanent else ""
    yield "failures", f"{stats.passing:,} passing, {stats.permanent:,} for good{again}"
    yield "in flight", _describe_flight(stats.in_flight)
    budget = runtime.budget_usd
    of = "no budget is set" if budget is None else f"the budget is {word_limit(budget)}"
    window = "" if runtime.budget_window == "all" else f" within {runtime.budget_window}"
    yield "spent", f"${stats.spent_in_window:,.4f}{window} ({of}), ${stats.spent:,.4f} in all"
    if stats.lost:
        estimated = f"about ${stats.lost_usd:,.4f} of what was spent"
        yield "lost", f"{stats.lost:,} calls whose answers nobody read, {estimated}"
    if stats.shared is None:
        yield "remote", "none (`journal.remote` in params.yaml)"
    else:
        there = f"{stats.shared.there:,} answers there in {stats.shared.segments:,} files"
        yield "remote", f"{stats.shared.place}: {there}, {stats.shared.only_here:,} only here"


def _describe_flight(flight: "InFlight") -> str:
    said = f"{flight.leased:,} requests"
    if flight.batches or flight.batched:
        said += f", {flight.batched:,} in {flight.batches:,} batches"
    if flight.abandoned:
        said += f", {flight.abandoned:,} left by processes that ended"
    return f"{said}, ${flight.reserved:,.4f} reserved"


def _tabulate(stats: "Stats") -> "Iterator[str]":
    """Yield what was spent on what, a line for each teacher, model and task."""
    rows = [_HEADS] + [
        (
            use.teacher,
            use.model,
            use.task,
            _shorten_count(use.calls),
            _shorten_count(use.input_tokens),
            _shorten_count(use.output_tokens),
            f"{use.usd:,.4f}" if use.usd < 1000 else f"{use.usd:,.0f}",
        )
        for use in stats.uses
    ]
    widths = [
        min(most, max(len(row[column]) for row in rows)) for column, most in enumerate(_WIDEST)
    ]
    for row in rows:
        cells = [_cut(cell, width) for cell, width in zip(row, widths, strict=True)]
        padded = [
            cell.ljust(width) if column < 3 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        yield " ".join(padded).rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _shorten_count(count: int) -> str:
    """Return a count in at most six characters: 999, 12.3 k, 4.5 M."""
    number, unit = float(count), ""
    for larger in "kMGT":
        if number < 999.5:
            break
        number, unit = number / 1000, f" {larger}"
    return f"{number:.{1 if unit and number < 99.95 else 0}f}{unit}"
