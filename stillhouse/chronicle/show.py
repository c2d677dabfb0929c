"""A chronicle as JSON and as lines for a terminal of 80 columns."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

from stillhouse.base.ids import Json
from stillhouse.base.text import fold
from stillhouse.chronicle.chronicle import Chronicle, Line, list_scores
from stillhouse.chronicle.figures import Cost
from stillhouse.report.scores import Score
from stillhouse.report.summary import percent

_WIDTH: Final = 80
_SHORT: Final = 7
_NAME: Final = 12
_FETCHED: Final = 3  # paths in one command


def to_json(chronicle: Chronicle) -> dict[str, Json]:
    """Return it as `stillhouse log --json` prints it; ``verified`` says that nothing was hashed."""
    return {
        "versions": [_line_to_json(line) for line in chronicle.lines],
        "left_out": chronicle.left_out,
        "missing": list(chronicle.missing),
        "shallow": chronicle.shallow,
        "verified": False,
    }


def to_text(chronicle: Chronicle) -> Iterator[str]:
    """Yield the lines for a terminal, newest version first."""
    if not chronicle.lines:
        yield "No version yet: no commit has a dvc.lock, and there is none here. Run `dvc repro`."
        return
    for line in chronicle.lines:
        yield from _describe(line)
    yield ""
    yield from say_limits(chronicle)


def say_limits(chronicle: Chronicle) -> Iterator[str]:
    """Yield what a reader must know of the figures: what is left out, gone, and not checked."""
    if chronicle.left_out:
        noun = "version is" if chronicle.left_out == 1 else "versions are"
        yield f"{chronicle.left_out} older {noun} left out: `-n` says how many."
    if chronicle.shallow:
        yield "The clone is shallow, older versions are missing: `git fetch --unshallow`."
    if chronicle.missing:
        few = len(chronicle.missing) <= _FETCHED
        named = " ".join(chronicle.missing) if few else ""
        yield "`-`: not in DVC's cache here. This brings it, if the remote has it:"
        yield f"  dvc fetch --all-commits {named}".rstrip()
    yield "Dollars: what asking for all answers anew would cost today, not what was spent."
    yield "Nothing was hashed or verified here: `stillhouse verify` does that."


def show_date(line: Line) -> str:
    """Return the day of a version, in UTC; empty for the workspace."""
    if not line.chapter.commit.sha:
        return ""
    return datetime.fromtimestamp(line.chapter.commit.seconds, UTC).date().isoformat()


def name_version(line: Line) -> str:
    """Return the short name of a version's commit."""
    return line.chapter.commit.sha[:_SHORT] or "here"


def show_cost(cost: Cost | None) -> str:
    """Return tokens and dollars in a few words."""
    if cost is None:
        return "-"
    tokens = f"{shorten_count(cost.input_tokens)} tokens read, {shorten_count(cost.output_tokens)} written"
    if cost.usd is None:
        return f"{tokens}, no price for {', '.join(cost.unpriced)}"
    return f"{tokens}, {'free' if cost.usd == 0 else f'${cost.usd:,.2f}'}"


def show_count(count: int | None) -> str:
    """Return a count; a dash where it is not known."""
    return "-" if count is None else f"{count:,}"


def shorten_count(count: float) -> str:
    """Return a count in thousands or millions, as ``2.4M``."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return f"{count:.0f}"


def _describe(line: Line) -> Iterator[str]:
    chapter, counts = line.chapter, line.figures.counts
    refs = f"({', '.join(chapter.refs)}) " if chapter.refs else ""
    more = f" [{chapter.commits} commits]" if chapter.commits > 1 else ""
    head = f"{refs}{chapter.commit.subject}{more}"
    first = f"{name_version(line):{_SHORT}}  {show_date(line):10}  "
    yield from fold(head, first, len(first), lines=2)
    made = " > ".join(
        f"{show_count(counts[name])} {name}" for name in ("requests", "answers", "pairs", "kept")
    )
    rows = f"{show_count(counts['rows'])} rows"
    yield _cut(f"  {rows:{_NAME}} {made}")
    for student, metrics in line.figures.scores.items():
        shown = (
            f"{label} {_show_score(score, wide=key == 'core_recall')}"
            for key, label, score in list_scores(metrics)
            if key != "falsely_declined"  # no room in 80 columns
        )
        yield _cut(f"  {student:{_NAME}} {'  '.join(shown)}")
    yield _cut(f"  {'cost':{_NAME}} {show_cost(line.figures.cost)}")


def _show_score(score: Score | None, *, wide: bool) -> str:
    if score is None:
        return "-"
    ends = f" ({round(100 * score.low)}-{round(100 * score.high)})" if wide else ""
    return percent(score.accuracy) + ends


def _line_to_json(line: Line) -> Json:
    chapter, figures = line.chapter, line.figures
    models = dict(chapter.state.models)
    return {
        "commit": chapter.commit.sha,
        "date": datetime.fromtimestamp(chapter.commit.seconds, UTC).isoformat()
        if chapter.commit.sha
        else None,
        "refs": list(chapter.refs),
        "subject": chapter.commit.subject,
        "commits": chapter.commits,
        "counts": dict(figures.counts),
        "md5": {place.out: place.md5 for _, place in chapter.state.tables},
        "students": [
            {
                "student": student,
                "model_md5": models.get(student),
                **{key: _score_to_json(score) for key, _, score in list_scores(metrics)},
            }
            for student, metrics in figures.scores.items()
        ],
        "cost": asdict(figures.cost) if figures.cost else None,
    }


def _score_to_json(score: Score | None) -> Json:
    if score is None:
        return None
    return {"n": score.n, "accuracy": score.accuracy, "low": score.low, "high": score.high}


def _cut(text: str) -> str:
    text = "".join(char if char.isprintable() else " " for char in text)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
