"""What is asked, and of what: the places that the plan draws, each with its material."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

from stillhouse.base.errors import InputError, suggest
from stillhouse.base.records import Chunk, Document
from stillhouse.prompts.focus import Focus, Group, group_sources
from stillhouse.prompts.pairing import RuleFinder, announces_exception
from stillhouse.prompts.passages import join_section, render_passage
from stillhouse.prompts.plan import Draw, Places, RenderParams, TaskPlan, number_place
from stillhouse.prompts.seeds import SeedQuestion
from stillhouse.prompts.stock import Laid, Stock, lay_passages
from stillhouse.prompts.subject import Spread, Subject
from stillhouse.prompts.templates import Prompt, Prompts, check_choices

# What stands in a slot where a document does, for what is asked without one.
SEED_FILES: Final = ("everyday.jsonl", "unanswered.jsonl", "prompts.jsonl")


@dataclass(frozen=True, slots=True)
class Material:
    """What can be asked about: the corpus, which may be walked more than once, and the questions.

    ``others`` are the subjects of further sources by name (``logs``, ``tables``); ``spreads`` what a
    prompt's ``each`` does to a chunk (``schemas``, ``instructions``).
    """

    documents: Iterable[Document]
    chunks: Iterable[Chunk]
    everyday: Sequence[SeedQuestion] = ()
    unanswered: Sequence[SeedQuestion] = ()
    others: Mapping[str, Sequence[Subject]] = field(default_factory=dict)
    spreads: Mapping[str, Spread] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a place is asked: by which prompt, how much, and the draw that chose it."""

    draw: Draw
    prompt: Prompt
    subject: Subject
    plan: TaskPlan


def ask_all(
    material: Material, prompts: Prompts, focus: Focus, params: RenderParams
) -> Iterator[Asked]:
    """Yield what is asked of every place that the plan and the focus draw, in a fixed order.

    Raises:
        InputError: the corpus is empty, or the plan or the focus names what does not exist.
    """
    if next(iter(material.documents), None) is None:
        raise InputError(
            "there is no document in the corpus",
            where="data/corpus/documents.parquet",
            expected="at least one that could be read",
            remedy="put documents into data/seed/documents; skipped.parquet says what was left out",
        )
    groups = group_sources({document.source for document in material.documents}, focus)
    _check_plan(prompts, params)
    _check_weights(focus, prompts, {*groups, *SEED_FILES})
    yield from chain(
        _ask_questions(material, prompts, focus, params),
        _ask_chunks(material, prompts, focus, groups, params),
    )


class _Used:
    """The chunks that may be asked about: those of documents that are not held out."""

    def __init__(self, chunks: Iterable[Chunk], groups: dict[str, Group]) -> None:
        self._chunks, self._groups = chunks, groups

    def __iter__(self) -> Iterator[Chunk]:
        return (chunk for chunk in self._chunks if self._groups[chunk.source] != "held_out")


def _check_plan(prompts: Prompts, params: RenderParams) -> None:
    plans = {"core": params.plan.core, "other": params.plan.other}
    for group, tasks in {**plans, "questions": params.plan.questions}.items():
        for task, plan in tasks.items():
            place = f"params.yaml: render.plan.{group}.{task}"
            if task not in prompts.by_task:
                raise InputError(
                    "no prompt file has this task",
                    where=place,
                    expected="one of " + ", ".join(sorted(prompts.by_task)),
                    remedy=suggest(task, prompts.by_task),
                )
            asks_chunks = prompts.by_task[task].meta.source == "chunks"
            if asks_chunks == (group == "questions"):
                right = "`core` and `other`" if asks_chunks else "`questions`"
                raise InputError("the task is in the wrong place", where=place, expected=right)
            check_choices(prompts, plan.variations or (), plan.personas or (), where=place)


def _check_weights(focus: Focus, prompts: Prompts, sources: set[str]) -> None:
    for one in focus.weights or ():
        for kind, name, known in (
            ("document", one.source, sources),
            ("task", one.task, set(prompts.by_task)),
        ):
            if name is not None and name not in known:
                raise InputError(
                    f"a weight names the {kind} {name!r}, which there is none of",
                    where="focus.yaml",
                    remedy=suggest(name, known) or "mend the name, or take the weight out",
                )


def _ask_questions(
    material: Material, prompts: Prompts, focus: Focus, params: RenderParams
) -> Iterator[Asked]:
    listed = {"everyday": material.everyday, "unanswered": material.unanswered}
    subjects = {**material.others, **{name: _as_subjects(asked) for name, asked in listed.items()}}
    for task, prompt in sorted(prompts.by_task.items()):
        plan = params.plan.questions.get(task, TaskPlan())
        for subject in subjects.get(prompt.meta.source, ()):
            number = number_place([subject.anchor], task, params.seed)
            if asked := _draw("questions", number, (prompt, subject, plan), focus):
                yield asked


def _draw(
    group: str, number: float, asked: tuple[Prompt, Subject, TaskPlan], focus: Focus
) -> Asked | None:
    """Return what is asked of a place, or None where its number does not reach the weighed fraction."""
    prompt, subject, plan = asked
    task = prompt.meta.task
    weight = focus.weigh(subject.source, task)
    if not number < plan.fraction * weight:
        return None
    weighed = plan.weigh(weight, prompt.meta.phrasings)
    return Asked(Draw(group, task, number / weight), prompt, subject, weighed)


def _as_subjects(questions: Iterable[SeedQuestion]) -> list[Subject]:
    return [
        Subject(asked.file, asked.id, question=asked.question, statement=asked.statement)
        for asked in questions
    ]


def _ask_chunks(
    material: Material,
    prompts: Prompts,
    focus: Focus,
    groups: dict[str, Group],
    params: RenderParams,
) -> Iterator[Asked]:
    """Yield what is asked about each chunk, in the order of the documents' texts."""
    asking = [
        (task, prompt)
        for task, prompt in sorted(prompts.by_task.items())
        if prompt.meta.source == "chunks" and params.plan.asks(task)
    ]
    used = _Used(material.chunks, groups)
    with lay_passages(material.documents, used, show_chunk) as stock:
        pairs = any(prompt.meta.passages == "two" for _, prompt in asking)
        finder = RuleFinder(used) if pairs else None
        places = Places()
        for lead in stock:
            place, group = places.name_place(lead.chunk), groups[lead.chunk.source]
            plans = params.plan.for_group(group)
            for task, prompt in asking:
                one = (prompt, _make_subject((lead,)), plans.get(task, TaskPlan()))
                asked = _draw(group, number_place(place, task, params.seed), one, focus)
                if asked is None:
                    continue
                alone = prompt.meta.passages == "one"
                if laid := (lead,) if alone else _find_pair(lead, stock, finder):
                    for subject in _spread(_make_subject(laid), prompt, material.spreads):
                        yield replace(asked, subject=subject)


def _spread(subject: Subject, prompt: Prompt, spreads: Mapping[str, Spread]) -> Iterable[Subject]:
    """Return what a prompt makes of one chunk: itself, or one for each of what it names."""
    each = prompt.meta.each
    if not each:
        return (subject,)
    return spreads[each](subject) if each in spreads else ()


def _find_pair(lead: Laid, stock: Stock, finder: RuleFinder | None) -> tuple[Laid, ...]:
    """Return an exception behind the rule that it departs from, or nothing."""
    if finder is None or not announces_exception(lead.chunk):
        return ()
    place = finder.find_rule(lead.chunk)
    return (stock.find(place), lead) if place else ()


def _make_subject(laid: tuple[Laid, ...]) -> Subject:
    lead = laid[-1].chunk  # an exception comes after its rule, and the request is the exception's
    passages = "\n\n".join(one.passage for one in laid)
    return Subject(lead.source, lead.anchor, tuple(one.chunk for one in laid), passages)


def show_chunk(chunk: Chunk, document: Document) -> str:
    """Return a chunk as a passage; rows that were cut off from their table get its head back."""
    section = join_section(chunk.headings) or document.title
    head = _find_table_head(chunk, document.text)
    return render_passage(chunk.source, section, f"{head}{chunk.text}")


def _find_table_head(chunk: Chunk, text: str) -> str:
    if not chunk.text.startswith("| "):
        return ""
    blank = text.rfind("\n\n", 0, chunk.start)  # text is long: it is searched, never copied
    begin = blank + 2 if blank >= 0 else 0
    rule = text.find("\n", begin, chunk.start) + 1
    if not rule or not text.startswith("| ---", rule, chunk.start):
        return ""
    end = text.find("\n", rule, chunk.start) + 1
    return text[begin : end or chunk.start]
