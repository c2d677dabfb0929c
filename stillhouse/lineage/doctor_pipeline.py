"""Checks of ``dvc.yaml`` and ``params.yaml``: what makes DVC restore or keep the wrong bytes."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from stillhouse.base.accepted import compare_accepted
from stillhouse.base.errors import InputError
from stillhouse.base.formats import compare_formats, explain_changes, lacks_section
from stillhouse.base.library import LIBRARY, list_changed, read_library
from stillhouse.base.lock import overlap
from stillhouse.base.params import PARAMS, STUDENTS, check_names, load_yaml
from stillhouse.lineage.doctor import Check, Finding
from stillhouse.lineage.doctor_yaml import find_value, list_stages, read_params, read_stages

# DVC leaves these keys out of the hash by which its run cache finds an earlier run.
_UNSEEN: Final = ("size", "nfiles")
_SECRET_KEY: Final = re.compile(
    r"(?:^|[_-])(?:api[_-]?key|secret|password|passwd|access[_-]?key|private[_-]?key|token)$",
    re.IGNORECASE,
)
# Beginnings that providers give their keys, so that one can be told from any other text.
_SECRET_VALUE: Final = re.compile(
    r"sk-[\w-]{16,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|hf_[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{16}"
    r"|xox[abprs]-[\w-]{10,}|AIza[\w-]{30,}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_SHORTEST_SECRET: Final = 12


def check_yaml(root: Path) -> Iterator[Finding]:
    """Find files that cannot be parsed, and students that cannot be called so.

    Every other check of them is silent then.
    """
    for name in ("dvc.yaml", PARAMS.name):
        try:
            check_names(STUDENTS, load_yaml(root / name), root / name)
        except InputError as exc:
            remedy = "go to the project's root" if "not found" in exc.what else "mend it"
            yield Finding("project", "fail", str(exc), remedy)
            return
    stages = read_stages(root)
    yield Finding("project", "ok", f"{len(stages)} stages")


def check_parameter_names(root: Path) -> Iterator[Finding]:
    """Find parameters that DVC's run cache does not see: their change restores an old output."""
    params = read_params(root)
    if params is None:
        return  # missing or broken, which `check_yaml` tells
    tracked = {name for stage in list_stages(root) for name in stage.params}
    blind = sorted({path for name in tracked for path in _find_unseen(params, name)})
    for path in blind:
        found = f"`{path}` is a name that DVC's run cache ignores: a change restores old outputs"
        yield Finding("parameter names", "fail", found, "call it something else, as `max_size`")
    if tracked and not blind:
        yield Finding("parameter names", "ok", "DVC's run cache sees every tracked parameter")


def check_persisted(root: Path) -> Iterator[Finding]:
    """Find ``persist: true``, which switches off the run cache and keeps stale rows."""
    stages = list_stages(root)
    kept = [(stage.name, out.path) for stage in stages for out in stage.outs if out.persisted]
    for stage, path in kept:
        found = f"{path} of `{stage}` is `persist: true`: a revert keeps what it held before"
        yield Finding("outputs", "fail", found, "take `persist` out of dvc.yaml")
    if stages and not kept:
        yield Finding("outputs", "ok", "none is persisted")


def check_dependencies(root: Path) -> Iterator[Finding]:
    """Find dependencies that are neither there nor made by a stage: ``dvc repro`` stops at them."""
    stages = list_stages(root)
    made = [out.path for stage in stages for out in stage.outs]
    missing = sorted(
        {
            dep
            for stage in stages
            for dep in stage.deps
            if not (root / dep).exists() and not any(overlap(dep, out) for out in made)
        }
    )
    for dep in missing:
        found = f"{dep} is not there and no stage makes it"
        yield Finding("dependencies", "fail", found, "restore it, or take it out of dvc.yaml")
    if stages and not missing:
        yield Finding("dependencies", "ok", "each is there, or made by a stage")


def check_formats(root: Path) -> Iterator[Finding]:
    """Find code with other formats than the data was made with: no stage runs until that is decided."""
    params = read_params(root)
    if params is None:
        return  # missing or broken, which `check_yaml` tells
    if lacks_section(params):
        found = "params.yaml has no `formats`: nothing says what the data was made with"
        remedy = "`stillhouse upgrade` lists them, and pins those of the installed code"
        yield Finding("formats", "fail", found, remedy)
        return
    try:
        changes = compare_formats(root / PARAMS) or compare_accepted(root)
    except InputError as exc:
        yield Finding("formats", "fail", str(exc), "take the section over from the repository's")
        return
    if changes:
        remedy = "`stillhouse upgrade` shows all of it and accepts it"
        yield Finding("formats", "fail", explain_changes(changes), remedy)
    else:
        yield Finding(
            "formats", "ok", "the code has those that params.yaml pins and that were accepted"
        )


def check_library(root: Path) -> Iterator[Finding]:
    """Find a ``library.yaml`` that is gone, or records other code than is installed: no stage runs then.

    Raises:
        InputError: it is broken.
    """
    if not (root / LIBRARY).exists():
        if any(LIBRARY.name in stage.params for stage in list_stages(root)):
            found = f"{LIBRARY} is not there, and dvc.yaml names it"
            yield Finding("library", "fail", found, f"restore it: `git checkout {LIBRARY}`")
        return
    recorded = read_library(root / LIBRARY)
    if changed := list_changed(recorded):
        found = f"other code is installed for {', '.join(changed)} than {LIBRARY} records"
        remedy = f"`stillhouse upgrade`, or install stillhouse=={recorded.version} again"
        yield Finding("library", "fail", found, remedy)
    else:
        yield Finding("library", "ok", f"the code that {LIBRARY} records is installed")


def check_secrets(root: Path) -> Iterator[Finding]:
    """Find what looks like a key or password in params.yaml; its value is never shown."""
    params = read_params(root)
    if params is None:
        return  # missing or broken, which `check_yaml` tells
    found = sorted(_find_secrets(params))
    for path, sure in found:
        what = f"`{path}` in params.yaml {'is' if sure else 'looks like'} a secret"
        remedy = "put it into the environment, and have it revoked if it was ever committed"
        yield Finding("secrets", "fail" if sure else "warn", what, remedy)
    if not found:
        yield Finding("secrets", "ok", "none in params.yaml")


def _find_unseen(params: Mapping[str, object], name: str) -> Iterator[str]:
    if name.rpartition(".")[2] in _UNSEEN and find_value(params, name) is not None:
        yield name
    for path, _ in _walk(find_value(params, name), name):
        if path.rpartition(".")[2] in _UNSEEN:
            yield path


def _find_secrets(params: Mapping[str, object]) -> Iterator[tuple[str, bool]]:
    """Yield (dotted name, whether it is one for sure)."""
    for path, value in _walk(params, ""):
        if not isinstance(value, str):
            continue
        if _SECRET_VALUE.search(value):
            yield path, True
        elif _SECRET_KEY.search(path.rpartition(".")[2]) and _is_password_like(value):
            yield path, False


def _is_password_like(value: str) -> bool:
    """Tell a key from a word or the name of an environment variable, which may stand here."""
    plain = re.fullmatch(r"\$?\{?[A-Z][A-Z0-9_]*\}?|[a-z][a-z _./-]*", value)
    return len(value) >= _SHORTEST_SECRET and not plain and " " not in value


def _walk(value: object, name: str) -> Iterator[tuple[str, object]]:
    """Yield every value below a mapping or list by its dotted name."""
    if isinstance(value, Mapping):
        inner = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list):
        inner = [(str(index), item) for index, item in enumerate(value)]
    else:
        return
    for key, item in inner:
        path = f"{name}.{key}" if name else key
        yield path, item
        yield from _walk(item, path)


PIPELINE: Final[tuple[Check, ...]] = (
    check_yaml,
    check_parameter_names,
    check_persisted,
    check_dependencies,
    check_formats,
    check_library,
    check_secrets,
)
