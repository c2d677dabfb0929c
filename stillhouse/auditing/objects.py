"""The objects of DVC's cache and remote: each is named by the md5 of its bytes, and has to have it."""

import json
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stillhouse.auditing.places import Places
from stillhouse.auditing.problems import Outcome, Problem, Unchecked
from stillhouse.base.cache import is_whole, name_object
from stillhouse.base.errors import InputError
from stillhouse.base.stage import open_bar
from stillhouse.teachers.stores import Store, UnreachableError, open_default_remote

_AT_ONCE: Final = 8
_PUSH: Final = "`dvc push --all-commits`"
_NOWHERE: Final = "the recorded bytes are neither in the working directory nor in DVC's cache"


@dataclass(slots=True)
class Named:
    """The objects that locks name: md5 -> the path whose bytes it is, and the stage that wrote it.

    ``past`` are those that only locks of earlier commits name; they are added last.
    """

    paths: dict[str, str] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)
    past: set[str] = field(default_factory=set)

    def add(self, stage: str, path: str, md5: str, places: Places, *, past: bool = False) -> None:
        """Add an output; of a folder its listing, and what that lists as far as it is known."""
        inner = places.list_folder(md5) if md5.endswith(".dir") else None
        for name, own in {"": md5, **(inner or {})}.items():
            if past and own not in self.paths:
                self.past.add(own)
            self._add(stage, f"{path}/{name}" if name else path, own)

    def add_listing(self, listing: Path, md5: str) -> None:
        """Add what a folder's listing lists that was downloaded."""
        for entry in json.loads(listing.read_bytes()):
            if md5 in self.past and entry["md5"] not in self.paths:
                self.past.add(entry["md5"])
            self._add(self.stages[md5], f"{self.paths[md5]}/{entry['relpath']}", entry["md5"])

    def _add(self, stage: str, path: str, md5: str) -> None:
        self.paths.setdefault(md5, path)
        self.stages.setdefault(md5, stage)


def check_cache(
    named: Named, places: Places, holds: Callable[[str, str], bool], remote: "Remote | None"
) -> Outcome:
    """Hash every object; say which are missing.

    Args:
        named: what should be there.
        places: the cache.
        holds: whether the bytes of a path with an md5 lie in the working directory.
        remote: what the default remote has, where that was looked at.
    """
    problems: list[Problem] = []
    gone: list[Unchecked] = []
    checked = lost = 0
    for md5, path in named.paths.items():
        found = places.look_up(md5)
        if found is not None:
            checked += 1
            if places.digests.md5(found) != md5.removesuffix(".dir"):
                problems.append(_corrupt(places, found, named, md5, here=holds(path, md5)))
        elif remote and md5 in remote.whole:
            continue
        elif md5 in named.past:
            lost += 1
        elif holds(path, md5):
            problems.append(_absent(places, named, md5))
        else:
            gone.append(Unchecked(path, _NOWHERE, places.tell_pull()))
    if lost:
        why = f"{lost} objects of earlier versions are not in DVC's cache"
        gone.append(Unchecked(places.name(places.cache), why, "`dvc fetch --all-commits`"))
    return Outcome(tuple(problems), tuple(gone), {"objects": checked})


@dataclass(slots=True)
class Remote:
    """What the default DVC remote has of the objects that were asked for."""

    place: str
    whole: set[str] = field(default_factory=set)
    corrupt: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    failure: str = ""


def open_default(root: Path) -> Store:
    """Return the default DVC remote.

    Raises:
        InputError: there is none.
    """
    store = open_default_remote(root)
    if store is None:
        raise InputError(
            "the project has no default DVC remote",
            where=".dvc/config",
            expected="a remote that can be looked at",
            remedy="`dvc remote add -d NAME URL`, or leave out `--remote`",
        )
    return store


def look_at_remote(store: Store, named: Named) -> Remote:
    """Download every object, one file at a time for each connection, and hash it.

    Listings come first, and what they list is added to ``named``.
    """
    found = Remote(store.place)
    listings = [md5 for md5 in named.paths if md5.endswith(".dir")]
    try:
        _fetch(store, listings, found, named)
        _fetch(store, [md5 for md5 in named.paths if md5 not in found.whole], found, None)
    except UnreachableError as exc:
        found.failure = exc.what
    return found


def check_remote(remote: Remote, named: Named, places: Places) -> Outcome:
    """Say which objects the remote lacks, and which are not what they are named."""
    if remote.failure:
        remedy = "see that it can be reached, then run it again"
        lost = Problem(
            "could not be checked", remote.place, "the default DVC remote", remote.failure, remedy
        )
        return Outcome((lost,))
    problems = []
    for md5 in sorted(remote.corrupt):
        where = f"{remote.place}/{name_object(md5)}"
        remedy = f"delete it there, then {_PUSH}: DVC sends no object that is there already"
        expected = f"md5 {md5}, the bytes of {named.paths[md5]}"
        problems.append(Problem("corrupt in the remote", where, expected, "other bytes", remedy))
    for md5 in sorted(remote.missing):
        where, expected = named.paths[md5], f"md5 {md5} in {remote.place}"
        if places.find_object(md5) is not None:
            found = "no such object: only this machine's cache has it"
            problems.append(Problem("not in the remote", where, expected, found, _PUSH))
        elif md5 not in named.past:  # of earlier versions much may have been collected on purpose
            found = "no such object, neither there nor in this machine's cache"
            remedy = f"`dvc push` where it still is, or `dvc repro --force {named.stages[md5]}`"
            problems.append(Problem("not in the remote", where, expected, found, remedy))
    return Outcome(tuple(problems), checked={"remote objects": len(remote.whole)})


def _fetch(store: Store, wanted: list[str], found: Remote, named: Named | None) -> None:
    with (
        tempfile.TemporaryDirectory() as scratch,
        ThreadPoolExecutor(_AT_ONCE) as pool,
        open_bar("downloading", len(wanted)) as bar,
    ):

        def load(md5: str) -> None:
            path = Path(scratch) / md5
            if not store.fetch(name_object(md5), path):
                found.missing.add(md5)
            elif is_whole(path, md5):
                found.whole.add(md5)
                if named is not None:
                    named.add_listing(path, md5)
            else:
                found.corrupt.add(md5)
            path.unlink(missing_ok=True)
            bar.update()

        try:
            list(pool.map(load, wanted))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _corrupt(places: Places, found: Path, named: Named, md5: str, *, here: bool) -> Problem:
    name, path = places.name(found), named.paths[md5]
    what = "the listing" if md5.endswith(".dir") else "the bytes"
    back = places.tell_pull(path)
    if here:
        back = f"`dvc commit --force {named.stages[md5]}`: what lies at {path} is right"
    actual = places.digests.md5(found)
    said = f"md5 {actual}" if actual else places.digests.tell_failure(found)
    expected, remedy = f"{what} of {path}, md5 {md5}", f"`rm -f {name}`, then {back}"
    return Problem("corrupt object", name, expected, said, remedy)


def _absent(places: Places, named: Named, md5: str) -> Problem:
    expected = f"md5 {md5} in {places.name(places.cache)}"
    found = "only in the working directory: no checkout and no push can bring it to anybody"
    remedy = f"`dvc commit --force {named.stages[md5]}`"
    return Problem("not in the cache", named.paths[md5], expected, found, remedy)
