"""DVC in the copy: its output passes through, its stages are timed, its end is told in one sentence."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from stillhouse.base.errors import InputError, StillhouseError
from stillhouse.base.files import read_text, write_json
from stillhouse.scaffold.copies import copy_environment

# DVC itself, but ending with whoever started it: one that was left alone would go on beside the next.
_DVC: Final = (
    "import sys; from stillhouse.base.parent import die_with_parent; die_with_parent(); "
    "from dvc.cli import main; sys.exit(main(sys.argv[1:]))"
)
_BEGINS: Final = re.compile(r"Running stage '([^']+)'")
_FAILED: Final = re.compile(r"failed to reproduce '([^']+)'")
_SAID: Final = re.compile(r"(?:error|ERROR): (.+)")


@dataclass(slots=True)
class Ran:
    """How ``dvc repro`` ended: its exit code, the stage that failed, what it said."""

    code: int = 0
    stage: str = ""
    said: str = ""

    @property
    def failed(self) -> bool:
        """Whether it did not come to its end."""
        return self.code != 0


# Takes the seconds of a stage as soon as it has ended well.
Note = Callable[[str, float], None]


def repro(copy: Path, target: str, note: Note, log: TextIO | None = None) -> Ran:
    """Run ``dvc repro`` up to a stage of the copy; everything it prints goes to ``log`` (stderr).

    On a terminal its stderr is that of this process, so that progress bars are seen.
    """
    log = log or sys.stderr
    ran, began = Ran(), 0.0
    process = subprocess.Popen(
        [sys.executable, "-c", _DVC, "repro", target],
        cwd=copy,
        stdout=subprocess.PIPE,
        stderr=None if log is sys.stderr and log.isatty() else subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**copy_environment(), "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1"},
    )
    assert process.stdout is not None
    running = ""
    try:
        for line in process.stdout:
            log.write(line)
            log.flush()
            if found := _BEGINS.search(line):
                _stop(note, running, began)
                running, began = found[1], time.monotonic()
            _listen(ran, line)
    finally:
        process.stdout.close()
        ran.code = process.wait()  # also after Ctrl-C, which DVC and its stage got as well
    if ran.failed:
        ran.stage = ran.stage or running
    else:
        _stop(note, running, began)
    return ran


def _stop(note: Note, stage: str, began: float) -> None:
    if stage:
        note(stage, round(time.monotonic() - began, 2))


def _listen(ran: Ran, line: str) -> None:
    if found := _FAILED.search(line):
        ran.stage = found[1]
    elif (found := _SAID.match(line)) and not ran.said:
        ran.said = found[1].strip()


def refuse_failed(ran: Ran) -> None:
    """Raise what ended ``dvc repro``, in the stage's own words where they are known.

    Raises:
        StillhouseError: it did not come to its end. 1 as exit code is left to a verdict.
    """
    if not ran.failed:
        return
    where = f"stage `{ran.stage}` of the pilot" if ran.stage else "the pilot"
    raise StillhouseError(
        ran.said or f"`dvc repro` ended with {ran.code} (what it said stands above)",
        where=where,
        remedy="mend that and run `stillhouse pilot` again: it goes on from there",
    )


def remember_seconds(path: Path, key: str, seconds: Mapping[str, float]) -> dict[str, float]:
    """Add measured seconds to those of earlier runs of the same pilot; return all of them.

    A stage that DVC did not run, because it had run before, keeps the seconds of then.
    """
    try:
        known = json.loads(read_text(path)) if path.exists() else {}
        merged = {**known.get(key, {}), **seconds}
    except (ValueError, TypeError, AttributeError, InputError):
        known, merged = {}, dict(seconds)  # torn or of another version: measured again some day
    write_json(path, {**known, key: dict(merged)})
    return merged
