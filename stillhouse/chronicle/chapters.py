"""Git's history as chapters: one for each state of data and models, however many commits had it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stillhouse.base.git import ask_git
from stillhouse.base.lock import read_lock
from stillhouse.chronicle.states import State, read_state, read_states
from stillhouse.history.commits import Commit, list_commits

_HEAD = "HEAD"


@dataclass(frozen=True, slots=True)
class Chapter:
    """A state, the commit that brought it, and how many commits in a row had it.

    ``refs`` stand at any of these. The commit's sha is empty for what lies in the workspace alone.
    """

    commit: Commit
    refs: tuple[str, ...]
    commits: int
    state: State


def list_chapters(root: Path, student: str = "") -> list[Chapter]:
    """Return the chapters of every ref and of the workspace, newest first.

    Args:
        root: the project.
        student: whose model and scores count, in versions that have it; without one those of all.
    """
    commits = list_commits(root)
    read = read_states(root, (commit.lock_blob for commit in commits))
    states = {blob: kept for blob, state in read.items() if (kept := _keep(state, student))}
    head = ask_git(root, "rev-parse", "--verify", "--quiet", _HEAD).strip()
    groups = _group(commits, states, _read_parents(root))
    chapters = [_make_chapter(group, states, head) for group in groups]
    chapters.sort(key=lambda chapter: chapter.commit.seconds, reverse=True)
    here = _keep(read_state(read_lock(root)), student)
    known = next((c.state for c in chapters if _HEAD in c.refs), None)
    if here is not None and here != known:
        chapters.insert(0, Chapter(Commit("", (), 0, "not committed", ""), ("workspace",), 0, here))
    return chapters


def _keep(state: State, student: str) -> State | None:
    """Return what of a state is asked about; None where that is nothing."""
    kept = state.narrow(student)
    return kept if kept.students or (kept.tables and not student) else None


def _read_parents(root: Path) -> dict[str, list[str]]:
    lines = ask_git(root, "rev-list", "--parents", "--all", _HEAD).splitlines()
    return {sha: parents for sha, *parents in map(str.split, lines)}


def _group(
    commits: list[Commit], states: Mapping[str, State], parents: Mapping[str, list[str]]
) -> list[list[Commit]]:
    """Return the commits of each chapter, oldest first.

    A commit goes on with the chapter of a parent in the same state. Two that leave one chapter for
    the same state, as an experiment and the commit that took it over, begin one new chapter.
    """
    groups: list[list[Commit]] = []
    owner: dict[str, int] = {}
    begun: dict[tuple[int | None, State], int] = {}
    for commit in reversed(commits):
        state = states.get(commit.lock_blob)
        if state is None:
            continue
        before = [owner[sha] for sha in parents.get(commit.sha, ()) if sha in owner]
        place = next((i for i in before if states[groups[i][0].lock_blob] == state), None)
        if place is None:
            key = (before[0] if before else None, state)
            place = begun.setdefault(key, len(groups))
        if place == len(groups):
            groups.append([])
        groups[place].append(commit)
        owner[commit.sha] = place
    return groups


def _make_chapter(group: list[Commit], states: Mapping[str, State], head: str) -> Chapter:
    refs = {ref for commit in group for ref in commit.refs}
    first = (_HEAD,) if any(commit.sha == head for commit in group) else ()
    return Chapter(group[0], (*first, *sorted(refs)), len(group), states[group[0].lock_blob])
