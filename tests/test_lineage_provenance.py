"""What provenance promises: content only, checked twice, and one wrong byte is noticed."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from stillhouse.base.errors import DriftError, GateError, InputError
from stillhouse.base.ids import content_id, merkle_root, sha256_file
from stillhouse.base.tables import read_all
from stillhouse.lineage.gate import read_gate
from stillhouse.lineage.inputs import InputGuard, hash_path
from stillhouse.lineage.model_folder import check_model_folder
from stillhouse.lineage.provenance import (
    SeenRow,
    hash_rows,
    plain_name,
    read_provenance,
    write_provenance,
)
from tests.lineage_project import (
    BASE,
    TRAIN,
    UPSTREAM,
    VALIDATION,
    make_row,
    write_student,
    write_validation,
)


def test_provenance_names_every_file_row_and_input_by_hash(tmp_path: Path) -> None:
    written = write_student(tmp_path)
    folder = tmp_path / "models" / "tiny"
    rows = [make_row(number) for number in range(1, 6)]
    hashes = [content_id("row", asdict(row)) for row in rows]

    assert read_provenance(folder) == written
    assert dict(written.files) == {
        name: sha256_file(folder / name)
        for name in ("config.json", "model.safetensors", "rows.parquet", "tokenizer.json")
    }
    assert read_all(folder / "rows.parquet", SeenRow) == [
        SeenRow(row.row_id, digest) for row, digest in zip(rows, hashes, strict=True)
    ]
    assert (written.dataset.rows, written.dataset.merkle_root) == (5, merkle_root(hashes))
    assert written.dataset.md5 == hashlib.md5((tmp_path / TRAIN).read_bytes()).hexdigest()
    assert sorted(written.inputs) == [TRAIN.as_posix(), VALIDATION.as_posix()]
    assert written.upstream == UPSTREAM  # outputs of stages, neither seeds nor code


def test_two_projects_in_two_folders_write_equal_bytes_in_any_process(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from tests.lineage_project import write_student;"
        "write_student(pathlib.Path(sys.argv[1]))"
    )
    for name, seed in (("a", "0"), ("b", "4242")):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, tmp_path / name], check=True, env=environment)
    a, b = (hash_path(tmp_path / name / "models" / "tiny") for name in "ab")
    assert a == b


def test_a_base_from_elsewhere_on_the_machine_is_named_without_its_path(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "tiny"
    write_student(tmp_path)
    (folder / "provenance.json").unlink()
    written = write_provenance(
        folder,
        student="tiny",
        guard=InputGuard(tmp_path),
        train=TRAIN,
        base=replace(BASE, name=str(tmp_path / "mine")),
        parameters={
            "model": str(tmp_path / "mine"),
            "lora": {"rank": 4},
            "soft": {"teacher": [str(tmp_path / "big"), "org/name"]},
        },
        upstream={},
        teachers=[replace(BASE, name=str(tmp_path / "others"), sha256="e" * 64)],
    )
    assert written.base.name == "mine"
    assert read_provenance(folder) == written
    tags = written.tag_sources()
    assert tags["base_sha256"] == BASE.sha256
    assert (tags["teacher_1_name"], tags["teacher_1_sha256"]) == ("others", "e" * 64)
    assert written.parameters == {
        "model": "mine",
        "lora": {"rank": 4},
        "soft": {"teacher": ["big", "org/name"]},
    }


@pytest.mark.parametrize("spelling", ["bases/first", "./bases/first", "x/../bases/first/", "{}"])
def test_a_base_of_the_project_is_named_by_its_path_below_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert plain_name(spelling.format(tmp_path / "bases/first")) == "bases/first"
    assert [plain_name(name) for name in ("org/name", "packaged")] == ["org/name", "packaged"]


def test_weights_hash_is_the_one_that_a_base_has(tmp_path: Path) -> None:
    from stillhouse.distill.bases import weights_sha256

    written = write_student(tmp_path)
    assert written.weights_sha256 == weights_sha256(tmp_path / "models" / "tiny")


@pytest.mark.parametrize("column", ["reasoning", "judge_sha256", "holdout", "slot_id"])
def test_any_column_of_a_row_changes_its_hash(column: str) -> None:
    row = make_row(1)
    changed = replace(row, **{column: "other"})  # type: ignore[arg-type]
    assert [*hash_rows([row])] != [*hash_rows([changed])]


def test_an_input_edited_during_the_stage_fails_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_text("before")
    guard = InputGuard(tmp_path)
    guard.open(Path("rows.txt"))
    guard.check()
    stat = path.stat()
    path.write_text("after!")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # what `dvc status` cannot see
    with pytest.raises(DriftError, match=r"rows\.txt: changed while"):
        guard.check()
    with pytest.raises(DriftError):
        guard.open(Path("rows.txt"))


def test_an_input_that_vanished_is_drift_and_one_outside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    guard = InputGuard(tmp_path)
    guard.open(Path("a"))
    (tmp_path / "a").unlink()
    with pytest.raises(DriftError):
        guard.check()
    with pytest.raises(InputError, match="outside the project"):
        guard.open(Path("../b"))


def test_a_folder_has_the_md5_that_dvc_gives_it(tmp_path: Path) -> None:
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "b.txt").write_text("b")
    (tmp_path / "d" / "sub" / "a.txt").write_text("a")
    listing = [
        {"md5": hashlib.md5(b"b").hexdigest(), "relpath": "b.txt"},
        {"md5": hashlib.md5(b"a").hexdigest(), "relpath": "sub/a.txt"},
    ]
    expected = hashlib.md5(json.dumps(listing, sort_keys=True).encode()).hexdigest() + ".dir"
    assert hash_path(tmp_path / "d").md5 == expected


@pytest.mark.parametrize("name", ["training_args.bin", "pytorch_model.bin", "optimizer.pt", "x.py"])
def test_a_pickle_or_code_may_not_lie_in_a_model_folder(tmp_path: Path, name: str) -> None:
    write_student(tmp_path)
    (tmp_path / "models" / "tiny" / name).write_bytes(b"\x80")
    with pytest.raises(GateError, match=f"`{name}` may not lie"):
        check_model_folder(tmp_path / "models" / "tiny")


@pytest.mark.parametrize(
    "path", [str(Path.home() / "x"), str(Path.cwd()), "/home/ann/base/", "/tmp/tmpab12/model"]
)
def test_an_absolute_path_may_not_lie_in_a_model_folder(tmp_path: Path, path: str) -> None:
    write_student(tmp_path)
    folder = tmp_path / "models" / "tiny"
    (folder / "config.json").write_text(json.dumps({"_name_or_path": path}))
    with pytest.raises(GateError, match=r"config\.json: holds the absolute path"):
        check_model_folder(folder)


def test_a_failed_check_leaves_no_provenance_behind(tmp_path: Path) -> None:
    write_student(tmp_path)
    (tmp_path / "models" / "tiny" / "training_args.bin").write_bytes(b"\x80")
    with pytest.raises(GateError):
        write_student(tmp_path)
    assert not (tmp_path / "models" / "tiny" / "provenance.json").exists()


def test_training_refuses_a_dataset_that_did_not_pass(tmp_path: Path) -> None:
    write_student(tmp_path)
    guard = InputGuard(tmp_path)
    for path in (TRAIN, VALIDATION):
        guard.open(path)
    md5s = {name: digest.md5 for name, digest in guard.opened.items()}
    dataset = (TRAIN, VALIDATION)

    read_gate(write_validation(tmp_path, True, md5s), guard.opened, dataset)
    with pytest.raises(GateError, match="did not pass"):
        read_gate(write_validation(tmp_path, False, md5s), guard.opened, dataset)
    with pytest.raises(GateError, match="is not the file that passed"):
        other = {**md5s, TRAIN.as_posix(): "0" * 32}
        read_gate(write_validation(tmp_path, True, other), guard.opened, dataset)
    with pytest.raises(GateError, match="was not validated"):
        read_gate(write_validation(tmp_path, True, {}), guard.opened, dataset)


@pytest.mark.parametrize(("name", "value"), [("inputs", []), ("files", None), ("dataset", "x")])
def test_a_provenance_edited_by_hand_is_one_sentence(
    tmp_path: Path, name: str, value: object
) -> None:
    write_student(tmp_path)
    path = tmp_path / "models/tiny/provenance.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    with pytest.raises(InputError, match="not a provenance"):
        read_provenance(path.parent)
