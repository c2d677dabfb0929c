"""Any folder can be put in: what is text becomes documents, what is not is named with its reason."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fpdf import FPDF
from pypdf import PdfReader, PdfWriter

from stillhouse.base.errors import InputError
from stillhouse.base.formats import list_installed
from stillhouse.base.records import Document, Message, Rejection
from stillhouse.base.shelf import Shelf
from stillhouse.base.tables import StoredTable, open_table, read_all, write_sorted, write_table
from stillhouse.corpus.chunker import IngestParams, chunk_document
from stillhouse.corpus.ingest import Sources
from stillhouse.corpus.readers import SourceFile, read_document
from stillhouse.corpus.unreadable import UnreadableError
from tests.making import Ingested, ingest_folder

GERMAN = "Die Gebühr für Müllers Boot beträgt 5 € im Jahr, fällig am ersten März."


@dataclass(frozen=True, slots=True)
class Note:
    """A record with a tuple of records, for tables."""

    note_id: str
    words: tuple[str, ...]
    turns: tuple[Message, ...]
    place: int


def note(number: int, name: str = "") -> Note:
    turn = Message("user", f"turn {number}")
    return Note(name or f"{number % 97:03}{number}", ("é", "x" * 50), (turn,), number)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    return folder


def ingest(root: Path, **params: object) -> Ingested:
    return ingest_folder(root, Sources(), IngestParams.model_validate(params))


def reasons(result: Ingested) -> dict[str, str]:
    return {one.rejected_id: one.reason for one in result.skipped}


def texts(result: Ingested) -> dict[str, str]:
    return {one.source: one.text for one in result.documents}


def write_pdf(text: str) -> bytes:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("helvetica", "", 11)
    pdf.cell(0, 6, text)
    return bytes(pdf.output())


# --- JSON ----------------------------------------------------------------------------------------


def test_json_lines_with_a_text_are_a_document_each(root: Path) -> None:
    lines = [
        {"id": "gate", "title": "The gate", "text": "# Hours\n\nIt opens at 6."},
        {"text": "# Fees\n\nA ketch pays £11.", "license": "MIT", "other": 1},
        {"id": 7, "title": "Tides", "text": "High at noon."},
    ]
    (root / "faq.jsonl").write_text("\n\n".join(json.dumps(line) for line in lines))
    result = ingest(root)
    assert [(d.source, d.title, d.license, d.text) for d in result.documents] == [
        ("faq.jsonl#gate", "The gate", "unknown", "# The gate\n\n## Hours\n\nIt opens at 6.\n"),
        ("faq.jsonl#3", "Fees", "MIT", "# Fees\n\nA ketch pays £11.\n"),
        ("faq.jsonl#7", "Tides", "unknown", "# Tides\n\nHigh at noon.\n"),
    ]
    assert len({d.source_sha256 for d in result.documents}) == 3
    assert result.skipped == []


def test_json_objects_without_a_text_are_rows_of_one_table(root: Path) -> None:
    rows = [
        {"model": "Kelda", "price_eur": 15, "sold": True, "size": {"long": 4, "wide": None}},
        {"model": "Tarn", "berths": ["a", "b"], "log": [{"x": 1}]},
    ]
    expected = (
        "# Price list\n\n## Kelda\n\n- price eur: 15\n- sold: yes\n- size long: 4\n\n"
        '## Tarn\n\n- berths: a, b\n- log: [{"x":1}]\n'
    )
    (root / "price-list.json").write_text(json.dumps(rows))
    assert texts(ingest(root)) == {"price-list.json": expected}
    (root / "price-list.json").unlink()
    (root / "price-list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert texts(ingest(root)) == {"price-list.jsonl": expected}


def test_a_json_list_of_texts_is_a_document_each(root: Path) -> None:
    (root / "a.json").write_text(json.dumps([{"text": "One."}, {"text": "Two.", "id": "b"}]))
    assert texts(ingest(root)) == {"a.json#1": "One.\n", "a.json#b": "Two.\n"}


def test_a_broken_line_is_named_and_the_others_are_read(root: Path) -> None:
    lines = [
        b'\xef\xbb\xbf{"text": "One."}',
        b'{"text": ',
        b"[1]",
        b'{"title": "no text"}',
        b'{"text": "caf\xe9"}',
        b'{"text": "Two."}',
        b'{"text": "' + b"x" * 3000 + b'"}',
        b'{"text": "Three \\ud800."}',
        b'{"text": "Again.", "id": 1}',
    ]
    (root / "a.jsonl").write_bytes(b"\n".join(lines))
    result = ingest(root, max_file_mb=0.002)
    assert texts(result) == {"a.jsonl#1": "One.\n", "a.jsonl#6": "Two.\n", "a.jsonl#8": "Three .\n"}
    assert [(s.rejected_id, s.reason) for s in result.skipped] == [
        ("a.jsonl#2", "corrupt"),
        ("a.jsonl#3", "corrupt"),
        ("a.jsonl#4", "no_text"),
        ("a.jsonl#5", "unknown_encoding"),
        ("a.jsonl#7", "too_large"),
        ("a.jsonl#1", "repeated_name"),
    ]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.json", b"{", "corrupt"),
        ("a.json", b"[" * 100_000, "corrupt"),
        ("a.json", b'{"text": "alone"}', "unsupported"),
        ("a.json", b"[1, 2]", "unsupported"),
        ("a.json", b"[]", "empty"),
        ("a.json", b"", "empty"),
        ("a.jsonl", b"\n \n", "empty"),
        ("a.jsonl", b"nothing", "no_text"),
        ("a.jsonl", b'{"a": null}', "no_text"),
        ("a.ndjson", b'{"a": "%s"}\n' % (b"x" * 500) * 3, "too_large"),
    ],
)
def test_json_that_holds_no_documents_has_a_reason(
    root: Path, name: str, data: bytes, reason: str
) -> None:
    (root / name).write_bytes(data)
    result = ingest(root, max_file_mb=0.001 if reason == "too_large" else 32)
    assert (result.documents, reasons(result)[name]) == ([], reason)


# --- bytes into text -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"],
)
def test_text_is_read_in_every_usual_encoding(root: Path, encoding: str) -> None:
    (root / "a.txt").write_bytes(GERMAN.encode(encoding))
    assert texts(ingest(root)) == {"a.txt": f"{GERMAN}\n"}


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "The fee is £4."),
        ("cp1252", "La société élève des chèvres à Besançon ; c’est très cher dès l’été."),
        ("latin-1", "El señor Ñandú cobró 5 pesos mañana."),
        ("cp1251", "Плата за каждую ночь в порту составляет пять рублей."),
        ("shift_jis", "港の料金は一晩につき五円です。北門は二十一時に閉まります。"),
        ("gb18030", "港口费用为每晚五元。北门每天二十一点关闭。"),
    ],
)
def test_old_encodings_are_told_from_a_sentence(root: Path, encoding: str, text: str) -> None:
    (root / "a.txt").write_bytes(text.encode(encoding))
    assert [read.strip("# \n") for read in texts(ingest(root)).values()] == [text]


def test_a_page_is_read_in_the_encoding_that_it_names(root: Path) -> None:
    page = '<meta charset="{}"><title>Gebühr</title><p>Zażółć gęślą jaźń.</p>'
    (root / "a.html").write_bytes(page.replace("ü", "u").format("iso-8859-2").encode("iso-8859-2"))
    (root / "b.html").write_bytes(f'<meta charset="iso-8859-1"><p>{GERMAN}'.encode("cp1252"))
    assert texts(ingest(root)) == {"a.html": "Zażółć gęślą jaźń.\n", "b.html": f"{GERMAN}\n"}


def test_bytes_that_are_no_text_are_named_as_such(root: Path) -> None:
    noise = random.Random(1)
    (root / "noise.txt").write_bytes(noise.randbytes(4000))
    (root / "picture.md").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + noise.randbytes(500))
    (root / "cut.txt").write_bytes(b"\xff\xfea\x00b")
    assert reasons(ingest(root)) == {
        "noise.txt": "binary",
        "picture.md": "binary",
        "cut.txt": "unknown_encoding",
    }


# --- what lies about in folders ------------------------------------------------------------------


def test_locked_broken_and_packed_files_are_named(root: Path) -> None:
    writer = PdfWriter(clone_from=PdfReader(_bytes_file(root, write_pdf("Secret fee: 4."))))
    writer.encrypt("user", "owner", algorithm="AES-256")
    writer.write(root / "locked.pdf")
    (root / "half.pdf").write_bytes(write_pdf("Half of it.")[:300])
    (root / "locked.docx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600)
    (root / "broken.docx").write_bytes(b"PK\x03\x04 broken")
    (root / "empty.md").write_bytes(b"")
    for name in ("inner.zip", "inner.tar.gz", "inner.7z"):
        (root / name).write_bytes(b"PK")
    assert reasons(ingest(root)) == {
        "locked.pdf": "encrypted",
        "half.pdf": "corrupt",
        "locked.docx": "encrypted",
        "broken.docx": "corrupt",
        "empty.md": "empty",
        "inner.zip": "archive",
        "inner.tar.gz": "archive",
        "inner.7z": "archive",
    }


def _bytes_file(root: Path, data: bytes) -> Path:
    path = root.parent / "open.pdf"
    path.write_bytes(data)
    return path


def test_a_pdf_that_only_its_owner_may_print_is_read(root: Path) -> None:
    writer = PdfWriter(clone_from=PdfReader(_bytes_file(root, write_pdf("The fee is 4."))))
    writer.encrypt("", "owner", algorithm="AES-128")
    writer.write(root / "a.pdf")
    assert texts(ingest(root)) == {"a.pdf": "The fee is 4.\n"}


def test_a_word_document_that_unpacks_without_end_is_not_unpacked() -> None:
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("word/document.xml", b" " * 30_000_000)
    with pytest.raises(UnreadableError) as caught:
        read_document(SourceFile("a.docx", packed.getvalue(), "", "", ""))
    assert (caught.value.reason, caught.value.detail) == (
        "too_large",
        "its text unpacks to 30 MB",
    )


def test_a_file_over_the_limit_is_named_with_its_length(root: Path) -> None:
    (root / "a.txt").write_text("word " * 500)
    (root / "b.txt").write_text("One word.")
    result = ingest(root, max_file_mb=0.002)
    assert texts(result) == {"b.txt": "One word.\n"}
    assert result.skipped[0].detail == "it has 0.0 MB, `ingest.max_file_mb` allows 0.002"


def test_links_are_followed_only_within_the_folder_and_never_in_circles(root: Path) -> None:
    (root / "in").mkdir()
    (root / "in" / "a.md").write_text("One.")
    outside = root.parent / "documents-outside"
    outside.mkdir()
    (outside / "secret.md").write_text("Secret.")
    (root / "b.md").symlink_to(root / "in" / "a.md")
    (root / "secret.md").symlink_to(outside / "secret.md")
    (root / "far").symlink_to(outside)
    (root / "in" / "up").symlink_to(root)
    (root / "self.md").symlink_to(root / "self.md")
    (root / "ping.md").symlink_to(root / "pong.md")
    (root / "pong.md").symlink_to(root / "ping.md")
    (root / "gone.md").symlink_to(root / "nowhere.md")
    result = ingest(root)
    assert texts(result) == {"b.md": "One.\n"}
    assert reasons(result) == {
        "in/a.md": "duplicate",
        "secret.md": "outside",
        "far": "outside",
        "in/up": "linked_folder",
        "self.md": "unreadable",
        "ping.md": "unreadable",
        "pong.md": "unreadable",
        "gone.md": "unreadable",
    }


def test_hidden_files_and_folders_and_pipes_are_left_alone(root: Path) -> None:
    (root / ".git" / "deep").mkdir(parents=True)
    (root / ".git" / "deep" / "a.md").write_text("No.")
    (root / ".hidden.md").write_text("No.")
    (root / ".gitkeep").touch()  # alone is not named: it only keeps the folder in git
    (root / "kept").mkdir()
    (root / "kept/.gitkeep").write_text("No.")
    (root / "~$draft.docx").write_text("No.")
    os.mkfifo(root / "pipe.txt")  # opening it would wait for ever
    assert reasons(ingest(root)) == {
        ".git": "hidden",
        ".hidden.md": "hidden",
        "kept/.gitkeep": "hidden",
        "~$draft.docx": "hidden",
        "pipe.txt": "special",
    }


def test_strange_names_become_printable_sources(root: Path) -> None:
    for number, name in enumerate((b"caf\xe9.txt", b"two\nlines.md", "é".encode() + b".md")):
        (root / os.fsdecode(name)).write_text(f"Text {number}.")
    long = "x" * 251 + ".txt"
    (root / long).write_text("Long.")
    (root / "caf\\xe9.txt").write_text("A name like the written form of another.")
    result = ingest(root)
    assert set(texts(result)) == {"caf\\xe9.txt", "two\\x0alines.md", "é.md", long}
    assert reasons(result) == {"caf\\xe9.txt": "repeated_name"}
    assert all(chunk_document(document, 220) for document in result.documents)


def test_a_folder_that_cannot_be_entered_is_named(root: Path) -> None:
    (root / "a.md").write_text("One.")
    here, name = os.open(root, os.O_RDONLY), "d" * 250
    for _ in range(20):  # a path longer than the system can open by its name
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    result = ingest(root)
    assert texts(result) == {"a.md": "One.\n"}
    assert set(reasons(result).values()) == {"unreadable"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(root: Path) -> None:
    (root / "a.md").write_text("One.")
    (root / "a.md").chmod(0)
    assert [s.detail for s in ingest(root).skipped] == ["Permission denied"]


def test_a_file_that_is_excluded_is_not_complained_about(root: Path) -> None:
    (root / "a.zip").write_bytes(b"PK")
    (root / "b.md").symlink_to("/etc/hostname")
    result = ingest_folder(root, Sources(exclude=("*.zip", "b.md")), IngestParams())
    assert set(reasons(result).values()) == {"excluded"}


# --- equal documents -----------------------------------------------------------------------------


def test_of_documents_with_one_text_the_first_is_taken(root: Path) -> None:
    (root / "b.md").write_text("# Gate\n\nIt opens at 6.")
    (root / "a.html").write_text("<h1>Gate</h1><p>It <b>opens</b> at 6.</p>")
    (root / "c.md").write_text("# Gate\n\nIt opens at 7.")
    result = ingest(root)
    assert set(texts(result)) == {"a.html", "c.md"}
    assert [(s.rejected_id, s.reason, s.detail) for s in result.skipped] == [
        ("b.md", "duplicate", "its text is that of a.html")
    ]


# --- large files ---------------------------------------------------------------------------------


def test_a_long_document_is_cut_in_time_that_grows_with_it() -> None:
    rows = "\n".join(f"row {i},{'word ' * 12}" for i in range(20_000))
    document = read_document(SourceFile("a.csv", f"name,text\n{rows}".encode(), "", "", ""))
    chunks = chunk_document(document, 60)
    assert len(chunks) == 20_000
    assert chunks[-1].headings == ("A", "row 19999")


# --- tables larger than memory -------------------------------------------------------------------


def test_a_table_is_written_as_if_it_had_been_sorted_in_memory(tmp_path: Path) -> None:
    notes = [note(number) for number in range(9_000)]
    random.Random(3).shuffle(notes)
    write_table(tmp_path / "a.parquet", Note, notes)
    write_sorted(tmp_path / "b.parquet", Note, sorted(notes, key=lambda one: one.note_id))
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    stored = StoredTable(tmp_path / "a.parquet", Note)
    assert (len(stored), list(stored), list(stored)) == (9_000, *[sorted(notes, key=_id)] * 2)


def _id(one: Note) -> str:
    return one.note_id


def test_records_with_one_id_keep_their_order_or_give_way_to_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    notes = [note(3, "b"), note(2, "a"), note(1, "b")]
    write_table(path, Note, notes)
    assert [one.place for one in read_all(path, Note)] == [2, 3, 1]
    with open_table(path, Note, repeats="first") as table:
        for one in [*notes, note(3, "b")]:
            table.add(one)
    assert ([one.place for one in read_all(path, Note)], table.count) == ([2, 3], 2)
    with pytest.raises(ValueError, match="note_id=b"):
        write_table(path, Note, [note(3, "b"), note(3, "b")])


def test_a_table_that_was_not_finished_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError), open_table(tmp_path / "a.parquet", Note) as table:
        table.add(note(1))
        raise InputError("enough")
    assert list(tmp_path.iterdir()) == []


def test_a_shelf_gives_back_by_key_and_in_order_of_code_points() -> None:
    keys = ["b", "a\x00" + "2", "é", "a", "a\x00" + "10", "\U0001f600", "\uffff", "Z", "a b"]
    with Shelf(Note) as shelf:
        for number, key in enumerate([*keys, "b"]):
            shelf.put(key, note(number))
        ordered = sorted(enumerate([*keys, "b"]), key=lambda pair: pair[1])
        assert list(shelf) == [note(number) for number, _ in ordered]
        assert (shelf.get("b"), shelf.get("a\x00" + "10")) == (note(0), note(4))
        with pytest.raises(KeyError):
            shelf.get("c")


# --- the stage -----------------------------------------------------------------------------------


def project(tmp_path: Path, ingest_params: str) -> Path:
    for name in ("stages", "stillhouse"):
        shutil.copytree(name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    documents = tmp_path / "data/seed/documents"
    documents.mkdir(parents=True)
    (tmp_path / "data/seed/sources.yaml").write_text("version: 1\nexclude: ['*.bak']\n")
    params = f"ingest: {ingest_params}\nformats: {json.dumps(list_installed())}\n"
    (tmp_path / "params.yaml").write_text(params)
    (documents / "a.md").write_text("# Gate\n\nIt opens at 6.")
    (documents / "b.md").write_text("# Gate\n\nIt opens at 6.")
    (documents / "a.bak").write_text("x")
    for number in range(7):
        (documents / f"{number}.bin").write_bytes(b"x")
    (documents / "old.zip").write_bytes(b"PK")
    return tmp_path


def run_stage(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stages.ingest"],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )


def test_the_stage_counts_what_it_left_out_by_reason_and_names_the_first(tmp_path: Path) -> None:
    done = run_stage(project(tmp_path, "{max_tokens: 220}"))
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        "left out: 0.bin (unsupported), 1.bin (unsupported), 2.bin (unsupported), "
        "3.bin (unsupported), 4.bin (unsupported) and 3 more; all are in data/corpus/skipped.parquet",
        "ingest: documents=1 chunks=1 skipped=10 archive=1 duplicate=1 excluded=1 unsupported=7",
    ]
    skipped = read_all(tmp_path / "data/corpus/skipped.parquet", Rejection)
    assert Counter(one.reason for one in skipped)["unsupported"] == 7
    assert pq.read_metadata(tmp_path / "data/corpus/documents.parquet").num_rows == 1


def test_the_stage_may_refuse_what_cannot_be_read_and_then_writes_nothing(tmp_path: Path) -> None:
    done = run_stage(project(tmp_path, "{unreadable: refuse}"))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "8 cannot be read: 0.bin (unsupported), " in done.stderr
    assert "4.bin (unsupported) and 3 more; mend them" in done.stderr
    assert not (tmp_path / "data/corpus").exists()


def test_refusing_does_not_mind_what_was_left_out_on_purpose(tmp_path: Path) -> None:
    folder = project(tmp_path, "{unreadable: refuse}")
    for path in (folder / "data/seed/documents").iterdir():
        if path.suffix in (".bin", ".zip"):
            path.unlink()
    done = run_stage(folder)
    assert (done.returncode, done.stderr.splitlines()) == (
        0,
        ["ingest: documents=1 chunks=1 skipped=2 duplicate=1 excluded=1"],
    )
    documents = read_all(folder / "data/corpus/documents.parquet", Document)
    assert [one.source for one in documents] == ["a.md"]
