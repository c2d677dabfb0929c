"""judge: every pair against its own passages, its wording and its length."""

from pathlib import Path

from stillhouse.base.params import load_section
from stillhouse.base.records import Chunk, Judgement, Pair
from stillhouse.base.stage import run_stage, say_counts, show_progress
from stillhouse.base.tables import read_all, read_table, write_table
from stillhouse.quality.judge import JudgeParams, judge_pairs


def main() -> None:
    """Write ``data/judgements.parquet``."""
    params = load_section("judge", JudgeParams)
    chunks = {
        chunk.chunk_id: chunk for chunk in read_table(Path("data/corpus/chunks.parquet"), Chunk)
    }
    pairs = read_all(Path("data/generated/pairs.parquet"), Pair)
    judgements = judge_pairs(show_progress(pairs, "judge"), chunks, params)
    written = write_table(Path("data/judgements.parquet"), Judgement, judgements)
    say_counts("judge", pairs=len(pairs), judgements=written)


if __name__ == "__main__":
    run_stage(main)
