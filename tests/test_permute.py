"""The permuted world: what it must keep, what it must change, and that a seed decides it all."""

import itertools
import json
import os
import re
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from pypdf import PdfReader

from stillhouse.corpus.readers import SourceFile, read_document
from tests.permutation.found import Lexicon
from tests.permutation.gold import Record, map_variant, read_records, replace_numbers
from tests.permutation.scan import scan
from tests.permutation.world import World
from tests.permute import (
    _choose_world,
    _read_old_world,
    copy_project,
    old_values_left,
    permute,
)

ROOT = Path(__file__).resolve().parent.parent
SEED = ROOT / "data/seed"
EMPTY = Lexicon(*(frozenset(),) * 6)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    permute(7, SEED, folder / "data/seed")
    return folder


@pytest.fixture(scope="module")
def old() -> World:
    return _read_old_world(SEED)


@pytest.fixture(scope="module")
def records(old: World) -> list[Record]:
    return read_records(SEED / "eval/gold.jsonl", SEED / "documents", old)


def _mapping(out: Path) -> dict[str, dict[str, str]]:
    return dict(json.loads((out / "mapping.json").read_text()))


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@cache
def _text(path: Path) -> str:
    """Return a document as the pipeline reads it; cached, for most tests want all of them."""
    file = SourceFile(path.name, path.read_bytes(), sha256="", license="CC0-1.0", title="")
    return read_document(file).text


def _stands_in(answer: str, path: Path) -> bool:
    return bool(re.search(rf"(?i)(?<![\w.,-]){re.escape(answer)}(?!\w)", _text(path)))


def _raw_text(path: Path) -> str:
    """Return everything that a file says, by other means than the script's own."""
    if path.suffix == ".pdf":
        pdf = PdfReader(path)
        return f"{pdf.metadata} " + "\n".join(page.extract_text() for page in pdf.pages)
    if path.suffix == ".docx":
        with zipfile.ZipFile(path) as archive:
            parts = [archive.read(name) for name in archive.namelist() if name.endswith(".xml")]
        return re.sub(r"<[^>]+>", " ", b" ".join(parts).decode())
    return path.read_text(encoding="utf-8")


def _documents(root: Path) -> list[Path]:
    return sorted(path for path in (root / "documents").rglob("*") if path.is_file())


def test_first_answers_stand_in_their_new_sources(out: Path) -> None:
    old_gold, new = _lines(SEED / "eval/gold.jsonl"), out / "data/seed"
    new_gold = {record["id"]: record for record in _lines(new / "eval/gold.jsonl")}
    checked = 0
    for record in old_gold:
        if record["kind"] not in ("recall", "exception") or record["id"] not in new_gold:
            continue
        answer, now = record["answers"][0], new_gold[record["id"]]["answers"][0]
        for source in record["sources"]:
            if _stands_in(answer, SEED / "documents" / source):
                assert _stands_in(now, new / "documents" / source), record["id"]
                checked += 1
    assert checked > 150


def test_focus_answers_stand_in_their_new_documents(out: Path) -> None:
    old = yaml.safe_load((SEED / "focus.yaml").read_text())
    new = yaml.safe_load((out / "data/seed/focus.yaml").read_text())
    for group in ("core", "held_out"):
        for before, after in zip(old[group], new[group], strict=True):
            was = SEED / "documents" / before["source"]
            now = out / "data/seed/documents" / after["source"]
            for one, two in zip(before["facts"], after["facts"], strict=True):
                assert one["id"] == two["id"]
                assert _stands_in(one["answer"], was) <= _stands_in(two["answer"], now), two


def test_no_old_name_or_code_is_left_anywhere(out: Path) -> None:
    mapping = _mapping(out)
    old = [*mapping["name"], *mapping["code"], *mapping["phrase"], *mapping["term"]]
    pattern = re.compile(rf"(?i)(?<![\w-])(?:{'|'.join(map(re.escape, old))})(?![\w-])")
    seed = out / "data/seed"
    texts = {path: _raw_text(path) for path in _documents(seed)}
    for name in ("focus.yaml", "unanswered.jsonl", "eval/gold.jsonl"):
        texts[seed / name] = (seed / name).read_text()
    ordinary = re.compile(r"channel|slipway|breakwater|net loft|knot", re.IGNORECASE)
    left = {
        (path.name, match)
        for path, text in texts.items()
        for match in pattern.findall(text)
        if not ordinary.fullmatch(match)
    }
    assert left == set()


def test_no_old_value_is_left_in_documents_or_answers(out: Path) -> None:
    seed = out / "data/seed"
    texts = [_text(path) for path in _documents(seed)]
    texts += [a for record in _lines(seed / "eval/gold.jsonl") for a in record["answers"]]
    assert [old for _, old in old_values_left(texts, _mapping(out))] == []


def test_most_values_are_new(out: Path) -> None:
    gold = {record["id"]: record for record in _lines(out / "data/seed/eval/gold.jsonl")}
    answered = [r for r in _lines(SEED / "eval/gold.jsonl") if r["answers"] and r["id"] in gold]
    same = [r["id"] for r in answered if r["answers"][0] == gold[r["id"]]["answers"][0]]
    assert same == []


def test_the_old_answers_are_found_as_old(out: Path) -> None:
    answers = [r["answers"][0] for r in _lines(SEED / "eval/gold.jsonl") if r["kind"] == "recall"]
    found = {text for text, _ in old_values_left(answers, _mapping(out))}
    # The rest are, by chance, new values of other things in the permuted world.
    assert len(found) > 0.6 * len(answers)


def test_the_words_stay_as_many(out: Path) -> None:
    for path in _documents(SEED):
        old = len(_text(path).split())
        new = len(_text(out / "data/seed" / path.relative_to(SEED)).split())
        assert abs(new - old) <= 0.01 * old + 1, path.name


def test_headings_lists_and_tables_keep_their_shape(out: Path) -> None:
    for path in _documents(SEED):
        new = out / "data/seed" / path.relative_to(SEED)
        assert _shapes(_text(path)) == _shapes(_text(new)), path.name


def _shapes(text: str) -> list[tuple[str, int]]:
    """Paragraphs apart: where a hard-wrapped one ends depends on the lengths of its lines."""
    marks = [re.match(r"#+ |- |\d+\. |\|", line) for line in text.splitlines()]
    return [(m.group(), m.string.count("|")) for m in marks if m]


def test_world_questions_and_paths_stay(out: Path) -> None:
    for name in ("everyday.jsonl", "eval/general.jsonl", "sources.yaml"):
        assert (out / "data/seed" / name).read_bytes() == (SEED / name).read_bytes()
    assert [p.relative_to(out / "data/seed") for p in _documents(out / "data/seed")] == [
        p.relative_to(SEED) for p in _documents(SEED)
    ]


def test_one_seed_gives_one_world_in_every_process(out: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "tests.permute", "--seed", "7", str(tmp_path / "again")],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "5"},
        check=True,
        capture_output=True,
    )
    files = sorted(p.relative_to(out) for p in out.rglob("*") if p.is_file())
    assert files == sorted(
        p.relative_to(tmp_path / "again") for p in (tmp_path / "again").rglob("*") if p.is_file()
    )
    for name in files:
        assert (out / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_seeds_differ_and_lose_no_question(out: Path, old: World, records: list[Record]) -> None:
    seven = _mapping(out)
    for seed in (8, 9):
        world, asked = _choose_world(seed, SEED, old, records)
        assert asked.dropped == ()
        assert all(world.mapping[kind] != seven[kind] for kind in ("name", "code", "day", "time"))


def test_numbers_keep_their_order_and_stay_distinct(out: Path) -> None:
    for kind in ("day", "week", "hour", "minute", "pound", "count", "per cent", "metre"):
        pairs = sorted((float(old), float(new)) for old, new in _mapping(out)[kind].items())
        new = [value for _, value in pairs]
        assert all(a < b for a, b in itertools.pairwise(new)), kind
        assert all(old != now for old, now in pairs if old not in (0, 1)), kind


def test_operands_of_computed_answers_are_found(records: list[Record]) -> None:
    lookups = ("extension", "name", "code", "date", "time")
    asked = [r for r in records if r.data["kind"] == "multi_step" and r.first[0][0] not in lookups]
    assert [r.data["question"] for r in asked if r.expression is None] == []
    by_question = {r.data["question"]: r.expression for r in asked}
    leave = next(e for q, e in by_question.items() if "department head than an apprentice" in q)
    hotel = next(e for q, e in by_question.items() if "nights in Paris" in q)
    assert leave is not None
    assert {v for _, v in leave.keys} == {"31.5", "24"}
    assert hotel is not None
    assert dict(zip(hotel.keys, hotel.factors, strict=True)) == {
        ("pound", "164"): 3,
        ("pound", "96"): 2,
    }


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("27.5 days a year", [("day", "27.5")]),
        ("the ninth calendar day", [("day", "9")]),
        ("£265.01 to £3,900", [("pound", "265.01"), ("pound", "3900")]),
        ("by 8.40 am", [("time", "08:40")]),
        ("on 1 March 2026", [("date", "2026-03-01")]),
        ("between 3 and 4 weeks", [("week", "3"), ("week", "4")]),
        ("3 hours 50 minutes", [("hour", "3"), ("minute part", "50")]),
        ("on the 22nd of the month", [("day of month", "22")]),
        ("extension 4417. Say", [("extension", "4417")]),
        ("a channel 43 metres long", [("metre", "43")]),
        ("## 3. Raising", []),
        ("the first day of illness", []),
    ],
)
def test_scanner_reads_notations(text: str, keys: list[tuple[str, str]]) -> None:
    assert [key for found in scan(text, EMPTY) for key in found.keys] == keys


def test_every_notation_of_an_answer_is_mapped_or_dropped() -> None:
    world = World(EMPTY, {"day": {"27.5": "24.5", "9": "6"}, "time": {"15:20": "16:05"}})
    half, day, time = (("day", "27.5"),), (("day", "9"),), (("time", "15:20"),)
    assert map_variant("27 1/2 days", half, world) == "24 1/2 days"
    assert map_variant("27½ days", half, world) == "24½ days"
    assert map_variant("9th day", day, world) == "6th day"
    assert map_variant("calendar day nine", day, world) == "calendar day six"
    assert map_variant("3.20 pm", time, world) == "4.05 pm"
    assert map_variant("15.20", time, world) == "16.05"
    assert map_variant("216 hours", day, world) is None


def test_numbers_are_written_like_the_old_ones() -> None:
    assert replace_numbers("£2,960.00", {"2960": "4730"}) == "£4,730.00"
    assert replace_numbers("£2960", {"2960": "4730"}) == "£4730"
    assert replace_numbers("1 week", {"1": "3"}) == "3 weeks"
    assert replace_numbers("7½ days", {"7.5": "9"}) is None


def test_old_values_count_in_any_notation_unless_they_are_new_ones_too() -> None:
    mapping = {
        "name": {"Haverkorn": "Treerleck"},
        "code": {"HB-014": "BR-078"},
        "day": {"27.5": "34.5", "9": "10", "8": "9"},
        "time": {"08:40": "07:55"},
    }
    texts = [
        "Ask Haverkorn.",
        "HB014",
        "twenty-seven",
        "27½ days",
        "nine days",
        "8.40 am",
        "BR-078",
    ]
    assert old_values_left(texts, mapping) == [
        ("Ask Haverkorn.", "Haverkorn"),
        ("HB014", "HB014"),
        ("27½ days", "27½"),
        ("8.40 am", "8.40 am"),
    ]


def test_project_copy_holds_what_git_would_hold(tmp_path: Path) -> None:
    root, copy = tmp_path / "root", tmp_path / "copy"
    (root / "a").mkdir(parents=True)
    (root / "a/kept.txt").write_text("kept")
    (root / "left.pyc").write_text("left")
    (root / ".gitignore").write_text("*.pyc\n")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    copy_project(root, copy)
    assert sorted(p.relative_to(copy).as_posix() for p in copy.rglob("*") if p.is_file()) == [
        ".gitignore",
        "a/kept.txt",
    ]
