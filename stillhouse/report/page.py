"""What stands on the page, as records that the template only has to lay out."""

from collections.abc import Mapping
from dataclasses import dataclass

from stillhouse.report.made import Made
from stillhouse.report.scores import Score


@dataclass(frozen=True, slots=True)
class Line:
    """One reference in a panel: its dot, its interval, and whether it is the student's."""

    reference: str
    label: str
    score: Score


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the small multiples: all lines are about the same questions.

    ``partly`` says in words how those do that were asked only some of them.
    """

    title: str
    note: str
    lines: tuple[Line, ...]
    partly: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A headline number, with what stands beside it for comparison."""

    label: str
    value: str
    beside: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A count with a label; ``share`` in [0, 1] is its length beside the longest of its list."""

    label: str
    count: int
    share: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """A training row as a reader sees it: what is asked, what is answered, and where it is from."""

    task: str
    source: str
    row_id: str
    context: str
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A student's reply to a question, beside the base's and the accepted ones."""

    question: str
    accepted: tuple[str, ...]
    student: str
    base: str
    correct: bool
    abstained: bool


@dataclass(frozen=True, slots=True)
class Failures:
    """Wrong answers about one document: how many of how many, and examples."""

    source: str
    wrong: int
    asked: int
    examples: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Examples:
    """A student's replies, drawn by seed."""

    right: tuple[Answer, ...]
    wrong: tuple[Answer, ...]
    failures: tuple[Failures, ...]
    declined: tuple[Answer, ...]
    invented: tuple[Answer, ...]
    falsely_declined: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a training curve in a box of 100 × 100, with the values at its corners."""

    label: str
    points: str
    first: str
    last: str
    low: str
    steps: int


@dataclass(frozen=True, slots=True)
class Hash:
    """Something that was hashed, and how anyone can compute it again."""

    what: str
    value: str
    command: str


@dataclass(frozen=True, slots=True)
class StudentPart:
    """All that the page says about one student."""

    name: str
    sentence: str
    judged: bool
    figures: tuple[Figure, ...]
    panels: tuple[Panel, ...]
    notes: tuple[str, ...]
    kinds: tuple[Line, ...]
    examples: Examples
    curves: tuple[Curve, ...]
    best_step: int | None
    origin: str
    parameters: Mapping[str, str]
    hashes: tuple[Hash, ...]
    upstream: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One check of the validation gate."""

    meaning: str
    passed: bool
    observed: str


@dataclass(frozen=True, slots=True)
class Making:
    """How the dataset came about: what was kept, what was not and why, and what it consists of."""

    waterfall: tuple[Bar, ...]
    rejections: tuple[Bar, ...]
    tasks: tuple[Bar, ...]
    documents: tuple[Bar, ...]
    samples: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """The whole report."""

    title: str
    students: tuple[StudentPart, ...]
    making: Making
    made: Made
    validated: bool
    checks: tuple[CheckLine, ...]
