"""Rows into token ids, once, in the one way that capture, training and their checks share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stillhouse.base.errors import InputError
from stillhouse.base.ids import content_id
from stillhouse.base.records import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

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


def encode_rows(
    rows: list[Row], tokenizer: "PreTrainedTokenizerBase", max_tokens: int
) -> list[Encoded]:
    """Return the rows as tokens, in their order; a row that does not fit is an error, never cut.

    The prompt is the student's own chat template, up to and including the generation prompt; the
    completion is the answer and the end token, without the line end that some templates add.
    """
    if not tokenizer.chat_template:
        raise InputError(
            "the tokenizer has no chat template",
            where=str(tokenizer.name_or_path),
            remedy="choose an instruction-tuned student",
        )
    encoded = [_encode(row, tokenizer) for row in rows]
    long = [item for item in encoded if len(item.input_ids) > max_tokens]
    if long:
        worst = max(long, key=lambda item: len(item.input_ids))
        where = next(row.slot_id for row in rows if row.row_id == worst.row_id)
        raise InputError(
            f"{len(long)} of {len(rows)} rows are too long; the longest, {worst.row_id[:12]}, has "
            f"{len(worst.input_ids)} tokens",
            where=where,
            expected=f"at most {max_tokens}",
            remedy="raise `students.<name>.max_tokens` or lower `ingest.max_tokens`",
        )
    return encoded


def _encode(row: Row, tokenizer: "PreTrainedTokenizerBase") -> Encoded:
    turns = [{"role": turn.role, "content": turn.content} for turn in row.prompt]
    prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    head = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    text = "".join(turn.content for turn in row.completion)
    tail = tokenizer(text, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    return Encoded(row.row_id, row.task, tuple(head + tail), len(head), cut=_is_cut(row.task, text))


def _is_cut(task: str, answer: str) -> bool:
    """Say whether the base's answer to an everyday question ends within a sentence.

    A row does not carry why its teacher stopped. Most of these answers end at ``max_tokens``; one
    that is whole without a full stop is taken for cut as well, which costs one learned token.
    """
    return task == "replay" and not answer.rstrip("\"'”’)]*_ \n").endswith(_ENDS)
