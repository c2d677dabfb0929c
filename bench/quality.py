"""The near-duplicate step over 50,000 short rows, against datasketch; and what embedding costs.

Three kinds of rows: questions of which one in five is an earlier one with a word exchanged; cells of one
sentence with three places (37 values each), which share most of their words and are no duplicates at 0.9;
one question with a word exchanged, all near to each other. All have one fact and one answer, so that each
may be a duplicate of each. Every figure is of a process of its own, which reads the texts from a file.

``python -m bench.quality [rows [rows to embed]]``; ``make bench`` runs it with 50,000 and 1,000.
datasketch comes with the extra ``dev``; without it its lines are left out.
"""

import importlib.util
import itertools
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from bench.processes import describe_machine, run

ROWS: Final = 50_000
EMBEDDED: Final = 1_000
THRESHOLD: Final = 0.9
PLACES: Final = 37
SMALL: Final = "what is the of in how many when does a for to".split()  # noqa: SIM905
SENTENCE: Final = "what is the price of a x{} in the month of y{} for the people of z{} this year"


def write_mixed(rows: int) -> list[str]:
    """Return questions of 8 to 24 words, one in five an earlier one with a word exchanged."""
    rng = random.Random(0)
    syllables = [a + b for a in "bdfgklmnprstv" for b in "aeiou"]
    known = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(8000)]
    texts: list[str] = []
    for _ in range(rows):
        if texts and rng.random() < 0.2:
            words = rng.choice(texts).split()
            words[rng.randrange(len(words))] = rng.choice(known)
        else:
            words = [
                rng.choice(SMALL) if rng.random() < 0.5 else known[int(8000 * rng.random() ** 3)]
                for _ in range(rng.randint(8, 24))
            ]
        texts.append(" ".join(words))
    return texts


def write_table(rows: int) -> list[str]:
    """Return one sentence with all combinations of three values."""
    cells = itertools.product(range(PLACES), repeat=3)
    return [SENTENCE.format(*cell) for cell in itertools.islice(cells, rows)]


def write_family(rows: int) -> list[str]:
    """Return one question of 30 words with one of them exchanged, ever another."""
    rng = random.Random(0)
    texts = []
    for row in range(rows):
        words = [f"w{place}" for place in range(30)]
        words[rng.randrange(30)] = f"v{row}"
        texts.append(" ".join(words))
    return texts


KINDS: Final[Mapping[str, Callable[[int], list[str]]]] = {
    "mixed": write_mixed,
    "table": write_table,
    "family": write_family,
}


def find_with_stillhouse(texts: list[str]) -> int:
    """Return how many texts give way to an earlier one, by the pipeline's own step."""
    from stillhouse.quality.near import find_twins

    return len(find_twins(texts, [0] * len(texts), THRESHOLD))


def find_with_datasketch(texts: list[str]) -> int:
    """Return the same by datasketch's index of 128 hashes, with the candidates counted out."""
    from datasketch import MinHash, MinHashLSH

    from stillhouse.base.text import words

    index = MinHashLSH(threshold=THRESHOLD, num_perm=128)
    kept: list[set[bytes]] = []
    dropped = 0
    for text in texts:
        spelled = words(text)
        shingles = {
            " ".join(spelled[at : at + 3]).encode() for at in range(max(1, len(spelled) - 2))
        }
        sketch = MinHash(num_perm=128, seed=1)
        sketch.update_batch(shingles)
        met = (kept[int(key)] for key in index.query(sketch))
        if any(len(shingles & one) / len(shingles | one) >= THRESHOLD for one in met):
            dropped += 1
        else:
            index.insert(str(len(kept)), sketch)
            kept.append(shingles)
    return dropped


def embed(texts: list[str]) -> int:
    """Return how many texts were embedded; nothing is remembered."""
    from stillhouse.base.runtime import load_runtime
    from stillhouse.embedding.embed import Embedder

    return len(Embedder(load_runtime()).embed(texts))


STEPS: Final[Mapping[str, Callable[[list[str]], int]]] = {
    "stillhouse": find_with_stillhouse,
    "datasketch": find_with_datasketch,
    "embed": embed,
}


def run_step(step: str, path: Path) -> None:
    """Run a step over the texts of a file; print what it found and its seconds, imports left out."""
    texts = json.loads(path.read_text())
    STEPS[step](texts[:10])  # imports, and the model where there is one
    began, worked = time.perf_counter(), time.process_time()
    found = STEPS[step](texts)
    wall, cpu = time.perf_counter() - began, time.process_time() - worked
    print(json.dumps({"found": found, "wall": wall, "cpu": cpu}))


def main() -> None:
    """Print each step on each kind of rows, and how much longer the peer takes."""
    if sys.argv[1:2] == ["--step"]:
        run_step(sys.argv[2], Path(sys.argv[3]))
        return
    rows, embedded = [*map(int, sys.argv[1:]), *(ROWS, EMBEDDED)[len(sys.argv) - 1 :]]
    print(describe_machine())
    peer = importlib.util.find_spec("datasketch") is not None
    if not peer:
        print("datasketch is not installed (extra dev): its lines are left out")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "texts.json"
        for kind, write in KINDS.items():
            path.write_text(json.dumps(write(rows)))
            ours = _measure("stillhouse", path, f"{kind:6} {rows} rows")
            if peer:
                theirs = _measure("datasketch", path, f"{kind:6} {rows} rows")
                print(f"{kind:6} datasketch / stillhouse: {theirs / ours:.1f} x")
        path.write_text(json.dumps(write_mixed(embedded)))
        seconds = _measure("embed", path, f"all-MiniLM-L6-v2 {embedded} rows")
        print(f"semantic step: {embedded / seconds:.0f} rows/s")


def _measure(step: str, path: Path, what: str) -> float:
    """Run a step in a process of its own; print what it took and return its wall seconds."""
    done = run([sys.executable, "-m", "bench.quality", "--step", step, str(path)], Path())
    told = json.loads(done.printed)
    print(
        f"{what} {step:10}: {told['wall']:6.2f} s wall, {told['cpu']:6.2f} s CPU, "
        f"peak {done.memory:4.0f} MB, {told['found']} found",
        flush=True,
    )
    return float(told["wall"])


if __name__ == "__main__":
    main()
