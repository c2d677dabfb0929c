"""``dvc.lock`` against ``dvc.yaml``, against the parameters, and against itself."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillhouse.auditing.places import Places
from stillhouse.auditing.problems import Outcome, Problem, Unchecked
from stillhouse.base.cache import find_out
from stillhouse.base.ids import Json, canonical_json
from stillhouse.base.lock import LOCK, Lock, LockedStage
from stillhouse.base.params import PARAMS
from stillhouse.lineage.doctor_yaml import DVC_YAML, DeclaredStage
from stillhouse.lineage.entry import list_leaves
from stillhouse.planning.differences import ParameterFiles, compare_itself, read_plain

CONTRADICTION: Final = f"contradiction in {LOCK}"
_NOTHING: Final = "nothing"
_SHOWN: Final = 60  # characters of a parameter's value
_REPRO: Final = "`dvc repro`"
_RESTORE: Final = f"`git checkout {LOCK}`, if it was edited; else `dvc repro`"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The stages that are verified, as ``dvc.yaml`` declares them, beside what their last runs were."""

    declared: Sequence[DeclaredStage]
    lock: Lock

    @property
    def outs(self) -> dict[str, str]:
        """Path -> md5 of all that any stage wrote."""
        return {path: md5 for one in self.lock.stages.values() for path, md5 in one.outs.items()}

    def pairs(self) -> Iterator[tuple[DeclaredStage, LockedStage]]:
        """Yield each declared stage that ran, with its last run."""
        for stage in self.declared:
            if (locked := self.lock.stages.get(stage.name)) is not None:
                yield stage, locked

    def find_writer(self, path: str) -> str:
        """Return the stage that wrote a path, or the folder that it lies in; empty where none did."""
        for name, stage in self.lock.stages.items():
            if find_out(stage.outs, path)[0]:
                return name
        return ""


def check_declared(recorded: Recorded, names: Collection[str]) -> Iterator[Problem]:
    """Compare the stages and their paths and commands; ``names`` are all of ``dvc.yaml``, if all are meant."""
    lock = recorded.lock
    for stage in recorded.declared:
        if stage.name not in lock.stages:
            found = f"{LOCK} knows no run of it"
            yield Problem("never ran", stage.name, f"a stage of {DVC_YAML} that ran", found, _REPRO)
    for name in sorted(lock.stages.keys() - set(names)) if names else ():
        remedy = (
            f"declare it again, or take its entry out of {LOCK}: nothing makes or checks it now"
        )
        found = f"an entry in {LOCK}"
        yield Problem("not declared", name, f"a stage of {DVC_YAML}", found, remedy)
    for stage, locked in recorded.pairs():
        yield from _compare_paths(stage.name, "dep", stage.deps, locked.deps)
        yield from _compare_paths(stage.name, "out", [o.path for o in stage.outs], locked.outs)
        if stage.cmd != locked.cmd:
            expected = f"`{locked.cmd}` ({LOCK})"
            yield Problem("command", stage.name, expected, f"`{stage.cmd}` ({DVC_YAML})", _REPRO)


def check_params(recorded: Recorded, root: Path) -> Iterator[Problem]:
    """Compare every parameter with the value that it had in the last run of each stage."""
    files = ParameterFiles(root)
    told: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for stage, locked in recorded.pairs():
        now = files.read(stage.tracked)
        differing = {d.name for d in compare_itself(stage, locked, now) if d.kind == "params"}
        for file in stage.tracked:
            for name in sorted(now[file].keys() | locked.params.get(file, {}).keys()):
                if (name if file == PARAMS.name else f"{file}: {name}") in differing:
                    before = locked.params.get(file, {})
                    for where, then, there in _compare_values(name, before, now[file]):
                        told[f"{file}: {where}", then, there].append(stage.name)
    for (where, then, there), stages in told.items():
        remedy = f"`dvc repro`, or take the edit of {where.partition(':')[0]} back"
        yield Problem("parameter", where, f"{then} ({LOCK}: {', '.join(stages)})", there, remedy)


def check_chain(recorded: Recorded, places: Places) -> Outcome:
    """Compare what each stage read with what the stage that makes it wrote."""
    outs, untold, problems, compared = recorded.outs, 0, [], 0
    for stage, locked in recorded.pairs():
        for path, md5 in {} if stage.frozen else locked.deps.items():
            if not find_out(outs, path)[0]:
                continue
            compared += 1
            written = places.find_md5(outs, path)
            if written is None:
                untold += 1
            elif written != md5:
                problems.append(_contradict(recorded, stage.name, path, md5, written))
    why = f"{untold} of {compared} reads are of files in folders whose listing is not in the cache"
    missing = (Unchecked(LOCK, why, places.tell_pull()),) if untold else ()
    counts = {"stages": len(recorded.declared), "dependencies": compared - untold}
    return Outcome(tuple(problems), missing, counts)


def _contradict(recorded: Recorded, stage: str, path: str, md5: str, written: str) -> Problem:
    wrote = f"md5 {written}" if written else "no such file"
    writer = recorded.find_writer(path)
    return Problem(
        CONTRADICTION,
        path,
        f"{wrote}, which {writer} wrote",
        f"md5 {md5}, which {stage} read",
        f"`dvc repro`, if {writer} ran again or the file was edited since; if neither, {LOCK} was "
        f"edited: `git log -p {LOCK}` shows it, `git checkout {LOCK}` takes it back",
    )


def _compare_paths(
    stage: str, what: str, declared: Collection[str], locked: Mapping[str, str]
) -> Iterator[Problem]:
    for path in sorted(locked.keys() - set(declared)):
        expected = f"one of the {what}s of {stage} ({DVC_YAML})"
        yield Problem(
            f"undeclared {what}", path, expected, f"{what} of {stage} in {LOCK}", _RESTORE
        )
    for path in sorted(set(declared) - locked.keys()):
        expected = f"its md5, as {what} of {stage}"
        yield Problem(f"unrecorded {what}", path, expected, f"nothing in {LOCK}", _RESTORE)


def _compare_values(
    name: str, then: Mapping[str, object], now: Mapping[str, object]
) -> Iterator[tuple[str, str, str]]:
    """Yield (dotted name, value then, value now) of the leaves in which a parameter differs."""
    before = dict(list_leaves(read_plain(then[name]), name)) if name in then else {}
    after = dict(list_leaves(read_plain(now[name]), name)) if name in now else {}
    for leaf in sorted(before.keys() | after.keys()):
        if leaf not in before or leaf not in after or before[leaf] != after[leaf]:
            yield leaf, _tell(before, leaf), _tell(after, leaf)


def _tell(values: Mapping[str, object], leaf: str) -> str:
    if leaf not in values:
        return _NOTHING
    value: Json = values[leaf]  # type: ignore[assignment]
    text = canonical_json(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
