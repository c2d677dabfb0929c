"""A signature vouches for exact bytes: wrong ones, unknown keys and other bytes are named."""

import base64
import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stillhouse.auditing.keys import find_key_folder
from stillhouse.auditing.problems import Problem
from stillhouse.auditing.verify import Wanted, verify
from stillhouse.base.ids import canonical_json
from stillhouse.cli.main import app
from stillhouse.history.resolve import open_workspace
from tests.sealed_project import commit, finish, lock_stage, train, write_sealed

PUBLIC = Path("signatures/keys/ada.pub")


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sealed(tmp_path_factory.mktemp("sealed") / "project")


@pytest.fixture
def root(sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a finished project, and a user of its own with a key called ada."""
    copy = tmp_path / "project"
    shutil.copytree(sealed, copy)
    monkeypatch.setenv("STILLHOUSE_HOME", str(copy))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("STILLHOUSE_KEY_PASSPHRASE", raising=False)
    monkeypatch.chdir(copy)
    run("--new-key", "ada")
    return copy


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["sign", *arguments])
    assert done.exit_code == code, done.output
    return done.stdout if code == 0 else done.stderr


def sign() -> Path:
    return Path(json.loads(run("tiny", "--json"))["signature"])


def look(root: Path, *, signature: bool = False) -> list[Problem]:
    outcome = verify(open_workspace(root), Wanted("tiny", signature=signature))
    return [problem for problem in outcome.problems if problem.kind == "signature"]


def edit(path: Path, change: Callable[[dict], object]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def test_the_private_key_is_its_owners_alone_and_nowhere_in_the_project(root: Path) -> None:
    private = find_key_folder() / "ada.pem"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    secret = private.read_bytes().splitlines()[1]
    sign()
    assert PUBLIC.exists()
    for path in root.rglob("*"):
        assert not path.is_file() or secret not in path.read_bytes()
    assert "already" in run("--new-key", "ada", code=2)


def test_a_signed_student_is_verified_and_anybody_can_check_it_with_the_public_key(
    root: Path,
) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    assert [one.found for one in look(root, signature=True)] == ["no such signature"]
    path = sign()
    assert (look(root), look(root, signature=True)) == ([], [])
    told = json.loads(path.read_text())
    assert path.name == f"tiny-{told['statement']['weights_sha256'][:12]}.ada.json"
    public = load_pem_public_key(PUBLIC.read_bytes())
    public.verify(base64.b64decode(told["signature"]), canonical_json(told["statement"]).encode())
    before = path.read_bytes()
    assert sign().read_bytes() == before  # Ed25519 draws nothing


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            lambda told: told.update(signature=base64.b64encode(b"x" * 64).decode()),
            "is not that of",
        ),
        (lambda told: told["statement"].update(merkle_root="0" * 64), "is not that of"),
        (lambda told: told.update(fingerprint="0" * 64), "it names the key 000"),
        (lambda told: told.update(key="eve"), "the key `eve` is not known"),
        (lambda told: told.update(key="../../ada"), "is not known"),
        (lambda told: told.update(version=9), "another layout"),
        (lambda told: told.update(statement=[]), "not a signature that can be read"),
    ],
)
def test_a_signature_that_was_edited_is_named(
    change: Callable[[dict], object], fault: str, root: Path
) -> None:
    path = sign()
    edit(path, change)
    problems = look(root)
    assert [problem.where for problem in problems] == [path.as_posix()]
    assert fault in problems[0].found


def test_a_signature_whose_file_was_renamed_is_named(root: Path) -> None:
    path = sign()
    other = path.rename(path.with_name("tiny-000000000000.ada.json"))
    (problem,) = look(root)
    assert (problem.where, problem.found) == (
        other.as_posix(),
        "its file is named for another student, other weights or another key",
    )


def test_a_key_that_was_exchanged_makes_its_signatures_count_for_nothing(root: Path) -> None:
    path = sign()
    run("--new-key", "eve")
    shutil.copy("signatures/keys/eve.pub", PUBLIC)
    (problem,) = look(root)
    assert (problem.where, problem.kind) == (path.as_posix(), "signature")
    PUBLIC.unlink()
    assert "there is no readable signatures/keys/ada.pub" in look(root)[0].found


def test_bytes_that_nobody_signed_are_named_until_they_are_signed_too(root: Path) -> None:
    sign()
    train(root, b"other weights")
    lock_stage(root, "train@tiny")
    (problem,) = look(root)
    assert (problem.where, problem.remedy) == (
        "models/tiny",
        "`stillhouse sign tiny`, if these files are right",
    )
    finish(root)
    train(root, b"other weights")
    lock_stage(root, "train@tiny")
    lock_stage(root, "evaluate@tiny")
    sign()
    assert look(root, signature=True) == []
    assert len(list(Path("signatures").glob("*.json"))) == 2


def test_what_is_not_verified_is_not_signed(root: Path) -> None:
    (root / "models/tiny/model.safetensors").write_bytes(b"edited")
    said = run("tiny", code=1)
    assert "not signed, because it is not verified (changed file: models/tiny/model.saf" in said
    assert not list(Path("signatures").glob("*.json"))


def test_a_passphrase_is_asked_for_and_never_told(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLHOUSE_KEY_PASSPHRASE", "correct horse")
    run("--new-key", "kept")
    assert b"ENCRYPTED" in (find_key_folder() / "kept.pem").read_bytes()
    assert "kept.json" in run("tiny", "--key", "kept")
    monkeypatch.setenv("STILLHOUSE_KEY_PASSPHRASE", "wrong horse")
    said = run("tiny", "--key", "kept", code=2)
    assert "the passphrase is wrong" in said
    assert "horse" not in said
    monkeypatch.delenv("STILLHOUSE_KEY_PASSPHRASE")
    assert "nobody can be asked" in run("tiny", "--key", "kept", code=2)


def test_wrong_keys_are_one_sentence_that_holds_nothing_of_them(root: Path, tmp_path: Path) -> None:
    private = find_key_folder() / "ada.pem"
    private.chmod(0o644)
    assert f"chmod 600 {private}" in run("tiny", code=2)
    private.write_bytes(b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
    private.chmod(0o600)
    said = run("tiny", code=2)
    assert "not a private key" in said
    assert "c2Vjc" not in said
    assert "did you mean `ada`" in run("tiny", "--key", "adda", code=2)
    private.unlink()
    assert "there is no private key" in run("tiny", code=2)
    assert "either a student or" in run(code=2)
    assert "no name of a key" in run("--new-key", "../x", code=2)


def test_a_pair_whose_public_half_cannot_be_written_leaves_no_private_one(root: Path) -> None:
    shutil.rmtree(root / "signatures", ignore_errors=True)
    (root / "signatures").write_text("in the way")
    assert "a file stands where a folder is expected" in run("--new-key", "half", code=2)
    assert not (find_key_folder() / "half.pem").exists()


def test_private_keys_never_come_into_the_project(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(root / "config"))
    assert "would lie in the project" in run("--new-key", "bob", code=2)
    assert not (root / "config").exists()


def test_signatures_come_along_with_a_clone(root: Path, tmp_path: Path) -> None:
    import subprocess

    path = sign()
    commit(root)
    subprocess.run(["git", "clone", "-q", str(root), str(tmp_path / "clone")], check=True)
    assert (tmp_path / "clone" / path).exists()
    assert (tmp_path / "clone" / PUBLIC).exists()
