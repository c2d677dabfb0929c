"""JSON Schemas for extraction: ``data/seed/schemas/*.json``, each with the passages that it fits."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_text
from stillhouse.base.ids import Json
from stillhouse.base.text import words
from stillhouse.execution.json_child import open_schema
from stillhouse.prompts.passages import render_passage
from stillhouse.prompts.subject import Spread, Subject

SECTION: Final = "JSON Schema"
SOURCES: Final = (
    "x-sources"  # globs of documents' paths; without it, the labels in a passage decide
)
_TOO_DEEP: Final = "it is nested too deeply, or refers to itself without end"
_FLATTEN: Final = "write it with fewer levels"


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema: ``name`` is its file's stem, ``shown`` its text for prompts, without ``x-`` keys.

    ``labels`` are the required properties' titles or names, as words.
    """

    name: str
    body: Mapping[str, Json]
    shown: str
    sources: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]


def load_schemas(folder: Path) -> list[Schema]:
    """Return the schemas of a folder by file name; none where there is no folder.

    Raises:
        InputError: a file is no JSON Schema of an object, or leads to another place.
    """
    return [_load(path) for path in sorted(folder.glob("*.json"))]


def spread_schemas(schemas: Sequence[Schema]) -> Spread:
    """Return what makes of a passage one subject for each schema that fits it."""

    def spread(subject: Subject) -> Iterator[Subject]:
        for schema in schemas:
            if fits(schema, subject):
                block = render_passage(f"schemas/{schema.name}.json", SECTION, schema.shown)
                yield replace(subject, mark=schema.name, values={"schema": block})

    return spread


def fits(schema: Schema, subject: Subject) -> bool:
    """Say whether a schema goes with a passage: by its ``x-sources``, else by its required labels."""
    if schema.sources:
        return any(fnmatchcase(subject.source, pattern) for pattern in schema.sources)
    if not schema.labels:
        return False
    said = f" {' '.join(words(' '.join(chunk.text for chunk in subject.chunks)))} "
    return all(f" {' '.join(label)} " in said for label in schema.labels)


def _load(path: Path) -> Schema:
    where = str(path)
    try:
        body = json.loads(read_text(path))
    except ValueError as exc:
        raise InputError(f"it is no JSON ({exc})", where=where) from exc
    except RecursionError as exc:
        raise InputError(_TOO_DEEP, where=where, remedy=_FLATTEN) from exc
    if not isinstance(body, dict) or body.get("type") != "object" or not body.get("properties"):
        raise InputError("no schema of an object", where=where, expected='"type": "object"')
    sources = body.get(SOURCES, [])
    if not isinstance(sources, list) or not all(isinstance(one, str) for one in sources):
        raise InputError(f"`{SOURCES}` is no list of texts", where=where)
    kept = _drop_marks(body)
    try:
        open_schema(kept)
        shown = json.dumps(kept, ensure_ascii=False)
    except ValueError as exc:
        raise InputError(str(exc), where=where, expected="a schema within itself") from exc
    except RecursionError as exc:
        raise InputError(_TOO_DEEP, where=where, remedy=_FLATTEN) from exc
    return Schema(path.stem, kept, shown, tuple(sources), tuple(_list_labels(kept)))


def _drop_marks(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema without what is for this program or for editors alone."""
    return {key: value for key, value in body.items() if key not in (SOURCES, "$schema", "$id")}


def _list_labels(body: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name in body.get("required", ()):
        about = body["properties"].get(name, {})
        title = about.get("title") if isinstance(about, dict) else None
        yield tuple(words(str(title or name.replace("_", " "))))
