"""Captured distributions on disk: what a teacher would have said, token by token, for chosen rows.

Shards of safetensors hold the tokens of their rows end to end; ``rows.parquet`` says which; the
manifest, written last, says what all of it came from. A row lies in the shard that its id begins with:
an edit that touches a few rows changes a few shards, and DVC keeps the others once.

Of a token are stored the k likeliest ids and their log-probabilities at temperature 1, the mass of the
others at each temperature that will be asked for (``losses.log_tails``), and, where they are wanted,
hidden states. That is 4k + 4T bytes up to 65,536 tokens in the vocabulary and 5k + 4T above, for T
temperatures, without hidden states.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from stillhouse.base.errors import DriftError, InputError
from stillhouse.base.files import read_text, replace_file, write_json
from stillhouse.base.ids import Json
from stillhouse.base.tables import read_all, write_table
from stillhouse.distill.encode import Reading

MANIFEST: Final = "manifest.json"
ROWS: Final = "rows.parquet"
_NARROW: Final = 1 << 16  # ids below this take two bytes, others three
_SHARD_TOKENS: Final = 1 << 15  # about as many tokens in a shard, at most sixteen times as many


@dataclass(frozen=True, slots=True)
class Origin:
    """What a distribution depends on beside the tokens; any difference makes it another one.

    ``tokenizer_sha256`` covers how the student's text becomes tokens, ``template_sha256`` how a
    conversation becomes text, and ``teacher_template_sha256`` how it does for the teacher. ``reads`` is ``prompt``, or ``passage`` where the teacher sees the row's passage as well.
    ``layers`` are the hidden states that are kept, 0 being the embeddings; ``hidden`` their width.
    Of a teacher on a server ``weights_sha256`` is no hash but says that there is none, and its template
    is the student's.
    """

    teacher: str
    weights_sha256: str
    tokenizer_sha256: str
    template_sha256: str
    teacher_template_sha256: str
    vocabulary: int
    reads: str
    top_k: int
    temperatures: tuple[float, ...]
    layers: tuple[int, ...] = ()
    hidden: int = 0

    def describe(self) -> dict[str, Json]:
        """Return the origin as JSON."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Captured:
    """What a teacher gave to the n completion tokens of one row, as it is stored.

    ``ids`` [n, k] int64, ``log_probs`` [n, k] float16, ``tails`` [n, temperatures] float32, ``hidden``
    [n, layers, width] float16.
    """

    ids: torch.Tensor
    log_probs: torch.Tensor
    tails: torch.Tensor
    hidden: torch.Tensor

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class CapturedRow:
    """Where the tokens of a row lie: ``tokens`` of them from ``start`` on in shard ``shard``.

    ``tokens_id`` names the tokens that the student learns, ``read_id`` those that the teacher read.
    """

    row_id: str
    tokens_id: str
    read_id: str
    shard: str
    start: int
    tokens: int


def name_tensors(captured: Captured, vocabulary: int) -> dict[str, torch.Tensor]:
    """Return the tensors that are stored; ids beyond two bytes are cut into two and one."""
    ids = captured.ids
    found = {"ids": (ids & (_NARROW - 1)).to(torch.uint16)}
    if vocabulary > _NARROW:
        found["ids_high"] = (ids >> 16).to(torch.uint8)
    found |= {"log_probs": captured.log_probs, "tails": captured.tails}
    if captured.hidden.shape[1]:
        found["hidden"] = captured.hidden
    return {name: tensor.contiguous() for name, tensor in found.items()}


def read_tensors(stored: Mapping[str, torch.Tensor]) -> Captured:
    """Return what :func:`name_tensors` named."""
    ids = stored["ids"].long()
    if "ids_high" in stored:
        ids = ids | (stored["ids_high"].long() << 16)
    hidden = stored.get("hidden")
    if hidden is None:
        hidden = torch.zeros(len(ids), 0, 0, dtype=torch.float16)
    return Captured(ids, stored["log_probs"], stored["tails"], hidden)


def write_distributions(
    folder: Path,
    origin: Origin,
    rows: Sequence[Reading],
    captured: Callable[[list[str]], Sequence[Captured]],
) -> None:
    """Write the distributions of rows; the manifest last.

    Args:
        folder: ``data/distributions/<student>/<part>``.
        origin: what they came from.
        rows: what the teacher read.
        captured: called with row ids, returns their ``Captured`` in that order; so that no more than
            one shard's lie in memory.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = cut_shards(rows)
    placed = []
    for name, inside in shards.items():
        found = captured([row.row_id for row in inside])
        start = 0
        for row, one in zip(inside, found, strict=True):
            if len(one) != row.tokens:
                raise ValueError(f"row {row.row_id}: {len(one)} captured of {row.tokens} tokens")
            placed.append(
                CapturedRow(row.row_id, row.tokens_id, row.read_id, name, start, row.tokens)
            )
            start += row.tokens
        parts = [name_tensors(one, origin.vocabulary) for one in found]
        tensors = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
        with replace_file(folder / f"{name}.safetensors") as part:  # with the mode of other files
            part.write_bytes(save(tensors))
    write_table(folder / ROWS, CapturedRow, placed)
    manifest: dict[str, Json] = {
        "origin": origin.describe(),
        "rows": len(rows),
        "tokens": sum(row.tokens for row in placed),
        "shards": sorted(shards),
    }
    write_json(folder / MANIFEST, manifest)


def cut_shards(rows: Iterable[Reading]) -> dict[str, list[Reading]]:
    """Return the rows by shard, sorted: by as many digits of their ids as keep shards small."""
    ordered = sorted(rows, key=lambda row: row.row_id)
    digits, tokens = 0, sum(row.tokens for row in ordered)
    while tokens > _SHARD_TOKENS * 16**digits:
        digits += 1
    shards: dict[str, list[Reading]] = {}
    for row in ordered:
        shards.setdefault(f"tokens-{row.row_id[:digits] or 'all'}", []).append(row)
    return shards


class Distributions:
    """The distributions of rows, read from their shards when they are asked for.

    ``find`` gives the place of a file by its name, or None: a folder's, or those in DVC's cache.
    """

    def __init__(
        self, find: Callable[[str], Path | None], origin: Origin, rows: Mapping[str, CapturedRow]
    ) -> None:
        self.origin = origin
        self.rows = rows
        self._find = find
        self._open: dict[str, Any] = {}

    def of_row(self, row_id: str) -> Captured:
        """Return what the teacher gave to the completion of one row.

        Raises:
            InputError: its shard is missing or torn.
        """
        row = self.rows[row_id]
        name = f"{row.shard}.safetensors"
        path = self._find(name)
        if path is None:
            raise _torn(Path(name), FileNotFoundError("it is missing"))
        try:
            if row.shard not in self._open:
                self._open[row.shard] = safe_open(path, framework="pt")
            file = self._open[row.shard]
            place = slice(row.start, row.start + row.tokens)
            found = read_tensors({key: file.get_slice(key)[place] for key in file.keys()})  # noqa: SIM118 - no mapping
        except (SafetensorError, FileNotFoundError, KeyError) as exc:
            raise _torn(path, exc) from exc
        if len(found) != row.tokens:
            raise _torn(path, ValueError("it ends too early"))
        return found


def read_distributions(folder: Path, origin: Origin, rows: Mapping[str, str]) -> Distributions:
    """Return the distributions of rows; anything that does not match exactly is refused.

    Args:
        folder: what ``write_distributions`` wrote.
        origin: what they must have come from.
        rows: row id -> the id of its tokens, of the rows that are needed.

    Raises:
        InputError: nothing was captured here, a file is torn, or a row is missing.
        DriftError: teacher, tokenizer, template, vocabulary or a row's tokens are not those of the
            capture; the message names which.
    """
    if not (folder / MANIFEST).exists():
        raise InputError("no captured distributions", where=str(folder), remedy="run `dvc repro`")
    check_origin(folder, read_origin(folder / MANIFEST), origin)
    known = _read_rows(folder / ROWS)
    check_rows(folder, {name: row.tokens_id for name, row in known.items()}, rows)
    return Distributions(lambda name: folder / name, origin, known)


def check_rows(folder: Path, captured: Mapping[str, str], rows: Mapping[str, str]) -> None:
    """Refuse rows that were not captured, or that had other tokens then; both by row id -> tokens id.

    Raises:
        InputError: a row is missing.
        DriftError: its tokens are others.
    """
    for row_id, tokens_id in rows.items():
        if row_id not in captured:
            raise InputError(
                f"row {row_id[:12]} was not captured",
                where=str(folder),
                remedy="run `dvc repro` to capture it",
            )
        if captured[row_id] != tokens_id:
            raise DriftError(
                f"row {row_id[:12]} has other tokens than when it was captured",
                where=str(folder),
                remedy="run `dvc repro` to capture it again",
            )


def open_earlier(find: Callable[[str], Path | None], origin: Origin) -> Distributions | None:
    """Return an earlier version's distributions, where its files are there and of this origin."""
    manifest, rows = find(MANIFEST), find(ROWS)
    if manifest is None or rows is None:
        return None
    try:
        if read_origin(manifest) != origin:
            return None
        return Distributions(find, origin, _read_rows(rows))
    except InputError:  # of another format: an earlier version is a convenience
        return None


def _read_rows(path: Path) -> dict[str, CapturedRow]:
    if not path.exists():
        raise _torn(path, FileNotFoundError("it is missing"))
    return {row.row_id: row for row in read_all(path, CapturedRow)}


def read_origin(path: Path) -> Origin:
    """Return what distributions came from, by their manifest."""
    try:
        told: dict[str, Any] = json.loads(read_text(path))["origin"]
        lists = {name: tuple(value) for name, value in told.items() if isinstance(value, list)}
        return Origin(**{**told, **lists})
    except (ValueError, KeyError, TypeError) as exc:
        raise _torn(path, exc) from exc


def check_origin(folder: Path, captured: Origin, wanted: Origin) -> None:
    """Refuse distributions of another origin, by the first thing that differs."""
    for field in fields(Origin):
        then, now = getattr(captured, field.name), getattr(wanted, field.name)
        if then != now:
            raise DriftError(
                f"captured with {_NAMES.get(field.name, field.name)} {_shorten(then)}",
                where=str(folder),
                expected=_shorten(now),
                remedy="run `dvc repro` to capture again",
            )


_NAMES: Final = {
    "weights_sha256": "teacher weights",
    "tokenizer_sha256": "tokenizer",
    "template_sha256": "chat template",
    "teacher_template_sha256": "the teacher's chat template",
    "vocabulary": "a vocabulary of",
    "top_k": "top k",
}


def _shorten(value: object) -> str:
    text = str(value)
    return text[:12] if len(text) == 64 else text  # of a sha256


def _torn(path: Path, exc: Exception) -> InputError:
    return InputError(
        f"cannot be read ({exc})", where=str(path), remedy="run `dvc repro` to capture it again"
    )
