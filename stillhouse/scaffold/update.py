"""A project after an upgrade of the library: its hashes, and its stages where nobody edited them."""

from dataclasses import dataclass
from pathlib import Path

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text, rewrite_text
from stillhouse.base.ids import sha256_text
from stillhouse.base.library import LIBRARY, PIPELINE, read_library
from stillhouse.scaffold.project import build_library, build_pipeline

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
    wanted = {LIBRARY.as_posix(): build_library(new)}
    if beside:
        wanted[BESIDE] = new
    elif not edited:
        wanted[PIPELINE] = new
    written = []
    # The library comes last: until it is written, the rest is still to be accepted.
    for name, text in sorted(wanted.items()):
        if not (folder / name).is_file() or read_text(folder / name) != text:
            rewrite_text(folder / name, text)
            written.append(name)
    return Updated(tuple(written), beside)
