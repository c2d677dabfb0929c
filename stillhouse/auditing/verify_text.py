"""A verification for people, in lines of 80 columns."""

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator

from stillhouse.auditing.problems import Outcome, Problem, Unchecked

_WIDTH = 80
_MARGIN = 13
_COMMAND = re.compile(r"`[^`]*`")
_HARD = "\N{NO-BREAK SPACE}"
_MANY = 8
_OTHER = (
    "So much is changed that another version may lie here than dvc.lock names (after `git pull`, `git "
    "checkout`): `dvc checkout`, or `dvc pull`, then verify again."
)
_SHOWN = 6  # paths that share one sentence
_COUNTED = (
    ("stages", "stage", "stages"),
    ("files", "file", "files"),
    ("objects", "object of the cache", "objects of the cache"),
    ("remote objects", "object of the remote", "objects of the remote"),
    ("runs", "entry of the run cache", "entries of the run cache"),
    ("students", "student", "students"),
    ("rows", "row", "rows"),
    ("tags", "tag in MLflow", "tags in MLflow"),
    ("signatures", "signature", "signatures"),
)


def describe(outcome: Outcome, title: str) -> Iterator[str]:
    """Yield the verdict, what was looked at, every problem with its remedy, what was not looked at."""
    yield from _fold(_conclude(outcome), "", 0)
    yield from _fold(_count(outcome, title), "", 0)
    for number, problem in enumerate(outcome.problems, 1):
        yield ""
        yield from _describe_problem(number, problem)
    if outcome.unchecked:
        yield ""
        yield "Not checked:"
        yield from _describe_unchecked(outcome.unchecked)


def _count(outcome: Outcome, title: str) -> str:
    counts = [
        f"{outcome.checked[name]:,} {one if outcome.checked[name] == 1 else many}"
        for name, one, many in _COUNTED
        if outcome.checked.get(name)
    ]
    return f"Checked {title}: {', '.join(counts)}; {_size(outcome.checked.get('bytes', 0))} hashed."


def _describe_problem(number: int, problem: Problem) -> Iterator[str]:
    yield from _fold(f"{problem.kind}: {problem.where}", f"{number}. ", 3)
    yield from _fold(problem.expected, "   expected  ", _MARGIN)
    yield from _fold(problem.found, "   found     ", _MARGIN)
    yield from _fold(problem.remedy, "   to do     ", _MARGIN)


def _describe_unchecked(unchecked: tuple[Unchecked, ...]) -> Iterator[str]:
    """Yield one sentence for each reason, with the paths that share it."""
    grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in unchecked:
        grouped[one.why, one.remedy].append(one.where)
    for (why, remedy), paths in grouped.items():
        more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
        yield from _fold(f"{', '.join(paths[:_SHOWN])}{more}: {why}", "- ", 2)
        yield from _fold(remedy, "  -> ", 5)


def _conclude(outcome: Outcome) -> str:
    if count := len(outcome.problems):
        changed = sum(problem.kind.startswith("changed") for problem in outcome.problems)
        hint = f" {_OTHER}" if changed >= _MANY else ""
        return f"NOT verified: {count} problem{'' if count == 1 else 's'}.{hint}"
    if outcome.unchecked:
        return "Verified as far as it is here: no problem. What is named below was not looked at."
    return "Verified: no problem."


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _fold(text: str, first: str, margin: int) -> list[str]:
    """Return lines of 80 columns; a command or path is never broken, so that it can be copied."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    whole = _COMMAND.sub(lambda found: found[0].replace(" ", _HARD), plain)
    lines = textwrap.wrap(
        whole,
        width=_WIDTH,
        initial_indent=first,
        subsequent_indent=" " * margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_HARD, " ") for line in lines]
