"""What a difference cost and brought: new answers, their price, and each student's score on gold."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stillhouse.base.errors import InputError, StillhouseError
from stillhouse.base.home import find_home
from stillhouse.base.tables import read_table
from stillhouse.base.timings import read_timings
from stillhouse.diffing.tables import TABLES
from stillhouse.history.version import Version
from stillhouse.teachers.money import find_price, price_usage
from stillhouse.teachers.params import Price
from stillhouse.teachers.protocol import Usage

if TYPE_CHECKING:
    from stillhouse.evaluation.intervals import Interval


_PREDICTIONS: Final = "reports/students/{}/evaluation/predictions.parquet"
_TRAIN: Final = "train@"
_FREE: Final = ("offline", "base", "huggingface")
_SEED: Final = 0  # of the bootstrap


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers that only B has: how many, of teachers that cost how many, and their price today.

    ``usd`` is None where a model has no price in params.yaml.
    """

    new: int
    paid: int
    input_tokens: int
    output_tokens: int
    usd: float | None


@dataclass(frozen=True, slots=True)
class Gain:
    """A student's gold questions in both versions: B minus A with a 95 % interval, and both shares.

    ``seconds`` are what its training took here when it last ran; None where that is not known.
    """

    student: str
    old: float
    new: float
    difference: "Interval"
    trained_again: bool
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Impact:
    """What B has that A had not, besides rows."""

    answers: Answers | None
    gains: tuple[Gain, ...]


def measure_impact(a: Version, b: Version, prices: Mapping[str, Price]) -> Impact:
    """Return what came with a difference; of what is not found nothing is told.

    Args:
        a: the older version.
        b: the newer one.
        prices: of models, as params.yaml has them today.
    """
    return Impact(_price_answers(a, b, prices), tuple(_compare_students(a, b)))


def _price_answers(a: Version, b: Version, prices: Mapping[str, Price]) -> Answers | None:
    paths = [version.find(TABLES["responses"].path) for version in (a, b)]
    found = [b.find(TABLES[name].path) for name in ("requests", "derived")]
    asked = [str(path) for path in found if path is not None]
    if paths[0] is None or paths[1] is None or found[0] is None:
        return None
    from stillhouse.diffing.compare import open_engine

    query = """
        select coalesce(r.teacher, ''), n.model, count(*), sum(n.input_tokens)::bigint,
            sum(n.output_tokens)::bigint, sum(n.cached_tokens)::bigint
        from read_parquet($new) n
            anti join read_parquet($old) o on o.request_id = n.request_id
            left join (select request_id, teacher from read_parquet($asked)) r
                on r.request_id = n.request_id
        group by all order by all
    """
    given = {"old": str(paths[0]), "new": str(paths[1]), "asked": asked}
    try:
        with open_engine() as engine:
            groups = engine.execute(query, given).fetchall()
    except InputError:  # of another layout: then it tells nothing
        return None
    new = paid = read = written = 0
    usd: float | None = 0.0
    for teacher, model, count, tokens_in, tokens_out, cached in groups:
        new += count
        price = find_price(prices, model)
        if teacher in _FREE or (price is None and not teacher):
            continue
        paid, read, written = paid + count, read + tokens_in, written + tokens_out
        used = Usage(input_tokens=tokens_in - cached, output_tokens=tokens_out, cache_read=cached)
        usd = None if price is None or usd is None else usd + price_usage(price, used)
    return Answers(new, paid, read, written, usd)


def _compare_students(a: Version, b: Version) -> Iterator[Gain]:
    timings = read_timings(find_home(b.root))
    for stage in sorted(b.lock.stages):
        student = stage.removeprefix(_TRAIN)
        if not stage.startswith(_TRAIN) or stage not in a.lock.stages:
            continue
        found = [version.find(_PREDICTIONS.format(student)) for version in (a, b)]
        if found[0] is None or found[1] is None:
            continue
        again = a.lock.stages[stage].outs != b.lock.stages[stage].outs
        took = timings.typical(f"train {student}") or timings.typical(stage)
        gain = _compare_gold(student, found[0], found[1], took, again=again)
        if gain:
            yield gain


def _compare_gold(
    student: str, old: Path, new: Path, took: float | None, *, again: bool
) -> Gain | None:
    from stillhouse.evaluation.intervals import paired_difference
    from stillhouse.evaluation.records import Prediction

    def read(path: Path) -> dict[str, tuple[bool, str]]:
        asked = (one for one in read_table(path, Prediction) if one.set == "gold")
        own = (one for one in asked if one.reference == "student" and one.kind != "unanswerable")
        return {one.question_id: (one.correct, one.cluster) for one in own}

    try:
        then, now = read(old), read(new)
    except StillhouseError:  # of another layout: then it tells nothing
        return None
    both = sorted(then.keys() & now.keys())
    if not both:
        return None
    first, second = ([float(side[one][0]) for one in both] for side in (now, then))
    clusters = [now[one][1] for one in both]
    difference = paired_difference(first, second, clusters, _SEED)
    return Gain(student, sum(second) / len(both), sum(first) / len(both), difference, again, took)
