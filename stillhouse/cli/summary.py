"""``stillhouse summary``."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from stillhouse.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from stillhouse.base.ids import Json
    from stillhouse.report.scores import Metrics, Score

PAGE = Path("reports/index.html")


def summary(as_json: AsJson = False) -> None:
    """Say what each student can do, and where the page is.

    Example: stillhouse summary --json
    """
    from stillhouse.base.params import list_keys
    from stillhouse.report.scores import read_metrics
    from stillhouse.report.summary import summary_sentence

    students = Path("reports/students")
    paths = {name: students / name / "metrics.json" for name in list_keys("students")}
    missing = [name for name, path in paths.items() if not path.exists()]
    if len(missing) == len(paths):
        missing.pop(0)  # none is there: reading the first one says so
    found = [read_metrics(path) for name, path in paths.items() if name not in missing]
    page = str(PAGE.resolve()) if PAGE.exists() else None
    if as_json:
        described = [_describe(metrics) for metrics in found]
        print_json({"students": described, "missing": missing, "page": page})
        return
    for metrics in found:
        typer.echo(summary_sentence(metrics))
    for name in missing:
        typer.echo(f"{name} was not evaluated here yet: run `dvc repro`.")
    if page:
        typer.echo(f"The page: {page}")


def _describe(metrics: "Metrics") -> "dict[str, Json]":
    from stillhouse.report.summary import open_book, summary_sentence

    return {
        "student": metrics.student,
        "sentence": summary_sentence(metrics),
        "core_recall": _score(metrics.core),
        "open_book": _score(open_book(metrics, "student")),
        "general": _score(metrics.find("general", "student")),
        "declined": _score(metrics.declined),
        "falsely_declined": _score(metrics.falsely_declined),
    }


def _score(score: "Score | None") -> "Json":
    if score is None:
        return None
    return {"n": score.n, "accuracy": score.accuracy, "low": score.low, "high": score.high}
