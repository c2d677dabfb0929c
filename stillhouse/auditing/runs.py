"""DVC's run cache: what it would put back in place of a run, against what was really run.

DVC believes an entry because of where it lies. One that was written by hand, or over a red gate,
comes back as the output of a stage that nobody ran.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stillhouse.auditing.closure import Recorded
from stillhouse.auditing.gate import VALIDATION, has_passed
from stillhouse.auditing.places import Places
from stillhouse.auditing.problems import Outcome, Problem
from stillhouse.base.lock import LOCK
from stillhouse.planning.run_cache import drop_unseen, name_run

_KIND: Final = "run cache"
_EXEMPT: Final = ("speed.json", "registration.json")  # a clock's and MLflow's, another in every run
_MODELS: Final = "models/"


@dataclass(frozen=True, slots=True)
class Run:
    """An entry of the run cache; ``body`` is None where it cannot be read."""

    path: Path
    body: Mapping[str, Any] | None
    written: float

    @property
    def deps(self) -> dict[str, str]:
        """Path -> md5 of what it read."""
        return _read_md5s(self.body, "deps")

    @property
    def outs(self) -> dict[str, str]:
        """Path -> md5 of what it wrote."""
        return _read_md5s(self.body, "outs")

    def objects(self, places: Places) -> Iterator[Path]:
        """Yield the objects that it would put back, as far as they are in the cache."""
        for md5 in self.outs.values():
            for one in (md5, *(places.list_folder(md5) or {}).values()):
                if (found := places.look_up(one)) is not None:
                    yield found


def list_runs(places: Places, recorded: Recorded, *, whole: bool) -> list[Run]:
    """Return the entries of the run cache; not the ``whole``: only those of the stages' commands."""
    commands = {stage.cmd for stage in recorded.declared}
    folder = places.cache / "runs"
    runs = [_read_run(path) for path in sorted(folder.glob("??/*/*")) if path.is_file()]
    return [run for run in runs if whole or (run.body or {}).get("cmd") in commands]


def check_runs(
    runs: Sequence[Run], recorded: Recorded, places: Places, *, current: bool
) -> Outcome:
    """Find entries that are not what they are named, and what DVC would put back but should not.

    Only of the ``current`` version the newest entries have to be its own: of an earlier one they are
    what ran later, and on a GPU that may have come out otherwise. An entry whose objects were collected (`dvc gc`) is harmless: DVC runs the stage then.
    """
    problems: list[Problem] = []
    for run in runs:
        problems += _check_names(run, places)
        problems += _check_gate(run, places)
        problems += _check_objects(run, places)
    if current:
        problems += _check_against(runs, recorded, places)
    return Outcome(tuple(problems), checked={"runs": len(runs)})


def _read_run(path: Path) -> Run:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        body = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        whole = isinstance(body, dict) and all(
            isinstance(one["path"], str) and isinstance(one["md5"], str)
            for kind in ("deps", "outs")
            for one in body[kind]
        )
    except (OSError, UnicodeDecodeError, YAMLError, KeyError, TypeError):
        body, whole = None, False
    return Run(path, body if whole else None, path.stat().st_mtime)


def _read_md5s(body: Mapping[str, Any] | None, kind: str) -> dict[str, str]:
    return {one["path"]: one["md5"] for one in (body or {}).get(kind, ())}


def _check_names(run: Run, places: Places) -> Iterator[Problem]:
    """Compare an entry with its two names: of what went in, and of all that it says."""
    if run.body is None:
        yield _tell(run, places, "the record of a run", "cannot be read")
        return
    # Both as DVC makes them; what an entry holds besides that is hashed with it.
    key = _hash_entry({**run.body, "outs": [one["path"] for one in run.body["outs"]]})
    right = f"{key}/{_hash_entry(run.body)}"
    if f"{run.path.parent.name}/{run.path.name}" != right:
        expected, found = (
            f"an entry named {right}",
            "another name: it was edited after it was written",
        )
        yield _tell(run, places, expected, found)


def _hash_entry(body: Mapping[str, Any]) -> str:
    text = json.dumps(drop_unseen(body), sort_keys=True)  # with the default separators
    return hashlib.sha256(text.encode()).hexdigest()


def _check_gate(run: Run, places: Places) -> Iterator[Problem]:
    """Find a student that was recorded over a red gate, and a red gate that was recorded as done."""
    trains = any(out.startswith(_MODELS) for out in run.outs)
    md5 = run.outs.get(VALIDATION) or (run.deps.get(VALIDATION) if trains else None)
    path = places.find(VALIDATION, md5) if md5 else None
    if path is not None and not has_passed(path):
        found = (
            f"`{_name(run)}` over one that did not (md5 {md5}), as `dvc commit --force` records it"
        )
        yield _tell(run, places, f"a {VALIDATION} that passed", found)


def _check_objects(run: Run, places: Places) -> Iterator[Problem]:
    for path, md5 in run.outs.items():
        inner = {f"{path}/{name}": own for name, own in (places.list_folder(md5) or {}).items()}
        for out, own in {path: md5, **inner}.items():
            found = places.look_up(own)
            if found is not None and places.find_object(own) is None:
                said = places.digests.md5(found)
                told = f"md5 {said}" if said else places.digests.tell_failure(found)
                what = "the listing" if own.endswith(".dir") else "the bytes"
                expected = f"{what} of {out}, md5 {own}"
                name = places.name(found)
                yield Problem(
                    "corrupt object", name, expected, told, f"`rm -f {name}`, then `dvc pull`"
                )


def _check_against(runs: Sequence[Run], recorded: Recorded, places: Places) -> Iterator[Problem]:
    """Compare what DVC would put back for the very runs of the lock with what the lock says they wrote."""
    filed: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        filed[run.path.parent.name].append(run)
    for _, locked in recorded.pairs():
        key = name_run(locked.cmd, locked.deps, locked.params, locked.outs)
        if key not in filed:
            continue
        newest = max(filed[key], key=lambda run: (run.written, run.path))  # the one that DVC takes
        for path, md5 in locked.outs.items():
            other = newest.outs.get(path, md5)
            if other != md5 and not path.endswith(_EXEMPT):
                expected = f"md5 {md5} for {path}, which {locked.name} wrote from the same ({LOCK})"
                yield _tell(newest, places, expected, f"md5 {other} for {path}")


def _tell(run: Run, places: Places, expected: str, found: str) -> Problem:
    where = places.name(run.path)
    remedy = f"`rm {where}`: DVC would put back what it names"
    return Problem(_KIND, where, expected, found, remedy)


def _name(run: Run) -> str:
    return str((run.body or {}).get("cmd", ""))
