"""Which rows give away a fact that is to be held out, though they are about another one.

Values are compared, not meanings: what a row says in other numbers and names is not seen.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from stillhouse.base.questions import row_answer, row_question
from stillhouse.base.records import Row
from stillhouse.execution.tasks import VERIFIED
from stillhouse.quality.claims import extract_claims, gather_evidence, value_set

# A row of another passage tells the same fact when it names all its values and at least this share
# of the other words of its question and answer.
_SAME_WORDS: Final = 0.6


@dataclass(frozen=True, slots=True)
class _Secret:
    """A held-out fact as one row states it."""

    fact_id: str
    chunk_ids: frozenset[str]
    values: frozenset[str]
    words: tuple[str, ...]


def find_tellers(rows: Iterable[Row], facts: Collection[str]) -> list[Row]:
    """Return the rows of other facts which name, from the same chunk, a fact's values.

    A multi-step answer, or an exception, teaches the values that it uses.
    """
    secrets = _index(rows, facts)
    return [
        row
        for row in rows
        if row.fact_id not in facts
        and any(secret.chunk_ids.intersection(row.chunk_ids) for secret in _told(row, secrets))
    ]


def find_taught_elsewhere(rows: Sequence[Row], facts: Collection[str]) -> set[str]:
    """Return the facts that rows from other passages tell too, in much the same words."""
    secrets = _index(rows, facts)
    return {
        secret.fact_id
        for row in rows
        if row.fact_id not in facts
        for secret in _told(row, secrets)
        if secret.chunk_ids.isdisjoint(row.chunk_ids) and _shares_words(row, secret)
    }


def _index(rows: Iterable[Row], facts: Collection[str]) -> dict[str, list[_Secret]]:
    """Return the facts' secrets under the rarest of their values, so that few are compared."""
    secrets = dict.fromkeys(_keep_secrets(rows, facts))
    common = Counter(value for secret in secrets for value in secret.values)
    index: dict[str, list[_Secret]] = defaultdict(list)
    for secret in secrets:
        index[min(secret.values, key=lambda value: (common[value], value))].append(secret)
    return index


def _keep_secrets(rows: Iterable[Row], facts: Collection[str]) -> Iterator[_Secret]:
    for row in rows:
        if row.task in VERIFIED:
            continue  # all that is needed stands beside the question: there is nothing to give away
        if row.fact_id in facts and (values := value_set(row_answer(row))):
            words = extract_claims(f"{row_question(row)}\n{row_answer(row)}").words
            yield _Secret(row.fact_id, frozenset(row.chunk_ids), values, words)


def _told(row: Row, index: dict[str, list[_Secret]]) -> Iterator[_Secret]:
    """Yield the secrets all of whose values the row's answer or reasoning names."""
    said = value_set(f"{row_answer(row)}\n{row.reasoning}")
    for value in said & index.keys():
        yield from (secret for secret in index[value] if secret.values <= said)


def _shares_words(row: Row, secret: _Secret) -> bool:
    said = gather_evidence([row_question(row), row_answer(row)])
    shared = sum(said.has_word(word) for word in secret.words)
    return bool(secret.words) and shared >= _SAME_WORDS * len(secret.words)
