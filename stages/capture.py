"""capture@student: what the student's base would have said on the replay rows, token by token.

Always writes a manifest; it is empty where the student's recipe uses no distributions.
"""

import sys
from pathlib import Path

from stillhouse.base.home import home
from stillhouse.base.params import choose_student, load_section
from stillhouse.base.records import Row
from stillhouse.base.runtime import load_runtime, use_threads
from stillhouse.base.stage import run_stage, say_counts
from stillhouse.base.tables import read_table
from stillhouse.distill.bases import open_base
from stillhouse.distill.capture import capture_base
from stillhouse.distill.distributions import describe_origin, write_distributions
from stillhouse.distill.encode import encode_rows
from stillhouse.distill.params import Student
from stillhouse.distill.train import load_tokenizer

TRAIN = Path("data/dataset/train.parquet")


def main() -> None:
    name = choose_student(sys.argv[1:])
    params, runtime = load_section(f"students.{name}", Student), load_runtime()
    use_threads(runtime)
    base = open_base(params.model, home() / "bases")
    replay = [row for row in read_table(TRAIN, Row) if row.task == "replay"]
    wanted = replay if params.wants_distributions else []
    encoded = encode_rows(wanted, load_tokenizer(base.folder), params.max_tokens)
    ids, log_probs = capture_base(base.folder, encoded, params.replay_top_k, runtime)
    origin = describe_origin(base, params.replay_top_k)
    write_distributions(Path("data/distributions") / name, origin, encoded, ids, log_probs)
    say_counts(f"capture@{name}", rows=len(encoded), tokens=len(ids))


if __name__ == "__main__":
    run_stage(main, student=True)
