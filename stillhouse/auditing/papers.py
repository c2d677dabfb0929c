"""A student's provenance, read as something that anybody may have edited: each value looked at first."""

from collections.abc import Iterator
from pathlib import Path

from stillhouse.base.errors import InputError
from stillhouse.lineage.model_folder import PROVENANCE
from stillhouse.lineage.provenance import Provenance, read_provenance


def open_provenance(folder: Path) -> Provenance:
    """Return the provenance of a folder, all of whose values are of the types that it declares.

    Raises:
        InputError: it is missing, no provenance, or holds a value of another type.
    """
    provenance = read_provenance(folder)
    for name, good in _list_values(provenance):
        if not good:
            raise InputError(f"not a provenance (`{name}`)", where=str(folder / PROVENANCE))
    return provenance


def _list_values(provenance: Provenance) -> Iterator[tuple[str, bool]]:
    """Yield the name of each value that is made use of, and whether it is of its type."""
    dataset = provenance.dataset
    yield "student", isinstance(provenance.student, str)
    yield "weights_sha256", isinstance(provenance.weights_sha256, str)
    for name in ("path", "md5", "sha256", "merkle_root"):
        yield f"dataset.{name}", isinstance(getattr(dataset, name), str)
    yield "dataset.rows", type(dataset.rows) is int
    for name in ("name", "sha256", "origin"):
        yield f"base.{name}", isinstance(getattr(provenance.base, name), str)
        values = [getattr(teacher, name) for teacher in provenance.teachers]
        yield f"teachers.{name}", all(isinstance(value, str) for value in values)
    for name in ("files", "upstream"):
        values = getattr(provenance, name).values()
        yield name, all(isinstance(value, str) for value in values)
    digests = provenance.inputs.values()
    yield "inputs", all(isinstance(one.md5, str) and isinstance(one.sha256, str) for one in digests)
