"""``python -m bench.lineage``: diff, trace and audit against DuckDB by hand, from 10 thousand rows to a million.

For each size a project of two commits is invented (``bench.invented_project``). In it our commands run as
a user types them, in turns with peers that get the same answer from files that they are told, each as a
process of its own: seconds from start to end and peak resident memory, the median of the rounds behind a
first run. What diff, trace and audit answer is compared with the first peer before it is timed.

    python -m bench.lineage [--rows 10000,100000,1000000] [--rounds 3] [--cases diff,audit] [--keep FOLDER]

``--keep`` leaves the projects in a folder, and takes those that it finds there: inventing a million rows
and hashing each for the students takes minutes. ``--versions`` measures a trace over many versions too.
"""

import argparse
import importlib.util
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from bench.invented_project import TRAIN, write_project
from bench.lineage_peers import write_command
from bench.opened import Project, open_project
from bench.processes import ROOT, Run, describe_machine, describe_run, find_middle, run

_HISTORY_ROWS: Final = 100_000
_GROWTH: Final = "10 times the rows: at most 11 x"

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A command of ours, those who get the same answer otherwise, and what is aimed at.

    ``same`` compares our ``--json`` with the first peer's answer.
    """

    name: str
    command: Callable[[Project], Sequence[str]]
    peers: tuple[str, ...]
    target: str
    same: Callable[[Answer, Answer], bool] | None = None


def same_diff(ours: Answer, peer: Answer) -> bool:
    """Whether both found as many added, removed and changed rows."""
    return all(ours["counts"][kind] == peer[kind] for kind in ("added", "removed", "changed"))


def same_trace(ours: Answer, peer: Answer) -> bool:
    """Whether both found as many rows of a document, in the table and in each model's list."""
    rows = sum(part["rows"] for part in ours["datasets"] if part["path"] == str(TRAIN))
    listed = sorted(model["rows"] for model in ours["models"])
    return bool(rows == peer["train"] and listed == sorted(peer["models"].values()))


def same_audit(ours: Answer, peer: Answer) -> bool:
    """Whether both found as many documents and prompts behind the rows; and ours verified them."""
    counts = {name: len(ours[name]) for name in ("documents", "prompts", "teachers", "judges")}
    return bool(ours["verified"]) and all(peer[name] == count for name, count in counts.items())


CASES: Final = (
    Case(
        "diff", lambda _: ("diff", "HEAD~1", "HEAD"), ("raw join", "datacompy"),
        "1.5 x raw join, 1 GB at 1 M rows", same_diff,
    ),
    Case(
        "diff --json", lambda _: ("diff", "HEAD~1", "HEAD", "--json"), ("raw join",),
        "every row that differs, with both texts",
    ),
    Case("diff of equals", lambda _: ("diff", "HEAD", "HEAD"), ("md5 of both",), "0.5 s"),
    Case(
        "trace", lambda project: ("trace", project.files.thing), ("raw trace",), "1 s", same_trace
    ),
    Case("trace of a row", lambda project: ("trace", project.files.row), ("raw row",), "1 s"),
    Case(
        "audit", lambda _: ("audit", "probe"), ("raw tally", "raw audit"), "3 s warm", same_audit
    ),
)  # fmt: skip
_OVER_VERSIONS: Final = Case(
    "trace over versions", lambda project: ("trace", project.files.thing), ("raw trace",),
    "3 s warm for 50 versions of 100 K rows",
)  # fmt: skip


def main(words: Sequence[str] | None = None) -> None:
    """Measure every size, and print how the cost grows from one to the next."""
    arguments = read_arguments(words)
    print(describe_machine())
    cases = [case for case in CASES if not arguments.cases or case.name in arguments.cases]
    seconds: dict[int, dict[str, float]] = {}
    with _open_folder(arguments.keep) as folder:
        for rows in arguments.rows:
            project = open_project(folder / f"rows-{rows}", partial(write_project, rows=rows))
            print_head(project, rows, arguments.rounds)
            seconds[rows] = {case.name: measure(case, project, arguments.rounds) for case in cases}
        print_growth(seconds)
        if count := arguments.versions:
            project = open_project(
                folder / f"versions-{count}", partial(write_history, versions=count)
            )
            print(f"{count} versions of {_HISTORY_ROWS:,} rows, median of {arguments.rounds}")
            measure(_OVER_VERSIONS, project, arguments.rounds)


def write_history(root: Path, versions: int) -> None:
    """Write a project of many versions."""
    from bench.histories import make_history

    make_history(root, versions=versions, rows=_HISTORY_ROWS)


def read_arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.lineage")
    parser.add_argument(
        "--rows", type=lambda text: [int(n) for n in text.split(",")],
        default=[10_000, 100_000, 1_000_000],
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", type=lambda text: text.split(","), default=[])
    parser.add_argument("--keep", type=Path, help="a folder for the projects, used again")
    parser.add_argument("--versions", type=int, default=0, help="a trace over so many versions")
    arguments = parser.parse_args(words)
    known = [case.name for case in CASES]
    if unknown := [name for name in arguments.cases if name not in known]:
        parser.error(f"no case is called {unknown[0]!r}: {', '.join(known)}")
    return arguments


def measure(case: Case, project: Project, rounds: int) -> float:
    """Print what a case costs; return the median of its warm seconds."""
    ours = case.command(project)
    first = run_ours(project, ours)
    peers = [name for name in case.peers if _is_here(name)]
    if case.same:
        check(case, project, peers[0])
    runs: dict[str, list[Run]] = {name: [] for name in ("ours", *peers)}
    for _ in range(rounds):
        runs["ours"].append(run_ours(project, ours))
        for name in peers:
            runs[name].append(run(write_command(name, project.files), ROOT))
    middle = {name: find_middle(done) for name, done in runs.items()}
    print(
        f"  {case.name:20} {describe_run(middle['ours'])}, the first {first.wall:.2f} s "
        f"{first.memory:.0f} MB; target {case.target}"
    )
    for name in peers:
        ratio = middle["ours"].wall / middle[name].wall
        print(f"    {name:18} {describe_run(middle[name])}; ours is {ratio:.2f} x")
    return middle["ours"].wall


def check(case: Case, project: Project, peer: str) -> None:
    """Stop unless our answer is the peer's.

    Raises:
        RuntimeError: it is another one.
    """
    ours = run_ours(project, (*case.command(project), "--json"))
    theirs = run(write_command(peer, project.files), ROOT)
    if case.same and not case.same(json.loads(ours.printed), json.loads(theirs.printed)):
        raise RuntimeError(f"{case.name}: ours differs from {peer}: {theirs.printed[:500]}")


def run_ours(project: Project, command: Sequence[str]) -> Run:
    """Run our command in a project."""
    return run([str(Path(sys.executable).with_name("stillhouse")), *command], project.root)


def print_head(project: Project, rows: int, rounds: int) -> None:
    size = Path(project.files.new).stat().st_size / 1e6
    print(f"{rows:,} rows ({size:.0f} MB a table), median of {rounds} behind a first run")


def print_growth(seconds: Mapping[int, Mapping[str, float]]) -> None:
    """Print how many times longer each case takes from one size to the next."""
    sizes = sorted(seconds)
    for small, large in pairwise(sizes):
        times = ", ".join(
            f"{name} {seconds[large][name] / seconds[small][name]:.1f} x" for name in seconds[small]
        )
        print(f"{small:,} -> {large:,} rows: {times} ({_GROWTH})")


def _is_here(peer: str) -> bool:
    if peer == "datacompy" and importlib.util.find_spec(peer) is None:
        print("    datacompy is not installed (`pip install --no-deps datacompy==0.7.3`): left out")
        return False
    return True


@contextmanager
def _open_folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(scratch)


if __name__ == "__main__":
    main()
