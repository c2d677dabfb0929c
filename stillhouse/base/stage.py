"""What every DVC stage does first and last: know its place, say what it did, die with its parent."""

import logging
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partialmethod
from pathlib import Path
from typing import Any, TypeVar

import stillhouse
from stillhouse.base.accepted import check_accepted
from stillhouse.base.alone import hold
from stillhouse.base.contradictions import check_contradictions
from stillhouse.base.ending import end_in_a_sentence
from stillhouse.base.errors import InputError, StillhouseError, suggest
from stillhouse.base.formats import check_formats
from stillhouse.base.home import home
from stillhouse.base.ids import sha256_text
from stillhouse.base.library import LIBRARY, check_library
from stillhouse.base.params import PARAMS, STUDENTS, check_names, load_yaml
from stillhouse.base.parent import die_with_parent
from stillhouse.base.processes import is_first, is_worker
from stillhouse.base.timings import read_age, time_stage

T = TypeVar("T")

log = logging.getLogger("stillhouse")


def run_stage(
    main: Callable[[], None],
    *,
    student: bool = False,
    options: Collection[str] = (),
    valued: Collection[str] = (),
) -> None:
    """Run a stage's ``main``; what a user can mend becomes one sentence and its exit code.

    Args:
        main: reads its arguments from ``sys.argv`` itself.
        student: whether it takes a student's name, which ``choose_student`` looks over.
        options: what else it takes. Options do not make it another stage: none runs beside itself.
        valued: options that a value follows; ``read_option`` returns it.
    """
    level = logging.INFO if is_first() else logging.WARNING
    logging.basicConfig(stream=sys.stderr, level=level, format="%(message)s")
    # It tells of each model that it loads, with the folder.
    logging.getLogger("sentence_transformers").setLevel(logging.WARNING)
    name, *arguments = Path(sys.argv[0]).stem, *sys.argv[1:]
    if not (sys.stderr.isatty() and is_first()):
        _silence_bars()
    with end_in_a_sentence():
        if not student:
            refuse_arguments(name, _drop_values(arguments, valued), [*options, *valued])
        check_place()
        # Here, because only the stages behind the gate would stumble over it.
        check_names(STUDENTS, load_yaml(PARAMS))
        check_contradictions(load_yaml(PARAMS))
        die_with_parent()
        if is_worker():  # the stage that started it holds the lock, and takes the time
            main()
            return
        what = " ".join([name, *arguments]) if student else name
        timed = time_stage("@".join(what.split()), home(), read_age())
        with hold(_lock_file(what), what), timed:
            main()


def read_option(name: str) -> str | None:
    """Return the value that follows an option on the command line; None without the option.

    Raises:
        InputError: no value follows it.
    """
    arguments = sys.argv[1:]
    if name not in arguments:
        return None
    place = arguments.index(name) + 1
    if place == len(arguments):
        raise InputError(f"`{name}` needs a value behind it")
    return arguments[place]


def _drop_values(arguments: Iterable[str], valued: Collection[str]) -> Iterator[str]:
    """Yield the arguments without those that are the value of the option before them."""
    before = ""
    for argument in arguments:
        if before not in valued:
            yield argument
            before = argument
        else:
            before = ""


def refuse_arguments(stage: str, arguments: Iterable[str], known: Collection[str]) -> None:
    """Refuse what a stage does not know: taken for nothing, a slip would look like a success."""
    for argument in arguments:
        if argument not in known:
            raise InputError(
                f"`{stage}` takes no argument `{argument}`",
                expected=f"one of {', '.join(known)}" if known else "none",
                remedy=suggest(argument, known),
            )


def _silence_bars() -> None:
    """Keep every progress bar silent, those of libraries, too: all are tqdm's, and share no other switch.

    tqdm reads its environment on import, which is over by now where a stage needs a model.
    """
    from tqdm import tqdm

    tqdm.__init__ = partialmethod(tqdm.__init__, disable=True)


def check_place() -> None:
    """Refuse to run other code than what DVC counts this stage's outputs by.

    That is the copy of the library in the working directory, or, in a project without code, the
    installed library that its ``library.yaml`` records. In both the formats must be those that
    ``params.yaml`` pins, in a copy of the repository also those that were accepted there.
    """
    if LIBRARY.exists():
        check_formats()
        check_library()
    else:
        check_copy()
        check_formats()
        check_accepted(Path())


def check_copy() -> None:
    """Refuse a library that is not the copy in the working directory.

    Under ``dvc exp run --temp`` a stage of the repository could otherwise import the parent
    checkout's package, and DVC would have hashed other code than the code that ran.
    """
    package = Path(stillhouse.__file__).resolve().parent
    # Exactly there: a package in `.venv/` below the working directory is no copy that DVC hashes.
    if package.parent != Path.cwd().resolve():
        raise StillhouseError(
            f"the library was imported from {package}",
            expected="the copy in this working directory",
            remedy="run stages as `python -m stages.<name>` from the project's root, or begin a "
            "project on the installed library with `stillhouse init`",
        )


def _lock_file(what: str) -> Path:
    """Return the lock of a stage in this folder: that of an experiment is another place."""
    place = sha256_text(f"{Path.cwd().resolve()} {what}")
    return home() / "locks" / f"{place[:16]}.lock"


def say_counts(stage: str, **counts: int | str) -> None:
    """Log a stage's closing line: ``curate: in=500 kept=431 rejected=69``."""
    log.info("%s: %s", stage, " ".join(f"{name}={value}" for name, value in counts.items()))


def open_bar(what: str, total: int) -> Any:
    """Return a progress bar with rate and time left to be updated by hand; silent off a terminal."""
    from tqdm import tqdm

    hidden = not sys.stderr.isatty()
    return tqdm(desc=what, total=total, disable=hidden, leave=False, dynamic_ncols=True)


def show_progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield the items behind a progress bar with rate and time left; silent off a terminal."""
    from tqdm import tqdm

    yield from tqdm(items, desc=what, total=total, disable=not sys.stderr.isatty(), leave=False)
