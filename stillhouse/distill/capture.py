"""Capture what a teacher would have said on chosen rows, token by token; each row is computed once.

What a row yields depends on that row alone, not on those that it is computed with: on a CPU each group
is computed by one thread, where a matrix product rounds the same however many rows it has, and as many
groups at once as there are threads. So a dataset of which a part was captured before has the bytes of
one that was captured whole.
"""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from transformers import PreTrainedModel

from stillhouse.base.byte_store import ByteStore
from stillhouse.base.errors import InputError, MachineError
from stillhouse.base.ids import content_id
from stillhouse.base.runtime import Runtime, choose_device, count_threads
from stillhouse.base.stage import show_progress
from stillhouse.distill.distributions import (
    Captured,
    Distributions,
    Origin,
    name_tensors,
    read_tensors,
)
from stillhouse.distill.encode import Reading
from stillhouse.distill.losses import log_tails, top_k_log_probs

_TOGETHER: Final = 16  # rows of one length in one pass
_KEPT: Final = 4  # stores of other origins that stay, newest first: to go back computes nothing
log = logging.getLogger(__name__)

# Takes down what was captured of a row, on disk before it returns.
Keep: TypeAlias = Callable[[Reading, Captured], None]
# Has some teacher read rows, and keeps what it gives to each as soon as it is there.
Ask: TypeAlias = Callable[[Sequence[Reading], Keep], None]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where rows that were captured before are found.

    ``store`` remembers each row once it is computed, so that a killed capture goes on; ``earlier`` is
    what an earlier version of the dataset holds in DVC's cache.
    """

    store: ByteStore
    earlier: Distributions | None = None


def capture_rows(
    rows: Sequence[Reading],
    origin: Origin,
    load_teachers: Callable[[], Sequence[PreTrainedModel]],
    sources: Sources,
    runtime: Runtime,
) -> tuple[Callable[[list[str]], list[Captured]], int]:
    """Capture the rows that no source knows; the teachers are loaded only where there are such.

    Args:
        rows: what the teachers read.
        origin: what the rows are captured with.
        load_teachers: one model, or several of one vocabulary, whose probabilities are averaged.
        sources: where rows are remembered.
        runtime: device and threads; on a CPU they change no bit.

    Returns:
        what gives ``Captured`` by row ids, and how many rows were computed.

    Raises:
        InputError: the teachers' vocabulary is not that of the origin.
        MachineError: what was computed cannot be kept.
    """

    def run(missing: Sequence[Reading], keep: Keep) -> None:
        for row, captured in _compute(load_teachers(), missing, origin, runtime):
            keep(row, captured)

    return capture_by(run, rows, origin, sources)


def capture_by(
    ask: Ask, rows: Sequence[Reading], origin: Origin, sources: Sources
) -> tuple[Callable[[list[str]], list[Captured]], int]:
    """Capture the rows that no source knows, by whatever ``ask`` asks; of equal readings one.

    Returns:
        what gives ``Captured`` by row ids, and how many rows were captured anew.

    Raises:
        MachineError: what was captured cannot be kept.
    """
    names = {row.row_id: _name(row, origin) for row in rows}
    remembered = sources.store.find(names.values())
    missing = {
        names[row.row_id]: row
        for row in rows
        if names[row.row_id] not in remembered and not _is_earlier(row, sources.earlier)
    }

    def keep(row: Reading, captured: Captured) -> None:
        name = names[row.row_id]
        sources.store.write({name: save(name_tensors(captured, origin.vocabulary))})
        if not sources.store.find([name]):  # hours of computing, or money, would go on for nothing
            raise _unkept(row)

    if missing:
        ask(list(missing.values()), keep)
    by_id = {row.row_id: row for row in rows}

    def read(row_ids: list[str]) -> list[Captured]:
        known = sources.store.read([names[row_id] for row_id in row_ids])
        return [_take(by_id[row_id], known.get(names[row_id]), sources) for row_id in row_ids]

    return read, len(missing)


def open_store(folder: Path, origin: Origin) -> ByteStore:
    """Return the store of one origin; those of origins long unused are removed."""
    path = folder / f"{content_id('origin', origin.describe())[:16]}.sqlite"
    folder.mkdir(parents=True, exist_ok=True)
    others = [other for other in folder.glob("*.sqlite") if other != path]
    others.sort(key=lambda other: other.stat().st_mtime, reverse=True)
    for other in others[_KEPT:]:
        other.unlink(missing_ok=True)
    return ByteStore(path)


def _name(row: Reading, origin: Origin) -> str:
    return content_id("captured", {"origin": origin.describe(), "read": row.read_id})


def _is_earlier(row: Reading, earlier: Distributions | None) -> bool:
    known = earlier.rows.get(row.row_id) if earlier else None
    return known is not None and (known.tokens_id, known.read_id) == (row.tokens_id, row.read_id)


def _take(row: Reading, packed: bytes | None, sources: Sources) -> Captured:
    if packed is not None:
        with suppress(SafetensorError, KeyError):  # a torn file counts as nothing
            return read_tensors(load(packed))
    if sources.earlier is not None and _is_earlier(row, sources.earlier):
        return sources.earlier.of_row(row.row_id)
    raise _unkept(row)


def _unkept(row: Reading) -> MachineError:
    return MachineError(
        f"what was captured for row {row.row_id[:12]} could not be kept",
        where=".stillhouse/captured",
        remedy="see that the disk is not full and the folder can be written, and run it again",
    )


def _compute(
    models: Sequence[PreTrainedModel], rows: Sequence[Reading], origin: Origin, runtime: Runtime
) -> Iterator[tuple[Reading, Captured]]:
    """Yield each row with what the teachers give to it, in the order in which groups are done."""
    device = choose_device(runtime)
    for model in models:
        _check_vocabulary(model, origin)
        model.train(mode=False)
        torch.nn.Module.to(
            model, torch.device(device)
        )  # the typed wrapper of transformers hides it
    groups = group_rows(rows)
    workers = count_threads(runtime) if device == "cpu" else 1
    with ThreadPoolExecutor(
        workers, initializer=_use_one_thread if device == "cpu" else None
    ) as pool:
        done = [pool.submit(_run_group, models, group, origin, device) for group in groups]
        try:
            for future in show_progress(as_completed(done), "capture", len(groups)):
                yield from future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _use_one_thread() -> None:
    torch.set_num_threads(1)  # of this thread's own operations


@torch.inference_mode()
def _run_group(
    models: Sequence[PreTrainedModel], group: Sequence[Reading], origin: Origin, device: str
) -> list[tuple[Reading, Captured]]:
    """Return what the teachers give to rows of one length; hidden states are the first teacher's."""
    tokens = torch.tensor([row.input_ids for row in group], device=device)
    kept = max(row.tokens for row in group) + 1
    scored = [
        model(
            input_ids=tokens,
            use_cache=False,
            logits_to_keep=kept,
            output_hidden_states=bool(origin.layers),
        )
        for model in models
    ]
    found = []
    for place, row in enumerate(group):
        logits = average([one.logits[place, kept - row.tokens - 1 : -1] for one in scored])
        ids, log_probs = top_k_log_probs(logits, origin.top_k)
        tails = log_tails(logits, ids, origin.temperatures)
        hidden = torch.zeros(row.tokens, 0, 0)
        if origin.layers:
            states = [scored[0].hidden_states[layer][place] for layer in origin.layers]
            hidden = torch.stack([state[row.start - 1 : -1] for state in states], dim=1)
        captured = Captured(
            ids.cpu(), log_probs.half().cpu(), tails.float().cpu(), hidden.half().cpu()
        )
        found.append((row, captured))
    return found


def average(logits: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return logits whose softmax is the mean of the softmax of each: of one model, its own.

    Args:
        logits: of each teacher, [positions, vocabulary].
    """
    if len(logits) == 1:
        return logits[0]
    each = torch.stack([one.double().log_softmax(-1) for one in logits])
    return each.logsumexp(0) - math.log(len(logits))


def group_rows(rows: Sequence[Reading]) -> list[list[Reading]]:
    """Return the rows in groups of one length, at most ``_TOGETHER`` in each: none is padded."""
    by_length: dict[int, list[Reading]] = {}
    for row in rows:
        by_length.setdefault(len(row.input_ids), []).append(row)
    return [
        same[start : start + _TOGETHER]
        for _, same in sorted(by_length.items())
        for start in range(0, len(same), _TOGETHER)
    ]


def _check_vocabulary(model: PreTrainedModel, origin: Origin) -> None:
    found = model.get_output_embeddings().weight.shape[0]  # type: ignore[no-untyped-call]
    if found != origin.vocabulary:
        raise InputError(
            f"the teacher {origin.teacher} scores {found} tokens",
            expected=f"the student's vocabulary of {origin.vocabulary}",
            remedy="choose a teacher and a student of one family",
        )
