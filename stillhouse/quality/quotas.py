"""At most so many rows of a category, a task or a document."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Final

from pydantic import Field

from stillhouse.base.errors import InputError, suggest
from stillhouse.base.ids import Json
from stillhouse.base.params import Params
from stillhouse.base.records import Pair
from stillhouse.quality.duplicates import name
from stillhouse.quality.judge import REPLAY
from stillhouse.quality.material import Drop, Kind

EACH_OTHER: Final = "*"

Limits = Mapping[str, Annotated[int, Field(ge=0)]]


class QuotaParams(Params):
    """Most rows by name; ``*`` is the limit of each one that is not named.

    Rows of the task replay count in none but one of tasks that names it.
    """

    document: Limits = Field(default_factory=dict)
    task: Limits = Field(default_factory=dict)
    category: Limits = Field(default_factory=dict)

    def find(self, kind: Kind) -> Limits:
        """Return the limits of documents, tasks or categories."""
        limits: Limits = getattr(self, kind)
        return limits


def find_over_quota(
    kind: Kind, pairs: Sequence[Pair], values: Mapping[str, str], limits: Limits
) -> list[Drop]:
    """Return the pairs over the limits.

    Args:
        kind: what the limits are of.
        pairs: the best first.
        values: pair id -> its document, task or category; empty counts as none.
        limits: value -> most rows.
    """
    groups: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        if (value := values[pair.pair_id]) and _counts(pair, kind, limits):
            groups[value].append(pair)
    found: list[Drop] = []
    for value, group in sorted(groups.items()):
        most = limits.get(value, limits.get(EACH_OTHER))
        for pair in group[most:] if most is not None else ():
            winner = f"; gives way to {name(group[most - 1])}" if most else ""
            found.append((pair, "quota", f"the {kind} {value} has its {most} rows{winner}"))
    return found


def _counts(pair: Pair, kind: Kind, limits: Limits) -> bool:
    return pair.task != REPLAY or (kind == "task" and REPLAY in limits)


def describe_quota(
    kind: Kind,
    values: Mapping[str, str],
    left: Sequence[Pair],
    over: Sequence[Drop],
    limits: Limits,
) -> dict[str, Json]:
    """Return how many rows that count each limited value has, and how many it lost."""
    stay = Counter(values[pair.pair_id] for pair in left if _counts(pair, kind, limits))
    lost = Counter(values[pair.pair_id] for pair, _, _ in over)
    return {
        value: {
            "limit": limits.get(value, limits.get(EACH_OTHER)),
            "rows": stay[value],
            "dropped": lost[value],
        }
        for value in sorted((set(limits) - {EACH_OTHER}) | set(lost))
    }


def refuse_unknown(kind: Kind, limits: Limits, known: Collection[str]) -> None:
    """Refuse a limit of something that nobody was asked about: it would limit nothing.

    Raises:
        InputError: a name is not among the known ones.
    """
    for value in sorted(set(limits) - set(known) - {EACH_OTHER}):
        raise InputError(
            f"`curate.quotas.{kind}.{value}` names no {kind} that was asked about",
            where="params.yaml",
            expected="one of " + ", ".join(sorted(known)[:12]),
            remedy=suggest(value, sorted(known)) or "take it out",
        )
