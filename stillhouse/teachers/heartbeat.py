"""Something that is done again and again, from a thread, while other work takes its time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread


@contextmanager
def beat(action: Callable[[], None], seconds: float) -> Iterator[None]:
    """Call ``action`` every so many seconds while the block runs; it must not raise."""
    ended = Event()

    def run() -> None:
        while not ended.wait(seconds):
            action()

    thread = Thread(target=run, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
