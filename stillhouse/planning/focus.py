"""Where students are weak, on what a next version may be steered by, and the weights that say so.

Only validation rows and dev gold are looked at, never a sealed set: who chooses data by the questions
that measure it has no measure left. Nothing here runs by itself: the weights are printed, and written
into ``focus.yaml`` on request, where git shows them and `render` reads them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text, rewrite_text
from stillhouse.base.ids import Json, content_id
from stillhouse.base.params import PARAMS, STUDENTS, list_keys
from stillhouse.base.tables import read_table
from stillhouse.base.text import fold
from stillhouse.evaluation.records import Prediction
from stillhouse.prompts.focus import Focus, load_focus
from stillhouse.prompts.templates import load_prompts

FOCUS: Final = Path("data/seed/focus.yaml")
DOCUMENTS: Final = Path("data/seed/documents")
PROMPTS: Final = Path("prompts")
SETS: Final = ("validation", "dev")
# Which task teaches what a kind of gold question asks.
_TASKS: Final = {
    "recall": "recall",
    "multi_step": "multi_step",
    "exception": "exceptions",
    "unanswerable": "abstain",
}
_DOUBT: Final = 8  # answers that a group would need to count as much as the whole
_STRENGTH: Final = 4.0  # weight for each point of accuracy that a group lies below the whole
_MOST: Final = 2.0  # weight of one look; over several looks ...
_CEILING: Final = 3.0  # ... it stays below this
_LEAST: Final = 1.1  # a smaller weight is not worth another request
_NARROW: Final = 40  # columns of a name


@dataclass(frozen=True, slots=True)
class Group:
    """The answers about a document, or of a task; ``weight`` is what they ask for, from 1 on."""

    source: str | None
    task: str | None
    asked: int
    right: int
    weight: float


@dataclass(frozen=True, slots=True)
class Weakness:
    """What students answered, by document and by task, weakest first; ``weights`` is the new list.

    ``answers`` names what was looked at; ``weighed`` says whether the weights were drawn from it before.
    """

    students: tuple[str, ...]
    asked: int
    right: int
    groups: tuple[Group, ...]
    weights: tuple[tuple[str | None, str | None, float], ...]
    answers: str
    weighed: bool


def find_weakness(root: Path) -> Weakness:
    """Return where the students of a project are weak.

    A group's accuracy is drawn towards that of the whole as if it had been asked eight questions more
    (a beta prior), so that two wrong answers out of two make no document the weakest. Weights that
    stand in ``focus.yaml`` stay, those of weak groups are multiplied: what helped goes on helping. The
    same answers raise no weight twice. Documents and tasks that nothing can be asked of (any more), and
    steps of ``generate.evolve``, get none.

    Raises:
        InputError: no student was evaluated, or none on validation rows or dev gold.
    """
    found = dict(_read_students(root))
    if not found:
        raise InputError(
            "no student was evaluated",
            where="reports/students",
            remedy="run `dvc repro`, then look again",
        )
    answers = [one for predictions in found.values() for one in predictions]
    if not answers:
        raise InputError(
            "no student was asked validation rows or dev gold",
            where="reports/students",
            remedy="set `evaluate.exam.validation_rows` (60) in params.yaml or fill "
            "data/seed/eval/dev.jsonl, and run `dvc repro`",
        )
    focus, digest = load_focus(root / FOCUS), _name_answers(found)
    held_out = {document.source for document in focus.held_out or ()}
    sources = _list_documents(root / DOCUMENTS) - held_out
    groups = tuple(_weigh(answers, sources, set(load_prompts(root / PROMPTS).by_task)))
    weighed = focus.weighed == digest
    return Weakness(
        students=tuple(sorted(found)),
        asked=len(answers),
        right=sum(one.correct for one in answers),
        groups=groups,
        weights=tuple(_merge(focus, () if weighed else groups)),
        answers=digest,
        weighed=weighed,
    )


def write_weights(root: Path, weakness: Weakness) -> None:
    """Put the weights into ``focus.yaml``; all else in it, comments included, stays as it is.

    Weights that were drawn from these answers before are left alone.
    """
    from ruamel.yaml import YAML

    if weakness.weighed:
        return

    path = root / FOCUS
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(read_text(path)) or {}
    document["weights"] = [_to_entry(*one) for one in weakness.weights]
    document["weighed"] = weakness.answers
    text = StringIO()
    yaml.dump(document, text)
    rewrite_text(path, text.getvalue())


def to_json(weakness: Weakness, *, written: bool) -> dict[str, Json]:
    """Return the look as `stillhouse plan --focus --json` prints it."""
    return {
        "students": list(weakness.students),
        "asked": weakness.asked,
        "right": weakness.right,
        "groups": [
            {
                "source": group.source,
                "task": group.task,
                "asked": group.asked,
                "right": group.right,
                "weight": group.weight,
            }
            for group in weakness.groups
        ],
        "weights": [_to_entry(*one) for one in weakness.weights],
        "weighed_before": weakness.weighed,
        "written": written and not weakness.weighed,
    }


def to_text(weakness: Weakness, *, written: bool) -> Iterator[str]:
    """Yield the look as lines for a terminal."""
    share = weakness.right / weakness.asked
    who = ", ".join(weakness.students)
    yield f"Validation rows and dev gold: {weakness.right} of {weakness.asked} right ({share:.0%}), {who}."
    yield f"  {'':{_NARROW}} {'right':>9}  weight"
    for group in weakness.groups:
        (name,) = fold(group.source or f"task {group.task}", "", 0, 1) or [""]
        told = f"{group.weight:g}" if group.weight > 1 else "-"
        count = f"{group.right}/{group.asked}"
        yield f"  {name[:_NARROW]:{_NARROW}} {count:>9}  {told:>6}"
    if weakness.weighed:
        yield f"The weights in {FOCUS} were drawn from these answers already, and stay: train and evaluate first."
    elif written:
        yield f"{FOCUS} holds {len(weakness.weights)} weights now; `stillhouse plan` says what they ask for."
    elif any(group.weight > 1 for group in weakness.groups):
        yield f"`stillhouse plan --focus --write` puts these weights into {FOCUS}."
    else:
        yield "No document and no task is weak enough for a weight."


def _read_students(root: Path) -> Iterator[tuple[str, list[Prediction]]]:
    """Yield each student that was evaluated with its answers of the sets that may be looked at."""
    for name in list_keys(STUDENTS, root / PARAMS):
        path = root / "reports/students" / name / "evaluation/predictions.parquet"
        if path.exists():
            answers = read_table(path, Prediction)
            yield name, [a for a in answers if a.reference == "student" and a.set in SETS]


def _name_answers(found: Mapping[str, Sequence[Prediction]]) -> str:
    """Return a short name of what was answered and how, whatever the order."""
    told = sorted(
        f"{student} {one.prediction_id} {one.correct}"
        for student, answers in found.items()
        for one in answers
    )
    return content_id("answers", [*told])[:16]


def _list_documents(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _weigh(answers: Sequence[Prediction], sources: set[str], tasks: set[str]) -> list[Group]:
    by: dict[tuple[str | None, str | None], list[bool]] = defaultdict(list)
    for one in answers:
        task = one.task or _TASKS.get(one.kind, "")
        if one.document in sources:
            by[one.document, None].append(one.correct)
        if task in tasks:
            by[None, task].append(one.correct)
    mean = sum(one.correct for one in answers) / len(answers)
    groups = [_make_group(*name, right, mean) for name, right in by.items()]
    return sorted(
        groups, key=lambda g: (-g.weight, g.right / g.asked, g.source or "", g.task or "")
    )


def _make_group(source: str | None, task: str | None, right: list[bool], mean: float) -> Group:
    drawn = (sum(right) + _DOUBT * mean) / (len(right) + _DOUBT)
    weight = round(min(_MOST, 1 + _STRENGTH * (mean - drawn)), 1)
    return Group(source, task, len(right), sum(right), weight if weight >= _LEAST else 1.0)


def _merge(focus: Focus, groups: Iterable[Group]) -> Iterator[tuple[str | None, str | None, float]]:
    """Yield the weights that stand there, multiplied where their group is weak, then the new ones."""
    new = {(group.source, group.task): group.weight for group in groups if group.weight > 1}
    for one in focus.weights or ():
        more = new.pop((one.source, one.task), 1.0)
        raised = min(max(_CEILING, one.weight), round(one.weight * more, 2))
        yield one.source, one.task, raised
    for (source, task), weight in new.items():
        yield source, task, weight


def _to_entry(source: str | None, task: str | None, weight: float) -> Mapping[str, str | float]:
    named = {"source": source, "task": task}
    return {**{key: value for key, value in named.items() if value}, "weight": weight}
