"""Settings of two sections that cannot go together are refused before anything is asked."""

from pathlib import Path

import pytest
import yaml

from stillhouse.base.contradictions import check_contradictions
from stillhouse.base.errors import InputError
from tests.small_project import build_project, edit_params, fail


def settings(provider: str, method: str) -> dict[str, object]:
    return {"teacher": {"provider": provider}, "students": {"small": {"method": method}}}


@pytest.mark.parametrize("method", ["logits", "logits_online", "on_policy"])
def test_claude_has_no_token_probabilities_to_learn_from(method: str) -> None:
    with pytest.raises(
        InputError, match=rf"`students.small.method` is `{method}`, and Claude gives no"
    ):
        check_contradictions(settings("anthropic", method))
    check_contradictions(settings("anthropic", "sft"))
    check_contradictions(settings("huggingface", method))
    named = settings("anthropic", method)
    named["students"]["small"]["soft"] = {"teacher": "smollm2-135m-instruct"}  # type: ignore[index]
    check_contradictions(named)


@pytest.mark.parametrize(
    "params", [{}, {"teacher": 3, "students": 4}, {"teacher": {}, "students": {"a": None}}]
)
def test_sections_of_another_form_are_left_to_their_owners(params: dict[str, object]) -> None:
    check_contradictions(params)


@pytest.mark.slow
def test_the_first_stage_refuses_before_anything_is_read(tmp_path: Path) -> None:
    folder = build_project(tmp_path / "project")

    def change(params: dict[str, dict[str, object]]) -> None:
        params["teacher"]["provider"] = "anthropic"
        params["students"]["tiny"]["method"] = "logits"  # type: ignore[index]

    edit_params(folder, change)
    said = fail(folder, "dvc", "repro")
    assert "Claude gives no probabilities of tokens" in said
    assert not (folder / "data/corpus").exists()
    assert (
        yaml.safe_load((folder / "params.yaml").read_text())["teacher"]["provider"] == "anthropic"
    )
