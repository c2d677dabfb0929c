"""All teacher calls of one version in one set of columns: the plan's, then those that develop pairs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stillhouse.tracing.columns import Flags, Lists, Requests, Rows, choose, flag
from stillhouse.tracing.index import Index
from stillhouse.tracing.lexicon import Numbers
from stillhouse.tracing.tables import DERIVED, PAIRS, REQUESTS


@dataclass(frozen=True, slots=True)
class Asked:
    """``requests`` are the ``plain`` ones and then those of which ``parent`` says what pair each develops.

    ``pairs`` are those of the same version; None where that table is not found.
    """

    requests: Requests
    plain: int
    parent: Numbers
    pairs: Rows | None

    def add_children(self, own: Flags, pairs: Flags) -> Flags:
        """Return the requests that are chosen or develop what a chosen one gave, however often.

        ``own`` says it of each request, ``pairs`` of each id: these pairs are chosen anyway.
        """
        chosen, size = own.copy(), len(pairs)
        while True:
            given = pairs.copy()
            if self.pairs is not None and chosen.any():
                asked = flag(size, self.requests.request[chosen])
                given[self.pairs.row[choose(asked, self.pairs.request)[self.pairs.group]]] = True
            more = chosen.copy()
            more[self.plain :] |= choose(given, self.parent)
            if (more == chosen).all():
                return chosen
            chosen = more

    @property
    def untold(self) -> Flags:
        """Which requests develop a pair of which nobody can tell what it came of."""
        lost: Flags = np.zeros(len(self.requests.request), np.bool_)
        lost[self.plain :] = self.pairs is None
        return lost


def read_asked(index: Index, tables: Mapping[Path, Path]) -> Asked | None:
    """Return the teacher calls that the tables of a version hold; None where the plan's are not found.

    Raises:
        InputError: a table is unreadable.
    """
    if REQUESTS not in tables:
        return None
    requests = index.requests(tables[REQUESTS])
    plain = len(requests.request)
    if DERIVED not in tables or not tables[DERIVED].is_file():
        return Asked(requests, plain, np.empty(0, np.int32), None)
    derived = index.derived(tables[DERIVED])
    if not len(derived.request):
        return Asked(requests, plain, derived.parent, None)
    joined = Requests(
        request=_join(requests.request, derived.request),
        chunks=_join_lists(requests.chunks, derived.chunks),
        path=_join(requests.path, derived.path),
        prompt=_join(requests.prompt, derived.prompt),
        task=_join(requests.task, derived.task),
        teacher=_join(requests.teacher, derived.teacher),
        model=_join(requests.model, derived.model),
    )
    pairs = index.pairs(tables[PAIRS]) if PAIRS in tables else None
    return Asked(joined, plain, derived.parent, pairs)


def _join(first: Numbers, second: Numbers) -> Numbers:
    whole: Numbers = np.concatenate([first, second])
    return whole


def _join_lists(first: Lists, second: Lists) -> Lists:
    starts = _join(first.starts, (second.starts[1:] + first.starts[-1]).astype(np.int32))
    return Lists(_join(first.values, second.values), starts)
