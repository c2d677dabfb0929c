"""Pairs developed further: which of them, by which step, and the teacher call that asks for it.

A step is a prompt file of `prompts/evolve`. It is shown the passage, the question and the answer of a
pair and asks for another pair: deeper, under a constraint, in more steps (as in Evol-Instruct, Xu et al.
2023, each pair takes one step at a time, and what came of it may take another). Every draw is a hash of
the pair's place and the seed, so an edit elsewhere changes no other draw.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, model_validator

from stillhouse.base.errors import InputError, suggest
from stillhouse.base.ids import canonical_json
from stillhouse.base.params import Params
from stillhouse.base.questions import question_of
from stillhouse.base.records import Message, Pair, Request, join_slot, list_steps, split_slot
from stillhouse.prompts.passages import (
    parse_passages,
    render_passage,
    render_question,
    render_told,
)
from stillhouse.prompts.plan import number_place
from stillhouse.prompts.render import name_request
from stillhouse.prompts.schema import ANSWER_SCHEMA
from stillhouse.prompts.teacher import BASE, MAIN, Member, TeacherParams
from stillhouse.prompts.templates import Prompt, fill, load_prompt, load_texts

FOLDER: Final = Path("prompts/evolve")
_NOTHING_TO_DEVELOP: Final = ("abstain", "replay")  # rows of no passage
# What a step has of the pair that it develops, and so cannot say itself.
_FIXED: Final = (
    "passages", "source", "each", "reply", "variations", "personas", "answer", "json_answer",
)  # fmt: skip
_OFFLINE: Final = TeacherParams()

Share = Annotated[float, Field(ge=0, le=1)]


class EvolveParams(Params):
    """``generate.evolve`` in params.yaml: which pairs are developed further, and how often.

    ``tasks`` is the share in [0, 1] of each task's facts whose first question is developed; ``depth``
    how often in all; no pair takes a step twice.
    """

    steps: tuple[str, ...] = ()
    tasks: dict[str, Share] = Field(default_factory=dict)
    depth: int = Field(default=1, ge=1)
    seed: int = 29

    @model_validator(mode="after")
    def _says_what_is_developed(self) -> "EvolveParams":
        if self.steps and not self.tasks:
            raise ValueError("`steps` needs `tasks`: the share of each, such as {recall: 0.1}")
        if len(set(self.steps)) < len(self.steps):
            raise ValueError("`steps` names one step twice")
        for task in _NOTHING_TO_DEVELOP:
            if task in self.tasks:
                raise ValueError(f"pairs of `{task}` rest on no passage and cannot be developed")
        if self.tasks and not self.steps:
            raise ValueError("`tasks` needs `steps`: files of prompts/evolve, such as [deeper]")
        return self


@dataclass(frozen=True, slots=True)
class Parent:
    """A pair that is developed further, its request, and the statement that it rests on, or empty."""

    pair: Pair
    request: Request
    statement: str


@dataclass(frozen=True, slots=True)
class Evolution:
    """The steps of a run, and who answers them."""

    params: EvolveParams
    steps: Mapping[str, Prompt]
    variations: Mapping[str, str]
    personas: Mapping[str, str]
    teacher: TeacherParams

    @property
    def rounds(self) -> int:
        """How often pairs are developed further; 0 where nothing is."""
        return self.params.depth if self.steps else 0

    def choose(self, request: Request, pairs: Collection[Pair]) -> Iterator[Pair]:
        """Yield the pairs of one request that are developed further: of each drawn fact the first.

        Those of a request that develops a pair were drawn with it. A pair without a passage, or of
        several turns, is never developed.
        """
        if not parse_passages(_join(request)):
            return
        begun: set[tuple[str, ...]] = set()
        for pair in sorted(pairs, key=lambda pair: [_count(p) for p in split_slot(pair.slot_id)]):
            place = split_slot(pair.slot_id)[:-1]
            if place in begun or len(pair.messages) != 1:
                continue
            begun.add(place)
            if (request.parent_id or self.is_drawn(request, place)) and self._choose_step(pair):
                yield pair

    def is_drawn(self, request: Request, place: tuple[str, ...]) -> bool:
        """Say whether a fact of a request is developed; ``place`` is its slot without the question."""
        share = self.params.tasks.get(request.task, 0.0)
        return number_place([*place], request.task, self.params.seed) < share

    def ask(self, parent: Parent) -> Iterator[Request]:
        """Yield the call that develops a pair, to each teacher that answers it.

        Raises:
            InputError: the template failed.
        """
        step = self._choose_step(parent.pair)
        prompt = self.steps[step]
        draft = self._build(parent, step, prompt)
        asked = (
            [(_OFFLINE, "")] if prompt.meta.teacher != MAIN else self.teacher.choose(draft.slot_id)
        )
        for member, mark in asked:
            yield _address(replace(draft, slot_id=draft.slot_id + mark), parent, prompt, member)

    def _choose_step(self, pair: Pair) -> str:
        """Return the step that a pair takes; empty where it took all of them.

        The highest number wins (rendezvous hashing): a step that is added takes its own share only.
        """
        taken = list_steps(pair.slot_id)
        left = [step for step in self.steps if step not in taken]
        place = [*split_slot(pair.slot_id)]
        return max(left, key=lambda s: number_place(place, s, self.params.seed), default="")

    def _build(self, parent: Parent, step: str, prompt: Prompt) -> Request:
        """Return the request without who answers it, and so without its id."""
        pair, request, meta = parent.pair, parent.request, prompt.meta
        values = self._name_values(parent, prompt)
        return Request(
            request_id="",
            slot_id=join_slot(*split_slot(pair.slot_id), step),
            chunk_ids=pair.chunk_ids,
            task=meta.task,
            prompt_path=(FOLDER / Path(prompt.path).name).as_posix(),
            prompt_sha256=prompt.sha256,
            variation=request.variation,
            persona=request.persona,
            sample=request.sample,
            teacher="",
            model="",
            system=fill(prompt.system, prompt, values),
            messages=(Message("user", fill(prompt.user, prompt, values)),),
            output_schema=ANSWER_SCHEMA,
            parameters="",
            category=meta.category,
            parent_id=pair.pair_id,
        )

    def _name_values(self, parent: Parent, prompt: Prompt) -> dict[str, object]:
        pair, request, meta = parent.pair, parent.request, prompt.meta
        question = question_of(pair.messages, pair.context)
        shown = [
            render_passage(p.source, p.section, p.text) for p in parse_passages(_join(request))
        ]
        return {
            "answer": pair.response,
            "answer_block": render_told("answer", pair.response),
            "fact_block": render_told("fact", parent.statement) if parent.statement else "",
            "instruction": "",
            "pairs": meta.pairs,
            "passages": "\n\n".join(shown),
            "persona": self.personas[request.persona],
            "phrasings": meta.phrasings,
            "question": question,
            "question_block": render_question(question),
            "reasoning": meta.reasoning,
            "schema": "",
            "variation": self.variations[request.variation],
        }


def load_evolution(
    root: Path, params: EvolveParams, teacher: TeacherParams, asked: Collection[str]
) -> Evolution:
    """Return the steps that the parameters name; without any, no file is read.

    Args:
        root: the project.
        params: which pairs are developed.
        teacher: who answers steps that name no other teacher.
        asked: the tasks of the requests whose pairs are developed.

    Raises:
        InputError: a step has no file, a file is broken or says what its pair decides, its task is
            asked for without it, or ``tasks`` names one that is not.
    """
    if not params.steps:
        return Evolution(params, {}, {}, {}, teacher)
    for task in params.tasks:
        if task not in asked:
            raise InputError(
                f"no request has the task `{task}`",
                where="params.yaml: generate.evolve.tasks",
                expected="one of " + ", ".join(sorted({*asked} - {*_NOTHING_TO_DEVELOP})),
                remedy=suggest(task, asked),
            )
    known = {path.stem: path for path in sorted((root / FOLDER).glob("*.md"))}
    steps = {name: _load_step(name, known) for name in params.steps}
    tasks = dict.fromkeys(asked, "a prompt of the plan")
    for prompt in steps.values():
        task = prompt.meta.task
        if task in tasks:
            raise InputError(f"task `{task}` is that of {tasks[task]} too", where=prompt.path)
        tasks[task] = prompt.path
    folder = root / "prompts"
    variations = load_texts(folder / "variations.yaml")
    return Evolution(params, steps, variations, load_texts(folder / "personas.yaml"), teacher)


def _load_step(name: str, known: Mapping[str, Path]) -> Prompt:
    if name not in known:
        raise InputError(
            f"no step is called `{name}`",
            where="params.yaml: generate.evolve.steps",
            expected=f"one of {', '.join(known)}" if known else f"files in {FOLDER}",
            remedy=suggest(name, known) or f"write {FOLDER}/{name}.md",
        )
    prompt = load_prompt(known[name])
    said = [key for key in _FIXED if key in prompt.meta.model_fields_set]
    if said or prompt.meta.teacher == BASE:
        key = said[0] if said else "teacher: base"
        raise InputError(
            f"`{key}` says nothing in a step: that is the developed pair's",
            where=prompt.path,
            remedy="take the line out",
        )
    return prompt


def _address(draft: Request, parent: Parent, prompt: Prompt, member: Member) -> Request:
    meta = prompt.meta
    shows = {"shows": True} if meta.shows or parent.pair.context else {}
    parameters = canonical_json(
        {
            **member.sampling,
            **shows,
            "max_tokens": meta.max_tokens,
            "pairs": meta.pairs,
            "phrasings": meta.phrasings,
            "reasoning": meta.reasoning,
            "style": draft.variation,
        }
    )
    named = replace(draft, teacher=member.provider, model=member.model_name, parameters=parameters)
    return replace(named, request_id=name_request(named))


def _join(request: Request) -> str:
    return "\n".join((request.system, *(message.content for message in request.messages)))


def _count(part: str) -> tuple[int, str]:
    """Return a part of a slot so that the tenth fact comes after the second."""
    return (int(part), "") if part.isdecimal() else (-1, part)
