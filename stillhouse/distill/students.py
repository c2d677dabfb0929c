"""A trained student on disk: weights, configuration and tokenizer, and nothing that knows the machine."""

import csv
import io
from dataclasses import asdict, fields
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from stillhouse.base.files import replace_folder, write_text
from stillhouse.distill.bases import explain_unsaved
from stillhouse.distill.train import CurvePoint, Trained


def save_student(
    folder: Path, trained: Trained, tokenizer: PreTrainedTokenizerBase, dtype: str
) -> None:
    """Write the student as a Hugging Face folder; what lay there is replaced when all is written.

    Args:
        folder: ``models/<student>``.
        trained: the weights, in float32.
        tokenizer: that of the base; training changes nothing about it.
        dtype: ``bfloat16`` or ``float32``, the number format of the stored weights.

    Raises:
        MachineError: the disk is full, or the place cannot be written.
    """
    model = trained.model.to(getattr(torch, dtype))
    model.config.name_or_path = ""  # else the folder of the base on this machine
    with replace_folder(folder) as part, explain_unsaved(folder):
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)


def write_curve(path: Path, curve: tuple[CurvePoint, ...]) -> None:
    """Write a training curve as CSV, one line a step; what was not measured there is empty."""
    merged: dict[int, dict[str, float | int | None]] = {}
    for point in curve:
        known = {name: value for name, value in asdict(point).items() if value is not None}
        merged.setdefault(point.step, {}).update(known)
    names = [field.name for field in fields(CurvePoint)]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n", restval="")
    writer.writeheader()
    for step in sorted(merged):
        writer.writerow(
            {n: v if isinstance(v, int) else f"{v:.6g}" for n, v in merged[step].items()}
        )
    write_text(path, text.getvalue())
