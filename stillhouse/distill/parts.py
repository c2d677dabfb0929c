"""What a student's recipe captures: from its base on replay rows, from its teacher on all others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from transformers import PreTrainedModel

from stillhouse.base.cache import find_cached, find_caches
from stillhouse.base.errors import InputError
from stillhouse.base.home import home
from stillhouse.base.ids import combine_sha256
from stillhouse.base.lock import read_lock
from stillhouse.base.records import Row
from stillhouse.distill.bases import (
    Base,
    read_positions,
    read_shape,
    read_vocabulary_size,
    template_sha256,
    tokenizer_sha256,
)
from stillhouse.distill.distributions import Distributions, Origin, open_earlier
from stillhouse.distill.encode import Encoded, Reading, check_lengths, read_rows
from stillhouse.distill.layers import choose_layers
from stillhouse.distill.loading import load_model, load_tokenizer
from stillhouse.distill.params import Soft, Student

REPLAY: Final = "replay"  # also the task of these rows, and the folder of what is captured for them
TEACHER: Final = "teacher"


@dataclass(frozen=True, slots=True)
class OwnAnswers:
    """What a teacher reads that scores the answers of a student of ``base``, at most so many tokens each."""

    base: Base
    tokens: int


@dataclass(frozen=True, slots=True)
class Part:
    """One capture of a student: of which rows, from which models, and with which origin.

    ``models`` are those at hand, none where a server has the teacher; ``reader`` is the model whose chat
    template makes the teacher's prompt.
    Of a ``live`` one only what the models read is written down: they are asked at every step. Of one
    with ``own_answers`` only the prompts are known before: it reads what the student says.
    """

    name: str
    models: tuple[Base, ...]
    origin: Origin
    reader: Base
    live: bool = False
    own_answers: OwnAnswers | None = None

    @property
    def served(self) -> bool:
        """Whether a server has the teacher."""
        return not self.models

    def describe_teachers(self) -> list[tuple[str, str, str]]:
        """Return name, sha256 of the weights and origin of each; of one on a server nobody knows a hash."""
        if self.served:
            return [(self.origin.teacher, "", self.origin.weights_sha256)]
        return [(one.name, one.sha256, one.origin) for one in self.models]

    def load_models(self) -> list[PreTrainedModel]:
        """Return the models that are asked."""
        return [load_model(one.folder) for one in self.models]


def list_parts(params: Student, base: Base, find_base: Callable[[str], Base]) -> list[Part]:
    """Return the captures that a student's recipe needs; none where it learns words alone.

    Args:
        params: the student's section of ``params.yaml``.
        base: what the student starts from.
        find_base: opens a base by its name.

    Raises:
        InputError: a teacher's vocabulary is not the student's.
    """
    parts = []
    if params.wants_replay:
        origin = describe_origin(base, (base,), params.replay_top_k, (1.0,))
        parts.append(Part(REPLAY, (base,), origin, base))
    if params.soft is not None and params.soft.served:
        parts.append(Part(TEACHER, (), describe_served(base, params.soft), base))
    elif params.soft is not None:
        soft, teachers = params.soft, open_teachers(params, base, find_base)
        own = OwnAnswers(base, soft.max_new_tokens) if params.method == "on_policy" else None
        live = own is not None or params.method == "logits_online"
        kept = (0, ()) if live else (soft.top_k, soft.temperatures)
        origin = describe_origin(base, teachers, *kept, soft.reads)
        if soft.teacher_layers:
            width = read_shape(teachers[0].folder).hidden
            origin = replace(origin, layers=soft.teacher_layers, hidden=width)
        parts.append(Part(TEACHER, teachers, origin, teachers[0], live, own_answers=own))
    return parts


def open_teachers(
    params: Student, base: Base, find_base: Callable[[str], Base]
) -> tuple[Base, ...]:
    """Return the bases whose probabilities a student learns; none where it learns words alone.

    Raises:
        InputError: a teacher's vocabulary is not the student's, or one of them has not the layers that
            are to be matched.
    """
    if params.soft is None:
        return ()
    teachers = tuple(find_base(name) for name in params.soft.teacher)
    for teacher in teachers:
        _check_vocabulary(teacher, base)
    if params.soft.hidden is not None:
        count = read_shape(base.folder).layers
        if params.keep_layers is not None:
            count = len(choose_layers(count, params.keep_layers))
        _check_layers("student", count, [own for own, _ in params.soft.hidden.layers])
        theirs = read_shape(teachers[0].folder).layers
        _check_layers(f"teacher {teachers[0].name}", theirs, params.soft.teacher_layers)
    return teachers


def _check_layers(whose: str, count: int, asked: Sequence[int]) -> None:
    if max(asked) > count:
        raise InputError(
            f"the {whose} has no layer {max(asked)}",
            where="students.<name>.soft.hidden.layers",
            expected=f"numbers from 0, the embeddings, to {count}",
        )


def describe_origin(
    base: Base,
    teachers: Sequence[Base],
    top_k: int,
    temperatures: tuple[float, ...],
    reads: str = "prompt",
) -> Origin:
    """Return the origin that a capture from ``teachers`` for a student of ``base`` has."""
    return Origin(
        teacher=" + ".join(teacher.name for teacher in teachers),
        weights_sha256=_combine([teacher.sha256 for teacher in teachers]),
        tokenizer_sha256=tokenizer_sha256(base.folder),
        template_sha256=template_sha256(base.folder),
        teacher_template_sha256=_combine([template_sha256(one.folder) for one in teachers]),
        vocabulary=read_vocabulary_size(base.folder),
        reads=reads,
        top_k=min(top_k, read_vocabulary_size(base.folder)),
        temperatures=temperatures,
    )


def describe_served(base: Base, soft: Soft) -> Origin:
    """Return the origin of a capture from a server for a student of ``base``; nobody is asked for it.

    In the place of the weights' hash stands that there is none, and what the user says of them.
    """
    (name,) = soft.teacher
    said = "no revision was stated" if soft.revision is None else f"revision {soft.revision}"
    as_if_local = describe_origin(base, (base,), soft.top_k, soft.temperatures, soft.reads)
    return replace(
        as_if_local,
        teacher=name,
        weights_sha256=f"no hash: on a server, known by name only; {said}",
    )


def choose_rows(
    part: Part,
    rows: Sequence[Row],
    encoded: Sequence[Encoded],
    read_passages: Callable[[], Mapping[str, str]],
) -> list[Reading]:
    """Return the rows of a capture as its teacher reads them, its passages where it is to see them.

    Of several teachers the first one's chat template makes the prompt; of one on a server the
    student's does.

    Raises:
        InputError: a row is longer than a model at hand can read; where a student answers itself, a
            prompt and the longest answer are longer than it or its teacher can read.
    """
    check_own_answers(part, encoded)
    chosen = [(row, one) for row, one in zip(rows, encoded, strict=True) if _is_of(part, one.task)]
    readings = read_rows(
        [row for row, _ in chosen],
        [one for _, one in chosen],
        load_tokenizer(part.reader.folder),
        read_passages() if part.origin.reads == "passage" else None,
    )
    for model in part.models:
        check_lengths(readings, read_positions(model.folder), model.name)
    return readings


def check_own_answers(part: Part, encoded: Sequence[Encoded]) -> None:
    """Check that a student which answers itself can read each prompt with its longest answer, as its teacher must.

    Raises:
        InputError: one of them cannot.
    """
    own = part.own_answers
    if own is None:
        return
    longest = max(encoded, key=lambda row: row.start, default=None)
    for model in (own.base, *part.models):
        most = read_positions(model.folder)
        if longest is None or most is None or longest.start + own.tokens <= most:
            continue
        raise InputError(
            f"row {longest.row_id[:12]} has a prompt of {longest.start} tokens, the student answers with "
            f"{own.tokens} at most, and {model.name} reads no more than {most}",
            where="students.<name>.soft.max_new_tokens",
            expected=f"at most {max(most - longest.start, 0)}",
            remedy="shorten the answers, choose models that read more, or lower `ingest.max_tokens`",
        )


def name_tokens(part: Part, encoded: Sequence[Encoded]) -> dict[str, str]:
    """Return row id -> id of its tokens, of the rows that a capture must hold."""
    return {row.row_id: row.tokens_id for row in encoded if _is_of(part, row.task)}


def _is_of(part: Part, task: str) -> bool:
    """Say whether a capture holds rows of a task."""
    return part.own_answers is None and (task == REPLAY) == (part.name == REPLAY)


def place_of(student: str, part: str) -> Path:
    """Return the folder of one capture of a student."""
    return Path("data/distributions") / student / part


def find_earlier(student: str, part: Part) -> Distributions | None:
    """Return what ``dvc.lock`` says that this capture was before, where DVC's cache still has it."""
    outs = read_lock().outs_of(f"capture@{student}")
    caches = find_caches(Path(), home().parent)

    @cache
    def find(name: str) -> Path | None:
        return find_cached(caches, outs, (place_of(student, part.name) / name).as_posix())[1]

    return open_earlier(find, part.origin)


def _combine(hashes: Sequence[str]) -> str:
    if len(hashes) == 1:
        return hashes[0]
    return combine_sha256({str(number): one for number, one in enumerate(hashes)})


def _check_vocabulary(teacher: Base, base: Base) -> None:
    """Refuse a teacher whose tokens have other numbers than the student's."""
    if teacher.folder == base.folder or tokenizer_sha256(teacher.folder) == tokenizer_sha256(
        base.folder
    ):
        return
    theirs, ours = (load_tokenizer(one.folder).get_vocab() for one in (teacher, base))
    if theirs != ours:
        apart = len(theirs.items() ^ ours.items())
        raise InputError(
            f"the teacher {teacher.name} has another vocabulary than the student's base {base.name} "
            f"({apart} entries differ)",
            where="students.<name>.soft.teacher",
            expected="one vocabulary: token probabilities have no meaning across two",
            remedy="choose a teacher of the student's family, or `method: sft`",
        )
