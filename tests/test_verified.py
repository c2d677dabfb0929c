"""Tasks whose answers are run: from tables and schemas to rows, and replies decided by results."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stillhouse.base.errors import InputError
from stillhouse.base.records import Judgement, Pair, Rejection, Request, Response, Row, join_slot
from stillhouse.evaluation.executing import settle
from stillhouse.evaluation.records import Prediction, name_prediction
from stillhouse.execution.sandbox import Limits
from stillhouse.execution.tables import load_tables
from stillhouse.planning.traits import look_at, name_seeds
from stillhouse.prompts.focus import Focus
from stillhouse.prompts.plan import Plan, RenderParams, TaskPlan
from stillhouse.prompts.render import Material, render
from stillhouse.prompts.schemas import load_schemas, spread_schemas
from stillhouse.prompts.tables import load_table_subjects
from stillhouse.prompts.templates import load_prompts
from stillhouse.quality.curate import CurateParams, curate
from stillhouse.quality.judge import JudgeParams, judge_pairs
from stillhouse.quality.review import Verdict, apply_verdicts
from stillhouse.quality.split import SplitParams, split_rows
from stillhouse.quality.verified import (
    Verifying,
    gather_verifying,
    refuse_failing,
    verify_pairs,
)
from stillhouse.teachers.answers import parse_answer
from stillhouse.teachers.offline import answer
from tests.making import make_chunk, make_document, make_pair, make_request, make_row

ROOT = Path(__file__).parent.parent
SEED = ROOT / "data/seed"
LIMITS = Limits(seconds=10, memory_mb=768)
BOATS = (
    "Name,Harbour,Length (m),Sold\n"
    "Tern,Oban,7.5,true\nSkua,Oban,8.25,false\nO'Neill,Wick,6.0,true\nKnot,Wick,9.5,true\n"
)
BOATS_SHOWN = """\
CREATE TABLE boats (name VARCHAR, harbour VARCHAR, length_m DOUBLE, sold BOOLEAN);
-- The first rows:
-- ('Tern', 'Oban', 7.5, true)
-- ('Skua', 'Oban', 8.25, false)
-- harbour: 'Oban', 'Wick'"""
ENTRY = {
    "title": "Entry",
    "type": "object",
    "properties": {
        "kind": {"enum": ["desk", "chair"]},
        "price_eur": {"type": "number", "title": "Price"},
        "seats": {"type": "integer"},
        "sold": {"type": "boolean"},
        "note": {"type": "string"},
    },
    "required": ["kind", "price_eur"],
    "additionalProperties": False,
}
DESK = (
    "- kind: Desk\n- price: € 1,240.50 plus postage\n- seats: four\n- sold: no\n- note: oiled oak\n"
)
CHUNKS = [make_chunk("shop/desk.md", DESK), make_chunk("shop/hours.md", "The shop opens at nine.")]
DOCUMENTS = [make_document(chunk.source, chunk.text) for chunk in CHUNKS]
PLAN = RenderParams(
    plan=Plan(
        core={"extraction": TaskPlan(fraction=1.0), "code": TaskPlan(fraction=1.0)},
        questions={"text_to_sql": TaskPlan(fraction=1.0, pairs=40)},
    )
)


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    for folder in ("tables", "schemas"):
        (tmp_path / folder).mkdir()
    (tmp_path / "tables/boats.csv").write_text(BOATS)
    (tmp_path / "schemas/entry.json").write_text(json.dumps(ENTRY))
    return tmp_path


def ask(seed: Path) -> list[Request]:
    material = Material(
        DOCUMENTS,
        CHUNKS,
        others={"tables": load_table_subjects(seed / "tables")},
        spreads={"schemas": spread_schemas(load_schemas(seed / "schemas"))},
    )
    return render(material, load_prompts(ROOT / "prompts"), Focus(), PLAN)


def read(request: Request, text: str) -> tuple[Pair, ...]:
    return parse_answer(request, Response(request.request_id, text, "", "", 0, 0, 0, "x")).pairs


def material(seed: Path, *, runs_code: bool = False) -> Verifying:
    tables, schemas = load_tables(seed / "tables"), load_schemas(seed / "schemas")
    return gather_verifying(tables, schemas, LIMITS, runs_code=runs_code)


def make_answered(task: str, slot: str, text: str) -> Pair:
    return replace(make_pair(f"What of {text}?", text, task=task), slot_id=slot)


SQL_SLOT = join_slot("tables/boats.csv", "boats", "text_to_sql", "plain", "staff", 0, 0, 0)
JSON_SLOT = join_slot("shop/desk.md", "0", "extraction", "plain/entry", "staff", 0, 0, 0)
CODE_SLOT = join_slot("shop/desk.md", "0", "code", "plain", "staff", 0, 0, 0)


# What is asked


def test_a_table_is_shown_by_its_definition_two_rows_and_its_categories(seed: Path) -> None:
    request = next(request for request in ask(seed) if request.task == "text_to_sql")
    shown = f'<passage source="tables/boats.csv" section="">\n{BOATS_SHOWN}\n</passage>'
    assert request.messages[0].content.startswith(f"{shown}\n\nWrite at most 40 queries")
    assert request.slot_id == "tables/boats.csv|boats|text_to_sql|plain|staff|0"
    assert (request.chunk_ids, request.category) == ((), "code")


def test_a_schema_goes_with_the_passages_that_name_what_it_requires(seed: Path) -> None:
    asked = [request for request in ask(seed) if request.task == "extraction"]
    assert [request.slot_id for request in asked] == [
        join_slot("shop/desk.md", CHUNKS[0].anchor, "extraction", "plain/entry", "staff", 0)
    ]


def test_a_schema_may_name_its_documents_and_the_teacher_sees_nothing_of_that(seed: Path) -> None:
    marked = {"$schema": "x", "x-sources": ["shop/h*"], **ENTRY}
    (seed / "schemas/entry.json").write_text(json.dumps(marked))
    asked = [request for request in ask(seed) if request.task == "extraction"]
    assert [request.chunk_ids for request in asked] == [(CHUNKS[1].chunk_id,)]
    assert "x-sources" not in asked[0].messages[0].content
    assert load_schemas(seed / "schemas")[0].body == ENTRY


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "it is no JSON"),
        ('{"type": "array"}', "no schema of an object"),
        ('{"type": "object", "properties": {"a": {"type": "text"}}}', "no JSON Schema"),
        (
            '{"type": "object", "properties": {"a": {"$ref": "https://x/y.json"}}}',
            "leads out of the schema",
        ),
        ('{"type": "object", "properties": {"a": {}}, "x-sources": "a"}', "is no list of texts"),
        ("[" * 100_000, "nested too deeply"),
        ('{"$ref": "#", "type": "object", "properties": {"a": {}}}', "itself without end"),
        (
            '{"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"c": {}}}',
            r"`\$ref: #/\$defs/b` leads to nothing",
        ),
        ('{"type": "object", "properties": {"a": {"$ref": "#b"}}}', "leads to nothing"),
    ],
)
def test_a_file_that_is_no_schema_of_an_object_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(InputError, match=said):
        load_schemas(tmp_path)


def test_references_within_a_schema_may_have_any_form(tmp_path: Path) -> None:
    body = {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/b"},
            "b": {"$ref": "#named"},
            "c": {"$ref": "#/properties/a"},
            "d": {"$id": "own", "$ref": "#/$defs/e", "$defs": {"e": {"type": "string"}}},
            "f": {"type": "array", "items": {"$ref": "#"}},
        },
        "$defs": {"b": {"type": "string"}, "c": {"$anchor": "named"}},
    }
    (tmp_path / "good.json").write_text(json.dumps(body))
    assert [schema.body for schema in load_schemas(tmp_path)] == [body]


def test_no_folder_and_no_file_ask_nothing(tmp_path: Path) -> None:
    assert load_table_subjects(tmp_path / "tables") == []
    assert load_schemas(tmp_path / "schemas") == []
    assert {request.task for request in ask(tmp_path)} == {"code"}


def test_an_edit_of_a_table_or_schema_is_told_by_its_file(seed: Path) -> None:
    sql, extraction = (
        next(request for request in ask(seed) if request.task == task)
        for task in ("text_to_sql", "extraction")
    )
    changed = {"data/seed/tables", "data/seed/schemas"}
    assert name_seeds(look_at(sql), changed) == ["data/seed/tables/boats.csv"]
    assert name_seeds(look_at(extraction), changed) == ["data/seed/schemas"]
    assert name_seeds(look_at(sql), {"data/seed/schemas"}) == []


# What the offline teacher answers


def test_every_query_of_the_offline_teacher_runs_and_shows_the_table(seed: Path) -> None:
    request = next(request for request in ask(seed) if request.task == "text_to_sql")
    pairs = read(request, answer(request))
    assert (len(pairs), len({pair.response for pair in pairs})) == (34, 17)
    assert {pair.context for pair in pairs} == {BOATS_SHOWN}
    judged = list(verify_pairs(pairs, material(seed)))
    assert [(j.score, j.rationale) for j in judged] == [(1.0, "it runs")] * len(pairs)
    assert pairs[0] == replace(
        pairs[0],
        messages=(
            replace(
                pairs[0].messages[0],
                content=f"Passage:\n{BOATS_SHOWN}\n\nQuestion: "
                "Write a SQL query: How many rows of boats have Oban as harbour?",
            ),
        ),
        response="SELECT count(*) FROM boats WHERE harbour = 'Oban'",
    )


def test_an_object_holds_what_is_labelled_as_the_schema_wants_it(seed: Path) -> None:
    request = next(request for request in ask(seed) if request.task == "extraction")
    (pair,) = read(request, answer(request))
    said = {"kind": "desk", "price_eur": 1240.5, "sold": False, "note": "oiled oak"}
    assert json.loads(pair.response) == said  # `four` is no integer, and seats are not required
    assert pair.context == f"{DESK}\n\n{json.dumps(ENTRY)}"


def test_without_a_required_value_there_is_no_object(seed: Path) -> None:
    (seed / "schemas/entry.json").write_text(json.dumps({**ENTRY, "required": ["kind", "seats"]}))
    request = next(request for request in ask(seed) if request.task == "extraction")
    assert answer(request) == '{"pairs": []}'


def test_the_offline_teacher_writes_no_program(seed: Path) -> None:
    request = next(request for request in ask(seed) if request.task == "code")
    assert answer(request) == '{"pairs": []}'


# Who judges it


@pytest.mark.parametrize(
    ("task", "slot", "text", "score", "said"),
    [
        ("text_to_sql", SQL_SLOT, "SELECT count(*) FROM boats", 1.0, "it runs"),
        ("text_to_sql", SQL_SLOT, "```sql\nSELECT name FROM boats;\n```", 1.0, "it runs"),
        (
            "text_to_sql",
            SQL_SLOT,
            "SELECT nam FROM boats",
            0.0,
            'Referenced column "nam" not found',
        ),
        ("text_to_sql", SQL_SLOT, "SELECT name FROM ships", 0.0, "ships does not exist"),
        ("text_to_sql", SQL_SLOT, "DROP TABLE boats", 0.0, "this is DROP"),
        ("text_to_sql", SQL_SLOT, "SELECT 1 FROM boats WHERE false", 0.0, "it returns no row"),
        ("text_to_sql", SQL_SLOT, "SELECT max(name) FROM boats WHERE false", 0.0, "but NULL"),
        ("extraction", JSON_SLOT, '{"kind": "desk", "price_eur": 3}', 1.0, "it runs"),
        ("extraction", JSON_SLOT, '{"kind": "sofa", "price_eur": 3}', 0.0, "'sofa' is not one of"),
        ("extraction", JSON_SLOT, "It is a desk.", 0.0, "JSONDecodeError"),
        ("code", CODE_SLOT, "assert False", 1.0, "it runs"),
        ("code", CODE_SLOT, "def f(:", 0.0, "SyntaxError"),
    ],
)
def test_an_answer_that_fails_is_judged_zero_with_its_error(
    seed: Path, task: str, slot: str, text: str, score: float, said: str
) -> None:
    pair = make_answered(task, slot, text)
    (judged,) = verify_pairs([pair, make_pair("Why?", "So.")], material(seed))
    assert said in judged.rationale
    assert judged == Judgement(pair.pair_id, "verifier/1", "executes", score, judged.rationale, "")


def test_a_program_that_may_run_has_to_come_to_its_end(seed: Path) -> None:
    pairs = [make_answered("code", CODE_SLOT, text) for text in ("assert False", "assert 1 < 2")]
    judged = {j.pair_id: j.score for j in verify_pairs(pairs, material(seed, runs_code=True))}
    assert judged == {pairs[0].pair_id: 0.0, pairs[1].pair_id: 1.0}


def test_a_pair_of_a_table_that_is_gone_is_one_sentence(seed: Path) -> None:
    (seed / "tables/boats.csv").unlink()
    pair = make_answered("text_to_sql", SQL_SLOT, "SELECT 1")
    with pytest.raises(
        InputError, match=r"the table `tables/boats\.csv`, which data/seed does not"
    ):
        list(verify_pairs([pair], material(seed)))


@pytest.mark.parametrize(
    ("task", "slot", "good", "bad", "said"),
    [
        ("text_to_sql", SQL_SLOT, "SELECT max(name) FROM boats", "SELECT nam FROM boats", '"nam"'),
        (
            "extraction",
            JSON_SLOT,
            '{"kind": "desk", "price_eur": 4}',
            '{"kind": "sofa", "price_eur": 4}',
            "'sofa' is not",
        ),
        ("code", CODE_SLOT, "assert True", "def f(:", "SyntaxError"),
    ],
)
def test_what_a_reviewer_writes_in_place_of_an_answer_is_run_too(
    seed: Path, task: str, slot: str, good: str, bad: str, said: str
) -> None:
    row = make_row(make_answered(task, slot, "the old answer, which nobody runs again"))
    other = make_row(make_pair("How many boats?", "Three."))

    def fix(text: str) -> tuple[Row, ...]:
        verdicts = [Verdict(r.row_id, "fix", text, "Ada", "") for r in (row, other)]
        return apply_verdicts([row, other], verdicts).rows

    refuse_failing(fix(good), material(seed))
    with pytest.raises(InputError) as caught:
        refuse_failing(fix(bad), material(seed))
    told = str(caught.value)
    assert "a fixed answer fails when it is run: " in told
    assert said in told
    assert f"slot {slot}: {bad}" in told
    assert "data/seed/review.jsonl" in told


def test_an_answer_that_fails_is_rejected_with_its_error(seed: Path) -> None:
    request = next(request for request in ask(seed) if request.task == "text_to_sql")
    said = [
        {"fact": query, "questions": [f"Which query is it, number {number}?"], "answer": query}
        for number, query in enumerate(("SELECT name FROM boats", "SELECT nam FROM boats"))
    ]
    good, bad = read(request, json.dumps({"pairs": said}))
    judgements = list(verify_pairs([good, bad], material(seed)))
    (rationale,) = (j.rationale for j in judgements if j.pair_id == bad.pair_id)
    params = CurateParams(thresholds={"executes": 1.0})
    made = curate(
        [good, bad], {request.request_id: request}, {}, judgements, [], params, JudgeParams()
    )
    assert [row.row_id for row in made.rows] == [good.pair_id]
    assert made.rejections == (
        Rejection(
            bad.pair_id, "pair", bad.slot_id, (), "curate", "executes",
            f"executes 0.00 is below 1.00: {rationale}",
        ),
    )  # fmt: skip


def test_rows_of_other_tasks_keep_their_hashes_beside_execution() -> None:
    pair = make_pair("Why?", "So.", CHUNKS[1:])
    given = {request.request_id: request for request in [make_request(CHUNKS[1:])]}
    chunks = {chunk.chunk_id: chunk for chunk in CHUNKS}
    hashes = [
        curate(
            [pair], given, chunks, [], [], CurateParams(thresholds=thresholds), judging
        ).rows[0].judge_sha256
        for thresholds, judging in (
            ({"format": 1.0}, JudgeParams()),
            ({"format": 1.0, "executes": 1.0}, JudgeParams(execute_seconds=10)),
            ({"format": 1.0, "executes": 0.0}, JudgeParams()),
            ({"format": 1.0}, JudgeParams(execute_code=True)),
        )
    ]  # fmt: skip
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_an_extracted_value_has_to_stand_in_the_passage(seed: Path) -> None:
    request = next(request for request in ask(seed) if request.task == "extraction")
    (right,) = read(request, answer(request))
    wrong = replace(right, response='{"kind": "desk", "price_eur": 9999}')
    chunks = {chunk.chunk_id: chunk for chunk in CHUNKS}
    scores = [
        [(j.criterion, j.score) for j in judge_pairs([pair], chunks, JudgeParams())]
        for pair in (right, wrong)
    ]
    assert scores == [
        [("format", 1.0), ("groundedness", 1.0), ("length", 1.0)],
        [("format", 1.0), ("groundedness", 0.0), ("length", 1.0)],
    ]


def test_one_request_for_data_is_another_with_each_passage() -> None:
    """Else all of them would follow the first that is held out into the test set."""
    rows = [
        replace(
            make_row(make_pair("As JSON?", "{}", task="extraction", fact=f"f{n}", context=f"c{n}")),
            row_id=f"r{n}",
        )
        for n in range(40)
    ]
    split = split_rows(rows, (), SplitParams(holdout_facts=0.5, facts_from="all"))
    assert len(split.train) + len(split.test) == 40
    assert 5 < len(split.test) < 35


# Replies


def make_asked(task: str, slot: str, text: str) -> Row:
    return make_row(make_answered(task, slot, text), holdout="fact")


def predict(row: Row, reply: str) -> Prediction:
    return Prediction(
        prediction_id=name_prediction("0" * 64, "test", "student", row.row_id + reply),
        base="b", set="test", reference="student", question_id=row.row_id, kind="fact_open", scope="",
        task=row.task, document="", cluster="", question="", accepted=(), answer=reply, correct=False,
        f1=0.25, abstained=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("task", "slot", "wanted", "reply", "right"),
    [
        ("text_to_sql", SQL_SLOT, "SELECT max(length_m) FROM boats", "SELECT length_m FROM boats ORDER BY 1 DESC LIMIT 1", True),
        ("text_to_sql", SQL_SLOT, "SELECT max(length_m) FROM boats", "SELECT min(length_m) FROM boats", False),
        ("text_to_sql", SQL_SLOT, "SELECT name FROM boats", "SELECT name FROM boats ORDER BY name", True),
        ("text_to_sql", SQL_SLOT, "SELECT name FROM boats ORDER BY name", "SELECT name FROM boats ORDER BY name DESC", False),
        ("text_to_sql", SQL_SLOT, "SELECT name FROM boats", "The boats are Tern and Skua.", False),
        ("extraction", JSON_SLOT, '{"a": 1, "b": "x"}', '{"b": "x", "a": 1.0}', True),
        ("extraction", JSON_SLOT, '{"a": 1, "b": "x"}', '{"a": 1}', False),
        ("code", CODE_SLOT, "x = 1", "x  =  1", True),
        ("code", CODE_SLOT, "x = 1", "x = 2", False),
    ],
)  # fmt: skip
def test_a_reply_is_right_by_what_it_comes_to(
    seed: Path, task: str, slot: str, wanted: str, reply: str, right: bool
) -> None:
    row = make_asked(task, slot, wanted)
    other = replace(predict(row, reply), prediction_id="other", question_id="no such row")
    given = predict(row, reply)
    assert settle([given, other], [row], load_tables(seed / "tables")) == [
        replace(given, correct=right, f1=1.0 if right else 0.25, abstained=False),
        other,
    ]


# What ships


def test_the_bundled_tables_and_schemas_make_rows_that_all_run() -> None:
    subjects = load_table_subjects(SEED / "tables")
    assert [subject.anchor for subject in subjects] == [
        "harbour_races",
        "reading_room",
        "weather_diary",
    ]
    asked = [
        request
        for request in render(
            Material(DOCUMENTS, CHUNKS, others={"tables": subjects}),
            load_prompts(ROOT / "prompts"), Focus(), PLAN,
        )
        if request.task == "text_to_sql"
    ]  # fmt: skip
    pairs = [pair for request in asked for pair in read(request, answer(request))]
    assert {j.rationale for j in verify_pairs(pairs, material(SEED))} == {"it runs"}
    assert [schema.name for schema in load_schemas(SEED / "schemas")] == ["contact", "product"]
