"""The installed library as a dependency of a project that holds no code of its own.

DVC cannot hash folders that lie elsewhere. Such a project (``stillhouse init``) has a ``library.yaml``
instead: for each stage one sha256 over the files that the repository's ``dvc.yaml`` names as that
stage's code. Each stage lists its own as a parameter, so that an upgrade reruns what it changed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import stillhouse
from stillhouse.base.errors import InputError
from stillhouse.base.ids import combine_sha256, sha256_file
from stillhouse.base.params import Params, load_yaml, parse_section

LIBRARY: Final = Path("library.yaml")
PIPELINE: Final = "dvc.yaml"

_PACKAGE: Final = Path(stillhouse.__file__).resolve().parent
_UPGRADE: Final = "`stillhouse upgrade` shows what that reruns and goes on with the installed one"


class Library(Params):
    """``library.yaml``: the version to install, and the sha256 of each stage's code.

    ``pipeline`` is the sha256 of ``dvc.yaml`` as it was written, so that an update can tell whether
    somebody edited it since.
    """

    version: str
    pipeline: str
    stages: dict[str, str]


def find_repository() -> Path:
    """Return the folder of the repository's own files: inside the wheel, or the checkout's root.

    Raises:
        InputError: the package was installed without them.
    """
    for folder in (_PACKAGE / "repository", _PACKAGE.parent):
        if (folder / PIPELINE).is_file() and (folder / "prompts").is_dir():
            return folder
    raise InputError(
        "the library was installed without the files of its repository",
        where=str(_PACKAGE),
        remedy="install the wheel, or work in a clone of the repository",
    )


def find_stages() -> str:
    """Return the name of the package that holds the stages: inside the wheel another than here."""
    return "stillhouse.stages" if (_PACKAGE / "stages").is_dir() else "stages"


def hash_stages() -> dict[str, str]:
    """Return one sha256 over the code of each stage, by the stage's name.

    Files are named as in the repository, so that a wheel and the checkout it was built from agree.
    """
    stages = load_yaml(find_repository() / PIPELINE)["stages"]
    assert isinstance(stages, dict)
    known: dict[Path, str] = {}
    hashes = {}
    for stage, body in stages.items():
        deps = body.get("do", body)["deps"]
        files = {name: path for dep in deps if is_code(dep) for name, path in _list_files(dep)}
        for path in files.values():
            if path not in known:
                known[path] = sha256_file(path)
        hashes[stage] = combine_sha256({name: known[path] for name, path in files.items()})
    return hashes


def is_code(dep: str) -> bool:
    """Say whether a dependency of the repository's ``dvc.yaml`` is code of the library."""
    return dep.startswith(("stages/", "stillhouse/"))


def read_library(path: Path = LIBRARY) -> Library:
    """Return ``library.yaml``; anything wrong in it is an ``InputError``."""
    return parse_section(path.name, Library, load_yaml(path), path)


def list_changed(recorded: Library) -> tuple[str, ...]:
    """Return the stages whose installed code is not the recorded one."""
    installed = hash_stages()
    names = sorted(recorded.stages.keys() | installed)
    return tuple(n for n in names if recorded.stages.get(n) != installed.get(n))


def check_library(path: Path = LIBRARY) -> None:
    """Refuse to go on with other code than ``library.yaml`` records, whatever its version says.

    Raises:
        InputError: at least one stage's code is another.
    """
    recorded = read_library(path)
    if changed := list_changed(recorded):
        raise InputError(
            f"the installed library ({stillhouse.__version__}) has other code for "
            f"{', '.join(changed)} than the recorded one ({recorded.version})",
            where=path.name,
            remedy=f"{_UPGRADE}, or install stillhouse=={recorded.version} again",
        )


def _list_files(dep: str) -> Iterator[tuple[str, Path]]:
    """Yield the name in the repository and the place of each file of a dependency."""
    place = _locate(dep)
    if not place.exists():
        raise InputError(f"`{dep}` is missing", where=str(_PACKAGE), remedy="install it again")
    for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
        if path.is_file() and "__pycache__" not in path.parts:
            name = dep if path == place else f"{dep}/{path.relative_to(place).as_posix()}"
            yield name, path


def _locate(dep: str) -> Path:
    top, _, rest = dep.partition("/")
    if top == "stillhouse":
        return _PACKAGE / rest
    return (_PACKAGE if (_PACKAGE / "stages").is_dir() else _PACKAGE.parent) / dep
