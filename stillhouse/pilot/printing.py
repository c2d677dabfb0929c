"""A report as text at 80 columns, as Markdown, and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from stillhouse.base.ids import Json
from stillhouse.base.text import fold
from stillhouse.pilot.outcome import TaskYield
from stillhouse.pilot.projection import METHOD, Projection
from stillhouse.pilot.report import Report
from stillhouse.pilot.wording import Table, pad, word_report
from stillhouse.report.scores import Difference, Metrics, Score


def print_text(report: Report) -> Iterator[str]:
    """Yield the lines of the report for a terminal."""
    for part in word_report(report):
        yield f"{part.title}"
        for line in pad(part.table) if part.table else ():
            yield f"  {line}"
        for sentence in part.sentences:
            yield from fold(sentence, "  ", 2)
        yield ""


def print_markdown(report: Report) -> Iterator[str]:
    """Yield the lines of the report as Markdown, for a merge request."""
    yield f"# Pilot on {report.fraction:.0%}"
    for part in word_report(report):
        yield from ("", f"## {part.title}", "")
        if part.table:
            yield from _mark_down(part.table)
            yield ""
        for sentence in part.sentences:
            yield f"* {_escape(sentence)}"


def _mark_down(table: Table) -> Iterator[str]:
    for number, row in enumerate((table.head, *table.lines)):
        yield f"| {' | '.join(map(_escape, row))} |"
        if not number:
            yield f"| --- |{' ---: |' * (len(row) - 1)}"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def to_json(report: Report) -> dict[str, Json]:
    """Return the report with all figures unrounded; dollars, seconds, shares in [0, 1]."""
    money, whole = report.money, report.whole
    return {
        "fraction": report.fraction,
        "passed": report.gate.passed,
        "tasks": [_task(task) for task in report.found.tasks],
        "rejections": [
            {**asdict(reason), "examples": list(reason.examples)} for reason in report.found.reasons
        ],
        "flags": [dict(asdict(flag)) for flag in report.flags],
        "gate": {
            "checks": report.gate.checks,
            "failed": [{**asdict(check), "rows": list(check.rows)} for check in report.gate.failed],
        },
        "gain": None if report.gain is None else _gain(report.gain),
        "spent_usd": money.spent,
        "budget_usd": money.budget,
        "in_window_usd": money.in_window,
        "over_budget": report.over_budget,
        "unpriced": list(money.unpriced),
        "whole": {
            "requests": whole.requests,
            "answered": whole.answered,
            "pairs": _projection(whole.pairs),
            "rows": _projection(whole.rows),
            "cost_usd": _projection(whole.usd),
            "left_usd": _projection(whole.left_usd),
            "seconds": None if whole.seconds is None else _projection(whole.seconds),
            "not_in_seconds": list(whole.unmeasured),
            "method": METHOD,
        },
        "copy": str(Path(report.copy)) if Path(report.copy).is_dir() else None,
    }


def _task(task: TaskYield) -> dict[str, Json]:
    share = None if task.share is None else _projection(task.share)
    return {
        **asdict(task),
        "share": share,
        "usd_per_row": task.usd_per_row,
        "rows_per_request": task.rows / task.requests,
    }


def _projection(found: Projection) -> dict[str, Json]:
    return {"value": found.value, "low": found.low, "high": found.high}


def _gain(gain: Metrics) -> dict[str, Json]:
    return {
        "core_recall": _both(gain, "gold", "by_kind_scope", "recall/core"),
        "open_book": _both(gain, "gold_open"),
        "general": _both(gain, "general"),
        "test": _both(gain, "test"),
        "covered": _score(gain.covered),
        "learned": _score(gain.learned),
        "differences": {name: _difference(one) for name, one in gain.differences.items()},
    }


def _both(gain: Metrics, name: str, by: str = "", group: str = "") -> dict[str, Json]:
    return {
        "probe": _score(gain.find(name, "student", by, group)),
        "base": _score(gain.find(name, "base", by, group)),
    }


def _score(score: Score | None) -> Json:
    if score is None:
        return None
    return {"n": score.n, "accuracy": score.accuracy, "low": score.low, "high": score.high}


def _difference(one: Difference) -> dict[str, Json]:
    shown = not one.low <= 0 <= one.high
    return {"value": one.value, "low": one.low, "high": one.high, "shown": shown}
