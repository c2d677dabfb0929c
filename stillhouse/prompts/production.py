"""Conversations of production into subjects: one of each kind, with the passages that may answer it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from stillhouse.base.records import Chunk, Document, Rejection, join_slot
from stillhouse.base.text import words
from stillhouse.prompts.diversity import choose_spread, find_twins
from stillhouse.prompts.logs import Log, Logs
from stillhouse.prompts.plan import LogParams
from stillhouse.prompts.retrieval import find_passages
from stillhouse.prompts.subject import Subject

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FILE: Final = "prompts.jsonl"  # the first part of the slots
# Texts into unit vectors, float32, (texts, dimensions).
Embed: TypeAlias = Callable[[Sequence[str]], "npt.NDArray[np.float32]"]
Show: TypeAlias = Callable[[Chunk, Document], str]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The conversations that are answered, and every line that is not, with its reason."""

    logs: tuple[Log, ...]
    unused: tuple[Rejection, ...]


def choose_logs(logs: Logs, params: LogParams, embed: Embed) -> Chosen:
    """Return the conversations to answer, one of each cluster of near-equal ones.

    ``embed`` sees all that a user said in a conversation, and is called only where it is needed.
    """
    unused = [_reject(one.id, one.reason, one.detail) for one in logs.unused]
    left: list[Log] = []
    for log in logs:
        count = sum(len(words(turn.content)) for turn in log.messages)
        if count <= params.words:
            left.append(log)
        else:
            detail = f"{count} words; at most {params.words} are taken"
            unused.append(_reject(log.id, "too_long", detail))
    few = params.most is None or len(left) <= params.most
    if left and not (params.similarity is None and few):
        left, others = _choose(left, embed([log.asked for log in left]), params)
        unused += others
    return Chosen(tuple(left), tuple(unused))


def make_subjects(
    logs: Sequence[Log],
    documents: Iterable[Document],
    chunks: Iterable[Chunk],
    show: Show,
    params: LogParams,
) -> list[Subject]:
    """Return each conversation with the passages that share most with what its user said.

    One that shares no word with any passage stands without: its teacher has nothing to answer from.
    ``chunks`` are those that may be taught, and are walked more than once, as ``documents`` are.
    """
    found = find_passages([log.asked for log in logs], chunks, params.passages)
    wanted = {chunk.document_id for one in found for chunk in one}
    texts = {one.document_id: one for one in documents if one.document_id in wanted}
    return [
        Subject(
            FILE,
            log.id,
            chunks=passages,
            passages="\n\n".join(show(chunk, texts[chunk.document_id]) for chunk in passages),
            question=log.question,
            turns=log.messages[:-1],
        )
        for log, passages in zip(logs, found, strict=True)
    ]


def _choose(
    logs: list[Log], vectors: "npt.NDArray[np.float32]", params: LogParams
) -> tuple[list[Log], list[Rejection]]:
    unused: list[Rejection] = []
    if params.similarity is not None:
        twins = find_twins(vectors, params.similarity)
        kept = [place for place, (leader, _) in enumerate(twins) if leader == place]
        unused += list(_reject_twins(logs, twins))
        logs, vectors = [logs[place] for place in kept], vectors[kept]
    if params.most is not None:
        spread = set(choose_spread(vectors, [log.id for log in logs], params.most, params.seed))
        detail = f"not among the {params.most} that lie farthest apart"
        unused += [
            _reject(log.id, "not_selected", detail)
            for place, log in enumerate(logs)
            if place not in spread
        ]
        logs = [log for place, log in enumerate(logs) if place in spread]
    return logs, unused


def _reject_twins(logs: Sequence[Log], twins: Sequence[tuple[int, float]]) -> Iterator[Rejection]:
    for place, (leader, near) in enumerate(twins):
        if leader != place:
            detail = f"similarity {near:.2f} to {logs[leader].id}, which is kept"
            yield _reject(logs[place].id, "semantic_duplicate", detail)


def _reject(name: str, reason: str, detail: str) -> Rejection:
    return Rejection(name, "prompt", join_slot(FILE, name), (), "render", reason, detail)
