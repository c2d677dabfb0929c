"""What lies in the working directory against ``dvc.lock``, every byte read."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

from stillhouse.auditing.closure import Recorded
from stillhouse.auditing.places import Places
from stillhouse.auditing.problems import Outcome, Problem
from stillhouse.base.cache import find_out
from stillhouse.base.git import ask_git
from stillhouse.base.lock import LOCK, overlap
from stillhouse.planning.hashes import Hashes, hash_listing

_SHOWN: Final = 5  # files that git names
# path -> md5 -> the stages that say so
_Claims = dict[str, dict[str, list[str]]]


class Workspace:
    """The files of the working directory, and what the lock says of each."""

    def __init__(self, recorded: Recorded, places: Places) -> None:
        self._recorded, self._places, self._root = recorded, places, places.root
        self.hashes = Hashes(places.root, lambda path: places.digests.md5(path) or "")
        self._outs = recorded.outs
        self._claims = self._collect()
        self._folders: _Claims = {}  # those whose listing is not known
        self._files: _Claims = defaultdict(lambda: defaultdict(list))
        self._extra: dict[str, str] = {}  # file -> the stage whose folder it lies in

    @cached_property
    def paths(self) -> list[str]:
        """Every file that is hashed."""
        found: dict[str, None] = {}
        for path in self._claims:
            if (self._root / path).is_dir():
                found |= dict.fromkeys(f"{path}/{inner}" for inner in self.hashes.walk(path))
            elif (self._root / path).is_file():
                found[path] = None
        return list(found)

    def check(self) -> Outcome:
        """Compare all files and folders; of outputs that do not lie there the cache tells."""
        for path, claims in self._claims.items():
            for md5, stages in claims.items():
                self._expand(path, md5, stages)
        problems = [*self._check_files(), *self._check_extra(), *self._check_folders()]
        return Outcome(tuple(problems), checked={"files": len(self.paths)})

    def holds(self, path: str, md5: str) -> bool:
        """Say whether the very bytes of an output lie in the working directory."""
        return self.hashes.find(path) == md5

    def _collect(self) -> _Claims:
        """Collect the md5 of each output, and of each dependency that no stage makes."""
        claims: _Claims = defaultdict(lambda: defaultdict(list))
        for stage, locked in self._recorded.pairs():
            own = {out.path for out in stage.outs if not out.cached}  # each machine's MLflow ids
            for path, md5 in locked.outs.items():
                if path not in own:
                    claims[path][md5].append(stage.name)
            for path, md5 in {} if stage.frozen else locked.deps.items():
                made = find_out(self._outs, path)[0]
                if not made or self._places.find_md5(self._outs, path) is None:
                    claims[path][md5].append(stage.name)
        return claims

    def _expand(self, path: str, md5: str, stages: list[str]) -> None:
        """Turn what is said of a folder into what is said of its files, where its listing is known."""
        here = self._root / path
        listing = self._places.list_folder(md5) if md5.endswith(".dir") else None
        if not md5.endswith(".dir") or (here.exists() and not here.is_dir()):
            self._files[path][md5] += stages
        elif listing is None:
            self._folders.setdefault(path, {})[md5] = stages
        elif here.is_dir():
            for inner, own in listing.items():
                self._files[f"{path}/{inner}"][own] += stages
            for inner in self.hashes.walk(path):
                if inner not in listing:
                    self._extra[f"{path}/{inner}"] = ", ".join(stages)

    def _check_files(self) -> Iterator[Problem]:
        for path, claims in self._files.items():
            here = self._root / path
            if not here.exists() and self._is_absent(path):
                continue
            md5 = self._places.digests.md5(here) if here.is_file() else None
            for wanted, stages in claims.items():
                if md5 != wanted:
                    expected = f"md5 {wanted} ({LOCK}: {', '.join(dict.fromkeys(stages))})"
                    kind = "changed file" if here.exists() else "missing file"
                    found = f"md5 {md5}" if md5 else self._places.digests.tell_failure(here)
                    remedy = self._tell_remedy(path, wanted)
                    yield Problem(kind, path, expected, found, remedy)

    def _check_extra(self) -> Iterator[Problem]:
        for path, stage in self._extra.items():
            expected = f"no such file ({LOCK}: {stage})"
            remedy = f"`rm {path}`, or `dvc repro` if a new run should have written it"
            yield Problem("unexpected file", path, expected, "a file", remedy)

    def _check_folders(self) -> Iterator[Problem]:
        """Compare folders whose listing nobody kept: code and seeds, or where the cache lacks it."""
        for path, claims in self._folders.items():
            if not (self._root / path).is_dir() and not self._is_absent(path):
                yield from self._miss(path, claims)
            if not (self._root / path).is_dir() or self._lacks_within(path):
                continue
            actual = self.hashes.list_files(path)
            recorded = {**actual, **self._list_recorded(path)}
            for wanted, stages in claims.items():
                # With what is named already put right, it is the folder that the stage saw.
                if wanted not in (hash_listing(actual), hash_listing(recorded)):
                    expected = f"md5 {wanted} ({LOCK}: {', '.join(stages)})"
                    found = f"md5 {hash_listing(actual)}{self._tell_dirty(path)}"
                    remedy = self._tell_remedy(path, wanted)
                    yield Problem("changed folder", path, expected, found, remedy)

    def _is_absent(self, path: str) -> bool:
        """Say whether a path is an output, or holds or lies in one, that is not here as a whole.

        A clone without its data is no tampering: what is absent is told by the check of the cache.
        """
        outs = [out for out in self._outs if overlap(out, path)]
        return any(not (self._root / out).exists() for out in outs)

    def _lacks_within(self, folder: str) -> bool:
        """Say whether an output within a folder is another one or absent, and nothing lists its files.

        Then the folder cannot be judged; of that output it is told by itself.
        """
        inner = {out: md5 for out, md5 in self._outs.items() if out.startswith(f"{folder}/")}
        return any(
            md5.endswith(".dir")
            and self._places.list_folder(md5) is None
            and self.hashes.find(out) != md5
            for out, md5 in inner.items()
        )

    def _miss(self, path: str, claims: Mapping[str, list[str]]) -> Iterator[Problem]:
        for md5, stages in claims.items():
            expected = f"md5 {md5} ({LOCK}: {', '.join(stages)})"
            yield Problem(
                "missing folder", path, expected, "no such folder", self._tell_take_back(path)
            )

    def _list_recorded(self, folder: str) -> dict[str, str]:
        """Return what the lock says of files within a folder: path below it -> md5."""
        found: dict[str, str] = {}
        for path, md5 in self._outs.items():
            if path.startswith(f"{folder}/"):
                listing = self._places.list_folder(md5) if md5.endswith(".dir") else {"": md5}
                for inner, own in (listing or {}).items():
                    whole = f"{path}/{inner}" if inner else path
                    found[whole.removeprefix(f"{folder}/")] = own
        for path, claims in self._files.items():
            if path.startswith(f"{folder}/") and len(claims) == 1:
                found[path.removeprefix(f"{folder}/")] = next(iter(claims))
        return found

    def _tell_remedy(self, path: str, md5: str) -> str:
        writer = self._recorded.find_writer(path)
        if not writer:
            return self._tell_take_back(path)
        # Removed first: DVC takes a file whose size and time are as they were for what it wrote.
        here = self._root / path
        back = f"`rm {'-rf' if here.is_dir() else '-f'} {path}`, then " if here.exists() else ""
        if self._places.find_object(md5) is not None:
            return f"{back}`dvc checkout {path}`"
        return f"{back}{self._places.tell_pull(path)}"

    def _tell_take_back(self, path: str) -> str:
        """Return what to do about a dependency that nothing makes: code, a seed."""
        known = bool(ask_git(self._root, "ls-files", "--", path))
        if known and not self._list_dirty(path):
            return "`dvc repro`: it is as committed, so it changed after that run, or dvc.lock did"
        back = f"`git checkout -- {path}`" if known else "putting the earlier file there"
        # DVC sees an edit that kept size and time only once the file was touched.
        return f"{back} takes an edit back; if it is meant, `touch` it and `dvc repro`"

    def _tell_dirty(self, path: str) -> str:
        """Return what git sees changed in a folder since the last commit, as the end of a sentence."""
        names = self._list_dirty(path)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"; not as committed: {', '.join(names[:_SHOWN])}{more}" if names else ""

    def _list_dirty(self, path: str) -> list[str]:
        told = ask_git(self._root, "status", "--porcelain", "-z", "-uall", "--", path)
        return [line[3:] for line in told.split("\0") if line]
