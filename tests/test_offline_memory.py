"""What the offline teacher remembers of passages: the facts, in bounded memory."""

from pathlib import Path

import pytest

from stillhouse.corpus.chunker import IngestParams, chunk_document
from stillhouse.corpus.ingest import Sources
from stillhouse.prompts.passages import Passage, parse_passages
from stillhouse.prompts.render import show_chunk
from stillhouse.prompts.stock import lay_passages
from stillhouse.teachers.offline import recall
from stillhouse.teachers.offline.facts import Fact
from stillhouse.teachers.offline.memory import Memory
from tests.making import ingest_folder
from tests.offline_handbook import LOANS, ROOMS


class Reading:
    """Reads passages, and writes down which."""

    def __init__(self) -> None:
        self.read: list[Passage] = []

    def __call__(self, passage: Passage) -> list[Fact]:
        self.read.append(passage)
        return recall.read_facts(passage)


def numbered(number: int) -> Passage:
    return Passage("a.md", "Pumps", f"Pump P-{number} must be cleaned every {number + 2} weeks.")


def test_a_passage_is_read_once_and_recalled_equal() -> None:
    memory, reading = Memory(limit=1_000_000), Reading()
    for passage in (LOANS, ROOMS, LOANS, ROOMS):
        facts = memory.recall(passage, reading)
        assert facts
        assert facts == recall.read_facts(passage)
    assert reading.read == [LOANS, ROOMS]


def test_facts_of_real_passages_come_back_equal_from_two_kilobytes_each() -> None:
    memory, facts = Memory(limit=50_000_000), {}
    for passage in handbook():
        facts[passage] = memory.recall(passage, recall._read_facts)
    assert len(facts) > 300
    assert sum(map(len, facts.values())) > 600
    assert memory.used < 2_000 * len(facts)
    assert {passage: memory.recall(passage, refuse) for passage in facts} == facts


def refuse(passage: Passage) -> list[Fact]:
    raise AssertionError(f"read again: {passage}")


def handbook() -> list[Passage]:
    """Return the passages of the bundled documents, as prompts show them."""
    documents = ingest_folder(Path("data/seed/documents"), Sources()).documents
    budget = IngestParams().max_tokens
    chunks = [chunk for document in documents for chunk in chunk_document(document, budget)]
    with lay_passages(documents, chunks, show_chunk) as stock:
        return [passage for laid in stock for passage in parse_passages(laid.passage)]


def test_what_is_recalled_can_be_changed_without_harm() -> None:
    memory, reading = Memory(limit=1_000_000), Reading()
    memory.recall(LOANS, reading).clear()
    memory.recall(LOANS, reading).clear()
    assert memory.recall(LOANS, reading) == recall.read_facts(LOANS)


@pytest.mark.parametrize("other", [("b.md", "Pumps"), ("a.md", "Valves")])
def test_equal_text_in_another_place_is_another_passage(other: tuple[str, str]) -> None:
    memory, reading = Memory(limit=1_000_000), Reading()
    first = numbered(1)
    second = Passage(*other, first.text)
    memory.recall(first, reading)
    memory.recall(second, reading)
    assert reading.read == [first, second]


def test_memory_stays_below_its_bound_and_forgets_what_was_used_longest_ago() -> None:
    memory, reading = Memory(limit=10_000), Reading()
    for number in range(60):
        memory.recall(numbered(number), reading)
        memory.recall(numbered(0), reading)
        assert memory.used <= memory.limit
    assert 3 < len(memory) < 60
    assert reading.read.count(numbered(0)) == 1
    memory.recall(numbered(1), reading)
    assert reading.read.count(numbered(1)) == 2


def test_a_passage_larger_than_the_memory_is_read_each_time() -> None:
    memory, reading = Memory(limit=10), Reading()
    assert memory.recall(LOANS, reading) == memory.recall(LOANS, reading)
    assert (len(reading.read), len(memory), memory.used) == (2, 0, 0)
