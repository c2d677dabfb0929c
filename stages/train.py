"""train@student: the student from its base and the dataset, behind the validation gate."""

import sys
from pathlib import Path

from stillhouse.base.home import home
from stillhouse.base.lock import read_lock
from stillhouse.base.params import choose_student, load_section
from stillhouse.base.processes import count_processes, is_first, spreads_weights
from stillhouse.base.records import Row
from stillhouse.base.runtime import choose_device, load_runtime, use_threads
from stillhouse.base.stage import run_stage, say_counts
from stillhouse.base.tables import read_all
from stillhouse.distill.bases import open_base
from stillhouse.distill.encode import check_reasoning, encode_rows
from stillhouse.distill.loading import load_tokenizer
from stillhouse.distill.params import Student
from stillhouse.distill.parts import TEACHER, check_own_answers, list_parts, place_of
from stillhouse.distill.processes import (
    check_alone,
    run_processes,
    share_checkpoints,
    wants_processes,
)
from stillhouse.distill.students import save_student, write_curve
from stillhouse.distill.teaching import open_teaching
from stillhouse.distill.train import train_student
from stillhouse.lineage.gate import read_gate
from stillhouse.lineage.inputs import InputGuard
from stillhouse.lineage.provenance import BaseModel, write_provenance
from stillhouse.lineage.run_key import training_key

TRAIN = Path("data/dataset/train.parquet")
VALIDATION = Path("data/dataset/validation.parquet")
GATE = Path("reports/validation.json")


def main() -> None:
    name = choose_student(sys.argv[1:])
    params, runtime, guard = load_section(f"students.{name}", Student), load_runtime(), InputGuard()
    if wants_processes(runtime):
        check_alone(params.method, several=True)
        run_processes(runtime, "stages.train", sys.argv[1:])
        return
    use_threads(runtime)
    parameters = params.model_dump(mode="json")
    rows = {path: read_all(guard.open(path), Row) for path in (TRAIN, VALIDATION)}
    read_gate(guard.open(GATE), guard.opened, rows)
    base = open_base(params.model, home() / "bases")
    tokenizer = load_tokenizer(base.folder)
    check_reasoning(rows[TRAIN], params.reasoning)
    train = encode_rows(rows[TRAIN], tokenizer, params.max_tokens, params.reasoning)
    taught = [row for row in rows[VALIDATION] if row.task not in ("abstain", "replay")]
    validation = encode_rows(taught, tokenizer, params.max_tokens, params.reasoning)
    guard.open(place_of(name, ""))
    parts = list_parts(params, base, lambda model: open_base(model, home() / "bases"))
    for part in parts:
        check_own_answers(part, validation)
    device = choose_device(runtime)
    key = training_key(
        guard.opened, base.sha256, parameters, device, count_processes(), spreads_weights()
    )
    every = 60 * runtime.checkpoint_minutes
    targets, teachers = open_teaching(place_of(name, ""), parts, train, runtime)
    with share_checkpoints(home() / "checkpoints" / name, key, every, device) as checkpoints:
        trained = train_student(
            base.folder,
            train=train,
            validation=validation,
            targets=targets,
            params=params,
            runtime=runtime,
            checkpoints=checkpoints,
            teachers=teachers,
        )
        if not is_first():
            return
        folder = Path("models") / name
        save_student(folder, trained, tokenizer, params.save_dtype)
        write_curve(Path("reports/students") / name / "training" / "curves.csv", trained.curve)
        write_provenance(
            folder,
            student=name,
            guard=guard,
            train=TRAIN,
            base=BaseModel(base.name, base.sha256, base.origin),
            parameters=parameters,
            upstream=read_lock().upstream_of(TRAIN.parent),
            teachers=[
                BaseModel(*told)
                for part in parts
                if part.name == TEACHER
                for told in part.describe_teachers()
            ],
        )
        if checkpoints:
            checkpoints.remove()
    say_counts(f"train@{name}", rows=len(train), steps=trained.steps, best_step=trained.best_step)


if __name__ == "__main__":
    run_stage(main, student=True)
