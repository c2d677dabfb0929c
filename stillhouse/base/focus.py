"""Which documents the plan weighs most (core) and which it never trains on (held out)."""

from dataclasses import dataclass
from pathlib import Path

from stillhouse.base.errors import InputError
from stillhouse.base.params import load_yaml


@dataclass(frozen=True, slots=True)
class Focus:
    """Paths below ``data/seed/documents``, in the order of the file."""

    core: tuple[str, ...]
    held_out: tuple[str, ...]


def read_focus(path: Path) -> Focus:
    """Return the sources of ``focus.yaml``; a section may be missing or empty.

    Raises:
        InputError: a section is not a list of entries with a ``source``, or a source stands twice.
    """
    content = load_yaml(path)
    focus = Focus(_sources(content, "core", path), _sources(content, "held_out", path))
    listed = focus.core + focus.held_out
    for source in listed:
        if listed.count(source) > 1:
            raise InputError(f"{source!r} is listed twice", where=str(path))
    return focus


def _sources(content: dict[str, object], section: str, path: Path) -> tuple[str, ...]:
    entries = content.get(section) or []
    if not isinstance(entries, list):
        raise InputError(f"`{section}` is not a list", where=str(path), expected="`- source: …`")
    sources = []
    for place, entry in enumerate(entries, start=1):
        source = entry.get("source") if isinstance(entry, dict) else None
        if not isinstance(source, str):
            raise InputError(
                f"entry {place} of `{section}` has no `source`", where=str(path), expected="a path"
            )
        sources.append(source)
    return tuple(sources)
