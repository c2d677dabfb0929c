"""A vLLM server's log-probabilities of given tokens, as the distributions that are captured.

``prompt_logprobs`` is a list with an entry for each token of the prompt: None for the first, and for
token t a map from token ids to ``{logprob, rank, decoded_token}``, of the k likeliest tokens behind
those before t and of token t itself where it is not among them.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import torch

from stillhouse.base.errors import TeacherError
from stillhouse.distill.distributions import Captured, Origin
from stillhouse.distill.encode import Reading

# Servers count in float32: of what their k tokens leave to the others they cannot tell less than this.
_LEAST_TAIL: Final = math.log(2.0**-24)
_ROUNDING: Final = (
    1e-3  # by which k probabilities may add up to more than one: bfloat16, and k of them
)


def read_answer(message: object, row: Reading, origin: Origin) -> Captured:
    """Return what a server gives to the completion of a row, at temperature 1.

    Entry t is the distribution of token t behind the tokens before it, so the completion has the
    entries from ``row.start`` on. Exactly the k likeliest tokens are kept of each.

    Args:
        message: the server's answer to a completion with ``prompt_logprobs``.
        row: whose ``input_ids`` were the prompt.
        origin: its ``top_k`` and ``vocabulary``.

    Returns:
        ids and log-probabilities [row.tokens, k], likeliest first, and tails [row.tokens, 1].

    Raises:
        TeacherError: the answer is not of this form, not about these tokens, or holds no
            log-probabilities: nothing of it is to be kept.
    """
    entries = _find_entries(message, row)
    # Those of the prompt are read as well, for their checks: an answer may be another row's in its beginning.
    every = [
        _read_entry(entries[place], row, place, origin) for place in range(1, len(row.input_ids))
    ]
    best = every[row.start - 1 :]
    ids = torch.tensor([[token for token, _ in one] for one in best])
    log_probs = torch.tensor([[value for _, value in one] for one in best], dtype=torch.float64)
    if (log_probs.logsumexp(-1) > _ROUNDING).any():
        raise _refuse(row, "its probabilities add up to more than one")
    tails = log_rest(log_probs, origin.vocabulary).unsqueeze(-1)
    return Captured(ids, log_probs.half(), tails.float(), torch.zeros(row.tokens, 0, 0).half())


def log_rest(log_probs: torch.Tensor, vocabulary: int) -> torch.Tensor:
    """Return log(1 − Σ p) over the last dimension: what k tokens leave to all others.

    Where nothing, or less than rounding, is left, the rest is as small as float32 can tell; it is
    −∞ where there are no others.

    Args:
        log_probs: [..., k], of tokens that differ.
        vocabulary: how many tokens there are in all.

    Returns:
        [...], float64.
    """
    whole = log_probs.double().logsumexp(-1).clamp(max=0.0)
    if log_probs.shape[-1] >= vocabulary:
        return torch.full_like(whole, -torch.inf)
    # log(1 - exp(x)) loses its digits near 0 in the one form and far from it in the other (Mächler 2012).
    near = torch.log(-torch.expm1(whole))
    far = torch.log1p(-torch.exp(whole))
    return torch.where(whole > -math.log(2.0), near, far).clamp(min=_LEAST_TAIL)


def _find_entries(message: object, row: Reading) -> list[Any]:
    try:
        entries = message["choices"][0]["prompt_logprobs"]  # type: ignore[index]
    except (KeyError, IndexError, TypeError) as exc:
        raise _refuse(row, "it has no `prompt_logprobs`") from exc
    if not isinstance(entries, list):
        raise _refuse(row, "it has no `prompt_logprobs`")
    if len(entries) != len(row.input_ids):
        raise _refuse(row, f"it is about {len(entries)} tokens of {len(row.input_ids)}")
    return entries


def _check_count(count: int, row: Reading, place: int, origin: Origin) -> None:
    """Refuse an entry of other than the k likeliest tokens, and the row's own where it is none of them."""
    if count < origin.top_k:
        raise _refuse(row, f"token {place} has {count} log-probabilities of {origin.top_k}")
    if count > origin.top_k + 1:
        raise _refuse(
            row, f"token {place} has {count} log-probabilities, {origin.top_k} were asked for"
        )


def _read_entry(entry: object, row: Reading, place: int, origin: Origin) -> list[tuple[int, float]]:
    """Return the k likeliest tokens of one entry with their log-probabilities, likeliest first."""
    try:
        found = _read_tokens(entry)
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise _refuse(row, f"token {place} has no log-probabilities") from exc
    if row.input_ids[place] not in found:  # of other tokens, or of an earlier request's
        raise _refuse(row, f"the entry of token {place} is about another token")
    if not all(0 <= token < origin.vocabulary for token in found):
        raise _refuse(row, f"it names tokens beyond the {origin.vocabulary} of the vocabulary")
    _check_count(len(found), row, place, origin)
    if not all(
        value <= _ROUNDING for value, _ in found.values()
    ):  # NaN is no log-probability either
        raise _refuse(row, f"what it gives to token {place} are no log-probabilities")
    own = row.input_ids[place]
    ranked = sorted(found.items(), key=lambda one: (-one[1][0], one[1][1], one[0] == own, one[0]))
    if any(token != own for token, _ in ranked[origin.top_k :]):
        raise _refuse(row, f"token {place} has the log-probability of a token that is not its own")
    return [(token, value) for token, (value, _) in ranked[: origin.top_k]]


def _read_tokens(entry: object) -> dict[int, tuple[float, float]]:
    """Return token id -> (log-probability, rank): of equals the server's order holds."""
    if not isinstance(entry, Mapping):
        raise TypeError("no map")
    return {
        int(token): (float(told["logprob"]), float(told.get("rank") or math.inf))
        for token, told in entry.items()
    }


def _refuse(row: Reading, why: str) -> TeacherError:
    return TeacherError(
        f"the server's answer for row {row.row_id[:12]} cannot be used: {why}",
        where="params.yaml: teachers.vllm",
        expected="the log-probabilities of the row's own tokens (`--logprobs-mode raw_logprobs`)",
        remedy="nothing of it was kept; begin the server with `--no-enable-prefix-caching`, or take "
        "another version of vLLM",
    )
