"""Texts that tell whether two tokenizers are one: what each makes of them is compared, token by token."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stillhouse.base.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Spaces, figures, code, marks and letters that tokenizers of one family but of two versions cut apart.
PROBE: Final = (
    "  The café's 27.5 days (naïve: 1,024) — isn't\tit?\n\n"
    "def f(x):\n    return {'a': [x ** 2, -1e-3]}  # Größe №42 東京 🙂 مرحبا ½"
)
_SAMPLED: Final = (
    400  # tokens of the vocabulary, at even distances, whose texts are cut as well ...
)
_TOGETHER: Final = 100  # ... so many in one text: it is not to be longer than a model can read


def list_probes(tokenizer: "PreTrainedTokenizerBase") -> list[str]:
    """Return texts for which another tokenizer is likely to have other tokens.

    The first is a question in the tokenizer's own chat template, with its special tokens; the others
    hold words from all over its vocabulary.
    """
    turns = [{"role": "user", "content": PROBE}]
    asked = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    step = max(1, len(tokenizer) // _SAMPLED)
    words = [str(tokenizer.decode([token])) for token in range(0, len(tokenizer), step)]
    whole = [word for word in words if "\ufffd" not in word]  # not a part of a letter
    parts = range(0, len(whole), _TOGETHER)
    return [str(asked), *("\n".join(whole[start : start + _TOGETHER]) for start in parts)]


def cut_text(text: str, tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Return a text's tokens, none added."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def compare_tokens(
    ours: Sequence[int], theirs: Sequence[int], tokenizer: "PreTrainedTokenizerBase"
) -> None:
    """Refuse a server that cuts a text otherwise than the student's tokenizer does.

    Raises:
        InputError: the first token that differs.
    """
    if list(ours) == list(theirs):
        return
    pairs = enumerate(zip(ours, theirs, strict=False))
    place = next((n for n, (a, b) in pairs if a != b), min(len(ours), len(theirs)))
    here = f"{ours[place]} ({tokenizer.decode([ours[place]])!r})" if place < len(ours) else "none"
    there = theirs[place] if place < len(theirs) else "none"
    raise InputError(
        f"the server's tokenizer is not the student's: token {place} of a probe is {there} there and "
        f"{here} here",
        where="students.<name>.soft.teacher",
        expected="one vocabulary: token probabilities have no meaning across two",
        remedy="serve a model of the student's family, or choose another student",
    )
