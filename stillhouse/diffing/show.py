"""A diff as JSON, as lines for a terminal, and as Markdown for a comment under a pull request."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from html import escape
from pathlib import Path
from typing import Final

from stillhouse.base.ids import Json
from stillhouse.base.text import fold
from stillhouse.diffing.diff import Change, Diff
from stillhouse.diffing.impact import Gain, Impact
from stillhouse.diffing.shown import Counts, Side, Statistic
from stillhouse.diffing.sides import show_side
from stillhouse.diffing.words import diff_words

_LABEL: Final = 12
_NAMED: Final = 3
_LISTED: Final = 8  # tasks, documents, columns
_LINES: Final = 6  # of a text in the terminal
_MINUTE: Final = 60


def to_json(diff: Diff, impact: Impact | None = None) -> dict[str, Json]:
    """Return the diff as `stillhouse diff --json` prints it; every differing row with all its columns."""
    head = diff.head
    return {
        "a": asdict(head.a),
        "b": asdict(head.b),
        "table": head.table,
        "key": head.key,
        "counts": {
            **asdict(head.counts),
            "reworded": diff.reworded,
            "restamped": diff.restamped,
            "moved": head.moved,
        },
        "columns": dict(head.columns),
        "stamps": dict(diff.stamps),
        "causes": dict(head.causes),
        "causes_by_name": {cause: dict(named) for cause, named in diff.names.items()},
        "by_task": {name: asdict(counts) for name, counts in head.by_task.items()},
        "by_document": {name: asdict(counts) for name, counts in head.by_document.items()},
        "left": [asdict(left) for left in head.left],
        "statistics": [asdict(one) for one in head.statistics],
        "settings": list(diff.settings),
        "unknown": diff.unknown,
        "impact": _impact_to_json(impact),
        "rows": [_row_to_json(diff, change) for change in diff.changes],
    }


def to_text(diff: Diff, impact: Impact | None = None, shown: int = 10) -> Iterator[str]:
    """Yield the diff as lines of 80 columns; ``shown`` rows are shown with their words."""
    head = diff.head
    yield from fold(f"{head.table}: {head.a.title} -> {head.b.title}", "", 2)
    if head.a.md5 and head.a.md5 == head.b.md5:
        # A table whose bytes are not here is known by its hash alone.
        rows = f", {head.b.rows:,} rows" if head.b.rows else ""
        yield f"The same bytes (md5 {head.a.md5}){rows}."
        return
    yield from fold(say_counts(diff), "", 2)
    yield from _say_rest(diff, impact)
    listed = _choose(diff.changes, shown)
    for change in listed:
        yield ""
        yield from _show_row(diff, change)
    more = len(diff.changes) - len(listed)
    if more > 0:
        yield ""
        yield from fold(
            f"And {more:,} more: -n {len(diff.changes)} shows all, --html FILE writes a page with filters "
            "and search, --json lists every column.", "", 0,
        )  # fmt: skip


def to_markdown(
    diff: Diff, impact: Impact | None = None, link: str = "", shown: int = 5
) -> Iterator[str]:
    """Yield the diff as Markdown; ``link`` leads to the page with every word."""
    head = diff.head
    yield f"### Dataset: `{_code(head.a.title)}` → `{_code(head.b.title)}`"
    yield ""
    if diff.same:
        bytes_ = " (the same bytes)" if head.a.md5 and head.a.md5 == head.b.md5 else ""
        rows = f"; {head.b.rows:,} rows" if head.b.rows else ""
        yield f"**No row of {head.table} changes**{bytes_}{rows}."
    else:
        yield f"**{say_headline(diff, code=True)}**{_say_impact(impact)}"
    if link:
        yield ""
        yield f"[Every row, word by word]({link})"
    if diff.same and not diff.restamped:
        return
    yield ""
    if diff.head.causes:
        yield "| cause | rows | what |"
        yield "| --- | ---: | --- |"
        for cause, count in head.causes.items():
            yield f"| {cause} | {count:,} | {_escape(_name_cause(diff, cause))} |"
        yield ""
        yield "| task | added | removed | changed | unchanged |"
        yield "| --- | ---: | ---: | ---: | ---: |"
        for task, counts in _most(head.by_task):
            yield (
                f"| {_escape(task)} | {counts.added:,} | {counts.removed:,} | {counts.changed:,} "
                f"| {counts.unchanged:,} |"
            )
        yield ""
    for title, said in (
        ("Documents", _say_groups(head.by_document)),
        ("Taken by a filter", _say_left(diff)),
        ("Moved", _say_statistics(head.statistics)),
        ("Unchanged but", say_stamps(diff)),
        ("Causes unknown", diff.unknown),
    ):
        if said:
            yield f"* {title}: {_escape(said)}"
    listed = _choose(diff.changes, shown)
    if listed:
        yield ""
        yield f"<details><summary>{len(listed)} of {len(diff.changes):,} rows</summary>"
        yield ""
        for change in listed:
            yield from _show_markdown(diff, change)
        yield "</details>"


def write_html(path: Path, diff: Diff) -> None:
    """Write the diff as a page of its own, with every row word by word."""
    from stillhouse.diffing.page import write_page

    notes = tuple(said for said in (say_stamps(diff), diff.unknown) if said)
    head = replace(diff.head, names=diff.names, notes=notes)
    write_page(path, head, diff.list_differences())


def say_headline(diff: Diff, *, code: bool = False) -> str:
    """Return how many rows differ and because of what, in one clause."""
    head = diff.head
    total = head.counts.differ + head.counts.unchanged
    causes = list(head.causes)
    said = f"{head.counts.differ:,} of {total:,} rows change"
    if len(causes) == 1:
        named = diff.names.get(causes[0], {})
        if len(named) == 1 and causes[0] in ("prompt", "document"):
            name = next(iter(named))
            return f"{said}, all from {f'`{_code(name)}`' if code else name}"
        return f"{said}, all because of {causes[0]}"
    return said


def say_counts(diff: Diff) -> str:
    """Return the counts in one sentence."""
    counts = diff.head.counts
    if diff.same:
        return f"No row differs; {counts.unchanged:,} unchanged."
    changed = "changed" if diff.reworded else "changed, none in its words"
    if 0 < diff.reworded < counts.changed:
        changed = f"changed ({diff.reworded:,} in their words)"
    parts = [(changed, counts.changed), ("added", counts.added), ("removed", counts.removed)]
    told = ", ".join(f"{count:,} {name}" for name, count in parts if count)
    return f"{say_headline(diff)}: {told}; {counts.unchanged:,} unchanged."


def _say_rest(diff: Diff, impact: Impact | None) -> Iterator[str]:
    head = diff.head
    for number, (cause, count) in enumerate(head.causes.items()):
        label = "Because of" if number == 0 else ""
        first = f"{label:<{_LABEL}}{cause:<10} {count:>7,}  "
        yield from fold(_name_cause(diff, cause) or "-", first, len(first))
    for title, said in (
        ("Unknown", diff.unknown),
        ("Tasks", _say_groups(head.by_task)),
        ("Documents", _say_groups(head.by_document)),
        ("Columns", _count(head.columns)),
        ("Filtered", _say_left(diff)),
        ("Moved", _say_statistics(head.statistics)),
        ("Unchanged", say_stamps(diff)),
        ("Answers", _say_answers(impact)),
        *(("Student", _say_gain(gain)) for gain in (impact.gains if impact else ())),
    ):
        if said:
            yield from fold(said, f"{title:<{_LABEL}}", _LABEL)


def _name_cause(diff: Diff, cause: str) -> str:
    named = sorted(diff.names.get(cause, {}).items(), key=lambda item: (-item[1], item[0]))
    alone = len(named) == 1 and named[0][1] == diff.head.causes.get(cause)
    told = ", ".join(name if alone else f"{name} ({count:,})" for name, count in named[:_NAMED])
    return told + (f" and {len(named) - _NAMED:,} more" if len(named) > _NAMED else "")


def say_stamps(diff: Diff) -> str:
    """Return what unchanged rows bear that is new: they came the same way through something else."""
    if not diff.restamped:
        return ""
    told = _count(dict(sorted(diff.stamps.items(), key=lambda item: (-item[1], item[0]))))
    settings = f" ({'; '.join(diff.settings[:_NAMED])})" if diff.settings else ""
    return f"{diff.restamped:,} rows with the same words bear other stamps: {told}{settings}"


def _say_left(diff: Diff) -> str:
    return _count({left.name: left.count for left in diff.head.left})


def _say_groups(groups: Mapping[str, Counts]) -> str:
    most = _most(groups)
    told = ", ".join(f"{name} {_signs(counts)}" for name, counts in most)
    changed = sum(bool(counts.differ) for counts in groups.values())
    return told + (f" and {changed - len(most):,} more" if changed > len(most) else "")


def _signs(counts: Counts) -> str:
    parts = (("~", counts.changed), ("+", counts.added), ("-", counts.removed))
    return " ".join(f"{sign}{count:,}" for sign, count in parts if count)


def _most(groups: Mapping[str, Counts]) -> list[tuple[str, Counts]]:
    changed = [(name, counts) for name, counts in groups.items() if counts.differ]
    return sorted(changed, key=lambda item: (-item[1].differ, item[0]))[:_LISTED]


def _count(counts: Mapping[str, int]) -> str:
    told = ", ".join(f"{name} {count:,}" for name, count in list(counts.items())[:_LISTED])
    return told + (f" and {len(counts) - _LISTED:,} more" if len(counts) > _LISTED else "")


def _say_statistics(statistics: Sequence[Statistic]) -> str:
    """Return the figures that moved as far as their digits show."""
    told = [
        (one.name, *(_say_figure(value, one.share) for value in (one.a, one.b)))
        for one in statistics
    ]
    return "; ".join(f"{name} {then} -> {now}" for name, then, now in told if then != now)


def _say_figure(value: float | None, share: bool) -> str:
    if value is None:
        return "none"
    if share:
        return f"{value:.1%}"
    return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"


def _say_answers(impact: Impact | None) -> str:
    answers = impact.answers if impact else None
    if answers is None or not answers.new:
        return ""
    free = answers.new - answers.paid
    told = [f"{answers.new:,} new"]
    if free:
        told.append(f"{free:,} free")
    if answers.paid:
        price = (
            "no price known" if answers.usd is None else f"${answers.usd:,.2f} at today's prices"
        )
        told.append(
            f"{answers.paid:,} paid: {answers.input_tokens:,} tokens in, {answers.output_tokens:,} out, "
            f"{price}"
        )
    return ", ".join(told)


def _say_gain(gain: Gain) -> str:
    return f"{gain.student}: gold {_say_points(gain)}, {gain.old:.1%} -> {gain.new:.1%}"


def _say_points(gain: Gain) -> str:
    """Return the difference in points with its interval."""
    low, high = 100 * gain.difference.low, 100 * gain.difference.high
    return f"{100 * gain.difference.value:+.1f} ({low:+.1f} ... {high:+.1f})"


def _say_impact(impact: Impact | None) -> str:
    """Return price, training time and gold for the headline of a comment."""
    if impact is None:
        return ""
    told = []
    if impact.answers and impact.answers.paid and impact.answers.usd is not None:
        told.append(f"${impact.answers.usd:,.2f}")
    seconds = sum(gain.seconds or 0.0 for gain in impact.gains if gain.trained_again)
    if seconds:
        told.append(f"{max(1, round(seconds / _MINUTE))} min of training")
    costs = " and ".join(told)
    gains = "; ".join(f"{_escape(gain.student)}: gold {_say_points(gain)}" for gain in impact.gains)
    return "".join(f"; {part}" for part in (costs, gains) if part)


def _choose(changes: Sequence[Change], shown: int) -> list[Change]:
    """Return some of the changes: one of each kind and causes first, so that each is seen."""
    if len(changes) <= shown:
        return list(changes)
    first: list[int] = []
    seen: set[tuple[str, tuple[str, ...]]] = set()
    # What reads the same in both versions comes last.
    order = sorted(
        range(len(changes)),
        key=lambda i: (changes[i].kind == "changed" and not changes[i].reworded, i),
    )
    for number in order:
        mark = (changes[number].kind, changes[number].why.causes)
        if mark not in seen:
            seen.add(mark)
            first.append(number)
    chosen = list(dict.fromkeys([*first, *order]))[:shown]
    return [changes[number] for number in sorted(chosen)]


def _show_row(diff: Diff, change: Change) -> Iterator[str]:
    causes = ", ".join(change.why.causes) or "-"
    yield from fold(f"{change.kind} {change.key}", "", 2)
    yield from fold(
        causes + (f"; {change.why.said}" if change.why.said else ""), "  because of ", 4
    )
    old, new = (show_side(row) if row else None for row in diff.read(change))
    for label, then, now in _list_texts(old, new):
        yield from fold(_mark(then, now, "[-", "-]", "{+", "+}"), f"  {label} ", 4, _LINES)


def _show_markdown(diff: Diff, change: Change) -> Iterator[str]:
    causes = ", ".join(change.why.causes) or "-"
    said = f": {_escape(change.why.said)}" if change.why.said else ""
    yield f"* **{change.kind}** `{_code(change.key)}` ({causes}{said})"
    old, new = (show_side(row) if row else None for row in diff.read(change))
    for label, then, now in _list_texts(old, new):
        marked = _mark(_escape(then), _escape(now), "~~", "~~", "**", "**")
        yield f"  * {label}: {' '.join(marked.split())}"


def _list_texts(old: Side | None, new: Side | None) -> Iterator[tuple[str, str, str]]:
    """Yield (label, old, new) of question and answer, and of what else differs."""
    for label, get in (
        ("Q", _ask),
        ("A", lambda side: side.response),
        ("why", lambda side: side.reasoning),
        ("held out", lambda side: side.holdout),
    ):
        then, now = (get(side) if side else "" for side in (old, new))
        if (label in ("Q", "A") and (then or now)) or then != now:
            yield label, then, now


def _ask(side: Side) -> str:
    return side.question[-1].content if side.question else ""


def _mark(then: str, now: str, old: str, old_end: str, new: str, new_end: str) -> str:
    marks = {"old": (old, old_end), "new": (new, new_end), "same": ("", "")}
    told = []
    for piece in diff_words(then, now):
        before, after = marks[piece.kind]
        inner = piece.text.strip()
        if not inner or piece.kind == "same":
            told.append(piece.text)
            continue
        start = piece.text.index(inner)
        told.append(f"{piece.text[:start]}{before}{inner}{after}{piece.text[start + len(inner) :]}")
    return "".join(told)


def _row_to_json(diff: Diff, change: Change) -> Json:
    old, new = diff.read(change)
    return {
        "slot_id": change.key,
        "kind": change.kind,
        "causes": list(change.why.causes),
        "names": {str(cause): name for cause, name in change.why.names.items()},
        "why": change.why.said,
        "task": change.task,
        "source": change.source,
        "columns": list(change.columns),
        "old_slot_id": change.old_key or None,
        "old": old,
        "new": new,
    }


def _impact_to_json(impact: Impact | None) -> Json:
    if impact is None:
        return None
    return {
        "answers": asdict(impact.answers) if impact.answers else None,
        "students": [asdict(gain) for gain in impact.gains],
    }


def _escape(text: str) -> str:
    """Return text that Markdown takes as it is: of documents and teachers, so of anybody."""
    plain = escape("".join(char if char.isprintable() else " " for char in text), quote=False)
    for mark in "\\`*_~|[]#":
        plain = plain.replace(mark, f"\\{mark}")
    return plain.replace("@", "@\u200b")  # mentions nobody


def _code(text: str) -> str:
    return "".join(char if char.isprintable() and char != "`" else " " for char in text)
