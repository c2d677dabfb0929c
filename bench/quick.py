"""``make quick``: the pipeline with fewer facts and steps, in a copy; the real run stays as it is."""

from pathlib import Path

from stillhouse.scaffold.copies import copy_tree, run_in

COPY = Path(".stillhouse/quick")
# A third of the core passages and no other documents: minutes instead of a quarter of an hour.
SETTINGS = {
    "render.plan.core": {
        "recall": {"fraction": 0.33, "pairs": 24, "phrasings": 8, "variations": ["brief"]}
    },
    "render.plan.other": {},
    "render.plan.questions": {
        "abstain": {"fraction": 0.1, "phrasings": 1},
        "replay": {"fraction": 0.15},
    },
    "references.passage_questions_per_kind": 5,
    "references.base_test_rows": 20,
    "evaluate.exam.test_rows": 60,
}


def main() -> None:
    """Run it and print its result."""
    copy_tree(COPY, SETTINGS)
    run_in(COPY, "dvc", "repro")
    run_in(COPY, "stillhouse", "summary")


if __name__ == "__main__":
    main()
