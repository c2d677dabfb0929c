"""Chunks follow headings, keep to their budget, and stay where they are when text is added."""

import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillhouse.base.ids import canonical_json, sha256_text
from stillhouse.base.records import Chunk, Document
from stillhouse.corpus.blocks import Code, Heading, Item, Paragraph, Table, write_blocks
from stillhouse.corpus.chunker import IngestParams, chunk_document
from stillhouse.corpus.ingest import load_sources
from stillhouse.corpus.tokens import estimate_tokens
from tests.making import ingest_folder

WORDS = [
    "the",
    "boat",
    "leaves",
    "at",
    "noon",
    "when",
    "12",
    "crew",
    "are",
    "aboard",
    "near",
    "Cape",
]


def document(text: str, source: str = "a.md") -> Document:
    return Document("d", source, "text/markdown", "A", text, "CC0-1.0", "0" * 64)


def chunk(text: str, budget: int = 40, source: str = "a.md") -> list[Chunk]:
    return chunk_document(document(text, source), budget)


def paragraphs(count: int, seed: int = 5) -> list[str]:
    rng = random.Random(seed)
    return [
        " ".join(rng.choices(WORDS, k=rng.randint(5, 40))).capitalize() + "." for _ in range(count)
    ]


def test_a_section_that_fits_is_one_chunk_with_its_subsections() -> None:
    text = "# A\n\nOne.\n\n## B\n\nTwo.\n\n## C\n\nThree.\n"
    (only,) = chunk(text)
    assert (only.headings, only.anchor, only.text) == (("A",), "A:0", text[5:].rstrip())


def test_a_section_that_does_not_fit_is_divided_at_its_subsections() -> None:
    filler = "Boats leave the harbour at noon by the north gate every day of the week."
    text = f"# A\n\n{filler}\n\n## B\n\n{filler}\n\n### B/1\n\n{filler}\n\n## C\n\nThree.\n"
    assert [(c.headings, c.anchor) for c in chunk(text, budget=30)] == [
        (("A",), "A:0"),
        (("A", "B"), "A/B:0"),
        (("A", "B", "B/1"), "A/B/B∕1:0"),
        (("A", "C"), "A/C:0"),
    ]


def test_text_before_any_heading_and_equal_headings_have_anchors_of_their_own() -> None:
    text = "Zero.\n\n# A\n\nOne.\n\n# A\n\nOne.\n"
    found = chunk(text)
    assert [c.anchor for c in found] == [":0", "A:0", "A:1"]
    assert len({c.chunk_id for c in found}) == 3


def test_a_heading_without_text_gives_no_chunk() -> None:
    assert chunk("# A\n") == []


def test_a_long_table_is_divided_between_rows_behind_its_head() -> None:
    rows = (("Boat", "Fee"), *((f"Boat number {i}", f"£{i}") for i in range(30)))
    found = chunk("# T\n\n" + write_blocks([Table(tuple(rows))]), budget=60)
    assert len(found) > 3
    assert all(
        line.startswith("| ") and line.endswith(" |") for c in found for line in c.text.split("\n")
    )
    assert found[0].text.split("\n")[:3] == [
        "| Boat | Fee |",
        "| --- | --- |",
        "| Boat number 0 | £0 |",
    ]


def test_long_paragraphs_are_divided_at_sentences() -> None:
    sentence = "Mr. Hale keeps the gate at noon and at night."
    found = chunk(" ".join([sentence] * 12), budget=40)
    assert len(found) > 2
    assert all(c.text.startswith("Mr.") and c.text.endswith("night.") for c in found)


def test_a_sentence_without_end_is_divided_at_words_and_a_word_without_end_anywhere() -> None:
    long_sentence = " ".join(["boat"] * 200)
    assert {word for c in chunk(long_sentence) for word in c.text.split()} == {"boat"}
    assert "".join(c.text for c in chunk("x" * 900)) == "x" * 900


INLINE = st.text(st.sampled_from("abc XYZ 019 .,:£é|#-*`!? \n\u2028\x85"), max_size=300)
BLOCKS = st.lists(
    st.one_of(
        st.builds(Heading, st.integers(1, 6), INLINE),
        st.builds(Paragraph, INLINE),
        st.builds(Item, INLINE, st.none() | st.integers(0, 99), st.integers(0, 2)),
        st.builds(Code, INLINE),
        st.builds(
            Table,
            st.lists(
                st.lists(INLINE, min_size=1, max_size=3).map(tuple), min_size=1, max_size=8
            ).map(tuple),
        ),
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(BLOCKS, st.integers(16, 120))
def test_chunks_keep_offsets_and_budget_and_lose_no_text(blocks: list, budget: int) -> None:
    text = write_blocks(blocks)
    found = chunk(text, budget)
    assert all(text[c.start : c.end] == c.text and c.text.strip() for c in found)
    assert all(estimate_tokens(c.text) <= budget for c in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert len({c.chunk_id for c in found}) == len(found) == len({c.anchor for c in found})
    covered = {i for c in found for i in range(c.start, c.end)}
    left = "".join(char for i, char in enumerate(text) if i not in covered)
    assert all(not line.strip() or line.startswith("#") for line in left.split("\n"))


@pytest.mark.parametrize("place", [0, 1, 30, 79])
@pytest.mark.parametrize("seed", range(8))
def test_an_inserted_paragraph_changes_at_most_three_chunks(seed: int, place: int) -> None:
    before = paragraphs(80, seed)
    after = [
        *before[:place],
        "A new rule about anchors holds from the first of May.",
        *before[place:],
    ]
    old, new = (
        {c.chunk_id for c in chunk("# A\n\n" + "\n\n".join(texts), 120)}
        for texts in (before, after)
    )
    assert len(old - new) <= 3
    assert len(old) > 15


def test_an_insertion_moves_only_offsets_of_what_follows() -> None:
    filler = "\n\n".join(paragraphs(6))
    text = f"# A\n\n{filler}\n\n## B\n\nLast words.\n"
    old, new = chunk(text)[-1], chunk(text.replace("# A\n", "# A\n\nNew.\n", 1))[-1]
    assert (old.chunk_id, old.anchor, old.text) == (new.chunk_id, new.anchor, new.text)
    assert old.start != new.start


def test_the_chunk_id_changes_with_source_headings_and_text_and_with_nothing_else() -> None:
    base = chunk("# A\n\nText.")[0].chunk_id
    assert base == chunk("# A\n\nText.\n\n# B\n\nMore.")[0].chunk_id
    others = [
        chunk("# A\n\nText.", source="b.md")[0].chunk_id,
        chunk("# B\n\nText.")[0].chunk_id,
        chunk("# A\n\nText!")[0].chunk_id,
    ]
    assert len({base, *others}) == 4


def test_the_chunker_cuts_where_its_version_says() -> None:
    """Pins versions.CHUNKER: if this changes on purpose, bump the version with it."""
    found = chunk("# A\n\n" + "\n\n".join(paragraphs(30)), 100)
    assert sha256_text(canonical_json([c.chunk_id for c in found]))[:16] == "024ce8381186f183"


def test_the_bundled_documents_keep_the_default_budget() -> None:
    seed = Path("data/seed")
    ingested = ingest_folder(seed / "documents", load_sources(seed / "sources.yaml"))
    assert ingested.skipped == []
    budget = IngestParams().max_tokens
    for one in ingested.documents:
        for c in chunk_document(one, budget):
            assert one.text[c.start : c.end] == c.text
            assert estimate_tokens(c.text) <= budget


# (text, tokens counted by SmolLM2's tokenizer, which splits every digit)
COUNTED = [
    (
        "The harbour office is open from 08:40 to 16:15 on working days, and calls are taken on extension 4417.",
        35,
    ),
    (
        "Expense claims above £1,250.75 need form FN-207b, signed by the Financial Controller, Odalys Brenkwater.",
        35,
    ),
    (
        "| Product | Price | Interval |\n| --- | --- | --- |\n| Kelda tide gauge | £2,845 | 14 months |\n| Tarn current meter | £310 | 9 months |",
        51,
    ),
    (
        "- 2.1 A near miss is an event that could have caused injury, damage or pollution but did not.\n- 2.2 A serious incident is reported within 40 minutes.",
        41,
    ),
    (
        "EMERGENCY PROCEDURES FOR OFFSHORE CREWS ABOARD MV SKARROWMOUTH apply to everybody: read them before you sail, please.",
        35,
    ),
    (
        "Übergrößenträger in Łódź pay the same fee as everybody else, namely 27.5 złoty for a night in the café by the quay.",
        45,
    ),
]


@pytest.mark.parametrize(("text", "counted"), COUNTED)
def test_the_estimate_is_not_below_what_a_tokenizer_counts(text: str, counted: int) -> None:
    assert counted <= estimate_tokens(text) <= 1.8 * counted
