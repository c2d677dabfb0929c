"""A trace as text of at most 80 columns: many of a kind are counted, ``--json`` lists each."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from stillhouse.base.ids import Json
from stillhouse.base.text import fold
from stillhouse.tracing.down import Step
from stillhouse.tracing.models import ModelVerdict
from stillhouse.tracing.trace import Trace

_LABEL: Final = 12
_LINES: Final = 4  # of a passage, an answer or a reason; --json has the whole text
_SHOWN_ID: Final = 16
_FEW: Final = 8  # models without a count by verdict
_ALONE: Final = 2
_SHOWN_REASONS: Final = 8  # of one verdict
_SHOWN_NAMES: Final = 6
_ORDER: Final = ("affected", "unknown", "clean")


def describe_trace(traced: Trace) -> Iterator[str]:
    """Yield the lines of a trace: the verdict, where it comes from, what came of it, the models."""
    thing = traced.thing
    called = thing.name if thing.kind == "model" else f"{thing.kind} {thing.name}"
    yield from fold(f"{called}: {traced.verdict}: {_conclude(traced)}.", "", 2)
    if traced.upstream:
        yield from ("", "Where it comes from")
        for step in _fold_filters(traced.upstream):
            yield from _fill(_label(step), _tell(step))
    yield from ("", "What came of it")
    yield from _describe_down(traced)
    yield from ("", "Models")
    yield from _describe_models(traced.models)
    if not traced.models:
        yield from _fill(
            "", "there is no other" if thing.kind == "model" else "there is none in models/"
        )


def _conclude(traced: Trace) -> str:
    """Return the verdict in a few words: how many models saw the thing, or may have."""
    counts = Counter(model.verdict for model in traced.models)
    alone = traced.thing.kind == "model"
    many = f"{'other ' if alone else ''}model{'' if len(traced.models) == 1 else 's'}"
    if not traced.models:
        return f"there is no {many.removesuffix('s')}"
    of = f"of {len(traced.models):,} {many}"
    saw = "began with it" if alone else "saw it"
    if not counts["affected"] and not counts["unknown"]:
        return f"none {of} {saw}"
    if not counts["affected"]:
        return f"it cannot be told of {counts['unknown']:,} {of}"
    rest = f", and of {counts['unknown']:,} it cannot be told" if counts["unknown"] else ""
    return f"{counts['affected']:,} {of} {saw}{rest}"


def _describe_models(models: Sequence[ModelVerdict]) -> Iterator[str]:
    """Yield the models by verdict, affected first, with the reason; those that share one together."""
    for verdict in _ORDER:
        mine = [model for model in models if model.verdict == verdict]
        if len(models) > _FEW and mine:
            yield from _fill(verdict, f"{len(mine):,} of {len(models):,} models")
        groups: dict[str, list[ModelVerdict]] = {}
        for model in mine:
            groups.setdefault(model.why, []).append(model)
        shown = list(groups.items())[:_SHOWN_REASONS]
        for why, same in shown:
            yield from _describe_same(f"{verdict}: {why}", same)
        if hidden := len(mine) - sum(len(same) for _, same in shown):
            yield from _fill("", f"and {hidden:,} more {verdict} (--json lists all)")


def _describe_same(said: str, same: Sequence[ModelVerdict]) -> Iterator[str]:
    """Yield the models of which the same is said: one or two each by itself, more in one go."""
    if len(same) <= _ALONE:
        for model in same:
            known = ("", "workspace", model.model.rpartition("@")[2])
            where = f" ({model.where})" if model.where not in known else ""
            yield from _fill(model.model, f"{said}{where}")
        return
    yield from _fill(f"{len(same):,} models", said)
    names = [model.model for model in same[:_SHOWN_NAMES]]
    more = len(same) - len(names)
    rest = f" and {more:,} more (--json lists all)" if more else ""
    yield from _fill("", ", ".join(names) + rest)


def _fold_filters(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield the steps with all scores in one, all filters in one: they are many and short."""
    gathered: dict[str, list[str]] = {"judgement": [], "filter": []}
    for step in steps:
        if step.kind == "judgement":
            gathered["judgement"].append(f"{step.id} {float(str(step.facts['score'])):.2f}")
        elif step.kind == "filter":
            gathered["filter"].append(step.id)
        else:
            for kind, told in gathered.items():
                if told:
                    yield Step(kind, ", ".join(told), {})
                    told.clear()
            yield step
    for kind, told in gathered.items():
        if told:
            yield Step(kind, ", ".join(told), {})


def _label(step: Step) -> str:
    return {"chunk": "passage", "judgement": "judged", "filter": "passed"}.get(step.kind, step.kind)


def _tell(step: Step) -> str:
    """Return what one step says, in a line or a few."""
    facts = step.facts
    if facts.get("missing"):
        return _join(step.id[:_SHOWN_ID], "in no table of this version", _rows(facts))
    match step.kind:
        case "document":
            return _join(facts["source"], facts["license"], facts["state"], _rows(facts))
        case "base" | "probabilities":
            return _join(step.id, str(facts["sha256"])[:_SHOWN_ID], facts["origin"])
        case "teacher":
            return _join(step.id, facts["model"], _rows(facts))
        case "dataset":
            none = (
                f"{facts['without_document']:,} of no document" if facts["without_document"] else ""
            )
            gone = f"{facts['untold']:,} in no table of any version here" if facts["untold"] else ""
            return _join(step.id, f"md5 {facts['md5']}", _rows(facts), none, gone)
        case "chunk":
            place = f"{facts['anchor']}, characters {facts['start']} to {facts['end']}"
            return f"{place}: {facts['text']}"
        case "prompt" | "file":
            sha256 = str(facts.get("sha256", ""))[:_SHOWN_ID]
            many = f"{facts['documents']:,} documents" if "documents" in facts else ""
            return _join(step.id, sha256, facts["state"], many, _rows(facts))
        case "request":
            asked = f"to {facts['teacher']} ({facts['model']})"
            how = f"{facts['variation']}, {facts['persona']}, sample {facts['sample']}"
            return _join(step.id[:_SHOWN_ID], asked, how)
        case "answer":
            return str(facts["text"])
        case "pair" | "row" | "parent":
            return f"{_turns(facts)} -> {facts['response']}"
        case "review":
            return _join(facts["verdict"], f"by {facts['reviewer']}", facts["reason"])
        case "split":
            return _join(step.id, facts["holdout"] and f"held out by {facts['holdout']}")
        case _:
            return step.id


def _rows(facts: Mapping[str, Json]) -> str:
    """Return the number of training rows, of which only a model's trace tells."""
    rows = facts.get("rows")
    return "" if rows is None else f"{rows:,} {'row' if rows == 1 else 'rows'}"


def _turns(facts: Mapping[str, Json]) -> str:
    """Return what was said up to the answer: the question, or all turns of a conversation."""
    messages = facts["messages"]
    assert isinstance(messages, Sequence)
    turns = [one for one in messages if isinstance(one, Mapping) and one.get("role") != "system"]
    return " / ".join(str(one["content"]) for one in turns if "content" in one)


def _describe_down(traced: Trace) -> Iterator[str]:
    """Yield what was made of it in the order of the stages: many are counted."""
    others: dict[str, list[Step]] = {}
    for step in traced.downstream:
        others.setdefault(step.kind, []).append(step)
    counted = {tally.kind: tally for tally in traced.counted}
    if not others and not counted and not traced.datasets:
        yield from _fill("", "nothing in the workspace")
    for kind in ("chunk", "request", "pair"):
        if tally := counted.get(kind):
            by_task = f" ({_rank(tally.by, '')})" if tally.by else ""
            yield from _fill(
                "passages" if kind == "chunk" else f"{kind}s", f"{tally.count:,}{by_task}"
            )
    if steps := others.get("rejection"):
        yield from _describe_rejections(steps)
    if tally := counted.get("row"):
        yield from _fill("rows", f"{tally.count:,} ({_rank(tally.by, 'not in the dataset')})")
    if steps := others.get("student"):
        yield from _fill("students", f"{len(steps):,}")
    if steps := others.get("untold"):
        told = f"{steps[0].facts['count']:,} rows and pairs here may be of it: the tables are of"
        yield from _fill("unknown", f"{told} different versions; run `dvc repro`")
    for part in traced.datasets:
        yield from _fill("dataset", f"{part.path}, md5 {part.md5}")


def _describe_rejections(steps: Sequence[Step]) -> Iterator[str]:
    """Yield how many were dropped and who saw them, then each reason with one example."""
    counts = Counter(f"seen {step.facts['seen']}" for step in steps)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    seen = (
        next(iter(counts)) if len(counts) == 1 else "; ".join(f"{n:,} {who}" for who, n in ranked)
    )
    yield from _fill("rejections", f"{len(steps):,}: {seen}")
    reasons: dict[str, list[Step]] = {}
    for step in steps:
        reasons.setdefault(f"{step.facts['stage']}: {step.facts['reason']}", []).append(step)
    for reason, same in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0])):
        example = f"{same[0].id[:_SHOWN_ID]} {same[0].facts['detail']}".strip()
        yield from _fill("", f"{len(same):,} × {reason}, as {example}")


def _rank(counts: Mapping[str, int], none: str) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0] or none))
    return ", ".join(f"{name or none} {count:,}" for name, count in ordered)


def _join(*parts: Json) -> str:
    return ", ".join(str(part) for part in parts if part)


def _fill(label: str, text: str) -> list[str]:
    """Return ``text`` behind its label, folded, and cut short after a few lines."""
    return fold(text, f"  {label:<{_LABEL}} ", _LABEL + 3, _LINES)
