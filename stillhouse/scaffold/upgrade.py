"""What going on with newer code would ask and train again, and accepting it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

import stillhouse
from stillhouse.base.errors import InputError
from stillhouse.base.files import write_text
from stillhouse.base.formats import SECTION, Asks, FormatChange, compare_formats
from stillhouse.base.library import LIBRARY, list_changed, read_library
from stillhouse.base.params import PARAMS
from stillhouse.base.tables import count_values
from stillhouse.scaffold.update import Updated, update_project
from stillhouse.teachers.huggingface import LocalModel
from stillhouse.teachers.reader import Reader

REQUESTS: Final = Path("data/requests.parquet")
_FREE: Final = tuple(teacher.name for teacher in (Reader, LocalModel) if not teacher.costs)


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
    """The installed library beside the one of ``library.yaml``; ``stages`` have other code."""

    recorded: str
    installed: str
    stages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Upgrade:
    """All that is to be accepted; ``asked`` is None where no requests lie here to be counted."""

    changes: tuple[FormatChange, ...]
    asked: AskedAgain | None
    library: NewLibrary | None

    @property
    def pending(self) -> bool:
        """Whether there is anything to accept."""
        return bool(self.changes or self.library)


def compare_project(root: Path) -> Upgrade:
    """Return how the installed code differs from what a project was made with.

    Raises:
        InputError: ``formats`` or ``library.yaml`` is missing a key or holds a wrong one.
    """
    changes = compare_formats(root / PARAMS)
    return Upgrade(changes, _count_asked(root / REQUESTS, changes), _compare_library(root))


def accept_upgrade(root: Path, upgrade: Upgrade) -> Updated | None:
    """Go on with the installed code; return what became of ``library.yaml`` where there is one.

    The numbers come last: until they are written, every stage still refuses.
    """
    path = root / PARAMS
    numbers = {change.name: change.installed for change in upgrade.changes}
    # Not `read_text`: a byte order mark and the ends of lines stay as they are.
    text = replace_numbers(path.read_bytes().decode(), numbers, str(path)) if numbers else None
    updated = update_project(root) if upgrade.library else None
    if text is not None:
        write_text(path, text)
    return updated


def replace_numbers(text: str, numbers: Mapping[str, int], where: str) -> str:
    """Return the YAML text with other numbers in ``formats:`` and every other character as it was.

    Raises:
        InputError: a number is written in a way that cannot be replaced alone, such as an alias.
    """
    section = _find_key(yaml.compose(text, Loader=yaml.SafeLoader), SECTION)
    places = {name: _find_key(section, name) for name in numbers}
    # From the end, so that the places before stay where they are.
    changed = text
    for name, node in sorted(places.items(), key=lambda item: -item[1].start_mark.index):
        start, end = node.start_mark.index, node.end_mark.index
        changed = f"{changed[:start]}{numbers[name]}{changed[end:]}"
    if not _differs_only_in(numbers, text, changed):
        wanted = ", ".join(f"{name}: {number}" for name, number in numbers.items())
        raise InputError(
            f"`{SECTION}` cannot be rewritten without touching more",
            where=where,
            expected="a plain number for each format",
            remedy=f"write {wanted} there by hand",
        )
    return changed


def _differs_only_in(numbers: Mapping[str, int], text: str, changed: str) -> bool:
    before = yaml.load(text, Loader=yaml.CSafeLoader)
    try:
        after = yaml.load(changed, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:  # an alias whose anchor went with the number
        return False
    return bool({**before, SECTION: {**before[SECTION], **numbers}} == after)


def _find_key(node: yaml.Node | None, key: str) -> yaml.Node:
    """Return the value's node; that the key is there was checked when the section was loaded."""
    assert isinstance(node, yaml.MappingNode)
    found: dict[str, yaml.Node] = {name.value: value for name, value in node.value}
    return found[key]


def _count_asked(path: Path, changes: Iterable[FormatChange]) -> AskedAgain | None:
    if not path.is_file():
        return None
    requests = count_values(path, "teacher")
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
    return NewLibrary(recorded.version, stillhouse.__version__, stages) if stages else None
