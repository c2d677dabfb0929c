"""Prompts, passages and questions into requests: every teacher call, before any is sent."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import PurePosixPath
from typing import Final

from stillhouse.base.errors import InputError, suggest
from stillhouse.base.ids import Json, canonical_json, content_id
from stillhouse.base.records import Chunk, Document, Message, Request, join_slot
from stillhouse.prompts.focus import Focus, Group, group_sources
from stillhouse.prompts.pairing import RuleFinder, announces_exception
from stillhouse.prompts.passages import join_section, render_passage, render_question
from stillhouse.prompts.plan import Draw, Places, RenderParams, TaskPlan, number_place
from stillhouse.prompts.schema import ANSWER_SCHEMA
from stillhouse.prompts.seeds import SeedQuestion
from stillhouse.prompts.stock import Laid, Stock, lay_passages
from stillhouse.prompts.subject import Spread, Subject
from stillhouse.prompts.teacher import BASE, MAIN, TeacherParams
from stillhouse.prompts.templates import Prompt, Prompts, check_choices, fill


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
class _Rendering:
    """A prompt filled in for one variation and persona, and how much it asks for."""

    prompt: Prompt
    variation: str
    persona: str
    pairs: int
    phrasings: int
    system: str
    user: str
    settings: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a place is asked: by which prompt, how much, and the draw that chose it."""

    draw: Draw
    prompt: Prompt
    subject: Subject
    plan: TaskPlan


_OFFLINE: Final = TeacherParams()


def render(
    material: Material,
    prompts: Prompts,
    focus: Focus,
    params: RenderParams,
    teacher: TeacherParams | None = None,
) -> list[Request]:
    """Return every request that the plan asks for, in a fixed order; equal ones are asked once.

    Raises:
        InputError: the corpus is empty, or the plan or the focus names what does not exist.
    """
    requests: dict[str, Request] = {}
    for request in render_each(material, prompts, focus, params, teacher):
        requests.setdefault(request.request_id, request)
    return list(requests.values())


def render_each(
    material: Material,
    prompts: Prompts,
    focus: Focus,
    params: RenderParams,
    teacher: TeacherParams | None = None,
) -> Iterator[Request]:
    """Yield the requests of the plan; of those with one id the first counts.

    ``teacher`` is who answers prompts that name none: the offline teacher unless said otherwise.

    Neither the corpus nor the requests are held in memory, only an index of the corpus' words.

    Raises:
        InputError: the corpus is empty, or the plan or the focus names what does not exist.
    """
    for asked in _ask_all(material, prompts, focus, params):
        yield from _render_subject(asked, prompts, params, teacher or _OFFLINE)


def render_drawn(
    material: Material,
    prompts: Prompts,
    focus: Focus,
    params: RenderParams,
    teacher: TeacherParams | None = None,
) -> Iterator[tuple[Draw, list[Request]]]:
    """Yield the requests of ``render_each`` place by place, each with the draw that chose it."""
    for asked in _ask_all(material, prompts, focus, params):
        yield asked.draw, list(_render_subject(asked, prompts, params, teacher or _OFFLINE))


def list_draws(
    material: Material, prompts: Prompts, focus: Focus, params: RenderParams
) -> Iterator[Draw]:
    """Yield the draw of every place that the plan asks about; nothing is rendered."""
    return (asked.draw for asked in _ask_all(material, prompts, focus, params))


def _ask_all(
    material: Material, prompts: Prompts, focus: Focus, params: RenderParams
) -> Iterator[_Asked]:
    if next(iter(material.documents), None) is None:
        raise InputError(
            "there is no document in the corpus",
            where="data/corpus/documents.parquet",
            expected="at least one that could be read",
            remedy="put documents into data/seed/documents; skipped.parquet says what was left out",
        )
    groups = group_sources({document.source for document in material.documents}, focus)
    _check_plan(prompts, params)
    yield from chain(
        _ask_questions(material, prompts, params),
        _ask_chunks(material, prompts, groups, params),
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


def _ask_questions(material: Material, prompts: Prompts, params: RenderParams) -> Iterator[_Asked]:
    listed = {"everyday": material.everyday, "unanswered": material.unanswered}
    subjects = {**material.others, **{name: _as_subjects(asked) for name, asked in listed.items()}}
    for task, prompt in sorted(prompts.by_task.items()):
        plan = params.plan.questions.get(task, TaskPlan())
        for subject in subjects.get(prompt.meta.source, ()):
            number = number_place([subject.anchor], task, params.seed)
            if number < plan.fraction:
                yield _Asked(Draw("questions", task, number), prompt, subject, plan)


def _as_subjects(questions: Iterable[SeedQuestion]) -> list[Subject]:
    return [
        Subject(asked.file, asked.id, question=asked.question, statement=asked.statement)
        for asked in questions
    ]


def _ask_chunks(
    material: Material, prompts: Prompts, groups: dict[str, Group], params: RenderParams
) -> Iterator[_Asked]:
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
                plan = plans.get(task, TaskPlan())
                number = number_place(place, task, params.seed)
                if number < plan.fraction:
                    alone = prompt.meta.passages == "one"
                    laid = (lead,) if alone else _find_pair(lead, stock, finder)
                    if laid:
                        draw = Draw(group, task, number)
                        for subject in _spread(_make_subject(laid), prompt, material.spreads):
                            yield _Asked(draw, prompt, subject, plan)


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


def _render_subject(
    asked: _Asked, prompts: Prompts, params: RenderParams, teacher: TeacherParams
) -> Iterator[Request]:
    subject, plan, prompt = asked.subject, asked.plan, asked.prompt
    for variation in plan.variations or prompt.meta.variations:
        for persona in plan.personas or prompt.meta.personas:
            rendering = _fill(subject, plan, prompt, prompts, (variation, persona))
            for sample in range(plan.samples):
                draft = _build(subject, rendering, sample)
                yield from _ask_teachers(draft, rendering, params, teacher)


def _fill(
    subject: Subject, plan: TaskPlan, prompt: Prompt, prompts: Prompts, names: tuple[str, str]
) -> _Rendering:
    variation, persona = names
    pairs, phrasings = plan.pairs or prompt.meta.pairs, plan.phrasings or prompt.meta.phrasings
    values: dict[str, object] = {
        "answer": prompt.meta.answer,
        "instruction": "",
        "pairs": pairs,
        "passages": subject.passages,
        "persona": prompts.personas[persona],
        "phrasings": phrasings,
        "question": subject.question,
        "question_block": render_question(subject.question)
        if subject.question
        else render_passage(subject.source, "", subject.statement),
        "reasoning": prompt.meta.reasoning,
        "schema": "",
        "variation": prompts.variations[variation],
        **subject.values,
    }
    system, user = fill(prompt.system, prompt, values), fill(prompt.user, prompt, values)
    return _Rendering(prompt, variation, persona, pairs, phrasings, system, user, subject.settings)


def _build(subject: Subject, rendering: _Rendering, sample: int) -> Request:
    """Return the request without who answers it, and so without its id."""
    prompt, meta = rendering.prompt, rendering.prompt.meta
    variation = f"{rendering.variation}/{subject.mark}" if subject.mark else rendering.variation
    combination = (meta.task, variation, rendering.persona, sample)
    return Request(
        request_id="",
        slot_id=join_slot(subject.source, subject.anchor, *combination),
        chunk_ids=tuple(chunk.chunk_id for chunk in subject.chunks),
        task=meta.task,
        prompt_path=(PurePosixPath("prompts") / PurePosixPath(prompt.path).name).as_posix(),
        prompt_sha256=prompt.sha256,
        variation=rendering.variation,
        persona=rendering.persona,
        sample=sample,
        teacher="",
        model="",
        system=rendering.system,
        messages=(*subject.turns, Message("user", rendering.user)),
        output_schema=ANSWER_SCHEMA if meta.json_answer else "",
        parameters="",
        category=meta.category,
    )


def _ask_teachers(
    draft: Request, rendering: _Rendering, params: RenderParams, teacher: TeacherParams
) -> Iterator[Request]:
    """Yield the request to each teacher that answers it."""
    wanted = rendering.prompt.meta.teacher
    if wanted == BASE:
        yield _address(draft, rendering, BASE, params.base, {})
        return
    for member, mark in teacher.choose(draft.slot_id) if wanted == MAIN else [(_OFFLINE, "")]:
        placed = replace(draft, slot_id=draft.slot_id + mark)
        yield _address(placed, rendering, member.provider, member.model_name, member.sampling)


def _address(
    draft: Request, rendering: _Rendering, teacher: str, model: str, sampling: dict[str, Json]
) -> Request:
    parameters = _write_parameters(rendering, sampling)
    named = replace(draft, teacher=teacher, model=model, parameters=parameters)
    return replace(named, request_id=name_request(named))


def name_request(request: Request) -> str:
    """Return the id of a request: all that reaches the teacher, and nothing of where it came from."""
    content: dict[str, Json] = {
        "teacher": request.teacher,
        "model": request.model,
        "system": request.system,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "output_schema": request.output_schema,
        "parameters": request.parameters,
        "task": request.task,
        "variation": request.variation,
        "persona": request.persona,
        "sample": request.sample,
    }
    return content_id("request", content)


def _write_parameters(rendering: _Rendering, sampling: dict[str, Json]) -> str:
    meta = rendering.prompt.meta
    # Only where they are set: the ids of all other requests, and so their answers, stay as they are.
    manner = {name: True for name in ("shows", "reply") if getattr(meta, name)}
    return canonical_json(
        {
            **sampling,
            **rendering.settings,
            **manner,
            "max_tokens": meta.max_tokens,
            "pairs": rendering.pairs,
            "phrasings": rendering.phrasings,
            "reasoning": meta.reasoning,
            "style": meta.answer or rendering.variation,
        }
    )
