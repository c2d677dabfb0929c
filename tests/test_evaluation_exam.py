"""Exam, passages, references, coverage, metrics: a small handbook, answered by plain functions."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from stillhouse.base.errors import InputError
from stillhouse.base.questions import Question
from stillhouse.base.records import Row
from stillhouse.base.runtime import Runtime
from stillhouse.base.tables import read_all, write_table
from stillhouse.evaluation.answering import Answering
from stillhouse.evaluation.coverage import find_covered
from stillhouse.evaluation.evaluate import EvaluateParams, Evaluation, evaluate, write_accuracy
from stillhouse.evaluation.exam import (
    Exam,
    ExamParams,
    Material,
    answer_parts,
    build_exam,
    map_sources,
    row_sources,
)
from stillhouse.evaluation.intervals import effective_size, paired_difference, share
from stillhouse.evaluation.metrics import summarise
from stillhouse.evaluation.passages import find_passage, retrieve
from stillhouse.evaluation.records import Prediction
from stillhouse.evaluation.references import (
    Examinee,
    ReferenceParams,
    ask_base,
    embed_texts,
    guess,
    look_up,
)
from tests.making import LEAVE, make_chunk, make_document, make_pair, make_row

VANS = "fleet/vans.md"
CHUNKS = [
    make_chunk(LEAVE, "Full-time staff have 27.5 days of leave a year."),
    make_chunk(LEAVE, "The leave calendar is called Leeward. Apprentices have 24 days of leave."),
    make_chunk(VANS, "The highest load of the small van is 410 kilograms."),
]
PARAMS = EvaluateParams(answering=Answering(), exam=ExamParams())


def _gold(number: int, question: str, answers: tuple[str, ...], **changes: object) -> Question:
    gold = Question(f"g{number}", question, answers, "recall", "core", f"fact-{number}", (LEAVE,))
    return replace(gold, **changes)  # type: ignore[arg-type]


GOLD = [
    _gold(1, "How much holiday do I get in a year?", ("27.5 days",)),
    _gold(2, "Where do I enter my leave, in which calendar?", ("Leeward",)),
    _gold(3, "How many days of leave do apprentices have?", ("24 days",), scope="other"),
    _gold(4, "Who pays for the dog?", (), kind="unanswerable", fact="", sources=()),
    _gold(5, "What can the small van carry?", ("410 kg",), scope="held_out", sources=(VANS,)),
]
GENERAL = [
    Question("x1", "What is the capital of Italy?", ("Rome",), "general", "general", "", ()),
]


def _row(
    question: str, answer: str, fact: str, holdout: str = "", chunk: int = 0, task: str = "recall"
) -> Row:
    chunks = CHUNKS[chunk : chunk + 1] if task != "replay" else []
    pair = make_pair(question, answer, chunks, task=task, fact=fact)
    return make_row(pair, [make_document(c.source, c.text) for c in chunks], holdout)


TRAIN = [
    _row("How many days of leave do staff have a year?", "They have 27.5 days.", "a"),
    _row("How long is the leave of full-time staff?", "It is 27.5 days a year.", "a"),
    _row("How many days do apprentices have?", "Apprentices have 24 days.", "b", chunk=1),
    _row("What is the capital of Italy?", "It is Rome.", "", task="replay"),
]
TEST = [
    _row("What leave do full-time staff have?", "Staff have 27.5 days.", "a", "phrasing"),
    _row("What is the calendar called?", "It is called Leeward.", "c", "fact", chunk=1),
    _row("Who feeds the cat?", "The handbook does not say.", "", "phrasing", task="abstain"),
    _row("Tell me a joke.", "A long one.", "", "phrasing", task="replay"),
]
MATERIAL = Material(GOLD, GENERAL, TRAIN, TEST, CHUNKS)


@pytest.fixture(scope="module")
def exam() -> Exam:
    return build_exam(MATERIAL, PARAMS.exam)


def _say(reply: str) -> Examinee:
    return Examinee("tiny", "0" * 64, lambda prompts, _what: [reply] * len(prompts))


def _know(facts: dict[str, str]) -> Examinee:
    def answer(prompts: Sequence[str], _what: str) -> list[str]:
        return [
            next((reply for key, reply in facts.items() if key in prompt), "I don't know.")
            for prompt in prompts
        ]

    return Examinee("tiny", "1" * 64, answer)


STUDENT = {"holiday": "27.5 days", "van": "410 kg", "Italy": "Rome", "full-time": "27.5 days"}


@pytest.fixture(scope="module")
def evaluation(exam: Exam) -> Evaluation:
    references = ask_base(exam, _say("It is 24 days."), ReferenceParams(bases=("tiny",)))
    return evaluate("s", _know(STUDENT), exam, references, PARAMS)


def test_held_out_documents_are_asked_with_their_passage_and_replay_is_not_asked(
    exam: Exam,
) -> None:
    assert [item.question_id for item in exam.gold] == ["g1", "g2", "g3", "g4"]
    assert [item.prompt for item in exam.gold_open] == [
        f"Passage:\n{CHUNKS[2].text}\n\nQuestion: What can the small van carry?"
    ]
    assert sorted(item.question for item in exam.test) == [
        "What is the calendar called?",
        "What leave do full-time staff have?",
        "Who feeds the cat?",
    ]
    assert {item.question: item.answerable for item in exam.test}["Who feeds the cat?"] is False


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (("fleet/van.md",), r"gold\.jsonl:7: .*'fleet/van\.md'; did you mean `fleet/vans\.md`\?"),
        (("FLEET/VANS.MD",), r"'FLEET/VANS\.MD'; did you mean `fleet/vans\.md`\?"),
        ((LEAVE, "x.pdf"), r"no document 'x\.pdf'; .*skipped\.parquet"),
        ((), r"gold\.jsonl:7: .* names no document"),
    ],
)
def test_a_gold_question_whose_document_is_not_in_the_corpus_is_refused_not_left_out(
    sources: tuple[str, ...], message: str
) -> None:
    asked = replace(GOLD[4], sources=sources, place="data/seed/eval/gold.jsonl:7")
    with pytest.raises(InputError, match=message):
        build_exam(replace(MATERIAL, gold=[*GOLD[:4], asked]), PARAMS.exam)


def test_a_base_is_asked_every_question_on_held_out_documents_and_with_its_passage() -> None:
    second = _gold(
        6, "What is the load of the van?", ("410 kg",), scope="held_out", sources=(VANS,)
    )
    exam = build_exam(replace(MATERIAL, gold=[*GOLD, second]), PARAMS.exam)
    found = ask_base(exam, _say("410 kg"), ReferenceParams(bases=("tiny",)))
    shown = [p.question_id for p in found if p.set == "gold_open"]
    assert shown == ["g5", "g6"]


def test_a_smaller_sample_of_test_rows_is_part_of_the_larger() -> None:
    few, more = (build_exam(MATERIAL, ExamParams(test_rows=n)).test for n in (1, 2))
    assert few == more[:1]


@pytest.mark.parametrize(
    ("question", "answer", "parts"),
    [
        ("How many days?", "Staff have 27.5 days.", ("27.5 days",)),
        ("In 4 weeks?", "After 4 weeks it is £20.", ("£20",)),
        ("Which badge is it?", "It is the violet badge.", ("violet",)),
        ("May I spend £50?", "No: it is £38 at most.", ("No", "£38")),
        ("Is it violet?", "Yes.", ("Yes",)),
        ("Which badge?", "No badge is needed.", ("needed",)),
        ("How cold?", "It is kept at minus 18 degrees.", ("-18 degrees",)),
        ("What is a yard?", "A place at the river where boats lie dry all winter long.", ()),
    ],
)
def test_a_test_row_is_judged_by_what_its_answer_adds_to_its_question(
    question: str, answer: str, parts: tuple[str, ...]
) -> None:
    assert answer_parts(question, answer, frozenset({"staff"})) == parts


def test_the_right_passage_holds_the_answer_not_merely_the_words() -> None:
    assert find_passage(GOLD[2], CHUNKS) == CHUNKS[1].text
    assert find_passage(GOLD[3], CHUNKS) == ""
    both = replace(GOLD[2], kind="exception", sources=(LEAVE, VANS))
    assert find_passage(both, CHUNKS) == f"{CHUNKS[1].text}\n\n{CHUNKS[2].text}"


def test_bm25_finds_the_chunk_that_shares_the_rare_word() -> None:
    assert retrieve(["Which load may the van have?", "apprentices"], CHUNKS) == [
        CHUNKS[2],
        CHUNKS[1],
    ]


def test_a_base_is_asked_closed_book_and_with_both_passages(exam: Exam) -> None:
    found = ask_base(exam, _say("27.5 days"), ReferenceParams(bases=("tiny",)))
    counts = {(p.set, p.reference): 0 for p in found}
    for p in found:
        counts[p.set, p.reference] += 1
    assert counts == {
        ("gold", "base"): 4,
        ("gold_open", "base"): 1,
        ("test", "base"): 3,
        ("general", "base"): 1,
        ("gold", "passage"): 3,
        ("gold", "retrieval"): 4,
    }
    few = ReferenceParams(bases=("tiny",), passage_questions_per_kind=0, base_test_rows=0)
    less = ask_base(exam, _say("x"), few)
    assert sorted(p.question_id for p in less if p.reference == "passage") == ["g1", "g2"]


def test_base_and_student_are_asked_each_set_in_the_same_batches(exam: Exam) -> None:
    asked: dict[str, list[tuple[str, ...]]] = {"base": [], "student": []}

    def listen(who: str) -> Examinee:
        def answer(prompts: Sequence[str], _what: str) -> list[str]:
            asked[who].append(tuple(prompts))
            return [""] * len(prompts)

        return Examinee("tiny", who, answer)

    params = ReferenceParams(bases=("tiny",), base_test_rows=None)
    references = ask_base(exam, listen("base"), params)
    evaluate("s", listen("student"), exam, references, PARAMS)
    assert asked["student"] == asked["base"][:4]


def test_the_look_up_gives_the_answer_of_the_nearest_training_question(exam: Exam) -> None:
    def embed(texts: Sequence[str]) -> object:
        return np.array([["apprentices" in t, "apprentices" not in t] for t in texts], float)

    answers = {p.question_id: p for p in look_up(exam, embed)}
    assert answers["g3"].answer == "Apprentices have 24 days."
    assert answers["g3"].correct


def test_the_look_up_never_answers_with_what_the_base_said_itself() -> None:
    replayed = _row("How much holiday do I get in a year?", "27.5 days", "", task="replay")
    exam = build_exam(replace(MATERIAL, train=[*TRAIN, replayed]), PARAMS.exam)

    def embed(texts: Sequence[str]) -> object:
        return np.array([["holiday" in t, "holiday" not in t] for t in texts], float)

    answers = {p.question_id: p.answer for p in look_up(exam, embed)}
    assert answers["g1"] != replayed.completion[0].content


def test_the_packaged_embedding_puts_a_rewording_nearest() -> None:
    texts = ["How long is my holiday?", "How many days of leave do I have?", "Where is the van?"]
    vectors = np.asarray(embed_texts(texts, Runtime(device="cpu", threads=1)))
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_no_setting_of_the_machine_says_how_many_texts_are_embedded_at_once() -> None:
    assert not [name for name in Runtime.model_fields if "embed" in name]


def test_the_guess_is_the_most_frequent_value_of_the_right_type(exam: Exam) -> None:
    answers = {p.question_id: (p.answer, p.correct) for p in guess(exam, seed=0)}
    assert answers["g1"] == ("27.5 days", True)
    assert answers["g3"] == ("27.5 days", False)


def test_a_question_is_covered_by_a_row_of_its_document_about_the_same_thing() -> None:
    gold = [question for question in GOLD if question.answers]
    assert find_covered(gold, TRAIN, map_sources(CHUNKS), shared_words=1) == {"g1", "g3"}
    assert find_covered(gold, TRAIN, map_sources(CHUNKS), shared_words=2) == {"g3"}
    moved = [replace(question, sources=(VANS,)) for question in gold]
    assert find_covered(moved, TRAIN, map_sources(CHUNKS), shared_words=1) == frozenset()


def test_a_row_that_declines_covers_no_question() -> None:
    declining = _row(
        "Is the leave calendar Leeward?", "It does not say Leeward.", "", task="abstain"
    )
    assert row_sources(declining, map_sources(CHUNKS)) == [LEAVE]
    gold = [GOLD[1]]
    assert find_covered(gold, [declining], map_sources(CHUNKS), shared_words=1) == frozenset()
    taught = replace(declining, task="recall")
    assert find_covered(gold, [taught], map_sources(CHUNKS), shared_words=1) == {"g2"}


def test_a_left_out_fact_asked_with_its_passage_is_no_negative_control() -> None:
    shown = make_pair("What is it called?", "Leeward.", CHUNKS, task="open_book", context="Leeward")
    row = make_row(shown, [make_document(c.source, c.text) for c in CHUNKS], "fact")
    kinds = [
        item.kind for item in build_exam(replace(MATERIAL, test=[*TEST, row]), PARAMS.exam).test
    ]
    assert sorted(kinds) == ["fact", "fact_open", "phrasing", "phrasing"]


def test_metrics_hold_every_number_of_a_small_evaluation(evaluation: Evaluation) -> None:
    metrics = json.loads(json.dumps(evaluation.metrics))
    student = metrics["sets"]["gold"]["student"]
    assert (student["n"], student["accuracy"]) == (4, 0.5)
    assert student["by_kind_scope"]["recall/core"]["accuracy"] == 0.5
    assert metrics["sets"]["gold_open"]["student"]["accuracy"] == 1.0
    assert metrics["sets"]["test"]["student"]["by_kind"]["phrasing"]["n"] == 2
    assert metrics["abstention"]["right"]["accuracy"] == 1.0
    assert metrics["abstention"]["false"]["accuracy"] == pytest.approx(2 / 3, abs=1e-6)
    assert metrics["abstention"]["base"]["right"]["accuracy"] == 0.0
    assert metrics["coverage"]["n"] == 3
    assert metrics["learned"] == {
        "n": 2,
        "accuracy": 0.5,
        "low": pytest.approx(0.094531),
        "high": pytest.approx(0.905469),
        "core_recall": {"n": 1, "accuracy": 1.0, "low": pytest.approx(0.206549), "high": 1.0},
    }
    assert metrics["differences"]["gold_core_recall"]["difference"] == 0.5
    assert metrics["retention"].startswith("not defined")
    assert metrics["verdict"] == "gold"
    assert all(math.isfinite(number) for number in _numbers(metrics))


def test_the_plots_table_has_a_line_for_each_set_and_reference(evaluation: Evaluation) -> None:
    lines = write_accuracy(evaluation.metrics).splitlines()
    assert lines[0] == "set,reference,row,accuracy,low,high,n"
    assert "gold core recall,student,gold core recall: student (n = 2),0.5," in "\n".join(lines)


def test_predictions_survive_a_table(
    evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("p") / "predictions.parquet"
    assert write_table(path, Prediction, evaluation.predictions) == 9
    assert set(read_all(path, Prediction)) == set(evaluation.predictions)


def test_without_gold_there_is_no_verdict() -> None:
    exam = build_exam(replace(MATERIAL, gold=()), PARAMS.exam)
    references = ask_base(exam, _say("x"), ReferenceParams(bases=("tiny",)))
    metrics = evaluate("s", _know(STUDENT), exam, references, PARAMS).metrics
    assert metrics["verdict"] == "synthetic test only: no verdict"
    assert metrics["coverage"] == {"n": 0, "core_recall": {"n": 0}}
    assert sorted(metrics["sets"]) == ["general", "test"]  # type: ignore[arg-type]


def test_a_base_without_references_is_said_before_the_student_is_asked(exam: Exam) -> None:
    with pytest.raises(InputError, match=r"references\.bases"):
        evaluate("s", _know(STUDENT), exam, [], PARAMS)


def test_intervals_are_those_of_the_literature() -> None:
    found = share([True] * 8 + [False] * 2, [str(i) for i in range(10)])
    assert (found.n, found.value) == (10, 0.8)
    assert (found.low, found.high) == (
        pytest.approx(0.4902, abs=1e-4),
        pytest.approx(0.9433, abs=1e-4),
    )


@pytest.mark.parametrize(("right", "n"), [(0, 1), (0, 40), (1, 2), (7, 72), (49, 104), (40, 40)])
def test_one_question_for_each_fact_gives_the_plain_wilson_interval(right: int, n: int) -> None:
    found = share([True] * right + [False] * (n - right), [str(i) for i in range(n)])
    plain = stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == (
        pytest.approx(plain.low, abs=1e-12),
        pytest.approx(plain.high, abs=1e-12),
    )


def test_wordings_that_stand_or_fall_together_count_as_little_more_than_their_facts() -> None:
    facts = [str(i // 3) for i in range(60)]
    together = [i // 3 % 2 == 0 for i in range(60)]
    assert 15 < effective_size(together, facts) <= 20
    apart = [i % 3 == 0 for i in range(60)]
    assert effective_size(apart, facts) < 60  # few facts leave their variance uncertain
    assert effective_size([False] * 60, facts) == effective_size([True] * 60, facts) == 20
    assert share([False] * 60, facts).high == share([False] * 20, facts[::3]).high
    assert effective_size([True, False], ["one", "one"]) == 1


def test_the_interval_holds_the_truth_as_often_as_it_says_where_wordings_hang_together() -> None:
    generator, held, plainly, rounds = np.random.default_rng(3), 0, 0, 400
    for _ in range(rounds):
        facts = np.repeat(np.arange(19), 1 + generator.poisson(2, 19))
        known = generator.random(19) < 0.3
        lucky = generator.random(len(facts)) < 0.3
        replies = np.where(generator.random(len(facts)) < 0.8, known[facts], lucky).tolist()
        found = share(replies, [str(i) for i in facts])
        plain = share(replies, [str(i) for i in range(len(facts))])
        held += found.low <= 0.3 <= found.high
        plainly += plain.low <= 0.3 <= plain.high
    assert held / rounds >= 0.93
    assert plainly / rounds < 0.85


def test_wordings_of_one_fact_widen_the_interval_of_a_share_in_the_metrics(
    evaluation: Evaluation,
) -> None:
    phrasing = next(p for p in evaluation.predictions if p.kind == "phrasing")
    many = [replace(phrasing, question_id=str(i), correct=i < 9) for i in range(18)]
    alone = [replace(p, cluster=p.question_id) for p in many]

    def width(predictions: list[Prediction]) -> float:
        metrics = json.loads(json.dumps(summarise("s", predictions, frozenset(), 0)))
        found = metrics["sets"]["test"]["student"]["by_kind"]["phrasing"]
        return float(found["high"] - found["low"])

    assert width(many) > 1.5 * width(alone)


def test_f1_is_the_mean_over_what_can_be_answered(evaluation: Evaluation) -> None:
    found = json.loads(json.dumps(evaluation.metrics))["sets"]["gold"]["student"]
    asked = [p for p in evaluation.predictions if p.set == "gold"]
    assert [p.f1 for p in asked if p.kind == "unanswerable"] == [0.0]
    assert (found["n"], found["f1"]) == (4, pytest.approx(1 / 3, abs=1e-6))
    unanswerable = [p for p in asked if p.kind == "unanswerable"]
    metrics = json.loads(json.dumps(summarise("s", unanswerable, frozenset(), 0)))
    assert "f1" not in metrics["sets"]["gold"]["student"]


def test_wordings_of_one_fact_widen_the_interval_of_a_difference() -> None:
    student, base = [1.0, 1.0, 0.0, 0.0] * 10, [0.0] * 40
    alone = paired_difference(student, base, [str(i) for i in range(40)], seed=1)
    together = paired_difference(student, base, [str(i // 2) for i in range(40)], seed=1)
    assert alone.value == together.value == 0.5
    assert together.high - together.low > alone.high - alone.low
    assert paired_difference(student, base, ["one"] * 40, seed=1).low == -1.0
    assert alone == paired_difference(student, base, [str(i) for i in range(40)], seed=1)


def test_a_difference_that_is_equal_in_all_facts_is_sure_whatever_their_number_of_wordings() -> (
    None
):
    facts = [f"{i}" for i in range(6) for _ in range(i + 1)]
    found = paired_difference([1.0] * len(facts), [0.0] * len(facts), facts, seed=1)
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def _numbers(value: object) -> list[float]:
    if isinstance(value, dict):
        return [n for part in value.values() for n in _numbers(part)]
    return [float(value)] if isinstance(value, int | float) else []


VALIDATION = [
    _row(f"How many days of leave in year {n}?", f"There are {n} days.", f"v{n}", "phrasing")
    for n in range(40, 48)
]
DEV = [
    _gold(11, "How long may I be away in a year?", ("27.5 days",)),
    _gold(12, "What may I put into the small van?", ("410 kg",), scope="held_out", sources=(VANS,)),
]


def _steered(rows: int) -> Exam:
    replay = _row("How are you?", "Well.", "", task="replay")
    material = Material(GOLD, GENERAL, TRAIN, (), CHUNKS, validation=[*VALIDATION, replay], dev=DEV)
    return build_exam(material, ExamParams(validation_rows=rows))


def test_validation_rows_and_dev_gold_are_sets_of_their_own() -> None:
    exam = _steered(5)
    assert [(item.set, item.kind, item.task) for item in exam.validation] == [
        ("validation", "phrasing", "recall")
    ] * 5
    assert {item.question_id for item in exam.validation} < {row.row_id for row in VALIDATION}
    assert [(item.set, item.document) for item in exam.dev] == [("dev", LEAVE), ("dev", VANS)]
    assert exam.dev[1].prompt.startswith("Passage:\nThe highest load")
    assert {item.set for item in exam.items} == {"gold", "gold_open", "general"}
    assert _steered(0).validation == ()
    assert len(_steered(99).validation) == len(VALIDATION)


def test_what_a_version_is_steered_by_is_in_no_claim_about_it() -> None:
    def metrics(exam: Exam) -> dict[str, object]:
        references = ask_base(exam, _say("It is 24 days."), ReferenceParams(bases=("tiny",)))
        return dict(evaluate("s", _say("27.5 days"), exam, references, PARAMS).metrics)

    plain, steered = metrics(_steered(0)), metrics(_steered(6))
    sets, others = steered.pop("sets"), plain.pop("sets")
    assert isinstance(sets, dict)
    assert isinstance(others, dict)
    assert sets["validation"]["student"]["n"] == 6
    assert sets["dev"]["student"]["by_document"][LEAVE]["accuracy"] == 1.0
    assert set(sets["validation"]) == {"student"}
    assert steered == plain
    del sets["validation"]
    assert sets == others


def test_dev_gold_on_an_unknown_document_is_refused() -> None:
    lost = [_gold(13, "Who?", ("Ada",), sources=("people/leav.md",))]
    with pytest.raises(InputError, match=r"no document 'people/leav\.md'"):
        build_exam(Material(GOLD, GENERAL, TRAIN, (), CHUNKS, dev=lost), ExamParams())
