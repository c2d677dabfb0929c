"""What the stub answers: pairs drawn from the passage shown, or an instance of the schema asked for.

The statements are sentences of the passage, word for word, and an answer is a value or the last words
of its sentence, so that the pairs hold before the offline judge.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import orjson

from stillhouse.prompts.passages import Passage, parse_passages, parse_questions
from tests.stub_teacher.calls import Answer, Call, draw
from tests.stub_teacher.tokens import count_shared, count_tokens, keep_tokens

_NUMBERS: Final = {
    word: number
    for number, word in enumerate(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], start=1
    )
}
_NUMBER: Final = r"(\d+|" + "|".join(_NUMBERS) + r")"
_PAIRS: Final = re.compile(rf"\bat most {_NUMBER}\b", re.IGNORECASE)
_PHRASINGS: Final = re.compile(
    rf"\bwrite {_NUMBER} questions?\b|\b(?:in|for) {_NUMBER} wordings?\b"
    rf"|`questions`: {_NUMBER} differently",
    re.IGNORECASE,
)
_BLOCK: Final = re.compile(r"<passage .*?\n</passage>", re.DOTALL)
_SKIPPED: Final = re.compile(r"^\s*(?:#|\||```|<|!\[|[-=*_]{3,}\s*$)")
_BULLET: Final = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9])")
_MARKUP: Final = re.compile(r"[*`_\[\]{}<>|#]+")
_NO_UNIT: Final = r"(?!(?:a|and|are|at|by|for|from|in|is|of|on|or|per|the|to|until|with)\b)"
_VALUE: Final = re.compile(rf"\d(?:[\d.,:]*\d)?(?: ?%| {_NO_UNIT}[A-Za-z]+)?")
_LEAD: Final = 7
_TAIL: Final = 4
_QUESTIONS: Final = (
    "What completes “{lead}” ({section})?",
    "{section}: how does the rule go on after “{lead}”?",
    "Could you tell me what comes after “{lead}” when we talk about {section}?",
    "I forgot the rest of “{lead}”, from our rules about {section}. Which words end it?",
    "Please finish “{lead}” for me, the topic being {section}?",
    "On {section}, somebody told me “{lead}” but not the end; which end is right?",
)
_FILLER: Final = (" and", " so", " on")
_THOUGHT: Final = "The request was read, its passage was cut into sentences, and those that hold a value were taken. "


def compose(call: Call, answer_tokens: int, fault: str) -> Answer:
    """Return what the model says to a call, cut at its ``max_tokens``, spoilt by a content fault."""
    if fault == "refusal":
        return Answer("", "", "refusal", 0, 0)
    thinking = _THOUGHT * (1 + call.max_tokens % 3) if call.thinks else ""
    thought = count_tokens(thinking)
    whole = _shape_wrong(call) if fault == "wrong_schema" else _write(call, answer_tokens)
    text, size, cut = keep_tokens(whole, call.max_tokens - thought)
    if fault in {"truncated_json", "content_filter"}:
        text, size, cut = *keep_tokens(whole, size // 2)[:2], False
    stop = "content_filter" if fault == "content_filter" else "max_tokens" if cut else "end_turn"
    return Answer(text, thinking, stop, size, thought)


def _write(call: Call, answer_tokens: int) -> str:
    if _wants_pairs(call):
        return _write_json(_make_pairs(call), answer_tokens)
    if call.schema is not None:
        return orjson.dumps(fill_schema(call.schema, call.fingerprint)).decode()
    words = _plain_words(call.user)
    text = f"That is about {words}." if words else "There is nothing to say about that."
    return _pad(text, answer_tokens) if answer_tokens else text


def _wants_pairs(call: Call) -> bool:
    if call.schema is not None:
        return "pairs" in call.schema.get("properties", {})
    return '{"pairs"' in call.system or '{"pairs"' in call.user


def _shape_wrong(call: Call) -> str:
    return orjson.dumps({"result": {"about": _plain_words(call.user)}}).decode()


def _write_json(pairs: Iterable[dict[str, Any]], answer_tokens: int) -> str:
    """Return the pairs as JSON; with ``answer_tokens`` so many tokens, unless one pair has more."""
    if not answer_tokens:
        return orjson.dumps({"pairs": list(pairs)}).decode()
    kept: list[dict[str, Any]] = []
    left = answer_tokens - count_shared('{"pairs":[]}')
    for pair in pairs:
        size = count_tokens(orjson.dumps(pair).decode()) + bool(kept)  # a comma stands between two
        if kept and size > left:
            break
        kept.append(pair)
        left -= size
    if kept and left > 0:
        kept[-1]["reasoning"] += _fill(left)
    return orjson.dumps({"pairs": kept}).decode()


def _pad(text: str, answer_tokens: int) -> str:
    missing = answer_tokens - count_tokens(text)
    return text + _fill(missing) if missing > 0 else keep_tokens(text, answer_tokens)[0]


def _fill(tokens: int) -> str:
    """Return so many tokens that say nothing."""
    whole, rest = divmod(tokens, len(_FILLER))
    return "".join(_FILLER) * whole + "".join(_FILLER[:rest])


def _make_pairs(call: Call) -> Iterator[dict[str, Any]]:
    passages = parse_passages(call.user)
    if not passages:
        yield _answer_question(call.user)
        return
    asked = _BLOCK.sub(" ", call.user)
    wanted = _read_number(_PAIRS, asked, call.system)
    phrasings = _read_number(_PHRASINGS, asked, call.system)
    facts = ((passage, fact) for passage in reversed(passages) for fact in _find_facts(passage))
    found = list(facts if call.salt else islice(facts, wanted))
    turn = call.salt % len(found) if found else 0
    for passage, fact in islice(found[turn:] + found[:turn], wanted):
        yield _make_pair(passage, *fact, phrasings)


def _make_pair(
    passage: Passage, fact: str, lead: str, answer: str, phrasings: int
) -> dict[str, Any]:
    section = _clean(passage.section.rpartition(" > ")[2]) or "our rules"
    return {
        "fact": fact,
        "questions": [
            form.format(lead=lead, section=section) for form in _QUESTIONS[: max(phrasings, 1)]
        ],
        "reasoning": f'The passage says: "{fact}". So {answer}.',
        "answer": answer[:1].upper() + answer[1:].rstrip(".") + ".",
        "confidence": (70 + len(fact) % 30) / 100,
    }


def _answer_question(user: str) -> dict[str, Any]:
    questions = parse_questions(user)
    lines = [line.strip() for line in user.splitlines() if line.strip()]
    question = " ".join((questions or lines[-1:] or ["What is it?"])[0].split())
    answer = "The documents do not say that, so I cannot answer it."
    return {
        "fact": "",
        "questions": [question],
        "reasoning": "No passage was shown.",
        "answer": answer,
        "confidence": 0.5,
    }


def _find_facts(passage: Passage) -> Iterator[tuple[str, str, str]]:
    """Yield statement, words that lead to its answer, and answer: sentences first, then cells."""
    yield from _find_sentences(passage)
    yield from _find_cells(passage)


def _find_cells(passage: Passage) -> Iterator[tuple[str, str, str]]:
    """Yield each cell of the passage's tables as ``row: column: value``."""
    head: list[str] = []
    for line in passage.text.splitlines():
        cells = [_clean(cell) for cell in line.strip().strip("|").split("|")]
        if not line.lstrip().startswith("|"):
            head = []
        elif not head:
            head = cells
        elif not set("".join(cells)) <= set("-: "):
            for column, value in zip(head[1:], cells[1:], strict=False):
                if cells[0] and column and value:
                    yield f"{cells[0]}: {column}: {value}", f"{cells[0]}, {column}", value


def _find_sentences(passage: Passage) -> Iterator[tuple[str, str, str]]:
    for line in passage.text.splitlines():
        if _SKIPPED.match(line):
            continue
        for sentence in _SENTENCE.split(_BULLET.sub("", line).strip()):
            if found := _split_sentence(sentence):
                yield sentence, *found


@lru_cache(maxsize=4096)  # tasks share passages
def _split_sentence(sentence: str) -> tuple[str, str] | None:
    """Return what leads to the answer and the answer; None for what is too short to ask about."""
    body = _clean(sentence).rstrip(".!?:;, ")
    words = body.split()
    if len(words) < _TAIL + 2:
        return None
    value = _VALUE.search(body, len(" ".join(words[:3])))
    if value is None:
        return " ".join(words[-_TAIL - _LEAD : -_TAIL]), " ".join(words[-_TAIL:])
    # A currency or a letter may stand right before the figure: the answer is the whole word.
    begin = body.rfind(" ", 0, value.start()) + 1
    return " ".join(body[:begin].split()[-_LEAD:]), body[begin : value.end()]


def _clean(text: str) -> str:
    return " ".join(_MARKUP.sub("", text).replace("“", "").replace("”", "").split())


def _plain_words(text: str) -> str:
    return " ".join(_clean(_BLOCK.sub(" ", text)).split()[:8]).rstrip("?.!,;:")


def _read_number(form: re.Pattern[str], *texts: str) -> int:
    """Return the last number of this form in the first text that has one, else 1."""
    for text in texts:
        if found := form.findall(text):
            last = found[-1]
            said = last if isinstance(last, str) else next(one for one in last if one)
            return _NUMBERS.get(said.lower()) or int(said)
    return 1


def fill_schema(schema: dict[str, Any], salt: str) -> Any:
    """Return an instance of a JSON schema, without references, that follows from the salt."""
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return fill_schema(schema[choice][0], salt)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][int(draw(salt, "enum") * len(schema["enum"]))]
    kind = schema.get("type", "string")
    match kind if isinstance(kind, str) else kind[0]:
        case "object":
            properties = schema.get("properties", {})
            return {name: fill_schema(one, f"{salt}/{name}") for name, one in properties.items()}
        case "array":
            return [fill_schema(schema.get("items", {}), f"{salt}/0")]
        case "integer":
            low = schema.get("minimum", 0)
            return low + int(draw(salt) * (schema.get("maximum", low + 5) - low + 1))
        case "number":
            low = schema.get("minimum", 0)
            return round(low + draw(salt) * (schema.get("maximum", low + 1) - low), 2)
        case "boolean":
            return draw(salt) < 0.5
        case "null":
            return None
        case _:
            return "as the request says"
