"""register@student: the student's entry in MLflow, and where it is. Safe to repeat."""

import sys
from dataclasses import asdict
from pathlib import Path

from stillhouse.base.files import write_json
from stillhouse.base.params import choose_student, load_section
from stillhouse.base.stage import log, run_stage, say_counts
from stillhouse.diffing.attach import attach_diff
from stillhouse.lineage.params import Register
from stillhouse.lineage.registry import register_student


def main() -> None:
    """Write ``registration.json``: it names a run in MLflow, so DVC keeps no copy of it."""
    student = choose_student(sys.argv[1:])
    params = load_section("register", Register)
    registered = register_student(student, Path(), params)
    if params.diff and (said := attach_diff(Path(), registered)):
        log.info("register@%s: %s", student, said)
    told = {key: value for key, value in asdict(registered).items() if key != "created"}
    write_json(Path("reports/students") / student / "registration.json", told)
    say_counts(f"register@{student}", uri=registered.uri, created=int(registered.created))


if __name__ == "__main__":
    run_stage(main, student=True)
