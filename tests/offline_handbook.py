"""A small invented handbook for the offline teacher's tests, and requests about it."""

import json

from stillhouse.base.records import Message, Request
from stillhouse.prompts.passages import Passage, render_passage, render_question
from tests.making import make_request

LOANS = Passage(
    "library/loans.md",
    "Elmwood library guide > Loans",
    """| Item | Loan period | Fine per day |
| --- | --- | --- |
| Books | 21 days | 15p |
| Films | 7 days | 50p |

Members may borrow up to 12 items at a time. Reserved books are held for 6 days.
A lost card costs £2.50 to replace. It is expensive. Inter-library loans must be requested
on form IL-9 within 5 working days of the enquiry.""".replace("\nA lost", " A lost").replace(
        "\non form", " on form"
    ),
)
ROOMS = Passage(
    "library/rooms.md",
    "Elmwood library guide > Rooms",
    """- **Owner of the room rules:** Priya Nandakumar, Head of Service
- Code of the room rules: RR-7

The first-aid box is kept in the Ashton Room. Rooms are booked in the room calendar, a program called Perchlist. The reading room opens at 09:30. Fire extinguishers are checked every 12 months. A quiet hour is an hour in which nobody may telephone. A visiting group must have at least 4 people.""",
)
NIGHT = Passage(
    "library/night.md",
    "Night readers > Loans",
    "Reserved books of night readers are held for 9 days.",
)
MANUAL = Passage(
    "pumps/manual.html",
    "Pump manual > 3.2 Running in",
    """The green pump has two outlets, the upper one and the lower one. The store is kept at 3 °C. Receipts for a
pump must be handed in by the 12th of the following month. This pump must be cleaned every 6 weeks. For
example, a red pump runs for 4 hours. An idle valve is a valve that lets no water through. Orders for valves
are written on the Heron card.

- clean: rinse the pump before the valve

| Part | Description |
| --- | --- |
| spool | Waiting water |""".replace("for a\npump", "for a pump")
    .replace("For\nexample", "For example")
    .replace("valves\nare", "valves are"),
)


def ask(
    *passages: Passage,
    task: str = "recall",
    question: str = "",
    variation: str = "plain",
    persona: str = "",
    **changes: object,
) -> Request:
    """Return a request for ``task`` about the passages; ``changes`` go into its parameters."""
    shown = [render_passage(each.source, each.section, each.text) for each in passages]
    shown += [render_question(question)] if question else []
    parameters = {"pairs": 40, "phrasings": 8, "reasoning": True, "style": "", **changes}
    return make_request(
        task=task,
        messages=(Message("user", "\n\n".join(shown)),),
        parameters=json.dumps(parameters),
        variation=variation,
        persona=persona,
    )
