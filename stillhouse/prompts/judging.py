"""Pairs into requests to judges: one for each pair, rubric and judge, whoever made the pair.

A request says what the judge sees and nothing of where it came from. So a pair that comes out of another
prompt word for word, or a second time, is not judged again; a rubric's edit asks all of its own anew.
One request for each rubric costs more than one for all, and keeps the scores of one criterion free of the
others', an edit of a rubric from asking for the rest, and a system prompt the same for every pair, which
providers cache.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from stillhouse.base.ids import canonical_json
from stillhouse.base.questions import question_of
from stillhouse.base.records import Chunk, Document, Message, Pair, Request, join_slot
from stillhouse.base.tasks import CONFIRM, name_judging
from stillhouse.prompts.render import name_request, show_chunk
from stillhouse.prompts.rubrics import FOLDER, RubricMeta, Rubrics, load_rubrics
from stillhouse.prompts.schema import CONFIRM_SCHEMA, JUDGEMENT_SCHEMA
from stillhouse.prompts.stock import lay_passages
from stillhouse.prompts.teacher import Member
from stillhouse.prompts.templates import Parsed, fill

# Why a pair got no confidence: no answer given anew could be read. It was judged all the same.
UNCONFIRMED: Final = "unconfirmed"
_EXEMPT: Final = ("replay",)  # the base's own words, kept as they are
_TAG: Final = re.compile(r"<(?=\\*/?(?:passage|question|answer|conversation)\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Panel:
    """Who judges by which rubrics; ``seed`` draws the order of what they see.

    ``samples`` is how often the first of them answers a pair's question anew where its teacher told
    no confidence.
    """

    judges: Sequence[Member]
    rubrics: Rubrics
    seed: int = 0
    samples: int = 0


@dataclass(frozen=True, slots=True)
class Asking:
    """One request that a pair is judged by; several pairs may share it."""

    pair_id: str
    slot_id: str
    chunk_ids: tuple[str, ...]
    judge: str
    task: str
    request_id: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a judge sees of a pair."""

    pair: Pair
    passages: str
    question: str
    answer: str


def make_panel(
    judges: Sequence[Member],
    criteria: Sequence[str],
    *,
    seed: int,
    samples: int,
    folder: Path = FOLDER,
) -> Panel:
    """Return who judges by what; without judges nobody judges and no rubric is read.

    Raises:
        InputError: see ``load_rubrics``.
    """
    if not judges:
        return Panel((), Rubrics({}))
    rubrics = load_rubrics(criteria, confirm=samples > 0, folder=folder)
    return Panel(judges, rubrics, seed, samples)


def show_passages(documents: Iterable[Document], chunks: Iterable[Chunk]) -> dict[str, str]:
    """Return each chunk by its id as the teacher saw it: rows of a table with their table's head."""
    with lay_passages(documents, chunks, show_chunk) as stock:
        return {laid.chunk.chunk_id: laid.passage for laid in stock}


def name_judge(judge: Member) -> str:
    """Return what judgements call a judge."""
    return f"{judge.provider}/{judge.model_name}"


def render_judging(
    pair: Pair, passages: Mapping[str, str], panel: Panel
) -> Iterator[tuple[Asking, Request]]:
    """Yield what a pair is judged by; nothing for what the base itself answers.

    Args:
        pair: the pair.
        passages: each chunk as the teacher saw it.
        panel: who judges.
    """
    if pair.task in _EXEMPT:
        return
    seen = _look_at(pair, passages)
    for judge in panel.judges:
        for criterion, rubric in panel.rubrics.by_criterion.items():
            if seen.passages or not rubric.meta.passage:
                yield _ask(seen, judge, criterion, rubric, panel.seed)
    confirm = panel.rubrics.confirm
    if confirm is not None and pair.confidence is None and seen.passages and panel.judges:
        for sample in range(panel.samples):
            yield _ask(seen, panel.judges[0], CONFIRM, confirm, panel.seed, sample)


def render_all(
    pairs: Iterable[Pair], passages: Mapping[str, str], panel: Panel
) -> Iterator[tuple[Asking, Request]]:
    """Yield what all pairs are judged by, pair by pair; a request may come more than once."""
    for pair in pairs:
        yield from render_judging(pair, passages, panel)


def _look_at(pair: Pair, passages: Mapping[str, str]) -> _Seen:
    """Return what is shown: the pair's passages, or else the text that the student is shown."""
    shown = "\n\n".join(passages[name] for name in pair.chunk_ids if name in passages)
    if not shown and pair.context:
        shown = _block("passage", pair.context)
    return _Seen(pair, shown, _show_question(pair), _block("answer", pair.response))


def _show_question(pair: Pair) -> str:
    question = question_of(pair.messages, pair.context)
    turns = [f"{turn.role}: {turn.content}" for turn in pair.messages[:-1]]
    before = [_block("conversation", "\n\n".join(turns))] if turns else []
    return "\n\n".join([*before, _block("question", question)])


def _ask(
    seen: _Seen,
    judge: Member,
    criterion: str,
    rubric: Parsed[RubricMeta],
    seed: int,
    sample: int = 0,
) -> tuple[Asking, Request]:
    pair, task = seen.pair, name_judging(criterion)
    values = _lay_out(seen, rubric, f"{seed}\n{name_judge(judge)}\n{criterion}")
    draft = Request(
        request_id="",
        slot_id=join_slot(pair.slot_id, name_judge(judge), criterion, sample),
        chunk_ids=pair.chunk_ids,
        task=task,
        prompt_path=rubric.path,
        prompt_sha256=rubric.sha256,
        variation="",
        persona="",
        sample=sample,
        teacher=judge.provider,
        model=judge.model_name,
        system=fill(rubric.system, rubric, values),
        messages=(Message("user", fill(rubric.user, rubric, values)),),
        output_schema=CONFIRM_SCHEMA if criterion == CONFIRM else JUDGEMENT_SCHEMA,
        parameters=canonical_json({**judge.sampling, "max_tokens": rubric.meta.max_tokens}),
    )
    request = replace(draft, request_id=name_request(draft))
    said = (pair.pair_id, pair.slot_id, pair.chunk_ids, name_judge(judge), task)
    return Asking(*said, request.request_id), request


def _lay_out(seen: _Seen, rubric: Parsed[RubricMeta], salt: str) -> dict[str, object]:
    """Return the variables of a rubric; what stands first, and which score, is drawn.

    Judges lean towards what they see first and towards scores that are listed first (Wang et al.
    2023, "Large Language Models are not Fair Evaluators"): over many pairs that evens out. The draw
    hangs on the words that are judged, so it stays where they stay.
    """
    drawn = hashlib.blake2b(f"{salt}\n{seen.question}\n{seen.answer}".encode()).digest()
    anchors = [f"{score}: {said}" for score, said in enumerate(rubric.meta.anchors, 1)]
    pair = f"{seen.question}\n\n{seen.answer}"
    parts = [part for part in (seen.passages, pair) if part]
    return {
        "anchors": "\n".join(anchors if drawn[0] % 2 else anchors[::-1]),
        "answer": seen.answer,
        "material": "\n\n".join(parts if drawn[1] % 2 else parts[::-1]),
        "pair": pair,
        "passages": seen.passages,
        "question": seen.question,
    }


def _block(name: str, text: str) -> str:
    """Return a tagged block; a tag inside the text is defused, so that it neither ends nor opens one."""
    inner = _TAG.sub(r"<\\", text.strip())
    return f"<{name}>\n{inner}\n</{name}>"
