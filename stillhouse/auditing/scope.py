"""Which stages a verification looks at: all of them, or those that a student was made by."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError, suggest
from stillhouse.base.lock import LOCK, overlap
from stillhouse.history.version import Version
from stillhouse.lineage.doctor_yaml import DeclaredStage, Out, read_stages
from stillhouse.lineage.model_folder import PROVENANCE

MODELS: Final = "models"
_REGISTRATION: Final = "registration.json"  # MLflow's ids: git and DVC's cache never see it


def list_stages(version: Version) -> list[DeclaredStage]:
    """Return the stages of a version: as ``dvc.yaml`` declares them, of an earlier one as they ran.

    Raises:
        InputError: nothing was run yet, or ``dvc.yaml`` cannot be read.
    """
    if not version.lock.stages:
        raise InputError(
            f"{LOCK} names no run, so there is nothing to verify",
            where=version.title,
            expected="the record of a pipeline that ran",
            remedy="run `dvc repro`",
        )
    if version.workspace:
        return read_stages(version.root)
    return [
        DeclaredStage(
            locked.name,
            tuple(locked.deps),
            tuple(Out(path, not path.endswith(_REGISTRATION), False) for path in locked.outs),
            params=(),
            cmd=locked.cmd,
        )
        for locked in version.lock.stages.values()
    ]


def choose_stages(stages: Sequence[DeclaredStage], student: str) -> list[DeclaredStage]:
    """Return the stages of a student and all those behind them.

    Raises:
        InputError: no stage writes such a student.
    """
    folder = f"{MODELS}/{student}"
    chosen = {s.name: s for s in stages if s.name.endswith(f"@{student}") or _writes(s, folder)}
    if not any(_writes(stage, folder) for stage in stages):
        known = [out.path for stage in stages for out in stage.outs]
        known = [Path(path).name for path in known if path.startswith(f"{MODELS}/")]
        raise InputError(
            f"no stage writes a student called `{student}`",
            where=folder,
            expected=f"one of {', '.join(known)}" if known else None,
            remedy=suggest(student, known),
        )
    waiting = list(chosen.values())
    while waiting:
        for stage in _list_writers(stages, waiting.pop().deps):
            if stage.name not in chosen:
                chosen[stage.name] = stage
                waiting.append(stage)
    return [stage for stage in stages if stage.name in chosen]


def list_students(stages: Iterable[DeclaredStage], root: Path | None) -> list[str]:
    """Return the students that the stages write, and others that lie in ``models/`` below the root."""
    outs = (out.path for stage in stages for out in stage.outs)
    written = [Path(path).name for path in outs if path.startswith(f"{MODELS}/")]
    found = sorted(root.glob(f"{MODELS}/*/{PROVENANCE}")) if root else []
    return list(dict.fromkeys([*written, *(path.parent.name for path in found)]))


def _writes(stage: DeclaredStage, path: str) -> bool:
    return any(out.path == path for out in stage.outs)


def _list_writers(stages: Iterable[DeclaredStage], deps: Collection[str]) -> list[DeclaredStage]:
    return [
        stage
        for stage in stages
        if any(overlap(out.path, dep) for out in stage.outs for dep in deps)
    ]
