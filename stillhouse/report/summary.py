"""The result in one sentence: for the page's head, the end of a run, and ``stillhouse summary``."""

from stillhouse.report.scores import Metrics, Score


def percent(share: float) -> str:
    """Return a share as a whole percentage; a few of many never reads as none, or all."""
    whole = round(100 * share)
    if whole == 0 and share > 0:
        return "<1%"
    if whole == 100 and share < 1:
        return ">99%"
    return f"{whole}%"


def summary_sentence(metrics: Metrics) -> str:
    """Return what the student can do, beside its base, from whatever was measured."""
    clauses = [
        clause
        for clause in (
            _recall(metrics),
            _open_book(metrics),
            _general(metrics),
            _abstention(metrics),
        )
        if clause
    ]
    if not clauses:
        return f"Nothing was measured of {metrics.student}."
    verdict = "" if metrics.core else "Synthetic test only, no verdict: "
    return f"{verdict}{metrics.student} {'; '.join(clauses)}."


def _recall(metrics: Metrics) -> str:
    core = metrics.core
    if core:
        base = metrics.find("gold", "base", "by_kind_scope", "recall/core")
        what = f"{core.n} questions about core facts, closed book"
        return f"answers {_with_interval(core)} of {what}{_beside(base, core)}"
    test = metrics.find("test", "student", "by_kind", "phrasing") or metrics.find("test", "student")
    if test:
        base = metrics.find("test", "base", "by_kind", "phrasing") or metrics.find("test", "base")
        what = f"{test.n} held-out rows of the teacher’s own wording"
        return f"answers {_with_interval(test)} of {what}{_beside(base, test)}"
    return ""


def _open_book(metrics: Metrics) -> str:
    found = open_book(metrics, "student")
    if not found:
        return ""
    where = "on documents it never saw" if _held_out(metrics) else "in front of it"
    shown = f"with the passage {where} it answers {percent(found.accuracy)}"
    return shown + _beside(open_book(metrics, "base"), found)


def _general(metrics: Metrics) -> str:
    after, before = metrics.find("general", "student"), metrics.find("general", "base")
    if not after:
        return ""
    return f"everyday questions {percent(after.accuracy)}{_beside(before, after)}"


def _abstention(metrics: Metrics) -> str:
    right, wrong = metrics.declined, metrics.falsely_declined
    if not right:
        return ""
    also = f" and {percent(wrong.accuracy)} of those that it could answer" if wrong else ""
    return f"it declines {percent(right.accuracy)} of the unanswerable questions{also}"


def open_book(metrics: Metrics, reference: str) -> Score | None:
    """Return the open-book score on held-out documents (memorising cannot win it), else on all."""
    if _held_out(metrics):
        return metrics.find("gold_open", reference, "by_scope", "held_out")
    return metrics.find("gold_open", reference)


def _held_out(metrics: Metrics) -> bool:
    return metrics.find("gold_open", "student", "by_scope", "held_out") is not None


def _with_interval(score: Score) -> str:
    return f"{percent(score.accuracy)} (95% interval {interval(score)})"


def interval(score: Score) -> str:
    """Return a score's interval as ``58–76%``."""
    return f"{percent(score.low).removesuffix('%')}–{percent(score.high)}"


def _beside(base: Score | None, score: Score) -> str:
    if base is None:
        return ""
    part = "" if base.n == score.n else f" of {base.n} of them"
    return f" (base {percent(base.accuracy)}{part})"
