"""An audit as one HTML file for people: no request to anywhere, each hash to be copied whole.

Whatever documents and teachers say is untrusted: it is escaped where the template writes it, put into the
page as text where the script does, and the page's own policy lets nothing run but its one script.
"""

import base64
import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from stillhouse import __version__
from stillhouse.auditing.audit import Audit, Source
from stillhouse.auditing.audit_text import (
    say_base,
    say_gate,
    say_git,
    say_hashed,
    say_mlflow,
    say_review,
    say_signatures,
    say_teacher,
    say_told,
    say_usd,
)
from stillhouse.auditing.problems import Unchecked
from stillhouse.auditing.samples import Passage, Sample, Samples, draw_samples
from stillhouse.auditing.tally import TRAIN
from stillhouse.base.files import read_text
from stillhouse.base.ids import Json
from stillhouse.quality.highlight import find_answer
from stillhouse.report.render import FOLDER as REPORT
from stillhouse.tracing.tables import CHUNKS, DOCUMENTS, JUDGEMENTS, PAIRS, REQUESTS, RESPONSES

_FOLDER: Final = Path(__file__).parent
_LISTED: Final = 2_000  # documents in the table; --json has them all
# How a state of a link is called, and which look it has.
_STATES: Final = {
    "hashed": ("hashed", "hashed"),
    "absent": ("cannot be checked", "unsure"),
    "corrupt": ("other bytes", "wrong"),
}


_OF_ROWS: Final = ("rows", "Merkle root")


@dataclass(frozen=True, slots=True)
class Box:
    """One step of the chain from documents to model.

    ``lost`` says what went between the step before and this one; ``hash_name`` what the hash is of; ``look``
    is ``hashed``, ``unsure`` or ``wrong``.
    """

    title: str
    count: str
    note: str
    hash_name: str
    hash: str
    state: str
    look: str
    lost: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number at the top of the page."""

    label: str
    value: str
    beside: str


def render_audit(audit: Audit, now: float | None = None) -> str:
    """Return the page as HTML text; ``now`` in seconds since 1970 stands in its footer.

    Raises:
        InputError: a table is no whole Parquet file.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    documents = audit.documents[:_LISTED]
    names = [source.share.document_id for source in documents]  # type: ignore[union-attr]
    # Of tables that could not be counted the audit tells; their rows cannot be shown either.
    files = audit.evidence.files if audit.tally.rows else {}
    samples = draw_samples(files, names, audit.review)
    css = read_text(REPORT / "page.css") + read_text(_FOLDER / "audit_page.css")
    script = read_text(_FOLDER / "audit_page.js")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"thousands": lambda count: f"{count:,}", "usd": say_usd}
    template = environment.from_string(read_text(_FOLDER / "audit_page.html"))
    at = datetime.fromtimestamp(time.time() if now is None else now, UTC)
    return (
        template.render(
            audit=audit,
            provenance=audit.subject.provenance,
            headline=_say_headline(audit),
            hashed=say_hashed(audit),
            unchecked=_list_unchecked(audit),
            figures=list(_list_figures(audit)),
            chain=list(_list_boxes(audit)),
            documents=documents,
            inherited=list(_list_inherited(audit)),
            samples=samples,
            data=_lay_out(samples),
            states=_STATES,
            parameters=dict(_flatten(audit.subject.provenance.parameters)),
            told=say_told(audit),
            gate=say_gate(audit),
            review=say_review(audit),
            signed=say_signatures(audit),
            git=say_git(audit.git),
            mlflow=say_mlflow(audit.mlflow),
            base=say_base(audit),
            say_teacher=say_teacher,
            at=at.strftime("%Y-%m-%d %H:%M UTC"),
            version=__version__,
            css=Markup(css),  # noqa: S704 - our own files
            script=Markup(script),  # noqa: S704
            css_hash=_hash(css),
            script_hash=_hash(script),
        )
        + "\n"
    )


def _hash(text: str) -> str:
    """Return what a page's policy names a style or script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _say_headline(audit: Audit) -> str:
    """Return the answer for somebody who has never seen the command."""
    student, rows = audit.subject.student, f"{audit.listed:,} rows"
    if audit.verified:
        return f"All that went into {student}, down to each of its {rows}, was hashed and is what its records say."
    if audit.problems:
        return f"Not all that went into {student} is what its records say."
    return f"Not all that went into {student} can be checked here; what can be is what its records say."


def _list_unchecked(audit: Audit) -> list[Unchecked]:
    return [item for one in audit.line() for item in one.evidence.unchecked]


def _list_inherited(audit: Audit) -> Iterator[tuple[Audit, Sequence[Source]]]:
    for one in list(audit.line())[1:]:
        yield one, one.documents[:_LISTED]


def _list_figures(audit: Audit) -> Iterator[Figure]:
    parts = audit.tally.steps
    beside = ", ".join(f"{parts[n]:,} {n}" for n in ("validation", "test") if parts[n])
    yield Figure("Rows it was trained on", f"{audit.listed:,}", beside)
    for label, sources in ("Documents", audit.documents), ("Prompts", audit.prompts):
        yield Figure(label, f"{len(sources):,}", _say_states(sources))
    yield Figure("Cost of its answers", say_usd(audit.usd), "at today’s prices in params.yaml")
    review = audit.review
    looked = f"{review.reviewed:,}" if review else "not known"
    people = f"by {len(review.reviewers):,} people" if review and review.reviewed else "by nobody"
    yield Figure("Rows that a person looked at", looked, people if review else "")


def _say_states(sources: Sequence[Source]) -> str:
    """Return how many files are not what they were when they were read, or cannot be told of."""
    states = Counter(source.state for source in sources)
    changed, unknown = states["changed since"] + states["gone"], states[""]
    told = [f"{changed:,} changed or gone since"] if changed else []
    told += [f"{unknown:,} cannot be told of"] if unknown else []
    return ", ".join(told) or ("all as they were read" if sources else "")


def _list_boxes(audit: Audit) -> Iterator[Box]:
    """Yield the steps from documents to model, each with what it is known by."""
    links = {link.path: link for link in audit.evidence.links}
    steps, told = audit.tally.steps, audit.tally.rejections or ()
    left: dict[str, int] = {}
    for item in told:
        left[item.stage] = left.get(item.stage, 0) + item.count
    teachers = {cost.share.teacher for cost in audit.teachers if cost.share.teacher}
    judges = {judge.judge for judge in audit.tally.judges}

    def box(title: str, step: str, table: Path, note: str, stage: str = "") -> Box:
        link = links.get(table.as_posix())
        md5, state = (link.md5, link.state) if link else ("", "absent")
        count = steps[step]
        lost = f"{left[stage]:,} left out" if left.get(stage) else ""
        shown = "?" if count is None else f"{count:,}"
        return Box(title, shown, note, f"md5 of {table.name}", md5, *_STATES[state], lost)

    yield box("Documents", "documents", DOCUMENTS, f"{len(audit.documents):,} of them gave rows")
    yield box("Passages", "passages", CHUNKS, "cut at paragraphs", "ingest")
    prompts = f"from {len(audit.prompts):,} prompts"
    yield box("Requests", "requests", REQUESTS, prompts)
    yield box("Answers", "answers", RESPONSES, f"by {_name(teachers)}")
    yield box("Pairs", "pairs", PAIRS, "question and answer", "generate")
    yield box("Judged", "judged", JUDGEMENTS, f"by {_name(judges)}")
    rows = box("Rows", "train", TRAIN, f"{audit.tally.without_document:,} of no document", "curate")
    root = audit.subject.provenance.dataset.merkle_root
    rows = replace(rows, count=f"{audit.listed:,}", hash_name="Merkle root", hash=root)
    differ = any(problem.kind in _OF_ROWS for problem in audit.evidence.problems)
    yield replace(rows, state="other rows", look="wrong") if differ else rows
    yield _make_model_box(audit)


def _make_model_box(audit: Audit) -> Box:
    weights = audit.subject.provenance.weights_sha256
    gate = "gate passed" if audit.gate and audit.gate.passed else "gate not shown to have passed"
    shown = audit.subject.shown
    wrong = [one.where for one in audit.evidence.problems if one.where.startswith(shown)]
    if any(where.endswith(".safetensors") for where in wrong):
        state, look = "other bytes", "wrong"
    elif wrong:
        state, look = "but other files of the model are wrong", "wrong"
    elif audit.subject.absent:
        state, look = _STATES["absent"]
    else:
        state, look = _STATES["hashed"]
    return Box("Model", audit.subject.student, gate, "sha256 of the weights", weights, state, look)


def _name(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "whom no table here tells"


def _lay_out(samples: Samples) -> dict[str, Json]:
    """Return what the page's script shows: rows and passages, each once, named by their places."""
    rows, passages = list(samples.rows), list(samples.passages)
    row_at = {name: i for i, name in enumerate(rows)}
    passage_at = {name: i for i, name in enumerate(passages)}
    return {
        "documents": {
            name: [row_at[row] for row in own] for name, own in samples.by_document.items()
        },
        "rows": [_lay_out_row(samples.rows[name], samples.passages, passage_at) for name in rows],
        "passages": [
            {"id": name, "source": one.source, "anchor": one.anchor, "text": one.text}
            for name in passages
            for one in (samples.passages[name],)
        ],
    }


def _lay_out_row(
    row: Sample, passages: Mapping[str, Passage], passage_at: Mapping[str, int]
) -> dict[str, Json]:
    shown: list[Json] = []
    for name in row.chunk_ids:
        if name not in passages:
            continue
        found = find_answer(row.answer, passages[name].text)
        spans: list[Json] = [_in_utf16(passages[name].text, *span) for span in found.spans]
        shown.append({"at": passage_at[name], "spans": spans, "words": found.words, "of": found.of})
    return {
        "id": row.row_id,
        "task": row.task,
        "question": row.question,
        "answer": row.answer,
        "reasoning": row.reasoning,
        "request": row.request_id,
        "teacher": row.teacher,
        "prompt": row.prompt,
        "missing": len(row.chunk_ids) - len(shown),
        "scores": [[criterion, round(score, 2)] for criterion, score in row.scores],
        "review": list(row.review),
        "passages": shown,
    }


def _in_utf16(text: str, start: int, end: int) -> list[int]:
    """Return a span as JavaScript counts: a character beyond the first 65,536 counts as two."""
    return [len(text[:place].encode("utf-16-le")) // 2 for place in (start, end)]


def _flatten(values: Mapping[str, Json], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", "none" if value is None else str(value)
