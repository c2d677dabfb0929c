"""Every file behind a model, by the hash that the model's own records give it, and whether it is here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from stillhouse.auditing.digests import Digests
from stillhouse.auditing.places import Places
from stillhouse.auditing.problems import Problem, Unchecked
from stillhouse.auditing.subject import Subject
from stillhouse.auditing.tally import LATER, STEPS
from stillhouse.base.errors import StillhouseError
from stillhouse.history.hashed import Hashed
from stillhouse.lineage.inputs import Digest, combine
from stillhouse.tracing.tables import REJECTIONS, REVIEW

VALIDATION: Final = "reports/validation.json"
_FETCH: Final = "`dvc fetch --all-commits`"

Said = Literal["provenance.json", "validation.json", "dvc.lock"]
State = Literal["hashed", "absent", "corrupt"]


@dataclass(frozen=True, slots=True)
class Link:
    """A file or folder behind the model.

    Attributes:
        path: in the project.
        md5: the hash that it must have; empty where no record gives one.
        said: which record gives it.
        state: hashed and found to be that; absent; or corrupt: the cache has other bytes under it.
        files: where its bytes lie: relative path (empty for a file) -> file.
    """

    path: str
    md5: str
    said: Said
    state: State
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def file(self) -> Path | None:
        """The file, where this is one and was found."""
        return self.files.get("")


class RememberedDigests(Digests):
    """Hashes where md5s are remembered of files that were not touched since they were hashed."""

    def __init__(self, hashed: Hashed) -> None:
        super().__init__()
        self._hashed = hashed

    def md5(self, path: Path) -> str | None:
        """Return the md5 of a file's bytes; None where it is not there or cannot be read."""
        try:
            return self._hashed.md5(path)
        except OSError:
            return None


def find_links(subject: Subject, places: Places) -> list[Link]:
    """Return all that the model's records name, looked up here, in DVC's cache and in its remote.

    Those are its provenance, then the validation that the provenance names by hash, then, of what
    neither names (reviews), a ``dvc.lock`` in which the stage that wrote it is that of the model's data.
    """
    finder = _Finder(subject, places)
    provenance = subject.provenance
    own = {
        **provenance.upstream,
        **{path: digest.md5 for path, digest in provenance.inputs.items()},
        provenance.dataset.path: provenance.dataset.md5,
    }
    links = [finder.find(path, md5, "provenance.json") for path, md5 in sorted(own.items())]
    validation = next((link.file for link in links if link.path == VALIDATION), None)
    told = _read_tables(validation)
    for table in (*STEPS.values(), *REJECTIONS, REVIEW, *LATER):
        path = table.as_posix()
        if path in own:
            continue
        if path in told:
            links.append(finder.find(path, told[path], "validation.json"))
        elif md5 := places.find_md5(own, path):
            links.append(finder.find(path, md5, "provenance.json"))
        elif md5 := _find_recorded(subject, places, path, own):
            links.append(finder.find(path, md5, "dvc.lock"))
        elif table not in LATER:
            links.append(Link(path, "", "dvc.lock", "absent"))
    return links


def _find_recorded(subject: Subject, places: Places, path: str, own: Mapping[str, str]) -> str:
    """Return the md5 that a lock gives a file of the model's data; empty where none does.

    A lock may name the model and be newer than its data: stages ran again, and training did not.
    """
    for lock in subject.list_locks():
        for stage in lock.stages.values():
            told = {**stage.deps, **stage.outs}
            if (md5 := places.find_md5(stage.outs, path)) and all(
                own.get(other, known) == known for other, known in told.items()
            ):
                return md5
    return ""


def tell_links(links: list[Link], subject: Subject) -> tuple[list[Problem], list[Unchecked]]:
    """Return what is wrong with the links, and which could not be looked at."""
    problems, unchecked = [], []
    for link in links:
        said = f"{link.said} of {subject.shown}" if link.said != "dvc.lock" else link.said
        if link.state == "corrupt":
            problems.append(
                Problem(
                    "corrupt object", link.path, f"md5 {link.md5} ({said})",
                    "other bytes under that name in DVC's cache",
                    f"remove that object, then {_FETCH}",
                )
            )  # fmt: skip
        elif link.state == "absent" and link.md5:
            why = f"md5 {link.md5} ({said}) is neither here nor in DVC's cache or remote"
            unchecked.append(Unchecked(link.path, why, _FETCH))
        elif link.state == "absent" and subject.lock.stages:  # without one, that is what is told
            why = "neither the model's own records nor the dvc.lock of its training name it"
            unchecked.append(Unchecked(link.path, why, "`dvc repro`, then train again"))
    return problems, unchecked


class _Finder:
    """Looks links up, and gives up on a remote that cannot be reached once."""

    def __init__(self, subject: Subject, places: Places) -> None:
        self._subject, self._places = subject, places
        self._fetches = True

    def find(self, path: str, md5: str, said: Said) -> Link:
        if md5.endswith(".dir"):
            return self._find_folder(path, md5, said)
        found = self._places.find(path, md5) or self._fetch(md5)
        if found is not None:
            return Link(path, md5, said, "hashed", {"": found})
        return Link(path, md5, said, self._tell_missing(md5))

    def _find_folder(self, path: str, md5: str, said: Said) -> Link:
        listing = self._places.list_folder(md5)
        if listing is None and (files := self._match_folder(path, md5)):
            return Link(path, md5, said, "hashed", files)
        if listing is None and self._fetch(md5) is not None:
            listing = self._places.list_folder(md5)
        if listing is None:
            return Link(path, md5, said, self._tell_missing(md5))
        files = {}
        for name, inner in listing.items():
            link = self.find(f"{path}/{name}", inner, said)
            if link.file is None:
                return Link(path, md5, said, link.state)
            files[name] = link.file
        return Link(path, md5, said, "hashed", files)

    def _match_folder(self, path: str, md5: str) -> dict[str, Path] | None:
        """Return the files of the folder that lies here, if they are all that its md5 covers."""
        folder = self._places.root / path
        files = {
            file.relative_to(folder).as_posix(): file
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }
        told = [
            (name, Digest(self._places.digests.md5(file) or "", "")) for name, file in files.items()
        ]
        return files if files and combine(told).md5 == md5 else None

    def _fetch(self, md5: str) -> Path | None:
        """Bring an object from the remote, if there is one; a remote that fails is left alone."""
        if not self._fetches:
            return None
        from stillhouse.history.fetching import fetch_object

        try:
            return fetch_object(self._places.root, md5)
        except StillhouseError:
            self._fetches = False
            return None

    def _tell_missing(self, md5: str) -> State:
        return "corrupt" if self._places.look_up(md5) is not None else "absent"


def _read_tables(validation: Path | None) -> dict[str, str]:
    """Return path -> md5 of the tables that a validation saw."""
    if validation is None:
        return {}
    try:
        record = json.loads(validation.read_bytes())
    except ValueError:
        return {}
    tables = record.get("tables") if isinstance(record, dict) else None
    return {str(k): str(v) for k, v in tables.items()} if isinstance(tables, dict) else {}
