"""The chronicle: chapters with their figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stillhouse.base.errors import InputError, suggest
from stillhouse.base.lock import is_shallow
from stillhouse.chronicle.chapters import Chapter, list_chapters
from stillhouse.chronicle.figures import FigureReader, Figures
from stillhouse.report.scores import Metrics, Score
from stillhouse.report.summary import open_book


@dataclass(frozen=True, slots=True)
class Line:
    """A chapter and its figures."""

    chapter: Chapter
    figures: Figures


@dataclass(frozen=True, slots=True)
class Chronicle:
    """Lines, newest first; ``left_out`` older ones; ``missing`` are paths of which bytes are not here.

    ``shallow``: the clone holds only a part of its history.
    """

    lines: tuple[Line, ...]
    left_out: int
    missing: tuple[str, ...]
    shallow: bool


def read_chronicle(root: Path, student: str = "", most: int = 0) -> Chronicle:
    """Return the chronicle of the project at ``root``.

    Args:
        root: the project.
        student: only states that have this student, told apart by its model and scores alone.
        most: how many lines; 0 for all.

    Raises:
        InputError: no version has that student.
    """
    chapters = list_chapters(root, student)
    if student and not chapters:
        known = sorted({name for c in list_chapters(root) for name in c.state.students})
        raise InputError(
            f"no version here has a student `{student}`",
            expected=f"one of {', '.join(known)}" if known else None,
            remedy=suggest(student, known),
        )
    shown = chapters[:most] if most else chapters
    reader = FigureReader(root)
    lines = tuple(Line(chapter, reader.read(chapter.state)) for chapter in shown)
    left_out = len(chapters) - len(shown)
    return Chronicle(lines, left_out, tuple(reader.missing), is_shallow(root))


def list_scores(metrics: Metrics | None) -> Sequence[tuple[str, str, Score | None]]:
    """Return the headlines: (key, label, score) of each; None where it was not measured."""
    if metrics is None:
        return [(key, label, None) for key, label in _LABELS]
    found = (
        metrics.core,
        open_book(metrics, "student"),
        metrics.find("general", "student"),
        metrics.declined,
        metrics.falsely_declined,
    )
    return [(key, label, score) for (key, label), score in zip(_LABELS, found, strict=True)]


_LABELS = (
    ("core_recall", "core"),
    ("open_book", "open book"),
    ("general", "general"),
    ("declined", "declines"),
    ("falsely_declined", "falsely"),
)
