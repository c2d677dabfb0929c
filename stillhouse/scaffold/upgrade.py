"""What going on with newer code would ask and train again, and accepting it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import yaml

import stillhouse
from stillhouse.base.accepted import accept_installed, compare_accepted
from stillhouse.base.errors import InputError
from stillhouse.base.files import rewrite_text
from stillhouse.base.formats import (
    SECTION,
    Asks,
    FormatChange,
    compare_formats,
    lacks_section,
    list_installed,
)
from stillhouse.base.ids import sha256_text
from stillhouse.base.library import LIBRARY, list_changed, read_library
from stillhouse.base.params import PARAMS, load_yaml
from stillhouse.base.requests import REQUESTS, list_requests
from stillhouse.base.tables import count_values
from stillhouse.scaffold.project import build_pipeline
from stillhouse.scaffold.update import Updated, update_project
from stillhouse.teachers.huggingface import HuggingFace, LocalModel
from stillhouse.teachers.reader import Reader

_FREE: Final = tuple(
    teacher.name for teacher in (Reader, LocalModel, HuggingFace) if not teacher.costs
)
# What stands above the section in the repository's own params.yaml.
COMMENT: Final = """\
# No knobs: the versions of formats that this project's data was made with (stillhouse/base/versions.py). Stages refuse to
# run with code that has others; `stillhouse upgrade` says what an upgrade would ask and train again, and accepts it.
"""


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """Requests that lie here, and those of them that come out new, by teacher.

    ``exact`` is false where only ingest and render can tell which ones: then it is at most so many.
    """

    total: int
    by_teacher: Mapping[str, int]
    exact: bool

    @property
    def count(self) -> int:
        """How many are asked again, at most."""
        return sum(self.by_teacher.values())

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The teachers among them that may cost money."""
        return tuple(name for name in self.by_teacher if name not in _FREE)


@dataclass(frozen=True, slots=True)
class NewLibrary:
    """The installed library beside the one of ``library.yaml``; ``stages`` have other code.

    ``pipeline`` says that it comes with another ``dvc.yaml``.
    """

    recorded: str
    installed: str
    stages: tuple[str, ...]
    pipeline: bool


@dataclass(frozen=True, slots=True)
class Upgrade:
    """All that is to be accepted; ``asked`` is None where the requests cannot be counted.

    ``unpinned`` holds the installed formats where params.yaml has no ``formats``: then nobody knows
    what the data was made with. Elsewhere it is empty.
    """

    changes: tuple[FormatChange, ...]
    unpinned: Mapping[str, int]
    asked: AskedAgain | None
    library: NewLibrary | None

    @property
    def pending(self) -> bool:
        """Whether there is anything to accept."""
        return bool(self.changes or self.unpinned or self.library)


def compare_project(root: Path) -> Upgrade:
    """Return how the installed code differs from what a project was made with.

    Raises:
        InputError: ``formats`` or ``library.yaml`` is missing a key or holds a wrong one.
    """
    library = _compare_library(root)
    if lacks_section(load_yaml(root / PARAMS)):
        return Upgrade((), list_installed(), None, library)
    changes = compare_formats(root / PARAMS) or compare_accepted(root)
    return Upgrade(changes, {}, _count_asked(root, changes), library)


def accept_upgrade(root: Path, upgrade: Upgrade) -> Updated:
    """Go on with the installed code; return what was written.

    The numbers come last: until they are written, every stage still refuses.

    Raises:
        InputError: params.yaml cannot be rewritten without touching more; nothing is written then.
    """
    path = root / PARAMS
    numbers = {change.name: change.installed for change in upgrade.changes}
    # Not `read_text`: a byte order mark and the ends of lines stay as they are.
    text = path.read_bytes().decode()
    changed = replace_numbers(text, numbers, str(path)) if numbers else text
    if upgrade.unpinned:
        changed = append_section(text, upgrade.unpinned, str(path))
    updated = update_project(root) if upgrade.library else Updated((), beside=False)
    if changed != text:
        rewrite_text(path, changed)
        updated = replace(updated, written=(PARAMS.as_posix(), *updated.written))
    accept_installed(root)
    return updated


def append_section(text: str, numbers: Mapping[str, int], where: str) -> str:
    """Return the YAML text with ``formats:`` and its comment behind all that stands there.

    Raises:
        InputError: the text cannot be gone on with, such as one whose mapping is in braces.
    """
    lines = [f"{SECTION}:", *(f"  {name}: {number}" for name, number in numbers.items())]
    section = COMMENT + "".join(f"{line}\n" for line in lines)
    added = ("\n" if text.endswith("\n") else "\n\n") + section
    changed = text + (added.replace("\n", "\r\n") if "\r\n" in text else added)
    if not _differs_only_in(numbers, text, changed):
        raise _by_hand(numbers, where)
    return changed


def replace_numbers(text: str, numbers: Mapping[str, int], where: str) -> str:
    """Return the YAML text with other numbers in ``formats:`` and every other character as it was.

    Raises:
        InputError: a number is written in a way that cannot be replaced alone, such as an alias.
    """
    section = _find_key(yaml.compose(text, Loader=yaml.SafeLoader), SECTION)
    found = {name: _find_key(section, name) for name in numbers}
    places = {name: node for name, node in found.items() if node}
    if len(places) < len(numbers):  # a number that a merge (`<<`) brings stands elsewhere
        raise _by_hand(numbers, where)
    # From the end, so that the places before stay where they are.
    changed = text
    for name, node in sorted(places.items(), key=lambda item: -item[1].start_mark.index):
        start, end = node.start_mark.index, node.end_mark.index
        changed = f"{changed[:start]}{numbers[name]}{changed[end:]}"
    if not _differs_only_in(numbers, text, changed):
        raise _by_hand(numbers, where)
    return changed


def _by_hand(numbers: Mapping[str, int], where: str) -> InputError:
    wanted = ", ".join(f"{name}: {number}" for name, number in numbers.items())
    return InputError(
        f"`{SECTION}` cannot be rewritten without touching more",
        where=where,
        expected="a plain number for each format",
        remedy=f"write {wanted} there by hand",
    )


def _differs_only_in(numbers: Mapping[str, int], text: str, changed: str) -> bool:
    try:
        before = yaml.load(text, Loader=yaml.CSafeLoader) or {}
        after = yaml.load(changed, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:  # an alias whose anchor went with the number
        return False
    return bool({**before, SECTION: {**before.get(SECTION, {}), **numbers}} == after)


def _find_key(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """Return the value's node; None where the key does not stand there itself."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    found: dict[str, yaml.Node] = {
        name.value: value for name, value in pairs if isinstance(name, yaml.ScalarNode)
    }
    return found.get(key)


def _count_asked(root: Path, changes: Iterable[FormatChange]) -> AskedAgain | None:
    if not (root / REQUESTS).is_file():
        return None
    tables = (Counter(count_values(path, "teacher")) for path in list_requests(root))
    requests: Mapping[str, int] = sum(tables, Counter[str]())
    asks: set[Asks] = {change.effect.asks for change in changes}
    if asks & {"all", "some"}:
        again = requests
    elif "offline" in asks:
        again = {name: count for name, count in requests.items() if name == Reader.name}
    else:
        again = {}
    return AskedAgain(sum(requests.values()), again, exact="all" in asks or "some" not in asks)


def _compare_library(root: Path) -> NewLibrary | None:
    if not (root / LIBRARY).is_file():
        return None
    recorded = read_library(root / LIBRARY)
    stages = list_changed(recorded)
    pipeline = sha256_text(build_pipeline()) != recorded.pipeline
    if not stages and not pipeline:
        return None
    return NewLibrary(recorded.version, stillhouse.__version__, stages, pipeline)
