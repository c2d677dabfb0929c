"""One cause, several witnesses: what only repeats, in other words, a problem that names the cause.

An advice that follows from an echo may be wrong: who is told that a file differs from an edited
``dvc.lock`` would remove the file that is right.
"""

from collections.abc import Iterator, Sequence

from stillhouse.auditing.closure import CONTRADICTION
from stillhouse.auditing.gate import RED, VALIDATION
from stillhouse.auditing.problems import Problem
from stillhouse.auditing.student_files import EDITED, UPSTREAM


def drop_echoes(problems: Sequence[Problem]) -> Iterator[Problem]:
    """Yield the problems without those that another one explains."""
    places = {(one.kind, one.where) for one in problems}
    edited = {one.where for one in problems if one.kind == EDITED}
    # Of an output whose md5 in the lock no reader read: what the readers read instead.
    told = [one for one in problems if one.kind == CONTRADICTION and one.where not in edited]
    for one in problems:
        if one.kind == CONTRADICTION and one.where in edited:
            continue
        if one.kind in (EDITED, "changed file") and (RED, one.where) in places:
            continue
        # The run that did pass is filed under the same key: it is not that one which is wrong.
        if (RED, VALIDATION) in places and one.found.endswith(f" for {VALIDATION}"):
            continue
        if not any(_repeats(one, cause) for cause in told):
            yield one


def _repeats(one: Problem, cause: Problem) -> bool:
    """Say whether a problem only says once more that the lock contradicts itself."""
    read = cause.found.split(",")[0]  # "md5 …"
    if one.where == cause.where:
        return one.kind == UPSTREAM or (one.kind == "changed file" and one.found == read)
    return one.kind == "run cache" and one.found == f"{read} for {cause.where}"
