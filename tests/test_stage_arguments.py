"""A stage refuses what it does not know, and never runs beside itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stillhouse.base import stage


@pytest.fixture
def locks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """Stages run anywhere; the lock files that they hold are gathered here."""
    held: list[Path] = []

    @contextmanager
    def hold(path: Path, what: str) -> Iterator[None]:
        held.append(path)
        yield

    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path))
    monkeypatch.setattr(stage, "hold", hold)
    for name in ("check_place", "die_with_parent"):
        monkeypatch.setattr(stage, name, lambda: None)
    return held


def run(monkeypatch: pytest.MonkeyPatch, *command: str, **takes: Any) -> None:
    monkeypatch.setattr("sys.argv", [f"stages/{command[0]}.py", *command[1:]])
    stage.run_stage(lambda: None, **takes)


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        (
            ("generate", "--alow-repay"),
            ["--allow-repay"],
            "error: `generate` takes no argument `--alow-repay`; expected one of --allow-repay; "
            "did you mean `--allow-repay`?\n",
        ),
        (
            ("ingest", "foo"),
            [],
            "error: `ingest` takes no argument `foo`; expected none\n",
        ),
    ],
)
def test_an_argument_that_a_stage_does_not_know_is_refused_before_it_runs(
    command: tuple[str, ...],
    options: list[str],
    said: str,
    locks: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, *command, options=options)
    assert (end.value.code, capsys.readouterr().err, locks) == (2, said, [])


def test_an_option_does_not_let_a_stage_run_beside_itself(
    locks: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch, "generate", options=["--allow-repay"])
    run(monkeypatch, "generate", "--allow-repay", options=["--allow-repay"])
    assert locks[0] == locks[1]


def test_stages_of_two_students_may_run_at_once(
    locks: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for student in ("one", "two"):
        run(monkeypatch, "train", student, student=True)
    assert locks[0] != locks[1]
