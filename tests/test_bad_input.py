"""A user's mistake gives one sentence and an exit code, no traceback, and nothing half-written.

Each line of the tables breaks one thing in a copy of a small finished project and runs a real stage.
"""

import compileall
import errno
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from stillhouse.base.ids import md5_file
from tests.tiny import build_tiny_model

ROOT = Path(__file__).parent.parent
DOCUMENTS = ("people/annual-leave.md", "fleet/company-vehicles.md", "money/expenses-and-travel.md")
GOLD = {
    "id": "g1",
    "question": "What is the carry-over limit for unused leave?",
    "answers": ["4.5 days"],
    "kind": "recall",
    "scope": "core",
    "fact": "annual-leave-11",
    "sources": ["people/annual-leave.md"],
}
GENERAL = {"id": "e1", "question": "How many legs has a spider?", "answers": ["eight", "8"]}
STAGES = ("ingest", "render", "generate", "judge", "curate", "review", "split", "validate")
OUTS = ("data/corpus", "data/generated", "data/curated", "data/dataset", "data/*.parquet")

Break = Callable[[Path], None]


# --- the project ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with everything up to a green gate; nothing may write into it."""
    folder = tmp_path_factory.mktemp("finished") / "project"
    for name in ("stillhouse", "stages", "prompts"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.part")
        )
    for name in ("stillhouse", "stages"):  # once for all copies, whose stages write no bytecode
        assert compileall.compile_dir(folder / name, quiet=1)
    write_seed(folder / "data/seed")
    write_params(folder)
    build_tiny_model(folder / "tiny-student")
    for stage in STAGES:
        done = run_stage(folder, stage)
        assert done.returncode == 0, f"{stage}: {done.stderr}"
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished project, to break."""
    return shutil.copytree(finished, tmp_path / "project")


def write_seed(seed: Path) -> None:
    for name in DOCUMENTS:
        (seed / "documents" / name).parent.mkdir(parents=True)
        shutil.copy2(ROOT / "data/seed/documents" / name, seed / "documents" / name)
    for name in ("everyday.jsonl", "unanswered.jsonl"):
        lines = (ROOT / "data/seed" / name).read_text().splitlines()[:8]
        (seed / name).write_text("\n".join(lines) + "\n")
    (seed / "eval").mkdir()
    (seed / "eval/gold.jsonl").write_text(json.dumps(GOLD) + "\n")
    (seed / "eval/general.jsonl").write_text(json.dumps(GENERAL) + "\n")
    for name in ("review.jsonl", "prompts.jsonl", "instructions.jsonl"):
        (seed / name).write_text("")
    (seed / "baseline.json").write_text("{}\n")
    (seed / "sources.yaml").write_text("version: 1\n")
    (seed / "focus.yaml").write_text(
        "core: [{source: people/annual-leave.md}]\nheld_out: [{source: fleet/company-vehicles.md}]\n"
    )


def write_params(folder: Path) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    (student,) = params["students"].values()
    params["students"] = {"tiny": {**student, "model": "tiny-student", "epochs": 0.1}}
    params["render"]["base"] = "tiny-student"
    params["references"]["bases"] = ["tiny-student"]
    loose = {"rows_per_task_min": 0, "train_rows_min": 5, "abstain_share_max": 1.0}
    shares = {"opening_share_max": 1.0, "replay_share_max": 1.0, "test_rows_min": 0}
    params["validate"] |= {**loose, **shares, "validation_rows_min": 0}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


# --- running and judging -------------------------------------------------------------------------


def environment() -> dict[str, str]:
    own = ("DVC_ROOT", "STILLHOUSE_HOME", "MLFLOW_TRACKING_URI", "COLUMNS")
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return {**kept, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def run_stage(folder: Path, stage: str, **options: object) -> subprocess.CompletedProcess[str]:
    return run_python(folder, "-m", *f"stages.{stage}".split(), **options)


def run_python(
    folder: Path, *arguments: str, **options: object
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [sys.executable, *arguments], cwd=folder, env=environment(), capture_output=True, text=True,
        check=False, **options,
    )  # fmt: skip


def list_outs(folder: Path) -> dict[str, str]:
    found = [file for name in (*OUTS, "models", "reports") for file in folder.glob(name)]
    files = [f for path in found for f in (path.rglob("*") if path.is_dir() else [path])]
    return {str(f.relative_to(folder)): md5_file(f) for f in files if f.is_file()}


def judge(
    folder: Path, done: subprocess.CompletedProcess[str], before: dict[str, str], said: str
) -> None:
    """One sentence that says it, the right code, no traceback; outputs as they were or gone."""
    assert "Traceback" not in done.stderr, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert said in errors[0]
    assert errors[0] == done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2
    after = list_outs(folder)
    assert {name: md5 for name, md5 in after.items() if before.get(name) != md5} == {}
    assert list_parts(folder) == []


def list_parts(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*.part")]


# --- ways to break something ---------------------------------------------------------------------


def edit(name: str, old: str, new: str) -> Break:
    def apply(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text, f"{old!r} is not in {name}"
        (folder / name).write_text(text.replace(old, new, 1))

    return apply


def write(name: str, text: str | bytes) -> Break:
    def apply(folder: Path) -> None:
        data = text.encode() if isinstance(text, str) else text
        (folder / name).write_bytes(data)

    return apply


def append(name: str, text: str) -> Break:
    def apply(folder: Path) -> None:
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write(text)

    return apply


def remove(name: str) -> Break:
    def apply(folder: Path) -> None:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return apply


def cut(name: str) -> Break:
    """Keep the first half of a file."""

    def apply(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return apply


def overwrite_start(name: str) -> Break:
    """Write over a file's first page, behind the mark by which its kind is known."""

    def apply(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[:4] + b"\xff" * 64 + data[68:])

    return apply


def both(*breaks: Break) -> Break:
    def apply(folder: Path) -> None:
        for one in breaks:
            one(folder)

    return apply


def without(line: dict[str, object], key: str) -> str:
    return json.dumps({name: value for name, value in line.items() if name != key}) + "\n"


def changed(line: dict[str, object], **changes: object) -> str:
    return json.dumps({**line, **changes}) + "\n"


def put_folder(name: str) -> Break:
    """Put a folder where a file was, or a file where a folder was."""

    def apply(folder: Path) -> None:
        path = folder / name
        was_folder = path.is_dir()
        remove(name)(folder)
        path.write_text("") if was_folder else path.mkdir()

    return apply


@dataclass(frozen=True)
class Case:
    """A stage, what is broken before it runs, and words of the sentence that must come."""

    stage: str
    breaks: Break
    said: str


P, SEED, EVAL = "params.yaml", "data/seed", "data/seed/eval"
RECALL = "prompts/recall.md"
QUESTION = {"id": "q", "question": "Why?"}
VERDICT = {"row_id": "0" * 64, "verdict": "accept", "reviewer": "Ada"}
CONFLICT = "<<<<<<< ours\nschema: '2.0'\n=======\nschema: '2.0'\n>>>>>>> theirs\n"
FORGET = remove(".stillhouse")  # the journal: else no teacher is asked again

PARAMS = {
    "broken YAML": Case("ingest", append(P, "\tx: [\n"), "params.yaml:"),
    "unclosed bracket": Case("ingest", append(P, "x: [1, 2\n"), "not valid YAML"),
    "not a mapping": Case("ingest", write(P, "- a\n- b\n"), "params.yaml: not a mapping"),
    "empty": Case("ingest", write(P, ""), "section `formats` is missing"),
    "no formats": Case(
        "ingest", edit(P, "formats:\n", "format:\n"), "section `formats` is missing"
    ),
    "a format is missing": Case(
        "split", edit(P, "  judge: 2\n", ""), "params.yaml: `formats.judge` is missing; add it"
    ),
    "an unknown format": Case(
        "review",
        append(P, "  filter: 1\n"),
        "unknown key `formats.filter`; expected one of answer_format, chunker, draws, filters",
    ),
    "another format": Case(
        "train tiny",
        edit(P, "  provenance: 1\n", "  provenance: 9\n"),
        "`formats.provenance` is 9 and the installed code has 1: models/<student>/provenance.json",
    ),
    "missing": Case("ingest", remove(P), "run this in the folder of a project"),
    "a folder": Case("ingest", put_folder(P), "a folder stands where a file is expected"),
    "not UTF-8": Case("ingest", write(P, b"ingest: \xff\n"), "not UTF-8 at byte 8"),
    "impossible date": Case("ingest", append(P, "day: 2026-13-01\n"), "not valid YAML (month"),
    "bottomless": Case("ingest", append(P, "x: " + "[" * 20000), "params.yaml"),
    "unknown key": Case(
        "ingest",
        edit(P, "ingest:\n  max_tokens", "ingest:\n  max_token"),
        "unknown key `ingest.max_token`; expected one of max_file_mb, max_tokens, unreadable; did you mean `max_tokens`?",
    ),
    "unknown key deep down": Case(
        "render",
        edit(P, "fraction: 1.0", "fractoin: 1.0"),
        "unknown key `render.plan.core.recall.fractoin`; expected one of fraction, pairs",
    ),
    "unknown group": Case("render", edit(P, "    core:\n", "    cores:\n"), "did you mean `core`?"),
    "wrong type": Case(
        "ingest",
        edit(P, "ingest:\n  max_tokens: 220", "ingest:\n  max_tokens: many"),
        "`ingest.max_tokens` is 'many'; expected a valid integer",
    ),
    "yes for a number": Case(
        "ingest",
        edit(P, "ingest:\n  max_tokens: 220", "ingest:\n  max_tokens: yes"),
        "`ingest.max_tokens`: true and false",
    ),
    "a value for a section": Case(
        "generate",
        edit(
            P,
            "generate:\n  tolerate_refusals: 0\n  ask_again: 1\n  evolve:\n    steps: []\n    tasks: {}\n    depth: 1\n    seed: 29",
            "generate: 220",
        ),
        "`generate` is 220; expected `key: value` lines",
    ),
    "out of range": Case(
        "render",
        edit(P, "fraction: 1.0", "fraction: 1.5"),
        "`render.plan.core.recall.fraction` is 1.5; expected less than or equal to 1",
    ),
    "not a number": Case(
        "render", edit(P, "fraction: 1.0", "fraction: .nan"), "expected a finite number"
    ),
    "missing section": Case(
        "judge", edit(P, "judge:\n", "jugde:\n"), "section `judge` is missing; did you mean `jugde`"
    ),
    "duplicate key": Case(
        "ingest", append(P, "ingest:\n  max_tokens: 9\n"), "`ingest` stands there twice"
    ),
    "unknown task": Case("render", edit(P, "recall:", "recal:"), "no prompt file has this task"),
    "unknown variation": Case(
        "render", edit(P, "- brief", "- breif"), "unknown variation `breif`; expected one of"
    ),
    "unknown persona": Case(
        "render",
        edit(P, "fraction: 1.0", "personas: [ghost]\n        fraction: 1.0"),
        "unknown persona `ghost`; expected one of customer, manager",
    ),
    "misspelt choice": Case("judge", edit(P, "judge:", "judge: []\njugde:"), "`judge` is []"),
}
PROMPTS = {
    "undefined variable": Case(
        "render",
        edit(RECALL, "{{ passages }}", "{{ passage }}"),
        "unknown name `passage`; expected one of answer, answer_block",
    ),
    "broken front matter": Case(
        "render", edit(RECALL, "task: recall", "task: [recall"), "front matter is not valid YAML"
    ),
    "key twice": Case(
        "render", edit(RECALL, "pairs: 8", "pairs: 8\npairs: 9"), "`pairs` stands there twice"
    ),
    "no front matter": Case("render", write(RECALL, "## user\nx\n"), "there is no front matter"),
    "missing section": Case(
        "render", edit(RECALL, "## user", "## usr"), "recall.md: there is no user part"
    ),
    "empty section": Case(
        "render", write(RECALL, "---\ntask: recall\n---\n## user\n"), "the user part is empty"
    ),
    "unknown key": Case(
        "render",
        edit(RECALL, "phrasings: 3", "phrazings: 3"),
        "recall.md:7: unknown key `phrazings`",
    ),
    "wrong value": Case(
        "render", edit(RECALL, "teacher: main", "teacher: oracle"), "`teacher` is 'oracle'"
    ),
    "a loop": Case(
        "render",
        edit(RECALL, "{{ passages }}", "{% for i in range(9999999) %}x{% endfor %}"),
        "a template may not use `for`",
    ),
    "a macro that calls itself": Case(
        "render",
        edit(RECALL, "{{ passages }}", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
        "a template may not use `macro`",
    ),
    "an include": Case(
        "render",
        edit(RECALL, "{{ passages }}", "{% include '/etc/passwd' %}"),
        "a template may not use `include`",
    ),
    "a text a billion times": Case(
        "render",
        edit(RECALL, "{{ passages }}", "{{ passages * 1000000000 }}"),
        "only numbers may be multiplied",
    ),
    "an attribute": Case(
        "render", edit(RECALL, "{{ passages }}", "{{ passages.__class__.__mro__ }}"), "recall.md"
    ),
    "a missing attribute": Case(
        "render", edit(RECALL, "{{ passages }}", "{{ passages.first }}"), "has no attribute 'first'"
    ),
    "an unknown filter": Case(
        "render", edit(RECALL, "{{ passages }}", "{{ passages|loud }}"), "No filter named 'loud'"
    ),
    "a division by zero": Case(
        "render", edit(RECALL, "{{ passages }}", "{{ pairs / 0 }}"), "division by zero"
    ),
    "no prompts": Case(
        "render",
        both(remove("prompts"), lambda folder: (folder / "prompts").mkdir()),
        "variations.yaml: file not found",
    ),
    "a variation that is a number": Case(
        "render", append("prompts/variations.yaml", "seven: 7\n"), "`seven` is not a text"
    ),
    "a variation called yes": Case(
        "render", append("prompts/variations.yaml", "yes: Agree.\n"), "the key `True` is not a text"
    ),
}
SEEDS = {
    "no documents' folder": Case("ingest", remove(f"{SEED}/documents"), "folder not found"),
    "focus on a missing document": Case(
        "render",
        edit(f"{SEED}/focus.yaml", "people/annual-leave.md", "people/anual-leave.md"),
        "'people/anual-leave.md' is not a document of the corpus; did you mean `people/annual-leave",
    ),
    "focus names a document twice": Case(
        "split",
        edit(f"{SEED}/focus.yaml", "core: [", "core: [{source: people/annual-leave.md}, "),
        "the document 'people/annual-leave.md' stands there twice",
    ),
    "focus with an unknown key": Case(
        "split", append(f"{SEED}/focus.yaml", "cor: []\n"), "unknown key `cor`"
    ),
    "sources with an unknown key": Case(
        "ingest", append(f"{SEED}/sources.yaml", "inclde: []\n"), "did you mean `include`?"
    ),
    "sources name a missing file": Case(
        "ingest", append(f"{SEED}/sources.yaml", "sources: {a.md: {}}\n"), "'a.md' is not a file"
    ),
    "everyday: broken line": Case(
        "render", append(f"{SEED}/everyday.jsonl", '{"id": \n'), "everyday.jsonl:9: not JSON"
    ),
    "everyday: not an object": Case(
        "render", append(f"{SEED}/everyday.jsonl", "[1]\n"), "everyday.jsonl:9: not an object"
    ),
    "everyday: missing column": Case(
        "render",
        append(f"{SEED}/everyday.jsonl", '{"id": "q"}\n'),
        "keys are id; expected `id` and `question`",
    ),
    "everyday: same id": Case(
        "render",
        append(f"{SEED}/everyday.jsonl", (json.dumps(QUESTION) + "\n") * 2),
        "everyday.jsonl:10: the id 'q' is used twice",
    ),
    "everyday: key twice": Case(
        "render",
        append(f"{SEED}/everyday.jsonl", '{"id": "q", "id": "r", "question": "Why?"}\n'),
        "`id` stands there twice",
    ),
    "everyday: half a character": Case(
        "render",
        append(f"{SEED}/everyday.jsonl", '{"id": "q", "question": "\\ud83d?"}\n'),
        "half of a character",
    ),
    "everyday: endless number": Case(
        "render",
        append(f"{SEED}/everyday.jsonl", '{"id": ' + "9" * 5000 + "}\n"),
        "everyday.jsonl:9: cannot be read",
    ),
    "unanswered: wrong kind": Case(
        "render",
        append(f"{SEED}/unanswered.jsonl", '{"id": "q", "statement": 7}\n'),
        "`id` or `statement` is not a text",
    ),
    "unanswered: missing": Case("render", remove(f"{SEED}/unanswered.jsonl"), "file not found"),
    "gold: broken line": Case(
        "curate", append(f"{EVAL}/gold.jsonl", "{'id': 1}\n"), "gold.jsonl:2: not JSON"
    ),
    "gold: missing column": Case(
        "curate",
        write(f"{EVAL}/gold.jsonl", without(GOLD, "scope")),
        "gold.jsonl:1: `scope` is missing",
    ),
    "gold: wrong kind": Case(
        "curate",
        write(f"{EVAL}/gold.jsonl", changed(GOLD, kind="trivia")),
        "`kind` is 'trivia'; expected one of recall",
    ),
    "gold: nothing accepted": Case(
        "curate", write(f"{EVAL}/gold.jsonl", changed(GOLD, answers=[])), "`answers` is empty"
    ),
    "gold: empty question": Case(
        "curate", write(f"{EVAL}/gold.jsonl", changed(GOLD, question=" ")), "`question` is empty"
    ),
    "gold: a document in other capitals": Case(
        "references",
        write(f"{EVAL}/gold.jsonl", changed(GOLD, sources=["People/Annual-Leave.md"])),
        "gold.jsonl:1: the corpus has no document 'People/Annual-Leave.md'; "
        "did you mean `people/annual-leave.md`?",
    ),
    "gold: same id": Case(
        "curate",
        append(f"{EVAL}/gold.jsonl", json.dumps(GOLD) + "\n"),
        "gold.jsonl:2: the id 'g1' is used twice",
    ),
    "general: missing column": Case(
        "curate",
        write(f"{EVAL}/general.jsonl", without(GENERAL, "answers")),
        "general.jsonl:1: `answers` is missing",
    ),
    "general: same id": Case(
        "curate", append(f"{EVAL}/general.jsonl", json.dumps(GENERAL) + "\n"), "is used twice"
    ),
    "review: broken line": Case(
        "review", write(f"{SEED}/review.jsonl", "accept\n"), "review.jsonl:1: not JSON"
    ),
    "review: missing column": Case(
        "review",
        write(f"{SEED}/review.jsonl", without(VERDICT, "reviewer")),
        "review.jsonl:1: `reviewer` is missing",
    ),
    "review: wrong kind": Case(
        "review",
        write(f"{SEED}/review.jsonl", changed(VERDICT, reviewer=7)),
        "review.jsonl:1: `reviewer` is not a text",
    ),
    "review: unknown verdict": Case(
        "review", write(f"{SEED}/review.jsonl", changed(VERDICT, verdict="ok")), "expected one of"
    ),
}
TABLES = {
    "corrupt": Case("judge", cut("data/generated/pairs.parquet"), "not a readable Parquet file"),
    "not Parquet": Case(
        "review", write("data/curated/rows.parquet", "hello"), "not a readable Parquet file"
    ),
    "empty": Case("split", write("data/reviewed.parquet", b""), "not a readable Parquet file"),
    "missing": Case("split", remove("data/reviewed.parquet"), "reviewed.parquet: file not found"),
    "of other columns": Case(
        "review",
        lambda folder: shutil.copy(
            folder / "data/requests.parquet", folder / "data/curated/rows.parquet"
        ),
        "rows.parquet",
    ),
    "a folder": Case("split", put_folder("data/reviewed.parquet"), "data/reviewed.parquet"),
    "missing, before the gate": Case("validate", remove("data/judgements.parquet"), "judgements"),
    "corrupt, before the gate": Case(
        "validate", cut("data/judgements.parquet"), "not a readable Parquet file"
    ),
    "a damaged page": Case(
        "split", overwrite_start("data/reviewed.parquet"), "not a readable Parquet file"
    ),
}
PLACES = {
    "a file where the output's folder should be": Case(
        "ingest",
        put_folder("data/corpus"),
        "data/corpus: a file stands where a folder is expected",
    ),
    "a folder where the output should be": Case(
        "render",
        put_folder("data/requests.parquet"),
        "data/requests.parquet: a folder stands where a file is expected",
    ),
    "a file where the journal's folder should be": Case(
        "generate", put_folder(".stillhouse"), ".stillhouse"
    ),
    "a corrupt journal": Case(
        "generate",
        both(
            FORGET,
            lambda f: (f / ".stillhouse").mkdir(),
            write(".stillhouse/journal.sqlite", "x" * 9000),
        ),
        "journal.sqlite: the journal cannot be used (file is not a database)",
    ),
    "a torn dvc.lock": Case(
        "generate",
        both(FORGET, write("dvc.lock", "schema: '2.0'\nstages:\n  ingest:\n    cm")),
        "dvc.lock: torn, not a readable lock file; run `",
    ),
    "a conflict in dvc.lock": Case(
        "generate",
        both(FORGET, write("dvc.lock", CONFLICT)),
        "dvc.lock:1: holds the marks of a merge conflict",
    ),
    "no student": Case("capture", lambda _: None, "no student is named; expected one of"),
    "an unknown student": Case(
        "train nobody", lambda _: None, "no student is called `nobody`; expected one of"
    ),
    "a misspelt student": Case("evaluate tony", lambda _: None, "did you mean `tiny`?"),
    "a student with a full stop": Case(
        "ingest",
        edit(P, "\n  tiny:\n", "\n  tiny-v1.5:\n"),
        "params.yaml: `students.tiny-v1.5` is not a name; expected letters (a to z), digits, _ and -",
    ),
    "a student with a space": Case(
        "train tiny",
        edit(P, "\n  tiny:\n", "\n  my student:\n"),
        "`students.my student` is not a name",
    ),
    "a number for a student": Case(
        "split",
        edit(P, "\n  tiny:\n", "\n  2026:\n"),
        '`students.2026` is not a text; put it in "quotes"',
    ),
    "two students": Case("register tiny other", lambda _: None, "2 names are given"),
    "a misspelt option": Case(
        "generate --alow-repay",
        lambda _: None,
        "`generate` takes no argument `--alow-repay`; expected one of --allow-repay, --plan; "
        "did you mean `--allow-repay`?",
    ),
    "an argument too many": Case(
        "ingest foo", lambda _: None, "`ingest` takes no argument `foo`; expected none"
    ),
    "rows longer than max_tokens": Case(
        "train tiny",
        edit(P, "max_tokens: 640", "max_tokens: 20"),
        "rows are too long; the longest",
    ),
    "a base that is nowhere": Case(
        "capture tiny", edit(P, "model: tiny-student", "model: tiny-studnet"), "no model called"
    ),
    "a base's path that is nowhere": Case(
        "capture tiny",
        edit(P, "model: tiny-student", "model: ./gone"),
        "gone: there is no such folder",
    ),
    **{
        f"a base that is a student, as {name}": Case(
            "capture tiny",
            edit(P, "model: tiny-student", f"model: {name}"),
            f"`students.tiny.model`: {name} is a student of this project",
        )
        for name in ("models/tiny", "./models/other", "prompts/../models/tiny/")
    },
    "a base that is a student, by its whole path": Case(
        "train tiny",
        lambda folder: edit(P, "model: tiny-student", f"model: {folder}/models/tiny")(folder),
        "/models/tiny is a student of this project",
    ),
    "a reference that is a student": Case(
        "references",
        edit(P, "bases:\n  - tiny-student", "bases:\n  - models/tiny"),
        "`references.bases.0`: models/tiny is a student of this project",
    ),
}


def pickle_only(folder: Path) -> None:
    """Weights whose opening would leave a trace."""
    remove("tiny-student/model.safetensors")(folder)
    code = b"cos\nsystem\n(S'touch opened'\ntR."
    (folder / "tiny-student/pytorch_model.bin").write_bytes(code)


def tear_student(folder: Path) -> None:
    shutil.copytree(folder / "tiny-student", folder / "models/tiny")
    cut("models/tiny/model.safetensors")(folder)


def tear_capture(folder: Path) -> None:
    path = folder / "data/distributions/tiny/replay"
    path.mkdir(parents=True)
    (path / "manifest.json").write_text('{"origin": {')


BASES = {
    "no student yet": Case("evaluate tiny", lambda _: None, "models/tiny: there is no such folder"),
    "a torn student": Case("evaluate tiny", tear_student, "the weights are torn"),
    "torn distributions": Case("train tiny", tear_capture, "manifest.json: cannot be read"),
    "no weights": Case(
        "generate",
        both(FORGET, remove("tiny-student/model.safetensors")),
        "tiny-student: no safetensors weights",
    ),
    "only a pickle": Case("generate", both(FORGET, pickle_only), "pytorch_model.bin is a pickle"),
    "torn weights": Case(
        "generate", both(FORGET, cut("tiny-student/model.safetensors")), "the weights are torn"
    ),
    "no configuration": Case(
        "generate", both(FORGET, remove("tiny-student/config.json")), "config.json: file not found"
    ),
    "torn configuration": Case(
        "generate", both(FORGET, cut("tiny-student/config.json")), "config.json: not JSON"
    ),
    "no tokenizer": Case(
        "generate", both(FORGET, remove("tiny-student/tokenizer.json")), "there is no tokenizer"
    ),
    "no chat template": Case(
        "generate",
        both(FORGET, remove("tiny-student/chat_template.jinja")),
        "the tokenizer has no chat template",
    ),
    "a file for a folder": Case(
        "generate",
        both(FORGET, remove("tiny-student"), write("tiny-student", "x")),
        "tiny-student: is a file; expected a Hugging Face model folder",
    ),
}

pytestmark = pytest.mark.slow


def table(cases: dict[str, Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases.values(), ids=list(cases))


def check(project: Path, case: Case) -> None:
    case.breaks(project)
    before = list_outs(project)
    judge(project, run_stage(project, case.stage), before, case.said)


# --- the tests -----------------------------------------------------------------------------------


@table(PARAMS)
def test_a_mistake_in_params_is_named(project: Path, case: Case) -> None:
    check(project, case)


@table(PROMPTS)
def test_a_mistake_in_a_prompt_is_named_with_its_file(project: Path, case: Case) -> None:
    check(project, case)


@table(SEEDS)
def test_a_mistake_in_a_seed_is_named_with_its_line(project: Path, case: Case) -> None:
    check(project, case)


@table(TABLES)
def test_a_table_that_cannot_be_read_is_named(project: Path, case: Case) -> None:
    check(project, case)


@table(PLACES)
def test_what_stands_in_the_way_is_named(project: Path, case: Case) -> None:
    check(project, case)


@table(BASES)
def test_a_base_that_is_not_whole_is_refused_before_it_is_loaded(project: Path, case: Case) -> None:
    check(project, case)
    assert not (project / "opened").exists()


@pytest.mark.parametrize(
    "keep", [(), ("notes.xyz", "blank.md")], ids=["no documents", "all of them skipped"]
)
def test_an_empty_corpus_is_an_error_that_says_so(project: Path, keep: tuple[str, ...]) -> None:
    documents = project / "data/seed/documents"
    shutil.rmtree(documents)
    documents.mkdir()
    for name in keep:
        (documents / name).write_text("")
    done = run_stage(project, "ingest")
    if done.returncode == 0:
        done = run_stage(project, "render")
    assert done.returncode == 2, done.stderr
    assert "document" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["eval/gold.jsonl", "eval/general.jsonl", "review.jsonl"])
def test_an_optional_seed_may_be_empty(project: Path, name: str) -> None:
    (project / "data/seed" / name).write_text("\n")
    for stage in ("curate", "review", "split", "validate"):
        done = run_stage(project, stage)
        assert done.returncode == 0, f"{stage}: {done.stderr}"


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(project: Path) -> None:
    before = md5_file(project / "data/requests.parquet")
    for name in ("params.yaml", "data/seed/everyday.jsonl", "prompts/variations.yaml"):
        text = (project / name).read_text().replace("\n", "\r\n")
        (project / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
    done = run_stage(project, "render")
    assert done.returncode == 0, done.stderr
    assert md5_file(project / "data/requests.parquet") == before


def test_a_line_separator_within_a_text_ends_no_line(project: Path) -> None:
    line = '{"id": "q", "question": "One\u2028or two?"}\n'
    append("data/seed/everyday.jsonl", line)(project)
    assert run_stage(project, "render").returncode == 0


# --- the machine ---------------------------------------------------------------------------------

NO_SPACE = """
import errno, os, runpy, sys
def refuse(_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
os.fsync = refuse
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("stage", ["ingest", "render", "judge", "review", "split"])
def test_a_full_disk_is_one_sentence_and_the_earlier_output_stays(
    project: Path, stage: str
) -> None:
    before = list_outs(project)
    done = run_python(project, "-c", NO_SPACE, f"stages.{stage}")
    judge(project, done, before, "no space is left on the disk; free some")
    assert list_outs(project) == before


@pytest.mark.parametrize("stage", ["ingest", "curate", "train tiny"])
def test_a_file_that_may_not_grow_is_one_sentence_and_the_earlier_output_stays(
    project: Path, stage: str
) -> None:
    (project / "data/distributions").mkdir(exist_ok=True)
    if stage == "train tiny":
        prepared = run_stage(project, "capture tiny")
        assert prepared.returncode == 0, prepared.stderr
    before = list_outs(project)
    done = run_stage(
        project, stage, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    )
    judge(project, done, before, "")
    assert list_outs(project) == before
    assert os.strerror(errno.EFBIG)[:14].lower() in done.stderr.lower() or "grow" in done.stderr


def test_a_locked_journal_is_waited_for_and_then_named(project: Path) -> None:
    path = project / ".stillhouse/journal.sqlite"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    code = (
        "import runpy, stillhouse.teachers.database as d; d.BUSY_SECONDS = 0.2;"
        "runpy.run_module('stages.generate', run_name='__main__', alter_sys=True)"
    )
    before = list_outs(project)
    try:
        done = run_python(project, "-c", code)
    finally:
        holder.close()
    judge(project, done, before, "the journal cannot be used (database is locked)")


def test_an_interrupted_stage_ends_with_130_and_one_line(project: Path) -> None:
    (project / "params.yaml").unlink()
    os.mkfifo(project / "params.yaml")  # the stage waits for somebody to write into it
    before = list_outs(project)
    process = start(project, "stages.ingest")
    end = open_when_read(project / "params.yaml")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=180)
    os.close(end)
    assert stderr.strip().splitlines() == [
        "interrupted: nothing was written half; run it again to go on"
    ]
    assert process.returncode == 130
    assert list_outs(project) == before


def test_a_stage_that_is_interrupted_while_it_imports_says_so_in_one_line(project: Path) -> None:
    code = "import time\nprint('here', flush=True)\ntime.sleep(60)\n"
    (project / "stages/late.py").write_text(code)
    process = start(project, "stages.late")
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=180)
    assert stderr.strip().splitlines() == [
        "interrupted: nothing was written half; run it again to go on"
    ]
    assert process.returncode in (130, -signal.SIGINT)  # a shell shows 130 for both


def start(folder: Path, module: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", module], cwd=folder, env=environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # A shell that starts the tests in the background has them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread
    )  # fmt: skip


def open_when_read(fifo: Path) -> int:
    """Return the writing end of a FIFO as soon as somebody reads from it."""
    for _ in range(600):
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.1)
    raise AssertionError("nobody has opened it within a minute")


# --- the command line ----------------------------------------------------------------------------

COMMANDS = [
    (["summary"], "outside", "params.yaml: file not found; run this in the folder of a project"),
    (["register"], "outside", "params.yaml: file not found; run this in the folder of a project"),
    (["ask", "tiny", "Why?"], "outside", "params.yaml: file not found; run this in the folder"),
    (["summary"], "inside", "nothing was evaluated here yet; run `dvc repro`"),
    (["register"], "inside", "models/tiny"),
    (["register", "nobody"], "inside", "no student is called `nobody`; expected one of"),
    (["ask", "tiny", "Why?"], "inside", "nothing is trained yet; run `dvc repro`"),
    (["ask", "./gone", "Why?"], "inside", "no model called `./gone`"),
    (["ask", "tiny"], "inside", "Missing argument"),
    (["ask"], "inside", "Missing argument"),
    (["sumary"], "inside", "No such command 'sumary'"),
    (["summary", "more"], "inside", "unexpected extra argument"),
    (["summary", "--jsn"], "inside", "No such option: --jsn"),
    (["version", "1"], "inside", "unexpected extra argument"),
]


@pytest.mark.parametrize(("arguments", "where", "said"), COMMANDS)
def test_a_wrong_command_is_one_sentence_and_exit_code_2(
    finished: Path, tmp_path: Path, arguments: list[str], where: str, said: str
) -> None:
    code = "from stillhouse.cli.main import app; app()"
    folder = finished if where == "inside" else tmp_path
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True,
        check=False, env={**environment(), "PYTHONPATH": str(finished)},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
