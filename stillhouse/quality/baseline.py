"""The baseline: figures of a dataset that was found good, in git, which later ones are held against."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import Field, FiniteFloat

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text
from stillhouse.base.ids import Json
from stillhouse.base.params import Params, parse_section
from stillhouse.quality.limits import ValidateParams

BASELINE: Final = Path("data/seed/baseline.json")
QUALITY: Final = Path("reports/quality.json")
_KEPT: Final = ("train_md5", "figures", "tasks", "settings")


class Baseline(Params):
    """Figures by name, and the share of each task among the rows that teach.

    ``train_md5`` says of which ``data/dataset/train.parquet`` they are, ``settings`` with which parameters of
    ``validate`` they were measured: None in a baseline of before, which does not say.
    """

    train_md5: str = Field(pattern="^[0-9a-f]{32}$")
    figures: dict[str, FiniteFloat]
    tasks: dict[str, FiniteFloat]
    settings: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """How far a dataset is from the baseline; all 0 where none is set.

    Attributes:
        length_drift: the larger change of the mean words of questions and of answers, as a share.
        diversity_drop: the largest fall of distinct n-grams and cluster entropy, as a share.
        similarity_rise: by how much the questions are more alike, in cosine.
        openings_rise: by how much more questions share their opening.
        mix_drift: share of the rows that would have to be of another task for the same mix.
    """

    length_drift: float = 0.0
    diversity_drop: float = 0.0
    similarity_rise: float = 0.0
    openings_rise: float = 0.0
    mix_drift: float = 0.0


def name_settings(params: ValidateParams) -> dict[str, int]:
    """Return the parameters that the figures depend on, by their names below ``validate``."""
    limits = params.collapse
    return {
        "collapse.rows": limits.rows,
        "collapse.seed": limits.seed,
        "collapse.clusters": limits.clusters,
        "opening_words": params.opening_words,
    }


def refuse_other_settings(baseline: Baseline | None, params: ValidateParams) -> None:
    """Raise an ``InputError`` where a baseline was measured with other parameters than a dataset will be."""
    now = name_settings(params)
    then = now if baseline is None or baseline.settings is None else baseline.settings
    name = next((key for key in (*now, *then) if now.get(key) != then.get(key)), "")
    if not name:
        return
    raise InputError(
        f"the baseline was measured with `validate.{name}: {then.get(name)}`, and "
        f"params.yaml says {now.get(name)}: the figures of the two cannot be compared",
        where=str(BASELINE),
        remedy="write `{}` into the file, run `dvc repro`, then `stillhouse baseline set`; or put the "
        "parameter back",
    )


def read_baseline(path: Path = BASELINE) -> Baseline | None:
    """Return the baseline of a project; None where the file says ``{}``: none is set.

    Raises:
        InputError: the file is missing or not of this form.
    """
    value = _load(path, "write `{}` into it, or `stillhouse baseline set`")
    return None if value == {} else parse_section(path.name, Baseline, value, path)


def take_baseline(path: Path = QUALITY) -> Baseline:
    """Return what ``reports/quality.json`` measured, as a baseline.

    Raises:
        InputError: it is missing, not of its form, or measured nothing (too few rows).
    """
    value = _load(path, "run `dvc repro`")
    if not isinstance(value, dict) or not {"figures", "tasks", "train_md5"} <= value.keys():
        raise InputError("not a report of quality", where=str(path), remedy="run `dvc repro`")
    if not value["figures"]:
        raise InputError(
            "too few rows were there to measure",
            where=str(path),
            remedy="set the baseline when the dataset is whole",
        )
    taken = {name: value[name] for name in _KEPT if name in value}
    return parse_section(path.name, Baseline, taken, path)


def describe_baseline(baseline: Baseline | None) -> dict[str, Json]:
    """Return what stands in the file."""
    if baseline is None:
        return {}
    return {
        "train_md5": baseline.train_md5,
        "figures": dict(baseline.figures),
        "tasks": dict(baseline.tasks),
        **({} if baseline.settings is None else {"settings": dict(baseline.settings)}),
    }


def compare_baseline(
    baseline: Baseline | None, figures: Mapping[str, float], tasks: Mapping[str, float]
) -> Moved:
    """Return how far figures are from the baseline; what that does not hold is not compared."""
    if baseline is None:
        return Moved()
    before = {name: value for name, value in baseline.figures.items() if name in figures}

    def change(name: str) -> float:
        """Return the change as a share of what was."""
        if name not in before:
            return 0.0
        return (figures[name] - before[name]) / before[name] if before[name] else 0.0

    def rise(name: str) -> float:
        return max(0.0, figures[name] - before.get(name, figures[name]))

    diverse = ("distinct_1", "distinct_2", "distinct_3", "cluster_entropy")
    names = {*baseline.tasks, *tasks}
    mix = sum(abs(tasks.get(name, 0.0) - baseline.tasks.get(name, 0.0)) for name in names) / 2
    return Moved(
        length_drift=round(max(abs(change("question_words")), abs(change("answer_words"))), 4),
        diversity_drop=round(max(0.0, *(-change(name) for name in diverse)), 4),
        similarity_rise=round(rise("self_similarity"), 4),
        openings_rise=round(rise("repeated_openings"), 4),
        mix_drift=round(mix, 4),
    )


def _load(path: Path, remedy: str) -> object:
    if not path.exists():
        raise InputError("file not found", where=str(path), remedy=remedy)
    try:
        return json.loads(read_text(path))
    except ValueError as exc:  # a number of thousands of digits, too
        raise InputError(f"not valid JSON ({exc})", where=str(path), remedy=remedy) from exc
