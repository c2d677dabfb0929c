"""Facts of table rows: each cell is a fact of its row and its column."""

import re
from collections.abc import Iterator
from typing import Final

from stillhouse.teachers.offline.cells import Cell, read_cell, split_header
from stillhouse.teachers.offline.copulas import ask_thing, head_noun, one_of
from stillhouse.teachers.offline.doubts import is_code, is_known
from stillhouse.teachers.offline.facts import Fact, Question
from stillhouse.teachers.offline.labels import (
    PLACES,
    WORK_PLACES,
    is_noun_phrase,
    is_people,
    name_place,
    name_thing,
    own_label,
)
from stillhouse.teachers.offline.lexicon import list_words
from stillhouse.teachers.offline.markdown import KeyValue, Row
from stillhouse.teachers.offline.morphology import is_plural, singular
from stillhouse.teachers.offline.pairs import read_pair
from stillhouse.teachers.offline.tagging import split_words, tag_words
from stillhouse.teachers.offline.values import find_values
from stillhouse.teachers.offline.wording import (
    content_words,
    drop_article,
    finish,
    lower_first,
    upper_first,
)

_EMPTY: Final = re.compile(r"^[-–—.]?$|[{}<>=]|\[\^")

_SHORTEST_LABEL: Final = 3
# Headers of cells that say something about the label which no question can be made of.
_REMARKS: Final = frozenset(
    list_words(
        "description descriptions note notes comment comments remark remarks details example "
        "explanation"
    )
)
_INDEX: Final = frozenset({"no.", "no", "#", "nr", "nr.", "step", ""})


def read_row(row: Row, names: frozenset[str], title: str) -> Iterator[Fact]:
    """Yield the facts of a table row: one for each cell beside its label."""
    at = 1 if row.header and row.header[0].lower() in _INDEX and len(row.cells) > 2 else 0
    label, head = row.cells[at], row.header[at]
    if (
        len(label) < _SHORTEST_LABEL
        or is_code(label.replace("()", ""))
        or len(label.split()) > 8
        or _tells(label)
    ):
        return
    if len(row.cells) == 2 and row.header[1].lower() in _GENERIC:
        yield from read_pair(KeyValue(label, row.cells[1], row.headings, bold=True), names, title)
        return
    for column in range(at + 1, len(row.cells)):
        header, text = row.header[column], row.cells[column]
        if (
            is_noun_phrase(header)
            and is_known(header)
            and not is_code(text)
            and text
            and not _EMPTY.search(text)
        ):
            yield from _read_cell(row, (head, label, header, text), names, title)


_GENERIC: Final = frozenset(list_words("entry value details content data information answer"))


def _tells(label: str) -> bool:
    """Whether a label is a statement with a value of its own rather than a name."""
    values = find_values(tag_words(["is", *split_words(label.replace(": ", " "))]))
    told = [value for value in values if value.kind not in ("name", "person", "place", "code")]
    return bool(told) and len(label.split()) > 3


def _read_cell(
    row: Row, place: tuple[str, str, str, str], names: frozenset[str], title: str
) -> Iterator[Fact]:
    head, label, header, text = place
    section = " > ".join(row.headings) or title
    statement = f"{section}: {label}: {header}: {text}"
    noun, rate, unit = split_header(header)
    cell = read_cell(text, unit, header)
    if cell.kind == "text" and (header.lower() in _REMARKS or re.search(r"\w\(\w", text)):
        return
    if label[0].isdigit() and not re.search(r"[A-Za-z]{3}", label):
        return
    thing = name_thing(head, label, noun, names)
    questions: list[Question] = []
    if (allowed := _ALLOWED.match(header)) and cell.kind in ("count", "measure", "money"):
        yield _allowed_fact(statement, place, allowed, cell, names)
        return
    if cell.kind == "number" and is_plural(noun.split(" ")[-1]):
        yield _counted_fact(statement, place, noun, cell, names)
        return
    owner = label.split(": ")[0].strip()
    if is_people(owner) and cell.kind == "duration" and ": " not in label:
        questions += _ask_people(owner, noun, rate, cell, names)
        answer = _people_answer(owner, noun, rate, cell)
    else:
        answer = _be_answer(thing, cell, rate)
    questions += _ask_in((head, label), noun, rate, cell, names)
    questions += ask_thing(thing, cell.kind, cell.unit, _plural_thing(noun, cell), rate)
    if len(cell.text.split()) <= 16:
        yield Fact(
            statement=statement, quote=f"{label} | {header}: {text}", questions=tuple(questions),
            answer=answer, kind=cell.kind, value=cell.text, subject=thing, confidence=1.0,
            score=1.0 if cell.kind != "text" else 0.5, unit=cell.unit,
        )  # fmt: skip


def _counted_fact(
    statement: str, place: tuple[str, str, str, str], noun: str, cell: Cell, names: frozenset[str]
) -> Fact:
    head, label, header, text = place
    owner = own_label(head, label, names)
    helper, verb = ("do", "have") if is_plural(owner.split(" ")[-1]) else ("does", "has")
    questions = (
        Question("full", finish(f"How many {noun} {helper} {owner} have")),
        Question("full", finish(f"How many {noun} are there for {owner}")),
        Question("keywords", " ".join(content_words(f"number {noun} {owner}")), False),
        Question("noun", finish(f"What is the number of {noun} of {owner}")),
        Question("indirect", finish(f"Can you tell me how many {noun} {owner} {verb}")),
        Question("curt", finish(f"{drop_article(owner)}: how many {noun}")),
    )
    return Fact(
        statement=statement, quote=f"{label} | {header}: {text}", questions=questions,
        answer=f"{upper_first(owner)} {verb} {cell.text} {noun}.", kind="number", value=cell.text,
        subject=f"the {noun} for {owner}", confidence=1.0, score=0.9, unit=noun,
    )  # fmt: skip


_ALLOWED: Final = re.compile(
    r"^(?P<bound>most|maximum|highest|minimum|fewest|least|lowest) (?:number of )?(?P<noun>[a-z ]+?) "
    r"(?P<done>allowed|permitted|needed|required|admitted|accepted)(?P<rest>.*)$", re.IGNORECASE
)  # fmt: skip


def _allowed_fact(
    statement: str, place: tuple[str, str, str, str], found: re.Match[str], cell: Cell,
    names: frozenset[str],
) -> Fact:  # fmt: skip
    head, label, header, text = place
    where = name_place(head, label, names)
    done = f"{found['done']}{found['rest']} {where}"
    noun = found["noun"]
    bound = "at most" if found["bound"].lower() in ("most", "maximum", "highest") else "at least"
    questions = (
        Question("full", finish(f"How many {noun} are {done}")),
        Question("fronted", finish(f"{where}, how many {noun} are {found['done']}{found['rest']}")),
        Question("keywords", " ".join(content_words(f"{header} {label}")), False),
        Question("noun", finish(f"What is the {'maximum' if bound == 'at most' else 'minimum'} "
                                f"number of {noun} {done}")),
        Question("indirect", finish(f"Can you tell me how many {noun} are {done}")),
        Question("synonym", finish(f"How many {noun} can there be {where}{found['rest']}")),
        Question("in-situ", finish(f"{where}, {bound} how many {noun} are {found['done']}"
                                   f"{found['rest']}")),
        Question("curt", finish(f"{drop_article(where.partition(' ')[2])}: how many {noun}"), False),
    )  # fmt: skip
    answer = f"{upper_first(bound)} {cell.text} are {done}."
    return Fact(
        statement=statement, quote=f"{label} | {header}: {text}", questions=questions,
        answer=answer, kind=cell.kind, value=cell.text, subject=f"the {header.lower()} {where}",
        confidence=1.0, score=1.0, unit=cell.unit, bound="max" if bound == "at most" else "min",
    )  # fmt: skip


def _plural_thing(noun: str, cell: Cell) -> bool:
    return is_plural(head_noun(noun)) and cell.kind in (
        "count",
        "duration",
        "measure",
        "text",
        "money",
    )


def _ask_people(
    owner: str, noun: str, rate: str, cell: Cell, names: frozenset[str]
) -> Iterator[Question]:
    who = lower_first(owner, names)
    many = _many(noun, cell)
    helper = "do" if is_plural(_head(who)) else "does"
    rated = f" {rate}" if rate else ""
    yield Question("full", finish(f"{many} {helper} {who} get{rated}"))
    yield Question("reader", finish(f"As {one_of(who)}, {many} do I get{rated}"))
    yield Question("full", finish(f"{many} {helper} {who} have{rated}"))
    yield Question("fronted", finish(f"For {who}, {many} are there{rated}"))
    yield Question("indirect", finish(f"Can you tell me {many} {who} get{rated}"))
    yield Question("reader", finish(f"I am one of the {who}. {upper_first(many)} do I get{rated}")
                   if is_plural(_head(who)) and who.split(" ")[-1] != "staff" and " on " not in who
                   else finish(f"We are {who}. {upper_first(many)} do we get{rated}"))  # fmt: skip
    yield Question("curt", finish(f"{who}: {many}{rated}"))


def _head(who: str) -> str:
    return re.split(r" (?:on|in|of|with|at|who|without|under) ", who)[0].split(" ")[-1]


def _many(noun: str, cell: Cell) -> str:
    if singular(cell.unit.split(" ")[-1]) in singular(noun.rsplit(" ", maxsplit=1)[-1]):
        return f"how many {noun}"
    return f"how many {cell.unit} of {noun}"


def _people_answer(owner: str, noun: str, rate: str, cell: Cell) -> str:
    amount = cell.text if _many(noun, cell) == f"how many {noun}" else f"{cell.text} of {noun}"
    helper = "get" if is_plural(_head(owner)) else "gets"
    return f"{upper_first(owner)} {helper} {amount} {rate}".strip() + "."


def _be_answer(thing: str, cell: Cell, rate: str) -> str:
    plural = _plural_thing(re.sub(r"^the ", "", thing).split(" for ")[0].split(" in ")[0], cell)
    be = "are" if plural else "is"
    return f"{upper_first(thing)} {be} {cell.text} {rate}".strip() + "."


def _ask_in(
    place: tuple[str, str], noun: str, rate: str, cell: Cell, names: frozenset[str]
) -> Iterator[Question]:
    """Ask from within the row's place: ``I work in Finance. …``, ``In Finance, …``."""
    head, label = place
    rated = f" {rate}" if rate else ""
    if ": " in label or not PLACES & set(head.lower().split()):
        return
    owner = name_place(head, label, names).removeprefix("in ")
    if cell.kind in ("duration", "count") and cell.unit:
        ask = f"{_many(noun, cell)} are there{rated}"
    elif cell.kind == "money":
        ask = f"how much is the {noun}{rated}"
    else:
        ask = f"what is the {noun}{rated}"
    yield Question("full", finish(f"{ask} in {owner}"))
    yield Question("fronted", finish(f"In {owner}, {ask}"))
    if WORK_PLACES & set(head.lower().split()):
        mine = ask.replace("are there", "do I get")
        yield Question("reader", finish(f"I work in {owner}. {upper_first(mine)}"))
