"""A plan says beforehand what `dvc repro` then does: requests, causes, money, stages.

A small project of the real stages is run once, under DVC; each test changes a copy of it.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from stages import ingest, render
from stillhouse.base.errors import BudgetError, InputError
from stillhouse.base.params import load_section
from stillhouse.base.records import Request, Response
from stillhouse.base.runtime import load_runtime
from stillhouse.base.tables import StoredTable
from stillhouse.cli.main import app
from stillhouse.planning import plan as planning
from stillhouse.planning.foresee import compare_stages
from stillhouse.planning.plan import Plan, make_plan
from stillhouse.teachers.estimate import Estimator
from stillhouse.teachers.follow import read_followed
from stillhouse.teachers.generate import GenerateParams, collect_answers
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.lookup import Archive
from stillhouse.teachers.money import Bill
from stillhouse.teachers.params import load_journal, load_teachers
from stillhouse.teachers.protocol import Failure, Reply, Source, Usage, take_all
from stillhouse.teachers.remote import open_journal_remote
from stillhouse.teachers.roster import make_terms
from tests.asking import write_answer
from tests.small_project import build_project, commit, edit, run

PROMPT = "prompts/simplified.md"
DOCUMENT = "data/seed/documents/people/training-and-study.md"
CLAUDE = {"provider": "anthropic"}

pytestmark = pytest.mark.slow


@dataclass
class Scribe:
    """Answers at once, and remembers whom it was asked by."""

    name: str
    costs: bool
    failing: Mapping[str, Failure] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
        for requests in take_all(source, 64):
            self.asked += [request.request_id for request in requests]
            yield [self._reply(request) for request in requests]

    def _reply(self, request: Request) -> Reply:
        text = write_answer("How many owls are there?")
        said = Response(request.request_id, text, "", "end_turn", 0, 0, 0, request.model)
        return Reply(self.failing.get(request.request_id, said), Usage(400, 90), 0.001)


def make_teachers() -> list[Scribe]:
    free = [Scribe(name, False) for name in ("offline", "base")]
    return [*free, *(Scribe(name, True) for name in ("anthropic", "openai"))]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build_project(tmp_path_factory.mktemp("original") / "project")
    change_params(folder, lambda params: params["render"]["plan"]["questions"].pop("replay"))
    run(folder, "dvc", "repro", "curate")
    commit(folder, "The first run")
    return folder


@pytest.fixture
def project(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project with cache and journal, which is the working directory."""
    folder = Path(shutil.copytree(original, tmp_path / "project", symlinks=True))
    monkeypatch.chdir(folder)
    for name in ("DVC_ROOT", "STILLHOUSE_HOME", "STILLHOUSE_PLAN", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    # The stages' own code here is that of this checkout, and not imported from the copy.
    monkeypatch.setattr(planning, "check_copy", lambda: None)
    monkeypatch.setattr("stillhouse.teachers.roster.list_teachers", lambda _: make_teachers())
    return folder


def change_params(folder: Path, change: Callable[[dict], object]) -> None:
    path = folder / "params.yaml"
    params = yaml.safe_load(path.read_text())
    change(params)
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def plan() -> Plan:
    return make_plan(Path(), make_teachers())


def generate(*teachers: Scribe, followed: Path | None = None) -> int:
    """Ingest, render and ask, as the stages do; return how many requests were sent."""
    ingest.main()
    render.main()
    with Journal(Path(".stillhouse/journal.sqlite")) as journal:
        return collect_answers(
            StoredTable(Path("data/requests.parquet"), Request),
            teachers or make_teachers(),
            journal,
            Archive(),
            load_section("generate", GenerateParams),
            make_terms(load_runtime(), journal),
            followed=None if followed is None else read_followed(followed),
        ).counts.sent


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def use_claude(folder: Path, **runtime: object) -> None:
    change_params(folder, lambda params: params.update(teacher=CLAUDE))
    change_params(folder, lambda params: params["runtime"].update(runtime))


def add_a_teacher(folder: Path) -> None:
    other = {"provider": "openai", "model": "gpt-x"}
    change_params(
        folder, lambda params: params.update(teacher={"combine": "all", "others": [other]})
    )


def add_a_task(folder: Path) -> None:
    text = (folder / PROMPT).read_text().replace("task: simplified", "task: plainer")
    (folder / "prompts/plainer.md").write_text(text)
    change_params(
        folder, lambda params: params["render"]["plan"]["core"].update(plainer={"fraction": 1.0})
    )


def add_a_document(folder: Path) -> None:
    path = folder / "data/seed/documents/new.md"
    path.write_text("# Owls\n\nThe firm keeps nine owls. An owl costs 40 pounds a year.\n")


def edit_prompt(folder: Path) -> None:
    edit(folder / PROMPT, "You ", "You do ")


def edit_document(folder: Path) -> None:
    edit(folder / DOCUMENT, "days", "weeks")


def rename_document(folder: Path) -> None:
    path = folder / DOCUMENT
    path.rename(path.with_name("study.md"))
    focus = folder / "data/seed/focus.yaml"
    focus.write_text(focus.read_text().replace("training-and-study.md", "study.md"))


def edit_persona(folder: Path) -> None:
    path = folder / "prompts/personas.yaml"
    texts = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({name: f"{text} Be kind." for name, text in texts.items()}))


def ask_more_facts(folder: Path) -> None:
    change_params(
        folder, lambda params: params["render"]["plan"]["core"]["recall"].update(pairs=11)
    )


def draw_more(folder: Path) -> None:
    change_params(
        folder, lambda params: params["render"]["plan"]["core"]["recall"].update(samples=2)
    )


def add_question(folder: Path) -> None:
    with (folder / "data/seed/unanswered.jsonl").open("a") as file:
        file.write('{"id": "zz-1", "statement": "The firm keeps nine owls in the attic."}\n')
    change_params(
        folder,
        lambda params: params["render"]["plan"]["questions"]["abstain"].update(fraction=1.0),
    )


EDITS: list[tuple[Callable[[Path], None], set[str]]] = [
    (edit_prompt, {"prompt"}),
    (edit_persona, {"prompt"}),
    (edit_document, {"document"}),
    (rename_document, {"document"}),
    (ask_more_facts, {"parameters"}),
    (draw_more, {"sampling"}),
    (use_claude, {"teacher"}),
    (add_a_teacher, {"teacher"}),
    (add_a_task, {"prompt"}),
    (add_a_document, {"document"}),
    (add_question, {"document"}),
]


def test_a_project_that_ran_asks_nothing_and_a_plan_changes_nothing(project: Path) -> None:
    before = snapshot(project)
    made = plan()
    assert (made.requests.new, made.requests.answered) == (0, made.requests.total)
    assert made.to_be_sent == frozenset()
    assert made.made == ()  # the tables on disk are of these very inputs
    assert {timed.rerun.why for timed in made.reruns} == {"new"}  # what stands behind `curate`
    assert snapshot(project) == before


@pytest.mark.parametrize(("change", "causes"), EDITS)
def test_an_edit_asks_what_the_plan_says_and_for_that_cause(
    project: Path, change: Callable[[Path], None], causes: set[str]
) -> None:
    change(project)
    before = snapshot(project)
    made = plan()
    assert snapshot(project) == before
    assert set(made.caused.counts) == causes
    assert 0 < made.requests.new == len(made.to_be_sent)
    teachers = make_teachers()
    assert generate(*teachers) == made.requests.new
    assert {name for teacher in teachers for name in teacher.asked} == made.to_be_sent
    assert sum(len(one.asked) for one in teachers if one.costs) == made.paid.new
    assert plan().requests.new == 0


def test_two_edits_give_requests_two_causes(project: Path) -> None:
    edit_prompt(project)
    use_claude(project)
    made = plan()
    assert made.caused.counts["teacher"] == made.paid.new == made.requests.new
    assert made.caused.named["prompt"] == {PROMPT: made.count_tasks()["simplified"].new}


def test_an_edit_of_a_question_that_is_asked_as_it_stands_is_no_edit_of_a_prompt(
    project: Path,
) -> None:
    change_params(
        project, lambda params: params["render"]["plan"]["questions"].update(replay={"fraction": 1})
    )
    run(project, "dvc", "repro", "render")
    asked = plan().count_tasks()["replay"].new
    edit(project / "data/seed/everyday.jsonl", "the capital of Greece", "the old capital of Greece")
    made = plan()
    assert made.caused.counts == {"unanswered": asked - 1, "document": 1}
    assert made.caused.named["document"] == {"everyday.jsonl": 1}
    edit(project / "prompts/replay.md", "{{ question }}", "{{ question }} Please.")
    assert plan().caused.named["prompt"] == {"prompts/replay.md": asked}


def test_a_revert_costs_nothing_and_dvc_restores_its_stages(project: Path) -> None:
    edit_prompt(project)
    use_claude(project)
    run(project, "dvc", "repro", "render")
    run(project, "git", "checkout", "--quiet", "params.yaml", "prompts")
    made = plan()
    assert (made.requests.new, made.restored) == (0, ("render",))
    assert "is cached" in run(project, "dvc", "repro", "generate")


def test_answers_that_dvc_puts_back_are_not_asked_for_where_the_journal_is_gone(
    project: Path,
) -> None:
    edit_prompt(project)
    run(project, "dvc", "repro", "generate")
    run(project, "git", "checkout", "--quiet", "--", "prompts")
    shutil.rmtree(project / ".stillhouse")
    made = plan()
    assert made.restored == ("render", "generate")
    assert (made.requests.new, made.requests.answered) == (0, made.requests.total)
    assert "sent=" not in run(project, "dvc", "repro", "generate")


def test_what_a_failed_run_left_is_unanswered(project: Path) -> None:
    use_claude(project)
    names = sorted(plan().to_be_sent)
    run(project, "dvc", "repro", "render")
    with Journal(Path(".stillhouse/journal.sqlite")) as journal:
        journal.record([Response(name, "[]", "", "end_turn", 0, 0, 0, "m") for name in names[:9]])
    made = plan()
    assert made.to_be_sent == set(names[9:])
    assert made.caused.counts == {"unanswered": len(names) - 9}


def test_refusals_are_neither_new_nor_answered_and_stop_the_run(project: Path) -> None:
    use_claude(project)
    names = sorted(plan().to_be_sent)
    with Journal(Path(".stillhouse/journal.sqlite")) as journal:
        journal.record([Failure(names[0], "no", permanent=True)])
    made = plan()
    assert (made.requests.refused, made.requests.new) == (1, len(names) - 1)
    assert "1 requests were refused for good" in made.obstacles[0]
    change_params(project, lambda params: params["generate"].update(tolerate_refusals=1))
    assert plan().obstacles == ()
    assert generate() == len(names) - 1


def test_answers_of_older_versions_are_found_when_the_journal_is_gone(project: Path) -> None:
    """By a teacher that costs: the offline one looks no further than its own last output."""
    shutil.rmtree(project / ".stillhouse")
    assert plan().requests.new == 0
    edit_prompt(project)
    run(project, "dvc", "repro", "generate")
    commit(project, "Another prompt")
    run(project, "git", "checkout", "--quiet", "HEAD~1", "--", "prompts")
    shutil.rmtree(project / ".stillhouse")
    shutil.rmtree(project / ".dvc/cache/runs")
    costly = [Scribe("offline", True), Scribe("base", False)]
    assert make_plan(Path(), costly).requests.new == 0
    made = plan()
    assert made.requests.new == made.count_tasks()["simplified"].total > 0
    shutil.rmtree(project / ".dvc/cache")
    made = make_plan(Path(), costly)
    assert "`generate` refuses to pay again before `dvc pull`" in made.obstacles[0]


def test_a_price_is_told_without_a_key_and_learnt_from_the_journal(project: Path) -> None:
    use_claude(project)
    made = plan()
    assert made.cost.calls == 0
    assert 0 < (made.cost.batch or 0) < (made.cost.direct or 0)
    assert made.cost.direct == pytest.approx(
        (2 * made.cost.input_tokens + 10 * made.cost.output_tokens) / 1e6
    )
    generate()
    edit_prompt(project)
    later = plan()
    assert later.cost.calls == made.paid.new
    assert later.cost.output_tokens == 90 * later.paid.new
    change_params(project, lambda params: params["teachers"].update(prices={}))
    unpriced = plan()
    assert (unpriced.cost.direct, unpriced.cost.batch) == (None, None)
    assert unpriced.cost.input_tokens == later.cost.input_tokens


def invoke(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["plan", *arguments], catch_exceptions=False)
    return done.exit_code, done.stdout


def test_a_budget_is_compared_with_what_is_spent_and_to_be_spent(project: Path) -> None:
    assert invoke("--exit-code")[0] == 0
    use_claude(project)
    assert invoke("--exit-code")[0] == 1  # without a budget: something is to be paid
    change_params(project, lambda params: params["runtime"].update(budget_usd=5))
    assert (plan().budget.over, invoke("--exit-code")[0]) == (False, 0)
    generate()
    spent = plan().budget.spent
    assert spent == pytest.approx(0.001 * plan().paid.total)
    edit_prompt(project)
    change_params(project, lambda params: params["runtime"].update(budget_usd=spent + 0.0001))
    code, said = invoke("--exit-code")
    assert (code, plan().budget.over) == (1, True)
    assert "OVER BUDGET" in said
    assert invoke()[0] == 0


def set_budget(folder: Path, usd: float) -> None:
    change_params(folder, lambda params: params["runtime"].update(budget_usd=usd))


class Exact(Scribe):
    """Costs just what is estimated."""

    def _reply(self, request: Request) -> Reply:
        estimator = Estimator((), load_teachers())
        usage = estimator.estimate(request)
        return Reply(super()._reply(request).outcome, usage, estimator.price(request, usage))


def test_a_budget_is_enough_only_where_the_last_request_may_be_sent(project: Path) -> None:
    use_claude(project)
    teachers = [Exact(one.name, one.costs) for one in make_teachers()]
    cost = plan().cost
    assert cost.direct is not None
    for beside, over in ((-0.001, True), (0.001, None), (cost.spare_direct + 0.001, False)):
        set_budget(project, cost.direct + beside)
        assert (plan().budget.over, invoke("--exit-code")[0]) == (over, int(over is not False))
    set_budget(project, cost.direct + 0.001)
    with pytest.raises(BudgetError, match="1 are missing"):
        generate(*teachers)
    set_budget(project, cost.direct + cost.spare_direct + 0.001)
    assert generate(*teachers) == 1


def test_json_holds_what_the_contract_names(project: Path) -> None:
    use_claude(project)
    edit_prompt(project)
    said = json.loads(invoke("--json")[1])
    made = plan()
    assert set(said) >= {
        "requests", "by_task", "causes", "tokens", "cost_usd", "budget_usd", "judge", "stages",
    }  # fmt: skip
    whole = made.requests
    assert {name: said["requests"][name] for name in ("total", "answered", "new")} == {
        "total": whole.total, "answered": whole.answered, "new": whole.new,
    }  # fmt: skip
    assert said["requests"]["paid"]["new"] + said["requests"]["free"]["new"] == whole.new
    assert sum(count["new"] for count in said["by_task"].values()) == whole.new
    assert said["causes"] == {"teacher": whole.new, "prompt": said["by_task"]["simplified"]["new"]}
    assert said["tokens"]["input"] == made.cost.input_tokens
    assert said["cost_usd"] == {"direct": made.cost.direct, "batch": made.cost.batch}
    assert said["budget_usd"] is None
    assert said["judge"]["requests"] == [0, 0]


def test_a_student_that_no_stage_would_train_is_refused(project: Path) -> None:
    use_claude(project)
    change_params(project, lambda params: params["students"].update(a={"method": "logits"}))
    told = CliRunner().invoke(app, ["plan"])
    assert (told.exit_code, told.stdout) == (2, "")
    assert "`method: sft`, or `soft: {teacher: <model>}`, a model whose weights" in told.stderr


def test_text_keeps_to_80_columns_and_markdown_is_whole(project: Path) -> None:
    use_claude(project, budget_usd=0.01)
    edit_prompt(project)
    lines = invoke()[1].splitlines()
    assert max(map(len, lines)) <= 80
    assert "Nothing was sent, run or written." in lines
    saved = " ".join(invoke("--out", "plan.json")[1].split())
    assert saved.endswith("`STILLHOUSE_PLAN=plan.json dvc repro` follows this plan.")
    saved = " ".join(invoke("--out", "my plan.json")[1].split())
    assert saved.endswith("`STILLHOUSE_PLAN='my plan.json' dvc repro` follows this plan.")
    markdown = invoke("--md")[1]
    assert "**Over budget.**" in markdown
    table = [line for line in markdown.splitlines() if line.startswith("| simplified")]
    assert table == [f"| simplified | {(n := plan().count_tasks()['simplified'].new)} | 0 | {n} |"]


def test_a_plan_is_not_written_where_a_folder_stands(project: Path) -> None:
    before = sorted(Path().iterdir())
    done = CliRunner().invoke(app, ["plan", "--out", "."])
    assert done.stderr.strip() == "error: --out .: a folder stands there; expected a file's path"
    assert done.exit_code == 2
    assert sorted(Path().iterdir()) == before


def test_a_plan_that_is_followed_allows_its_own_requests_and_no_others(
    project: Path, tmp_path: Path
) -> None:
    use_claude(project)
    approved = tmp_path / "plan.json"
    before = snapshot(project)
    assert invoke("--out", str(approved))[0] == 0
    assert snapshot(project) == before
    edit_prompt(project)
    with pytest.raises(InputError, match="are not in the plan that is to be followed; expected"):
        generate(followed=approved)
    ask_more_facts(project)
    with pytest.raises(InputError, match=r"followed \(params.yaml has changed since\)"):
        generate(followed=approved)
    run(project, "git", "checkout", "--quiet", "params.yaml", "prompts")
    use_claude(project)
    sent = generate(followed=approved)
    assert sent == len(read_followed(approved).request_ids)
    assert generate(followed=approved) == 0  # part of a plan is not beyond it


def test_a_plan_made_while_batches_are_on_their_way_can_be_followed(
    project: Path, tmp_path: Path
) -> None:
    use_claude(project)
    names = sorted(plan().to_be_sent)
    waiting = [Bill(name, 0.1, "anthropic", "m", "recall", 9) for name in names[:5]]
    with Journal(Path(".stillhouse/journal.sqlite")) as journal:
        journal.claim(names[:5], 5)
        batch = journal.batches.intend(waiting)
    made = plan()
    assert (made.submitted, made.requests.submitted) == (set(names[:5]), 5)
    assert made.to_be_sent == set(names[5:])
    approved = tmp_path / "plan.json"
    assert invoke("--out", str(approved))[0] == 0
    with Journal(Path(".stillhouse/journal.sqlite")) as journal:
        journal.batches.free(batch, lost=True)
    assert generate(followed=approved) == len(names)


@pytest.mark.parametrize("how", ["variable", "option"])
def test_the_stage_ends_with_2_where_the_plan_is_stale(
    project: Path, tmp_path: Path, how: str
) -> None:
    invoke("--out", str(tmp_path / "plan.json"))
    edit_prompt(project)
    run(project, "dvc", "repro", "render")
    given = ["--plan", str(tmp_path / "plan.json")] if how == "option" else []
    variable = {"STILLHOUSE_PLAN": str(tmp_path / "plan.json")} if how == "variable" else {}
    done = subprocess.run(
        [sys.executable, "-m", "stages.generate", *given],
        env={**os.environ, **variable}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "are not in the plan that is to be followed" in done.stderr
    assert plan().requests.new > 0


def test_two_forms_of_one_answer_are_refused(project: Path) -> None:
    assert CliRunner().invoke(app, ["plan", "--json", "--md"]).exit_code == 2


HALF = {"request_ids": ["\ud800"], "sha256": "b", "parameters_sha256": ""}  # of a character


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"to_be_sent": {}}', "{", "[" * 100_000, json.dumps({"to_be_sent": HALF})],
    ids=["empty", "list", "nothing", "cut", "deep", "half a character"],
)
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(content)
    with pytest.raises(InputError, match="not a plan that can be followed"):
        read_followed(path)
    path.write_text(
        json.dumps({"to_be_sent": {"request_ids": ["a"], "sha256": "b", "parameters_sha256": ""}})
    )
    with pytest.raises(InputError, match="not a plan that can be followed"):
        read_followed(path)


def edit_code(folder: Path) -> None:
    with (folder / "stillhouse/quality/judge.py").open("a") as file:
        file.write("# a comment\n")


def remove_output(folder: Path) -> None:
    (folder / "data/requests.parquet").unlink()


def lose_cache(folder: Path) -> None:
    shutil.rmtree(folder / ".dvc/cache")


def ignored_file(folder: Path) -> None:
    (folder / "prompts/__pycache__").mkdir()
    (folder / "prompts/__pycache__/x.pyc").write_bytes(b"x")


def change_float(folder: Path) -> None:
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("near_duplicate: 0.9", "near_duplicate: 9e-1"))


@pytest.mark.parametrize(
    "change",
    [
        *[change for change, _ in EDITS],
        edit_code, remove_output, lose_cache, ignored_file, change_float,
    ],
)  # fmt: skip
def test_stages_differ_from_their_last_run_as_dvc_status_says(
    project: Path, change: Callable[[Path], None]
) -> None:
    change(project)
    said: dict[str, list[dict[str, object] | str]] = json.loads(
        run(project, "dvc", "status", "--json").splitlines()[-1]
    )
    theirs = {
        stage: {
            name
            for entry in entries
            if isinstance(entry, dict)
            for names in entry.values()
            if isinstance(names, dict)
            for name, state in names.items()
            if not isinstance(state, dict) and name != "params.yaml"
        }
        for stage, entries in said.items()
    }
    mine = {
        stage: {one.name for one in found if one.kind in ("dependency", "output")}
        for stage, found in compare_stages(Path()).items()
    }
    assert mine == theirs


def stages_that_ran(said: str) -> set[str]:
    return {line.split("'")[1] for line in said.splitlines() if line.startswith("Running stage")}


@pytest.mark.parametrize(
    "change", [edit_prompt, edit_document, edit_code, remove_output, ask_more_facts]
)
def test_dvc_repro_runs_the_stages_that_were_foreseen(
    project: Path, change: Callable[[Path], None]
) -> None:
    change(project)
    made = {timed.rerun.stage: timed.rerun.why for timed in plan().reruns}
    known = {"ingest", "render", "generate", "judge", "curate"}
    sure = {stage for stage, why in made.items() if why != "maybe"} & known
    ran = stages_that_ran(run(project, "dvc", "repro", "curate"))
    assert sure <= ran <= made.keys() & known


def test_time_is_that_of_the_last_runs_and_asking_grows_with_the_requests(project: Path) -> None:
    runs = {
        "render": [{"seconds": 3.0, "parts": {}}, {"seconds": 5.0, "parts": {}}],
        "generate": [{"seconds": 12.0, "parts": {"offline": {"count": 100, "seconds": 10.0}}}],
    }
    (project / ".stillhouse/timings.json").write_text(json.dumps(runs))
    edit_prompt(project)
    made = plan()
    times = {timed.rerun.stage: timed.seconds for timed in made.reruns}
    assert times["render"] == 4.0
    assert times["generate"] == pytest.approx(2.0 + 0.1 * made.requests.new)
    assert times["judge"] is None
    use_claude(project)
    assert {t.rerun.stage: t.seconds for t in plan().reruns}["generate"] is None


def test_answers_in_the_journals_remote_are_found_and_stay_there(
    project: Path, tmp_path: Path
) -> None:
    use_claude(project)
    change_params(project, lambda params: params["journal"].update(remote=str(tmp_path / "shared")))
    (tmp_path / "shared").mkdir()
    generate()
    with Journal(Path(".stillhouse/journal.sqlite")) as journal:
        remote = open_journal_remote(load_journal(), journal, project)
        assert remote is not None
        assert remote.upload() > 0
    shutil.rmtree(project / ".stillhouse")
    before = snapshot(tmp_path)
    assert plan().requests.new == 0
    assert snapshot(tmp_path) == before
    shutil.rmtree(tmp_path / "shared")
    made = plan()
    assert made.requests.new == made.paid.total > 0
