"""A project after an upgrade of the library: its hashes, and its stages where nobody edited them."""

from dataclasses import dataclass
from pathlib import Path

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text, rewrite_text
from stillhouse.base.ids import sha256_text
from stillhouse.base.library import LIBRARY, PIPELINE, read_library
from stillhouse.base.params import parse_yaml
from stillhouse.scaffold.project import Choices, build_files, build_library, build_pipeline

BESIDE = f"{PIPELINE}.new"


@dataclass(frozen=True, slots=True)
class Updated:
    """``written`` are the files with other bytes than before.

    ``beside`` says that ``dvc.yaml`` was edited: the new one then lies beside it as ``dvc.yaml.new``,
    to be compared by hand.
    """

    written: tuple[str, ...]
    beside: bool


def update_project(folder: Path) -> Updated:
    """Record the installed library in a project; ``dvc.yaml`` follows unless it was edited.

    What stages read since then and the project lacks (prompt files, seeds) is written as in a new one:
    DVC does not start while a dependency is missing. What is there is left as it is.

    Raises:
        InputError: ``library.yaml`` or ``dvc.yaml`` cannot be read.
    """
    recorded = read_library(folder / LIBRARY)
    if not (folder / PIPELINE).exists():
        raise InputError(
            "file not found",
            where=str(folder / PIPELINE),
            remedy="`stillhouse init --anyway` writes it anew, or take it back from git",
        )
    old, new = read_text(folder / PIPELINE), build_pipeline()
    edited = sha256_text(old) not in {recorded.pipeline, sha256_text(new)}
    beside = edited and sha256_text(new) != recorded.pipeline
    wanted = {**_list_lacking(folder, new), LIBRARY.as_posix(): build_library(new)}
    if beside:
        wanted[BESIDE] = new
    elif not edited:
        wanted[PIPELINE] = new
    written = []
    # The library comes last: until it is written, the rest is still to be accepted.
    last = LIBRARY.as_posix()
    for name, text in sorted(wanted.items(), key=lambda one: (one[0] == last, one[0])):
        if not (folder / name).is_file() or read_text(folder / name) != text:
            rewrite_text(folder / name, text)
            written.append(name)
    return Updated(tuple(written), beside)


def _list_lacking(folder: Path, pipeline: str) -> dict[str, str]:
    """Return the files of a new project below those dependencies that are not there at all."""
    stages = parse_yaml(pipeline, PIPELINE)
    assert isinstance(stages, dict)
    bodies = [body.get("do", body) for body in stages["stages"].values()]
    lacking = {dep for body in bodies for dep in body["deps"] if not (folder / dep).exists()}
    made = {
        str(out if isinstance(out, str) else next(iter(out))) for b in bodies for out in b["outs"]
    }
    files = build_files(Choices(folder.resolve().name))
    return {
        name: text
        for name, text in files.items()
        for dep in lacking - made
        if name == dep or name.startswith(f"{dep}/")
    }
