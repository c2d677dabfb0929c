"""Which rows make which optimiser step, and those rows as padded tensors."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch

from stillhouse.distill.distributions import Captured, Distributions
from stillhouse.distill.encode import Encoded, Reading
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


@dataclass(frozen=True, slots=True)
class Targets:
    """Distributions to learn: of the base on replay rows, of a teacher on all others.

    ``live`` is what a teacher that is asked at every step reads, by row id; nothing is captured then.
    """

    replay: Distributions | None = None
    taught: Distributions | None = None
    live: Mapping[str, Reading] | None = None


def collate(
    rows: Sequence[Encoded], pad: int, targets: Targets = Targets()
) -> dict[str, torch.Tensor]:
    """Return a batch, shortest row first, padded on the right.

    ``labels`` [rows, length] name the tokens learned by cross-entropy. ``replay_mask`` and
    ``taught_mask`` [rows, length] mark those with a distribution to learn; what is captured for them
    lies end to end, in that order, in ``<kind>_ids``, ``<kind>_log_probs`` [tokens, k],
    ``<kind>_tails`` [tokens, temperatures] and ``<kind>_hidden`` [tokens, layers, hidden]. What a live
    teacher reads is in ``live_input_ids``, ``live_attention_mask`` [taught rows, length], again shortest
    first, ``live_wanted`` [taught rows, length − 1], and ``live_order`` [tokens] brings what it says there
    into the student's order. Without distributions replay rows are learned as words; of one
    that was cut off, all but the end token: else the student would learn to stop within sentences.
    """
    rows = sorted(rows, key=lambda row: len(row.input_ids))
    length = len(rows[-1].input_ids)
    batch = {
        "input_ids": torch.full((len(rows), length), pad),
        "attention_mask": torch.zeros(len(rows), length, dtype=torch.long),
        "labels": torch.full((len(rows), length), IGNORED),
        "replay_mask": torch.zeros(len(rows), length, dtype=torch.bool),
        "taught_mask": torch.zeros(len(rows), length, dtype=torch.bool),
    }
    soft: dict[str, list[Captured]] = {"replay": [], "taught": []}
    read: list[Reading] = []
    for place, row in enumerate(rows):
        ids, end = torch.tensor(row.input_ids), len(row.input_ids)
        batch["input_ids"][place, :end] = ids
        batch["attention_mask"][place, :end] = 1
        kind = "replay" if row.task == "replay" else "taught"
        source = getattr(targets, kind)
        if kind == "taught" and targets.live and row.row_id in targets.live:
            batch["taught_mask"][place, row.start : end] = True
            read.append(targets.live[row.row_id])
        if source is None or kind == "taught":
            said = end - 1 if row.cut else end
            batch["labels"][place, row.start : said] = ids[row.start : said]
        if source is not None and (kind == "replay" or row.row_id in source.rows):
            batch[f"{kind}_mask"][place, row.start : end] = True
            soft[kind].append(source.of_row(row.row_id))
    for kind, found in soft.items():
        if found:
            batch[f"{kind}_ids"] = torch.cat([one.ids for one in found])
            batch[f"{kind}_log_probs"] = torch.cat([one.log_probs for one in found])
            batch[f"{kind}_tails"] = torch.cat([one.tails for one in found])
            batch[f"{kind}_hidden"] = torch.cat([one.hidden for one in found])
    return batch | (_pad_readings(read, pad) if read else {})


def _pad_readings(read: Sequence[Reading], pad: int) -> dict[str, torch.Tensor]:
    """Return what a live teacher reads, and how to bring its words back into the order of ``read``."""
    order = sorted(range(len(read)), key=lambda place: len(read[place].input_ids))
    length = len(read[order[-1]].input_ids)
    batch = {
        "live_input_ids": torch.full((len(read), length), pad),
        "live_attention_mask": torch.zeros(len(read), length, dtype=torch.long),
        "live_wanted": torch.zeros(len(read), length - 1, dtype=torch.bool),
    }
    begin, begins = 0, [0] * len(read)  # where a reading's tokens stand among those of the teacher
    for line, place in enumerate(order):
        one, end = read[place], len(read[place].input_ids)
        batch["live_input_ids"][line, :end] = torch.tensor(one.input_ids)
        batch["live_attention_mask"][line, :end] = 1
        batch["live_wanted"][line, one.start - 1 : end - 1] = True
        begins[place] = begin
        begin += one.tokens
    places = [torch.arange(begins[n], begins[n] + one.tokens) for n, one in enumerate(read)]
    return batch | {"live_order": torch.cat(places)}


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
