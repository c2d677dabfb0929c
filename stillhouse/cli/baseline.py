"""``stillhouse baseline``: the figures of a good dataset, in git, that later ones are held against."""

from typing import TYPE_CHECKING

import typer

from stillhouse.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from stillhouse.quality.baseline import Baseline

app = typer.Typer(
    help="Figures of a good dataset, which later ones are held against.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command("set")
def set_baseline(as_json: AsJson = False) -> None:
    """Write the figures of the present dataset to data/seed/baseline.json, which belongs into git.

    From then on the gate stops where a dataset is far from them (`validate.collapse`).

    Example: stillhouse baseline set
    """
    from stillhouse.base.files import write_json
    from stillhouse.quality.baseline import BASELINE, describe_baseline, take_baseline

    _refuse_stale()
    taken = take_baseline()
    write_json(BASELINE, describe_baseline(taken))
    if as_json:
        print_json(describe_baseline(taken))
        return
    typer.echo(f"{BASELINE}: the figures of the dataset with md5 {taken.train_md5}.")
    typer.echo("Commit it; the next `dvc repro` holds the dataset against it.")


@app.command("show")
def show_baseline(as_json: AsJson = False) -> None:
    """Show the baseline beside the figures of the last run.

    Example: stillhouse baseline show --json
    """
    from stillhouse.base.params import check_project
    from stillhouse.quality.baseline import (
        QUALITY,
        describe_baseline,
        read_baseline,
        take_baseline,
    )

    check_project()
    baseline = read_baseline()
    now = take_baseline() if QUALITY.exists() else None
    if as_json:
        sides = {"baseline": describe_baseline(baseline), "now": describe_baseline(now)}
        print_json(sides)
        return
    if baseline is None:
        typer.echo("No baseline is set: `stillhouse baseline set` takes the present dataset.")
    for line in _compare(baseline, now):
        typer.echo(line)


def _refuse_stale() -> None:
    """Refuse to take figures that are not those of the dataset which lies there.

    Raises:
        InputError: they are of another one, or there is none.
    """
    from pathlib import Path

    from stillhouse.base.errors import InputError
    from stillhouse.base.ids import md5_file
    from stillhouse.base.params import check_project
    from stillhouse.quality.baseline import QUALITY, take_baseline

    check_project()
    train = Path("data/dataset/train.parquet")
    if not train.exists():
        raise InputError("file not found", where=str(train), remedy="run `dvc repro`")
    if take_baseline().train_md5 != md5_file(train):
        raise InputError(
            f"its figures are not those of {train}", where=str(QUALITY), remedy="run `dvc repro`"
        )


def _compare(before: "Baseline | None", now: "Baseline | None") -> list[str]:
    """Return a line for each figure and each task: what it was, what it is."""
    if before is None and now is None:
        return []
    rows: list[tuple[str, str, str]] = [("", "baseline", "now")]
    for part in ("figures", "tasks"):
        sides: list[dict[str, float]] = [
            getattr(side, part) if side else {} for side in (before, now)
        ]
        names = dict.fromkeys([*sides[1], *sides[0]])
        label = "share of {}" if part == "tasks" else "{}"
        rows += [
            (
                label.format(name.replace("_", " ")),
                _show(sides[0].get(name)),
                _show(sides[1].get(name)),
            )
            for name in names
        ]
    return [f"{name:<28}{old:>12}{new:>12}" for name, old, new in rows]


def _show(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"
