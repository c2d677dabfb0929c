"""All that is asked: the requests of the plan, then, round by round, those that develop their pairs."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from stillhouse.base.records import Request
from stillhouse.base.tables import StoredTable, open_table
from stillhouse.prompts.evolve import Evolution, Parent
from stillhouse.teachers.answers import find_statement
from stillhouse.teachers.generate import Collected, Counts, GenerateParams, Read, read_answers
from stillhouse.teachers.journal import Journal

Show: TypeAlias = Callable[[Iterable[Read], int], Iterable[Read]]


class Ask(Protocol):
    """Has the journal hold the answers to a table of requests; ``number`` is the round's, from 0."""

    def __call__(self, path: Path, params: GenerateParams, number: int) -> Collected:
        """Return what was asked; raises what ``collect_answers`` raises."""
        ...


@dataclass(slots=True)
class Rounds:
    """Walks through the rounds; ``counts`` are those of all that were asked so far."""

    ask: Ask
    journal: Journal
    params: GenerateParams
    evolution: Evolution
    counts: Counts = field(default_factory=lambda: Counts(0, 0, 0))

    def walk(self, path: Path, show: Show = lambda reads, _: reads) -> Iterator[tuple[int, Read]]:
        """Yield the round and what each request came to; those of a later round after the earlier ones.

        ``path`` is the table of the plan's requests. What is refused for good counts over all rounds.
        """
        known: set[str] = set()
        refused = 0
        with tempfile.TemporaryDirectory(prefix="stillhouse-rounds-") as folder:
            for number in range(self.evolution.rounds + 1):
                left = self.params.tolerate_refusals - refused
                params = self.params.model_copy(update={"tolerate_refusals": left})
                collected = self.ask(path, params, number)
                self._add(collected.counts)
                refused += len(collected.refused)
                further = Path(folder) / f"{number + 1}.parquet"
                asked = StoredTable(path, Request)
                reads = show(read_answers(asked, self.journal, collected.refused), len(asked))
                if number == self.evolution.rounds:
                    yield from ((number, read) for read in reads)
                    return
                with open_table(further, Request, repeats="first") as table:
                    for read in reads:
                        yield number, read
                        for child in derive_requests(self.evolution, read):
                            if child.request_id not in known:
                                table.add(child)
                if not table.count:
                    return
                known.update(child.request_id for child in StoredTable(further, Request))
                path = further

    def _add(self, counts: Counts) -> None:
        self.counts = Counts(
            self.counts.requests + counts.requests,
            self.counts.answered + counts.answered,
            self.counts.sent + counts.sent,
        )


def derive_requests(evolution: Evolution, read: Read) -> Iterator[Request]:
    """Yield the calls that develop the pairs of one answer, as far as these are drawn."""
    if read.response is None:
        return
    for pair in evolution.choose(read.request, read.pairs):
        statement = find_statement(pair, read.response)
        yield from evolution.ask(Parent(pair, read.request, statement))
