"""Prompts, passages and questions into requests: every teacher call, before any is sent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from stillhouse.base.ids import Json, canonical_json, content_id
from stillhouse.base.records import Message, Request, join_slot
from stillhouse.prompts.asked import Asked, Material, ask_all, show_chunk
from stillhouse.prompts.focus import Focus
from stillhouse.prompts.passages import render_passage, render_question
from stillhouse.prompts.plan import Draw, RenderParams, TaskPlan
from stillhouse.prompts.schema import ANSWER_SCHEMA
from stillhouse.prompts.subject import Subject
from stillhouse.prompts.teacher import BASE, MAIN, TeacherParams
from stillhouse.prompts.templates import Prompt, Prompts, fill

__all__ = [
    "Material",
    "list_draws",
    "name_request",
    "render",
    "render_drawn",
    "render_each",
    "show_chunk",
]


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
    for asked in ask_all(material, prompts, focus, params):
        yield from _render_subject(asked, prompts, params, teacher or _OFFLINE)


def render_drawn(
    material: Material,
    prompts: Prompts,
    focus: Focus,
    params: RenderParams,
    teacher: TeacherParams | None = None,
) -> Iterator[tuple[Draw, list[Request]]]:
    """Yield the requests of ``render_each`` place by place, each with the draw that chose it."""
    for asked in ask_all(material, prompts, focus, params):
        yield asked.draw, list(_render_subject(asked, prompts, params, teacher or _OFFLINE))


def list_draws(
    material: Material, prompts: Prompts, focus: Focus, params: RenderParams
) -> Iterator[Draw]:
    """Yield the draw of every place that the plan asks about; nothing is rendered."""
    return (asked.draw for asked in ask_all(material, prompts, focus, params))


def _render_subject(
    asked: Asked, prompts: Prompts, params: RenderParams, teacher: TeacherParams
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
        "answer_block": "",
        "fact_block": "",
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
        category=subject.category or meta.category,
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
