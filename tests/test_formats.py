"""The pinned formats are those of the code, explained where they differ, and no stage's parameter."""

from pathlib import Path

import pytest
import yaml

from stillhouse.base import versions
from stillhouse.base.errors import InputError
from stillhouse.base.formats import (
    EFFECTS,
    FormatChange,
    Formats,
    check_formats,
    compare_formats,
    list_installed,
)
from stillhouse.base.params import load_section
from stillhouse.scaffold.upgrade import COMMENT, append_section, replace_numbers

ROOT = Path(__file__).parent.parent
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def write_params(folder: Path, **numbers: int) -> Path:
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump({"formats": {**list_installed(), **numbers}}))
    return path


def test_the_repositorys_own_params_pin_the_versions_of_its_code() -> None:
    pinned = load_section("formats", Formats, ROOT / "params.yaml").model_dump()
    assert pinned == list_installed(), (
        "a version was bumped: write its sentence into versions.BUMPS, then run "
        "`stillhouse upgrade --accept` and commit params.yaml with the bump"
    )


def test_every_version_but_the_journals_is_pinned_and_explained() -> None:
    numbers = {name for name, value in vars(versions).items() if isinstance(value, int)}
    assert {name.upper() for name in Formats.model_fields} == numbers - {"JOURNAL"}
    assert list(EFFECTS) == list(Formats.model_fields)


def test_every_bump_has_its_sentence_and_no_other_number_has_one() -> None:
    wanted = {
        name: list(range(2, getattr(versions, name.upper()) + 1)) for name in Formats.model_fields
    }
    told = {name: sorted(versions.BUMPS.get(name.upper(), {})) for name in Formats.model_fields}
    assert told == wanted, "write one sentence for each bump into versions.BUMPS"
    sentences = [text for bumps in versions.BUMPS.values() for text in bumps.values()]
    assert [text for text in sentences if not (text[:1].isupper() and text.endswith("."))] == []


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_has_the_formats_as_a_parameter(stage: str) -> None:
    body = STAGES[stage].get("do", STAGES[stage])
    assert not any(str(name).startswith("formats") for name in body.get("params", []))


def test_equal_numbers_are_no_change(tmp_path: Path) -> None:
    path = write_params(tmp_path)
    assert compare_formats(path) == ()
    check_formats(path)


def test_the_refusal_names_both_numbers_what_it_costs_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path)
    monkeypatch.setattr(versions, "IDS", versions.IDS + 1)
    monkeypatch.setattr(versions, "JUDGE", versions.JUDGE + 2)
    with pytest.raises(InputError) as caught:
        check_formats()
    assert caught.value.exit_code == 2
    assert str(caught.value) == (
        f"params.yaml: `formats.ids` is {versions.IDS - 1} and the installed code has "
        f"{versions.IDS}: every request gets another id, so all answers would be asked for again "
        "(and paid again, where the teacher costs), and every student trained again "
        f"(also: judge {versions.JUDGE - 2} -> {versions.JUDGE}); `stillhouse upgrade` shows all of "
        "it and accepts it, or go back to the version of the code that the project was made with"
    )


def test_the_sentences_of_all_bumps_between_the_two_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bumps = {2: "Two.", 3: "Three.", 4: "Four."}
    monkeypatch.setattr(versions, "BUMPS", {"CHUNKER": bumps})
    assert FormatChange("chunker", 1, 3).list_bumps() == [(2, "Two."), (3, "Three.")]
    assert FormatChange("chunker", 4, 3).list_bumps() == [(4, "Four.")]
    assert FormatChange("ids", 1, 3).list_bumps() == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "# head\na: {b: 1}\nformats:  # why\n  ids: 1   # ids\n  judge: 1\n",
            "# head\na: {b: 1}\nformats:  # why\n  ids: 12   # ids\n  judge: 1\n",
        ),
        (
            "formats: {judge: 1, ids: 1}\r\nb: 'ä–'\r\n",
            "formats: {judge: 1, ids: 12}\r\nb: 'ä–'\r\n",
        ),
        ("\ufeffb: 'ä–😀'\nformats:\n  ids: 1", "\ufeffb: 'ä–😀'\nformats:\n  ids: 12"),
        ("other: {ids: 1}\nformats: {ids: 0x1}\n", "other: {ids: 1}\nformats: {ids: 12}\n"),
    ],
)
def test_only_the_number_is_rewritten(text: str, wanted: str) -> None:
    assert replace_numbers(text, {"ids": 12}, "params.yaml") == wanted


def test_a_shared_number_is_not_rewritten_but_named() -> None:
    text = "formats:\n  ids: &one 1\n  judge: *one\n"
    with pytest.raises(InputError, match="write ids: 2 there by hand"):
        replace_numbers(text, {"ids": 2}, "params.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "d: &d {ids: 1}\nformats: {<<: *d}\n",
        "formats:\n  ? [ids]\n  : 1\n",
        "formats: [ids]\n",
    ],
)
def test_a_number_that_stands_elsewhere_is_not_rewritten_but_named(text: str) -> None:
    with pytest.raises(InputError, match="write ids: 2 there by hand"):
        replace_numbers(text, {"ids": 2}, "params.yaml")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a: 1\n", f"a: 1\n\n{COMMENT}formats:\n  ids: 1\n"),
        ("a: 1  # why", f"a: 1  # why\n\n{COMMENT}formats:\n  ids: 1\n"),
        ("a: 1\r\n", f"a: 1\n\n{COMMENT}formats:\n  ids: 1\n".replace("\n", "\r\n")),
    ],
)
def test_a_missing_section_is_appended_with_its_comment(text: str, wanted: str) -> None:
    assert COMMENT in (ROOT / "params.yaml").read_text()
    assert append_section(text, {"ids": 1}, "params.yaml") == wanted


@pytest.mark.parametrize("text", ["{a: 1}\n", "a: 1\n...\n", "a: |\n  b"])
def test_a_text_that_cannot_be_gone_on_with_is_left_to_a_person(text: str) -> None:
    with pytest.raises(InputError, match="write ids: 1 there by hand"):
        append_section(text, {"ids": 1}, "params.yaml")
