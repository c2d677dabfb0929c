"""Projects that share a journal's remote, and a teacher that costs and counts, for tests."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stillhouse.base.records import Request
from stillhouse.teachers.generate import Collected, GenerateParams, collect_answers
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.lookup import Archive
from stillhouse.teachers.protocol import Reply, Source, take_all
from stillhouse.teachers.remote import Remote
from stillhouse.teachers.stores import Folder, Store
from tests.asking import make_response


@dataclass
class Counting:
    """Answers one request after the other; notes each in ``ledger``, also across processes."""

    ledger: Path
    name: str = "paid"
    costs: bool = True
    seconds: float = 0.0
    breaks_after: int = -1

    def answer(self, source: Source) -> Iterator[Sequence[Reply]]:
        for number, (request,) in enumerate(take_all(source, 1)):
            if number == self.breaks_after:
                raise OSError("cable")
            with self.ledger.open("a") as file:
                file.write(request.request_id + "\n")
            time.sleep(self.seconds)
            yield [Reply(make_response(request))]

    def read_ledger(self) -> list[str]:
        return self.ledger.read_text().split() if self.ledger.exists() else []


@dataclass
class Site:
    """A machine: a project with a journal of its own. ``archive`` is where its history lies."""

    folder: Path
    store: Store | None = None
    archive: Path | None = None
    upload_seconds: float = 60.0

    @property
    def journal(self) -> Path:
        return self.folder / "journal.sqlite"

    @property
    def sent(self) -> list[str]:
        return Counting(self.folder / "ledger").read_ledger()

    def ask(
        self, requests: Sequence[Request], *, allow_repay: bool = False, **teacher: object
    ) -> Collected:
        self.folder.mkdir(exist_ok=True)
        archive = self.archive or self.folder
        with Journal(self.journal) as journal:
            remote = self.store and Remote(self.store, journal.path, self.upload_seconds)
            return collect_answers(
                requests,
                [Counting(self.folder / "ledger", **teacher)],  # type: ignore[arg-type]
                journal,
                Archive(archive, archive),
                GenerateParams(),
                remote=remote or None,
                allow_repay=allow_repay,
            )


def make_folder(path: Path) -> Folder:
    path.mkdir()
    return Folder(path)
