"""Captured distributions on disk: what a base would have said, token by token, for chosen rows.

One safetensors file with all tokens of all rows laid end to end, and a manifest, written last, that
says to which tokens of which rows they belong and which weights and tokenizer they came from.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from stillhouse.base.errors import DriftError, InputError
from stillhouse.base.files import read_text, write_json
from stillhouse.base.ids import Json
from stillhouse.distill.bases import Base, explain_unsaved, tokenizer_sha256
from stillhouse.distill.encode import Encoded

MANIFEST: Final = "manifest.json"
TENSORS: Final = "distributions.safetensors"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a distribution depends on beside the tokens; any difference makes it another one."""

    base: str
    weights_sha256: str
    tokenizer_sha256: str
    vocabulary: int
    top_k: int


def describe_origin(base: Base, top_k: int) -> Origin:
    """Return the origin that a capture from ``base`` has."""
    config = json.loads((base.folder / "config.json").read_text(encoding="utf-8"))
    vocabulary = int(config.get("vocab_size") or config["text_config"]["vocab_size"])
    return Origin(base.name, base.sha256, tokenizer_sha256(base.folder), vocabulary, top_k)


@dataclass(frozen=True, slots=True)
class Distributions:
    """``ids`` and ``log_probs`` are [tokens, k]; ``spans[row_id]`` is the row's first token and end."""

    origin: Origin
    ids: torch.Tensor
    log_probs: torch.Tensor
    spans: dict[str, tuple[int, int]]

    def of_row(self, row_id: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ids and log-probabilities [completion tokens, k] of one row."""
        start, end = self.spans[row_id]
        return self.ids[start:end], self.log_probs[start:end]


def write_distributions(
    folder: Path,
    origin: Origin,
    rows: list[Encoded],
    ids: torch.Tensor,
    log_probs: torch.Tensor,
) -> None:
    """Write the distributions of ``rows``, whose completion tokens lie end to end in the tensors.

    Ids take two bytes where the vocabulary allows it, log-probabilities are float16: their rounding,
    at most 2⁻¹¹ of a value, is far below what a training step can notice.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kind = torch.uint16 if origin.vocabulary <= 1 << 16 else torch.int32
    tensors = {"ids": ids.to(kind).contiguous(), "log_probs": log_probs.half().contiguous()}
    if rows:
        with explain_unsaved(folder):
            save_file(tensors, folder / TENSORS)
    manifest: dict[str, Json] = {
        "origin": {name: getattr(origin, name) for name in Origin.__slots__},
        "rows": [
            {"row_id": row.row_id, "tokens_id": row.tokens_id, "tokens": _length(row)}
            for row in rows
        ],
    }
    write_json(folder / MANIFEST, manifest)


def read_distributions(folder: Path, origin: Origin, rows: list[Encoded]) -> Distributions:
    """Return the distributions of ``rows``; anything that does not match exactly is refused.

    Raises:
        InputError: nothing was captured here, a file is torn, or a row is missing.
        DriftError: base, tokenizer, vocabulary or a row's tokens are not those of the capture.
    """
    if not (folder / MANIFEST).exists():
        raise InputError("no captured distributions", where=str(folder), remedy="run `dvc repro`")
    spans, tokens_ids, place = {}, {}, 0
    try:
        manifest = json.loads(read_text(folder / MANIFEST))
        _check_origin(folder, Origin(**manifest["origin"]), origin)
        for entry in manifest["rows"]:
            spans[entry["row_id"]] = (place, place + entry["tokens"])
            tokens_ids[entry["row_id"]] = entry["tokens_id"]
            place += entry["tokens"]
    except (ValueError, KeyError, TypeError) as exc:
        raise _torn(folder / MANIFEST, exc) from exc
    for row in rows:
        if row.row_id not in tokens_ids:
            raise InputError(f"row {row.row_id[:12]} was not captured", where=str(folder))
        if row.tokens_id != tokens_ids[row.row_id]:
            raise DriftError(
                f"row {row.row_id[:12]} has other tokens than when it was captured",
                where=str(folder),
                remedy="run `dvc repro` to capture it again",
            )
    if not spans:
        empty = torch.zeros(0, origin.top_k)
        return Distributions(origin, empty.long(), empty, {})
    try:
        tensors = load_file(folder / TENSORS)
    except (SafetensorError, FileNotFoundError) as exc:
        raise _torn(folder / TENSORS, exc) from exc
    return Distributions(origin, tensors["ids"].long(), tensors["log_probs"].float(), spans)


def _torn(path: Path, exc: Exception) -> InputError:
    return InputError(
        f"cannot be read ({exc})", where=str(path), remedy="run `dvc repro` to capture it again"
    )


def _check_origin(folder: Path, captured: Origin, wanted: Origin) -> None:
    for name in Origin.__slots__:
        if getattr(captured, name) != getattr(wanted, name):
            raise DriftError(
                f"captured with {name} {getattr(captured, name)}",
                where=str(folder),
                expected=str(getattr(wanted, name)),
                remedy="run `dvc repro` to capture again",
            )


def _length(row: Encoded) -> int:
    return len(row.input_ids) - row.start
