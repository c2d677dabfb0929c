"""Which stages the next `dvc repro` runs, and which it takes from its run cache.

`ingest` and `render` are worked out here, so what they will write is known to the byte, and so is
whether anything behind them changes. What other stages will write is not: whatever reads that may
rerun, or not, if the bytes come out the same.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from stillhouse.base.cache import find_caches
from stillhouse.base.ids import md5_file
from stillhouse.base.lock import Lock, LockedStage, overlap, read_lock
from stillhouse.lineage.doctor_yaml import DeclaredStage, read_stages
from stillhouse.planning.differences import Difference, ParameterFiles, compare_itself
from stillhouse.planning.hashes import Hashes, hash_listing
from stillhouse.planning.run_cache import RunCache

CHUNKS: Final = "data/corpus/chunks.parquet"
DOCUMENTS: Final = "data/corpus/documents.parquet"
REQUESTS: Final = "data/requests.parquet"

Why: TypeAlias = Literal["new", "changed", "upstream", "maybe"]
# Works out what a stage will write into a folder beside the project: path -> file.
Maker: TypeAlias = Callable[["Tables"], Mapping[str, Path]]


@dataclass(frozen=True, slots=True)
class Rerun:
    """A stage that will run, and why.

    ``new``: it never ran; ``changed``: it is not as it was in its last run, by what ``changed`` names;
    ``upstream``: another stage's output changes; ``maybe``: that output may change. ``upstream`` names
    the stages that it waits for.
    """

    stage: str
    why: Why
    changed: tuple[str, ...]
    upstream: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The stages that will run, those whose outputs DVC puts back, and where the tables lie now."""

    reruns: tuple[Rerun, ...]
    restored: tuple[str, ...]
    tables: "Tables"


class Tables:
    """Where the bytes lie that a table will have: in the project, its cache, or made beside it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._elsewhere: dict[str, Path] = {}

    def place(self, name: str, path: Path) -> None:
        """Have a table read from ``path``."""
        self._elsewhere[name] = path

    def find(self, name: str) -> Path:
        """Return where to read a table."""
        return self._elsewhere.get(name, self._root / name)


def foresee(root: Path, makers: Mapping[str, Maker]) -> Foreseen:
    """Return what the next `dvc repro` does.

    Args:
        root: the project.
        makers: for each table that can be worked out here, what makes it and those beside it.

    Raises:
        InputError: ``dvc.yaml``, ``dvc.lock`` or parameters cannot be read, or a maker cannot work.
    """
    stages = read_stages(root)
    return _Outlook(root, stages, read_lock(root), makers).look()


def compare_stages(root: Path) -> dict[str, list[Difference]]:
    """Return how each stage differs from its last run, as things lie now; those without are left out."""
    lock, hashes, params = read_lock(root), Hashes(root), ParameterFiles(root)
    cache, found = RunCache(find_caches(root)), {}
    for stage in read_stages(root):
        locked = lock.stages.get(stage.name, LockedStage(stage.name, {}, {}))
        differences = compare_itself(stage, locked, params.read(stage.tracked))
        differences += [
            Difference("dependency", dep)
            for dep in stage.deps
            if dep not in locked.deps or hashes.find(dep) != locked.deps[dep]
        ]
        differences += _find_lost(stage, locked, hashes, cache)
        if differences and not stage.frozen:
            found[stage.name] = differences
    return found


def _find_lost(
    stage: DeclaredStage, locked: LockedStage, hashes: Hashes, cache: RunCache
) -> Iterator[Difference]:
    """Yield the outputs that are not those of the last run, or that the cache lacks."""
    for out in stage.outs:
        md5 = locked.outs.get(out.path)
        if md5 is None or hashes.find(out.path) != md5 or (out.cached and not cache.holds(md5)):
            yield Difference("output", out.path)


class _Outlook:
    """The work in progress: what outputs will be, as far as it is known."""

    def __init__(
        self, root: Path, stages: Iterable[DeclaredStage], lock: Lock, makers: Mapping[str, Maker]
    ) -> None:
        self._stages = {stage.name: stage for stage in stages}
        self._lock, self._makers = lock, makers
        self._hashes, self._params = Hashes(root), ParameterFiles(root)
        self._run_cache = RunCache(find_caches(root))
        self._tables = Tables(root)
        self._made_by = {out.path: stage for stage in self._stages.values() for out in stage.outs}
        self._coming: dict[str, str | None] = {}  # outputs that change: their md5, None if unknown
        self._reruns: dict[str, Rerun] = {}
        self._restored: list[str] = []

    def look(self) -> Foreseen:
        done: set[str] = set()
        for stage in self._stages.values():
            self._visit(stage, done)
        reruns = tuple(self._reruns[name] for name in self._stages if name in self._reruns)
        return Foreseen(reruns, tuple(self._restored), self._tables)

    def _visit(self, stage: DeclaredStage, done: set[str]) -> None:
        if stage.name in done:
            return
        done.add(stage.name)
        for maker in self._list_makers(stage.deps):
            self._visit(maker, done)
        if not stage.frozen:
            self._judge(stage)

    def _judge(self, stage: DeclaredStage) -> None:
        locked = self._lock.stages.get(stage.name)
        params = self._params.read(stage.tracked)
        known = locked or LockedStage(stage.name, {}, {})
        changed = compare_itself(stage, known, params)
        deps = {dep: self._tell(dep) for dep in stage.deps}
        behind, unsure = [], []
        for dep, md5 in deps.items():
            waits_for = [one.name for one in self._list_makers([dep]) if self._touches(one)]
            if self._is_unknown(dep):
                unsure += waits_for
            elif md5 != known.deps.get(dep):
                if waits_for:
                    behind += waits_for
                else:
                    changed.append(Difference("dependency", dep))
        outs = [out.path for out in stage.outs]
        lost = list(_find_lost(stage, known, self._hashes, self._run_cache))
        if not (changed or behind or unsure or lost):
            return
        # Where all that it reads is known, an earlier run with just that is put back.
        whole = {dep: md5 for dep, md5 in deps.items() if md5 is not None}
        if len(whole) == len(deps):
            earlier = self._run_cache.find_outs(stage.cmd, whole, params, outs)
            if earlier is not None:
                self._restored.append(stage.name)
                self._put_back(earlier)
                return
        why: Why = "upstream" if behind else "maybe"
        if changed or lost:
            why = "changed"
        shown = tuple(str(one) for one in (*changed, *lost))
        if locked is None:
            why, shown = "new", ()
        upstream = tuple(dict.fromkeys([*behind, *unsure]))
        self._reruns[stage.name] = Rerun(stage.name, why, shown, upstream)
        self._expect(stage)

    def _put_back(self, earlier: Mapping[str, str]) -> None:
        for path, md5 in earlier.items():
            if self._hashes.find(path) != md5:
                self._coming[path] = md5
                place = self._run_cache.find(md5)
                if place is not None:
                    self._tables.place(path, place)

    def _expect(self, stage: DeclaredStage) -> None:
        """Work out what a stage will write; what nothing here can work out is unknown."""
        maker = next((self._makers[o.path] for o in stage.outs if o.path in self._makers), None)
        made = maker(self._tables) if maker else {}
        for out in stage.outs:
            if out.path not in made:
                self._coming[out.path] = None
                continue
            self._tables.place(out.path, made[out.path])
            self._coming[out.path] = md5_file(made[out.path])

    def _tell(self, dep: str) -> str | None:
        """Return the md5 that a dependency will have; None where that is unknown or nothing is there."""
        coming = {out: md5 for out, md5 in self._coming.items() if overlap(out, dep)}
        if not coming:
            return self._hashes.find(dep)
        if None in coming.values():
            return None
        if dep in coming:
            return coming[dep]
        for out, md5 in coming.items():
            if dep.startswith(f"{out}/"):
                return self._run_cache.list_folder(str(md5)).get(dep.removeprefix(f"{out}/"))
        return self._merge(dep, {out: str(md5) for out, md5 in coming.items()})

    def _merge(self, folder: str, coming: Mapping[str, str]) -> str:
        """Return the md5 of a folder within which outputs change."""
        files = {f"{folder}/{name}": md5 for name, md5 in self._hashes.list_files(folder).items()}
        for out, md5 in coming.items():
            files = {name: one for name, one in files.items() if not overlap(out, name)}
            if md5.endswith(".dir"):
                inner = self._run_cache.list_folder(md5).items()
                files |= {f"{out}/{name}": one for name, one in inner}
            else:
                files[out] = md5
        return hash_listing({name.removeprefix(f"{folder}/"): md5 for name, md5 in files.items()})

    def _is_unknown(self, dep: str) -> bool:
        return any(md5 is None and overlap(out, dep) for out, md5 in self._coming.items())

    def _touches(self, stage: DeclaredStage) -> bool:
        return stage.name in self._reruns or stage.name in self._restored

    def _list_makers(self, deps: Iterable[str]) -> Iterator[DeclaredStage]:
        """Yield the stages that make what stands at the paths, above or below them, each once."""
        found = {
            stage.name: stage
            for dep in deps
            for out, stage in self._made_by.items()
            if overlap(out, dep)
        }
        yield from found.values()
