"""A trained student on disk: weights, configuration and tokenizer, and nothing that knows the machine."""

import csv
import io
import shutil
from dataclasses import asdict, fields
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from stillhouse.base.files import write_text
from stillhouse.distill.train import CurvePoint, Trained


def save_student(
    folder: Path, trained: Trained, tokenizer: PreTrainedTokenizerBase, dtype: str
) -> None:
    """Write the student as a Hugging Face folder, replacing what lay there.

    Args:
        folder: ``models/<student>``.
        trained: the weights, in float32.
        tokenizer: that of the base; training changes nothing about it.
        dtype: ``bfloat16`` or ``float32``, the number format of the stored weights.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = trained.model.to(getattr(torch, dtype))
    model.config.name_or_path = ""  # else the folder of the base on this machine
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


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
