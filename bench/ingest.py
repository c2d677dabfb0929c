"""Ingest and render over many small documents: seconds and peak memory for 10,000 and for 100,000.

Each size is a temporary project with invented documents of about 1 KB, the prompts and the plan of
this one. Both stages run as processes of their own. ``python -m bench.ingest 1000 10000`` takes
other sizes. It takes minutes, so ``make bench`` leaves it out.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SIZES = (10_000, 100_000)
FOLDER_FILES = 1000
CHARACTERS = 1000
SYLLABLES = ("ba", "do", "fen", "gul", "har", "jo", "kel", "lun", "mar", "nev", "or", "pil", "quo")
EXCEPTIONS = 0.03  # of the sentences; about one passage in five then speaks of an exception
EXCEPTION = "In winter the {a} stays in the {b}, unless the warden of the {c} allows otherwise."
SENTENCES = (
    "The {a} {b} opens at {n}:30 on every working day.",
    "A {a} costs £{n} for each night in the {b}.",
    "Whoever keeps a {a} tells the {b} office within {n} days.",
    "The {a} is checked by the {b} crew after {n} trips, and its log is signed.",
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One stage's wall and CPU seconds, and its peak resident memory in MB."""

    wall: float
    cpu: float
    megabytes: float


def write_project(folder: Path, documents: int) -> None:
    """Copy this project's code and seeds into ``folder`` with invented documents for its own."""
    for name in ("stages", "stillhouse", "prompts"):
        shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy("params.yaml", folder)
    seed = folder / "data/seed"
    seed.mkdir(parents=True)
    for name in ("everyday.jsonl", "unanswered.jsonl"):
        shutil.copy(Path("data/seed") / name, seed)
    (seed / "sources.yaml").write_text("version: 1\n")
    (seed / "focus.yaml").write_text("version: 1\n")
    for number in range(documents):
        path = seed / f"documents/{number // FOLDER_FILES:04}/{number:07}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(write_document(random.Random(number)))


def write_document(rng: random.Random) -> str:
    """Return a document of two sections in words that are rare and common as in real text."""
    text = f"# {make_word(rng).title()} {make_word(rng)}\n\n"
    while len(text) < CHARACTERS:
        words = {name: make_word(rng) for name in "abc"}
        sentence = EXCEPTION if rng.random() < EXCEPTIONS else rng.choice(SENTENCES)
        text += sentence.format(n=rng.randint(1, 99), **words) + " "
        if "## " not in text and len(text) > CHARACTERS // 2:
            text += f"\n\n## {make_word(rng).title()}\n\n"
    return text.rstrip() + "\n"


def make_word(rng: random.Random) -> str:
    """Return a word of one to four syllables, so that some are in many documents, most in few."""
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(1, 4)))


def measure(stage: str, folder: Path) -> Measured:
    """Run a stage in ``folder`` and return its time and its own peak of memory."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", f"stages.{stage}"], cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{stage} ended with {process.returncode}")
    cpu = usage.ru_utime + usage.ru_stime
    return Measured(time.perf_counter() - began, cpu, usage.ru_maxrss / 1024)


def main() -> None:
    """Print each stage at each size, and how much more work the largest size is than the smallest.

    The ratio is of CPU seconds, which other work on the machine does not stretch.
    """
    sizes = tuple(map(int, sys.argv[1:])) or SIZES
    found: dict[str, list[Measured]] = {"ingest": [], "render": []}
    for documents in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            write_project(Path(scratch), documents)
            for stage, measured in found.items():
                measured.append(measure(stage, Path(scratch)))
                last = measured[-1]
                print(
                    f"{stage:6} {documents:7} documents: {last.wall:7.1f} s, "
                    f"CPU {last.cpu:7.1f} s, peak {last.megabytes:5.0f} MB",
                    flush=True,
                )
    for stage, measured in found.items():
        ratio = measured[-1].cpu / measured[0].cpu
        print(f"{stage:6} {sizes[-1]} / {sizes[0]} documents: {ratio:.1f} x")


if __name__ == "__main__":
    main()
