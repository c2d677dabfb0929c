"""Ask a teacher for what is missing, each request once among all processes of the project."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from stillhouse.base.stage import open_bar
from stillhouse.teachers.desk import Desk, Terms, Walk
from stillhouse.teachers.journal import Journal
from stillhouse.teachers.protocol import Failure, Stop, Teacher
from stillhouse.teachers.signals import stop_gracefully


@dataclass(frozen=True, slots=True)
class Asked:
    """How many requests were sent from here, what failed, and why it ended early, if it did."""

    sent: int
    failures: tuple[Failure, ...] = ()
    stop: Stop = ""


def ask_teacher(
    teacher: Teacher, names: Sequence[str], walk: Walk, journal: Journal, terms: Terms | None = None
) -> Asked:
    """Ask for every request of ``names``, and wait for those that another process is asking already.

    Each outcome is in the journal before the next is taken; with a teacher that costs, it is on
    disk. So ending this process at any moment loses nothing that has come back. Answers are read
    from the journal: two processes never go on with two answers to one request.
    """
    journal.set_durable(teacher.costs)
    desk = Desk(journal, walk, terms or Terms(), costs=teacher.costs, teacher=teacher.name)
    # What is free can be interrupted at once: no answer on its way was paid for.
    graceful = stop_gracefully(desk.interrupt) if teacher.costs else nullcontext()
    with open_bar(f"asking {teacher.name}", len(names)) as bar, graceful:
        left = list(names)
        while left and not desk.stopped:
            desk.lay_out(left)
            with desk.hold():
                for replies in teacher.answer(desk):
                    desk.settle(replies)
                    bar.update(len(replies))
                    if desk.spent:
                        bar.set_postfix_str(f"${desk.spent:,.2f}", refresh=False)
            left = desk.await_others()
    return Asked(desk.sent, tuple(desk.failures.values()), desk.stopped)
