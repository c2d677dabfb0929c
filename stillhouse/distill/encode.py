"""Rows into token ids, once, in the one way that capture, training and their checks share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from stillhouse.base.errors import InputError
from stillhouse.base.ids import content_id
from stillhouse.base.questions import ask_instead, ask_with_passage, row_question
from stillhouse.base.records import Row
from stillhouse.base.thoughts import OPEN, Thoughts, read_thoughts, write_thoughts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Reasoning = Literal["none", "before_answer"]

_ENDS: Final = (".", "!", "?", "…")  # of a sentence


@dataclass(frozen=True, slots=True)
class Encoded:
    """A row as tokens: ``input_ids[start:]`` is the completion with its end token.

    ``cut``: the completion looks as if it had been cut off, so that its end token is no one's word.
    """

    row_id: str
    task: str
    input_ids: tuple[int, ...]
    start: int
    cut: bool = False

    @property
    def tokens_id(self) -> str:
        """The content id of the tokens: a captured distribution belongs to these and no others."""
        return content_id("tokens", {"ids": list(self.input_ids), "start": self.start})


@dataclass(frozen=True, slots=True)
class Reading:
    """A row as a teacher reads it: ``input_ids[start:]`` is the completion that the student learns.

    ``tokens_id`` names the student's tokens (``Encoded.tokens_id``), ``read_id`` the teacher's.
    """

    row_id: str
    tokens_id: str
    input_ids: tuple[int, ...]
    start: int

    @property
    def tokens(self) -> int:
        """How many tokens the completion has."""
        return len(self.input_ids) - self.start

    @property
    def read_id(self) -> str:
        """The content id of the tokens that the teacher reads."""
        return content_id("tokens", {"ids": list(self.input_ids), "start": self.start})


def read_rows(
    rows: Sequence[Row],
    encoded: Sequence[Encoded],
    tokenizer: "PreTrainedTokenizerBase",
    passages: Mapping[str, str] | None = None,
) -> list[Reading]:
    """Return rows as a teacher reads them: its own prompt, and the student's completion.

    Args:
        rows: the training rows.
        encoded: the same rows as the student learns them.
        tokenizer: the teacher's, whose vocabulary is the student's; its chat template makes the prompt.
        passages: chunk id -> text; where they are given, the teacher sees the passages of each row that
            rests on some and does not show them anyway.
    """
    found = []
    for row, learned in zip(rows, encoded, strict=True):
        head = _encode_prompt(_show(row, passages) if passages else row, tokenizer)
        ids = (*head, *learned.input_ids[learned.start :])
        found.append(Reading(row.row_id, learned.tokens_id, ids, len(head)))
    return found


def check_lengths(rows: Sequence[Reading], longest: int | None, teacher: str) -> None:
    """Refuse readings that a teacher does not read to their end: it would fail, or give noise.

    Args:
        rows: what it is to read.
        longest: how many tokens it reads at most; None: no limit is known.
        teacher: its name.

    Raises:
        InputError: a row has more tokens.
    """
    long = [row for row in rows if longest is not None and len(row.input_ids) > longest]
    if long:
        worst = max(long, key=lambda row: len(row.input_ids))
        raise InputError(
            f"{len(long)} of {len(rows)} rows are longer than the teacher {teacher} can read; the "
            f"longest, {worst.row_id[:12]}, has {len(worst.input_ids)} tokens",
            where="students.<name>.soft.teacher",
            expected=f"at most {longest}, with prompt and answer",
            remedy="choose a teacher that reads more, have it read less (`soft.reads: prompt`), or "
            "lower `ingest.max_tokens`",
        )


def check_reasoning(rows: Sequence[Row], reasoning: Reasoning) -> None:
    """Refuse training rows of which a student that is to reason first could not learn to.

    Raises:
        InputError: not one of them has reasoning.
    """
    if reasoning != "none" and rows and not any(row.reasoning for row in rows):
        raise InputError(
            f"`reasoning: {reasoning}`, and none of the {len(rows)} rows has reasoning to learn",
            where="students.<name>.reasoning",
            expected="rows whose teacher gave its reasoning (`reasoning` in data/dataset/train.parquet)",
            remedy="ask for it in the prompts of the tasks, or set `reasoning: none`",
        )


def _check_tags(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Refuse a tokenizer or template with which reasoning and answer could not be told apart.

    Replies are decoded without special tokens, so that tags which are such tokens would be gone; and a
    template that opens the reasoning itself has the student open it twice.
    """
    wrote = write_thoughts("why", "what")
    ids = tokenizer(wrote, add_special_tokens=False)["input_ids"]
    read = read_thoughts(str(tokenizer.decode(ids, skip_special_tokens=True)).strip())
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": "?"}], add_generation_prompt=True, tokenize=False
    )
    if read != Thoughts("why", "what"):
        problem = "does not give back the tags that part reasoning from answer"
    elif OPEN in str(asked).rpartition("?")[2]:
        problem = f"has a chat template that writes {OPEN} before the student says anything"
    else:
        return
    raise InputError(
        f"the tokenizer {tokenizer.name_or_path} {problem}: what a student reasons could not be read",
        where="students.<name>.reasoning",
        expected=f"a base whose prompt ends where its reply begins, and to which {OPEN} is text",
        remedy="choose another base, or set `reasoning: none`",
    )


def _show(row: Row, passages: Mapping[str, str]) -> Row:
    """Return the row with its passages before its question, in the form that students are shown one."""
    if row.context or not row.chunk_ids:
        return row
    text = "\n\n".join(passages[name].strip() for name in row.chunk_ids)
    question = row_question(row)
    return replace(row, prompt=ask_instead(row.prompt, "", ask_with_passage(text, question)))


def encode_rows(
    rows: list[Row],
    tokenizer: "PreTrainedTokenizerBase",
    max_tokens: int,
    reasoning: Reasoning = "none",
) -> list[Encoded]:
    """Return the rows as tokens, in their order; a row that does not fit is an error, never cut.

    The prompt is the student's own chat template, up to and including the generation prompt; the
    completion is the answer and the end token, without the line end that some templates add. With
    ``reasoning`` ``before_answer`` a row that has some is completed with it and then the answer
    (``write_thoughts``); of the others nothing changes.

    Raises:
        InputError: there is no chat template, a row is too long, or a student that reasons first could
            not be understood with this tokenizer.
    """
    if not tokenizer.chat_template:
        raise InputError(
            "the tokenizer has no chat template",
            where=str(tokenizer.name_or_path),
            remedy="choose an instruction-tuned student",
        )
    if reasoning != "none":
        _check_tags(tokenizer)
    encoded = [_encode(row, tokenizer, reasoning) for row in rows]
    long = [item for item in encoded if len(item.input_ids) > max_tokens]
    if long:
        worst = max(long, key=lambda item: len(item.input_ids))
        where = next(row.slot_id for row in rows if row.row_id == worst.row_id)
        raise InputError(
            f"{len(long)} of {len(rows)} rows are too long; the longest, {worst.row_id[:12]}, has "
            f"{len(worst.input_ids)} tokens",
            where=where,
            expected=f"at most {max_tokens}",
            remedy="raise `students.<name>.max_tokens` or lower `ingest.max_tokens`"
            + (", or learn answers alone: `reasoning: none`" if reasoning != "none" else ""),
        )
    return encoded


def _encode_prompt(row: Row, tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    turns = [{"role": turn.role, "content": turn.content} for turn in row.prompt]
    prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    return list(tokenizer(prompt, add_special_tokens=False)["input_ids"])


def _encode(row: Row, tokenizer: "PreTrainedTokenizerBase", reasoning: Reasoning) -> Encoded:
    head = _encode_prompt(row, tokenizer)
    text = "".join(turn.content for turn in row.completion)
    if reasoning == "before_answer" and row.reasoning:
        text = write_thoughts(row.reasoning, text)
    tail = tokenizer(text, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    return Encoded(row.row_id, row.task, tuple(head + tail), len(head), cut=_is_cut(row.task, text))


def _is_cut(task: str, answer: str) -> bool:
    """Say whether the base's answer to an everyday question ends within a sentence.

    A row does not carry why its teacher stopped. Most of these answers end at ``max_tokens``; one
    that is whole without a full stop is taken for cut as well, which costs one learned token.
    """
    return task == "replay" and not answer.rstrip("\"'”’)]*_ \n").endswith(_ENDS)
