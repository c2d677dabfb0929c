"""An audit as text of at most 80 columns: the answer first, long lists cut, ``--json`` has them whole."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from stillhouse.auditing.audit import Audit, Source
from stillhouse.auditing.cost import TeacherCost
from stillhouse.auditing.problems import Problem, Unchecked
from stillhouse.auditing.tally import DocumentShare, PromptShare
from stillhouse.base.ids import Json
from stillhouse.base.text import fold
from stillhouse.lineage.provenance import BaseModel

_LABEL: Final = 12
_LINES: Final = 4
_SHOWN: Final = 10  # of documents and prompts
_PROBLEMS: Final = 8
_ID: Final = 16
_LEAST: Final = 0.005  # dollars; less is told as less than a cent


def describe_audit(audit: Audit) -> Iterator[str]:
    """Yield the lines of an audit: the verdict and why, then all that went into the model."""
    yield from describe_verdict(audit)
    yield from ("", "The model")
    yield from _describe_model(audit)
    yield from ("", "Its data")
    yield from _describe_data(audit)
    yield from _describe_documents(audit)
    yield from _describe_prompts(audit)
    yield from ("", "Who made and judged it")
    yield from _describe_makers(audit)
    yield from ("", "Who let it pass")
    yield from _describe_witnesses(audit)


def describe_verdict(audit: Audit) -> Iterator[str]:
    """Yield the verdict in a sentence, what is wrong, and what was hashed when."""
    yield from fold(say_verdict(audit), "", 0)
    for problem in audit.problems[:_PROBLEMS]:
        yield from fold(say_problem(problem), "  wrong       ", _LABEL + 3)
    if more := len(audit.problems) - _PROBLEMS:
        yield from _more(more, "problems") if more > 0 else ()
    unchecked = [item for one in audit.line() for item in one.evidence.unchecked]
    for item in unchecked[:_PROBLEMS]:
        yield from fold(say_unchecked(item), "  unchecked   ", _LABEL + 3)
    if (more := len(unchecked) - _PROBLEMS) > 0:
        yield from _more(more, "links that cannot be checked")
    yield from fold(say_hashed(audit), "", 0)


def say_verdict(audit: Audit) -> str:
    """Return the answer as one sentence."""
    wrong, missing = len(audit.problems), sum(len(a.evidence.unchecked) for a in audit.line())
    if audit.verified:
        return f"{audit.subject.asked}: verified: every link was hashed."
    told = []
    if wrong:
        told.append(f"{_count(wrong, 'link is', 'links are')} not what the records say")
    if missing:
        told.append(f"{_count(missing, 'link', 'links')} cannot be checked")
    return f"{audit.subject.asked}: NOT verified: {' and '.join(told)}."


def say_problem(problem: Problem) -> str:
    """Return what is wrong, where, and what to do, in a sentence."""
    return (
        f"{problem.kind}: {problem.where}: expected {problem.expected}; found {problem.found}; "
        f"{problem.remedy}"
    )


def say_unchecked(item: Unchecked) -> str:
    """Return what could not be looked at, why, and what to do, in a sentence."""
    return f"{item.where}: {item.why}; {item.remedy}"


def say_hashed(audit: Audit) -> str:
    """Return what was hashed now, and what was hashed before."""
    checked = audit.evidence.checked
    what = (
        f"the {checked.get('files', 0):,} files of the model, {checked.get('rows', 0):,} rows and "
        f"their Merkle root, {checked.get('tables', 0):,} files behind them"
    )
    if audit.evidence.hashed is None:
        return f"Hashed now: {what}."
    when = datetime.fromtimestamp(audit.evidence.hashed, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"Hashed on {when}, and no file touched since: {what}. Hashed now: provenance.json. "
        "--full hashes everything anew."
    )


def say_usd(usd: float | None) -> str:
    """Return dollars for people; of what is not known that it is not."""
    if usd is None:
        return "not known"
    if usd == 0:
        return "nothing"
    return f"${usd:,.2f}" if usd >= _LEAST else "less than a cent"


def say_base(audit: Audit) -> str:
    """Return what the training began with, and what that had seen if it is a student."""
    base = audit.subject.provenance.base
    told = f"{base.name}, sha256 {base.sha256[:_ID]}, {base.origin}"
    if audit.base is None:
        return told
    inherited = audit.base
    verdict = "verified" if inherited.verified else "NOT verified"
    return (
        f"{told}; that is the student {inherited.subject.student} ({inherited.subject.shown}), "
        f"{verdict}: {inherited.listed:,} rows of {len(inherited.documents):,} documents inherited"
    )


def say_teacher(teacher: BaseModel) -> str:
    """Return whose token probabilities were learned."""
    return f"{teacher.name}, sha256 {teacher.sha256[:_ID]}, {teacher.origin}"


def say_told(audit: Audit) -> str:
    """Return by which table the rows were counted, where that is not the model's own."""
    if audit.own_table:
        return ""
    if not audit.tally.rows:
        return "its table is not found, and no other one here knows its rows"
    return (
        f"its table is not found; of {audit.tally.rows:,} of its {audit.listed:,} rows other "
        "tables here tell, by their ids"
    )


def _describe_model(audit: Audit) -> Iterator[str]:
    subject, provenance = audit.subject, audit.subject.provenance
    yield from _fill("student", f"{subject.student} ({subject.shown})")
    yield from _fill("weights", f"sha256 {provenance.weights_sha256}")
    yield from _fill("provenance", f"sha256 {audit.evidence.provenance_sha256}")
    yield from _fill("base", say_base(audit))
    for teacher in provenance.teachers:
        yield from _fill("learned of", say_teacher(teacher))
    for inherited in list(audit.line())[1:]:
        for source in inherited.documents[:3]:
            yield from _fill("", f"inherited: {_say_source(source)}")
        if (more := len(inherited.documents) - 3) > 0:
            yield from _more(more, "inherited documents")
    yield from _fill("parameters", _say_values(provenance.parameters))
    yield from _fill("packages", _say_values(provenance.packages))


def _describe_data(audit: Audit) -> Iterator[str]:
    dataset, tally = audit.subject.provenance.dataset, audit.tally
    yield from _fill("table", f"{dataset.path}, md5 {dataset.md5}")
    yield from _fill("rows", _say_rows(audit))
    yield from _fill("Merkle root", dataset.merkle_root)
    yield from _fill("told by", say_told(audit))
    yield from _fill("tasks", ", ".join(f"{task} {n:,}" for task, n in tally.tasks.items()))
    steps = [f"{n:,} {name}" for name, n in tally.steps.items() if n is not None]
    yield from _fill("made by", " > ".join(steps[:9]))
    for item in (tally.rejections or ())[:_SHOWN]:
        yield from _fill("left out", f"{item.count:,} by {item.stage}: {item.reason}")
    if (more := len(tally.rejections or ()) - _SHOWN) > 0:
        yield from _more(more, "reasons")


def _say_rows(audit: Audit) -> str:
    steps = audit.tally.steps
    parts = [f"{audit.listed:,} to train on"]
    parts += [f"{steps[name]:,} {name}" for name in ("validation", "test") if steps[name]]
    none = audit.tally.without_document
    return ", ".join([*parts, f"{none:,} of no document"] if none else parts)


def _describe_documents(audit: Audit) -> Iterator[str]:
    yield from ("", f"Documents, by rows ({len(audit.documents):,})")
    yield from _list(audit.documents, "documents")


def _describe_prompts(audit: Audit) -> Iterator[str]:
    yield from ("", f"Prompts, by rows ({len(audit.prompts):,})")
    yield from _list(audit.prompts, "prompts")


def _list(sources: Sequence[Source], what: str) -> Iterator[str]:
    for source in sources[:_SHOWN]:
        yield from fold(_say_source(source), f"  {source.share.rows:>9,} ", _LABEL + 3, _LINES)
    rest = sources[_SHOWN:]
    if rest:
        rows = sum(source.share.rows for source in rest)
        yield from _more(len(rest), f"{what} of {rows:,} rows")
    if not sources:
        yield from _fill("", "none is known")


def _say_source(source: Source) -> str:
    share = source.share
    if isinstance(share, DocumentShare):
        known = share.source or f"{share.document_id[:_ID]}, in no table here"
        return _join(known, share.license, _short(share.source_sha256), source.state)
    assert isinstance(share, PromptShare)
    known = share.path or "a prompt whose requests no table here has"
    return _join(known, _short(share.sha256), source.state)


def _describe_makers(audit: Audit) -> Iterator[str]:
    for cost in audit.teachers:
        yield from _fill("teacher", _say_teacher(cost))
    for judge in audit.tally.judges:
        told = (
            f"{judge.judge}, {judge.criterion}: {judge.judgements:,} judged, mean {judge.mean:.2f}"
        )
        yield from _fill("judge", _join(told, judge.rubric, _short(judge.rubric_sha256)))
    yield from _fill(
        "cost", f"{say_usd(audit.usd)} at today's prices in params.yaml, asked one by one"
    )


def _say_teacher(cost: TeacherCost) -> str:
    share = cost.share
    if not share.teacher:
        return f"not known of {share.rows:,} rows: no table here has their requests"
    told = f"{share.teacher} ({share.model}), {share.rows:,} rows"
    if share.answers is None:
        return f"{told}, its answers are not found"
    tokens = f"{share.input_tokens:,} tokens read, {share.output_tokens:,} written"
    return f"{told} of {share.answers:,} answers, {tokens}, {say_usd(cost.usd)}"


def _describe_witnesses(audit: Audit) -> Iterator[str]:
    yield from _fill("gate", say_gate(audit))
    yield from _fill("review", say_review(audit))
    yield from _fill("signed", say_signatures(audit))
    yield from _fill("git", say_git(audit.git))
    yield from _fill("MLflow", say_mlflow(audit.mlflow))


def say_gate(audit: Audit) -> str:
    """Return how the validation turned out that the training opened."""
    gate = audit.gate
    if gate is None:
        return "the validation that it passed is not found"
    failed = [check.name for check in gate.checks if not check.passed]
    if gate.passed:
        return f"passed, {len(gate.checks)} checks, md5 {gate.md5}"
    return f"did NOT pass: {', '.join(failed)}"


def say_review(audit: Audit) -> str:
    """Return what people decided before training."""
    review = audit.review
    if review is None:
        return "the report of its reviews is not found"
    if not review.reviewed:
        return f"nobody looked at any of its {review.rows:,} rows"
    people = ", ".join(f"{name} {n:,}" for name, n in list(review.reviewers.items())[:_SHOWN])
    verdicts = ", ".join(f"{name} {n:,}" for name, n in review.verdicts.items())
    return f"{review.reviewed:,} rows ({verdicts}) by {people}"


def say_signatures(audit: Audit) -> str:
    """Return whose keys signed the very model."""
    if not audit.signatures:
        return "by nobody (`stillhouse sign`)"
    keys = [f"{one.key} (key {one.fingerprint})" for one in audit.signatures]
    return f"by {', '.join(keys)}"


def say_git(git: Mapping[str, Json]) -> str:
    """Return which commits hold the model."""
    if not git:
        return "no dvc.lock of any commit names this folder"
    if "commit" not in git:
        return "its dvc.lock lies here, not committed"
    refs = git["refs"]
    names = f" ({', '.join(map(str, refs))})" if isinstance(refs, Sequence) and refs else ""
    more = ""
    first = git["first"]
    if git["commits"] != 1 and isinstance(first, Mapping):
        which = f"the first of {git['commits']} commits that hold it"
        told = f"{str(first['commit'])[:12]}, {first['subject']}"
        more = f"; {which}" if first["commit"] == git["commit"] else f"; {which} is {told}"
    return f"{str(git['commit'])[:12]}{names}, {git['time']}, {git['subject']}{more}"


def say_mlflow(mlflow: Mapping[str, Json]) -> str:
    """Return how MLflow knows the model, and whether it was asked."""
    if "problem" in mlflow:
        return f"not known there: {mlflow['problem']}"
    if not mlflow:
        return "no registration of these weights lies here; --mlflow asks the store"
    aliases = mlflow.get("aliases")
    names = (
        f" (@{', @'.join(map(str, aliases))})" if isinstance(aliases, Sequence) and aliases else ""
    )
    asked = "" if mlflow["asked"] else ", as `register` wrote it down here"
    return f"{mlflow['uri']}{names}, run {mlflow['run_id']}, {mlflow['tracking_uri']}{asked}"


def _say_values(values: Mapping[str, Json]) -> str:
    """Return nested values in one line, as YAML would in flow style."""
    parts = []
    for key, value in values.items():
        told = f"{{{_say_values(value)}}}" if isinstance(value, Mapping) else value
        parts.append(f"{key} {told}")
    return ", ".join(parts)


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _short(sha256: str) -> str:
    return f"sha256 {sha256[:_ID]}" if sha256 else ""


def _join(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _more(number: int, what: str) -> list[str]:
    return fold(f"and {number:,} more {what} (--json lists each)", " " * (_LABEL + 3), _LABEL + 3)


def _fill(label: str, text: str) -> list[str]:
    return fold(text, f"  {label:<{_LABEL}} ", _LABEL + 3, _LINES) if text else []
