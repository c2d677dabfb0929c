"""Which rows make which optimiser step, and those rows as padded tensors."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch

from stillhouse.distill.distributions import Distributions
from stillhouse.distill.encode import Encoded
from stillhouse.distill.params import BatchMix

IGNORED: Final = -100  # the label that cross-entropy skips, by PyTorch's convention
_WINDOW: Final = 16  # batches whose rows are sorted by length together


@dataclass(frozen=True, slots=True)
class Kinds:
    """The training rows by the part that they play in a batch, as indices."""

    taught: tuple[int, ...]
    abstain: tuple[int, ...]
    replay: tuple[int, ...]


def sort_kinds(rows: Sequence[Encoded]) -> Kinds:
    """Return the indices of the rows that teach, that decline, and that keep the base alive."""
    by_task: dict[str, list[int]] = {"taught": [], "abstain": [], "replay": []}
    for index, row in enumerate(rows):
        by_task[row.task if row.task in by_task else "taught"].append(index)
    return Kinds(*(tuple(by_task[name]) for name in ("taught", "abstain", "replay")))


def plan_batches(
    rows: Sequence[Encoded], mix: BatchMix, epochs: float, seed: int
) -> list[list[int]]:
    """Return the rows of every step as indices: one epoch is one pass over the taught rows.

    Abstain rows stand among the taught ones, by their share, from their first step on. Both are
    shuffled, then grouped by length within a window of batches: padding costs as much as text.
    Abstain and replay rows go round and round, reshuffled at each turn. A kind without rows is left
    out; every batch is otherwise full, the last taught rows wrap into the next epoch.
    """
    generator = random.Random(seed)
    kinds = sort_kinds(rows)
    share = mix.abstain if kinds.abstain else 0.0
    steps = mix.count_steps(len(kinds.taught), epochs, declines=bool(kinds.abstain))
    early = round(steps * mix.abstain_from) * mix.taught
    places = steps * mix.taught
    declined = _cycle(kinds.abstain, round((places - early) * share), generator)
    taught = _cycle(kinds.taught, places - len(declined), generator)
    mixed = declined + taught[early:]
    generator.shuffle(mixed)
    groups = [
        *_group_by_length(taught[:early], rows, mix.taught, generator),
        *_group_by_length(mixed, rows, mix.taught, generator),
    ]
    replay = _cycle(kinds.replay, steps * mix.replay, generator)
    return [
        group + replay[step * mix.replay : (step + 1) * mix.replay]
        for step, group in enumerate(groups)
    ]


def collate(
    rows: Sequence[Encoded], pad: int, distributions: Distributions | None
) -> dict[str, torch.Tensor]:
    """Return a batch, shortest row first, padded on the right.

    ``labels`` [rows, length] name the tokens learned by cross-entropy; ``soft_mask`` [rows, length]
    the tokens of replay rows, whose targets lie end to end, in that order, in ``soft_ids`` and
    ``soft_log_probs`` [soft tokens, k]. Without distributions replay rows are learned as words; of one
    that was cut off, all but the end token: else the student would learn to stop within sentences.
    """
    rows = sorted(rows, key=lambda row: len(row.input_ids))
    length = len(rows[-1].input_ids)
    batch = {
        "input_ids": torch.full((len(rows), length), pad),
        "attention_mask": torch.zeros(len(rows), length, dtype=torch.long),
        "labels": torch.full((len(rows), length), IGNORED),
        "soft_mask": torch.zeros(len(rows), length, dtype=torch.bool),
    }
    soft: list[tuple[torch.Tensor, torch.Tensor]] = []
    for place, row in enumerate(rows):
        ids, end = torch.tensor(row.input_ids), len(row.input_ids)
        batch["input_ids"][place, :end] = ids
        batch["attention_mask"][place, :end] = 1
        if distributions is not None and row.task == "replay":
            batch["soft_mask"][place, row.start : end] = True
            soft.append(distributions.of_row(row.row_id))
        else:
            said = end - 1 if row.cut else end
            batch["labels"][place, row.start : said] = ids[row.start : said]
    if soft:
        batch["soft_ids"] = torch.cat([ids for ids, _ in soft])
        batch["soft_log_probs"] = torch.cat([log_probs for _, log_probs in soft])
    return batch


def _cycle(indices: Sequence[int], count: int, generator: random.Random) -> list[int]:
    drawn: list[int] = []
    while indices and len(drawn) < count:
        turn = list(indices)
        generator.shuffle(turn)
        drawn += turn
    return drawn[:count]


def _group_by_length(
    order: list[int], rows: Sequence[Encoded], width: int, generator: random.Random
) -> list[list[int]]:
    groups: list[list[int]] = []
    for start in range(0, len(order), width * _WINDOW):
        window = sorted(
            order[start : start + width * _WINDOW], key=lambda index: len(rows[index].input_ids)
        )
        batches = [window[place : place + width] for place in range(0, len(window), width)]
        generator.shuffle(batches)
        groups += batches
    return groups
