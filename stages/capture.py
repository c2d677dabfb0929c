"""capture@student: what teachers would have said on the training rows, token by token.

Always writes a manifest; there is nothing beside it where the student's recipe uses no distributions.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from stillhouse.base.files import write_json
from stillhouse.base.home import home
from stillhouse.base.params import choose_student, load_section
from stillhouse.base.records import Chunk, Row
from stillhouse.base.runtime import Runtime, load_runtime, use_threads
from stillhouse.base.stage import run_stage, say_counts
from stillhouse.base.tables import read_all
from stillhouse.distill.bases import open_base
from stillhouse.distill.capture import Sources, capture_by, capture_rows, open_store
from stillhouse.distill.distributions import MANIFEST, Captured, write_distributions
from stillhouse.distill.encode import Reading, check_reasoning, encode_rows
from stillhouse.distill.loading import load_tokenizer
from stillhouse.distill.params import Student
from stillhouse.distill.parts import Part, choose_rows, find_earlier, list_parts, place_of
from stillhouse.distill.readings import write_readings
from stillhouse.teachers.params import load_teachers
from stillhouse.teachers.served import ask_served

TRAIN = Path("data/dataset/train.parquet")
CHUNKS = Path("data/corpus/chunks.parquet")


def main() -> None:
    name = choose_student(sys.argv[1:])
    params, runtime = load_section(f"students.{name}", Student), load_runtime()
    use_threads(runtime)
    base = open_base(params.model, home() / "bases")
    parts = list_parts(params, base, lambda model: open_base(model, home() / "bases"))
    rows = read_all(TRAIN, Row) if parts else []
    tokenizer = load_tokenizer(base.folder)
    check_reasoning(rows, params.reasoning)
    encoded = encode_rows(rows, tokenizer, params.max_tokens, params.reasoning) if parts else []
    captured = computed = 0
    for part in parts:
        wanted = choose_rows(part, rows, encoded, read_passages)
        folder = place_of(name, part.name)
        if part.live:
            write_readings(folder, part.origin, wanted)
            continue
        store = open_store(home() / "captured", part.origin)
        sources = Sources(store, find_earlier(name, part))
        read, new = capture(part, wanted, sources, runtime)
        write_distributions(folder, part.origin, wanted, read)
        captured, computed = captured + len(wanted), computed + new
    write_json(place_of(name, MANIFEST), {"parts": [part.name for part in parts]})
    say_counts(f"capture@{name}", rows=captured, computed=computed)


def capture(
    part: Part, rows: Sequence[Reading], sources: Sources, runtime: Runtime
) -> tuple[Callable[[list[str]], list[Captured]], int]:
    if not part.served:
        return capture_rows(rows, part.origin, part.load_models, sources, runtime)
    tokenizer = load_tokenizer(part.reader.folder)
    ask = ask_served(part.origin, tokenizer, load_teachers().vllm, runtime)
    return capture_by(ask, rows, part.origin, sources)


def read_passages() -> dict[str, str]:
    return {chunk.chunk_id: chunk.text for chunk in read_all(CHUNKS, Chunk)}


if __name__ == "__main__":
    run_stage(main, student=True)
