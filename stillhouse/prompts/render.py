"""Prompts, passages and questions into requests: every teacher call, before any is sent."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from stillhouse.base import versions
from stillhouse.base.errors import InputError, suggest
from stillhouse.base.ids import Json, canonical_json, content_id
from stillhouse.base.records import Chunk, Document, Message, Request, join_slot
from stillhouse.prompts.focus import Focus, Group, group_sources
from stillhouse.prompts.pairing import RuleFinder, announces_exception
from stillhouse.prompts.passages import join_section, render_passage, render_question
from stillhouse.prompts.plan import RenderParams, TaskPlan, draw_chunk, draw_question
from stillhouse.prompts.schema import ANSWER_SCHEMA
from stillhouse.prompts.seeds import SeedQuestion
from stillhouse.prompts.templates import Prompt, Prompts, check_choices, fill


@dataclass(frozen=True, slots=True)
class Material:
    """What can be asked about: the corpus, and the two files of questions."""

    documents: Sequence[Document]
    chunks: Sequence[Chunk]
    everyday: Sequence[SeedQuestion] = ()
    unanswered: Sequence[SeedQuestion] = ()


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


@dataclass(frozen=True, slots=True)
class _Subject:
    """What one request is about: its place, its passages, its question if it has one."""

    source: str
    anchor: str
    chunks: tuple[Chunk, ...] = ()
    passages: str = ""
    question: str = ""
    statement: str = ""


def render(
    material: Material, prompts: Prompts, focus: Focus, params: RenderParams
) -> list[Request]:
    """Return every request that the plan asks for, in a fixed order; equal ones are asked once.

    Raises:
        InputError: the corpus is empty, or the plan or the focus names what does not exist.
    """
    if not material.documents:
        raise InputError(
            "there is no document in the corpus",
            where="data/corpus/documents.parquet",
            expected="at least one that could be read",
            remedy="put documents into data/seed/documents; skipped.parquet says what was left out",
        )
    groups = group_sources({document.source for document in material.documents}, focus)
    _check_plan(prompts, params)
    requests: dict[str, Request] = {}
    for task in sorted(prompts.by_task):
        prompt = prompts.by_task[task]
        for subject, plan in _find_subjects(prompt, material, groups, params):
            for request in _render_subject(subject, plan, prompt, prompts, params):
                requests.setdefault(request.request_id, request)
    return list(requests.values())


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


def _find_subjects(
    prompt: Prompt, material: Material, groups: dict[str, Group], params: RenderParams
) -> Iterator[tuple[_Subject, TaskPlan]]:
    if prompt.meta.source != "chunks":
        questions = {"everyday": material.everyday, "unanswered": material.unanswered}
        yield from _find_questions(prompt, questions[prompt.meta.source], params)
        return
    used = [chunk for chunk in material.chunks if groups[chunk.source] != "held_out"]
    used.sort(key=lambda chunk: (chunk.source, chunk.start))
    documents = {document.document_id: document for document in material.documents}
    for chunks in _choose_chunks(prompt, used):
        lead = chunks[-1]  # an exception comes after its rule, and the request is the exception's
        plan = params.plan.for_group(groups[lead.source]).get(prompt.meta.task, TaskPlan())
        if draw_chunk(lead, prompt.meta.task, plan.fraction, params.seed):
            passages = "\n\n".join(show_chunk(c, documents[c.document_id]) for c in chunks)
            yield _Subject(lead.source, lead.anchor, chunks, passages), plan


def _find_questions(
    prompt: Prompt, questions: Iterable[SeedQuestion], params: RenderParams
) -> Iterator[tuple[_Subject, TaskPlan]]:
    task = prompt.meta.task
    plan = params.plan.questions.get(task, TaskPlan())
    for asked in questions:
        if draw_question(asked.id, task, plan.fraction, params.seed):
            subject = _Subject(
                asked.file, asked.id, question=asked.question, statement=asked.statement
            )
            yield subject, plan


def _choose_chunks(prompt: Prompt, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, ...]]:
    """Yield each chunk alone, or each exception behind the rule that it departs from."""
    if prompt.meta.passages == "one":
        yield from ((chunk,) for chunk in chunks)
        return
    finder = RuleFinder(chunks)
    for chunk in filter(announces_exception, chunks):
        if rule := finder.find_rule(chunk):
            yield rule, chunk


def show_chunk(chunk: Chunk, document: Document) -> str:
    """Return a chunk as a passage; rows that were cut off from their table get its head back."""
    section = join_section(chunk.headings) or document.title
    head = _find_table_head(chunk, document.text)
    return render_passage(chunk.source, section, f"{head}{chunk.text}")


def _find_table_head(chunk: Chunk, text: str) -> str:
    if not chunk.text.startswith("| ") or text[: chunk.start].endswith("\n\n"):
        return ""
    table = text[: chunk.start].rpartition("\n\n")[2].splitlines(keepends=True)
    whole = len(table) >= 2 and table[1].startswith("| ---")
    return "".join(table[:2]) if whole else ""


def _render_subject(
    subject: _Subject, plan: TaskPlan, prompt: Prompt, prompts: Prompts, params: RenderParams
) -> Iterator[Request]:
    for variation in plan.variations or prompt.meta.variations:
        for persona in plan.personas or prompt.meta.personas:
            rendering = _fill(subject, plan, prompt, prompts, (variation, persona))
            for sample in range(plan.samples):
                yield _build(subject, rendering, sample, params)


def _fill(
    subject: _Subject, plan: TaskPlan, prompt: Prompt, prompts: Prompts, names: tuple[str, str]
) -> _Rendering:
    variation, persona = names
    pairs, phrasings = plan.pairs or prompt.meta.pairs, plan.phrasings or prompt.meta.phrasings
    values: dict[str, object] = {
        "answer": prompt.meta.answer,
        "pairs": pairs,
        "passages": subject.passages,
        "persona": prompts.personas[persona],
        "phrasings": phrasings,
        "question": subject.question,
        "question_block": render_question(subject.question)
        if subject.question
        else render_passage(subject.source, "", subject.statement),
        "reasoning": prompt.meta.reasoning,
        "variation": prompts.variations[variation],
    }
    system, user = fill(prompt.system, prompt, values), fill(prompt.user, prompt, values)
    return _Rendering(prompt, variation, persona, pairs, phrasings, system, user)


def _build(subject: _Subject, rendering: _Rendering, sample: int, params: RenderParams) -> Request:
    prompt, meta = rendering.prompt, rendering.prompt.meta
    combination = (meta.task, rendering.variation, rendering.persona, sample)
    draft = Request(
        request_id="",
        slot_id=join_slot(subject.source, subject.anchor, *combination),
        chunk_ids=tuple(chunk.chunk_id for chunk in subject.chunks),
        task=meta.task,
        prompt_path=(PurePosixPath("prompts") / PurePosixPath(prompt.path).name).as_posix(),
        prompt_sha256=prompt.sha256,
        variation=rendering.variation,
        persona=rendering.persona,
        sample=sample,
        teacher=meta.teacher,
        model=_name_model(prompt, params),
        system=rendering.system,
        messages=(Message("user", rendering.user),),
        output_schema=ANSWER_SCHEMA if meta.json_answer else "",
        parameters=_write_parameters(rendering),
    )
    return replace(draft, request_id=name_request(draft))


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


def _write_parameters(rendering: _Rendering) -> str:
    meta = rendering.prompt.meta
    return canonical_json(
        {
            "max_tokens": meta.max_tokens,
            "pairs": rendering.pairs,
            "phrasings": rendering.phrasings,
            "reasoning": meta.reasoning,
            "style": meta.answer or rendering.variation,
        }
    )


def _name_model(prompt: Prompt, params: RenderParams) -> str:
    offline = prompt.meta.teacher == "offline"
    return f"reader-{versions.OFFLINE_TEACHER}" if offline else params.base
