"""What users asked in production: a chat log in any form of OpenAI's or Anthropic's messages.

The answers in a log are not taken as truth: a conversation ends with its last question. Personal data
that a pattern can find is replaced by a mark before anything else sees the text.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Final

from stillhouse.base.errors import InputError
from stillhouse.base.files import read_jsonl
from stillhouse.base.ids import content_id
from stillhouse.base.personal import hide_personal, name_personal
from stillhouse.base.records import Message

_WRAPPERS: Final = ("body", "params", "request")  # of OpenAI's and Anthropic's batch files
_TURNS: Final = ("messages", "input", "prompt")
_ROLES: Final = {
    "user": "user",
    "assistant": "assistant",
    # Not a turn of the conversation: a student is asked without the system prompt of another
    # assistant, and without the results of its tools.
    "system": "",
    "developer": "",
    "tool": "",
    "function": "",
}
_TEXT: Final = ("text", "input_text", "output_text")
_EXPECTED: Final = '{"messages": [{"role": "user", "content": "…"}]} or {"prompt": "…"}'


@dataclass(frozen=True, slots=True)
class Log:
    """One conversation of a log, up to its last question.

    ``id`` is the line's ``id`` or ``custom_id`` where it has one without personal data, else named by
    its turns, so that a line added elsewhere changes no other's. ``messages`` are turns of ``user`` and ``assistant`` in turn, a user's
    first and last. ``hidden`` are the kinds of personal data that were replaced.
    """

    id: str
    messages: tuple[Message, ...]
    hidden: tuple[str, ...] = ()
    place: str = field(default="", compare=False)

    @property
    def question(self) -> str:
        """The last turn: what is to be answered."""
        return self.messages[-1].content

    @property
    def asked(self) -> str:
        """All that the user said, the question last."""
        return "\n".join(turn.content for turn in self.messages if turn.role == "user")


@dataclass(frozen=True, slots=True)
class Unused:
    """A line of the log that nothing is asked about: its id, why in one word, and in words."""

    id: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Logs:
    """The conversations of a log in their order, and the lines that are none."""

    logs: tuple[Log, ...]
    unused: tuple[Unused, ...] = ()

    def __iter__(self) -> Iterator[Log]:
        return iter(self.logs)

    def __len__(self) -> int:
        return len(self.logs)


def load_logs(path: Path) -> Logs:
    """Return the conversations of a JSONL file.

    A line is a request as it was sent (``messages``; ``input``; or in the ``body`` or ``params`` of a
    batch), or ``{"prompt": "…"}``. Other keys (model, temperature, the answer) are passed over.

    Raises:
        InputError: a line has none of these forms, or a turn has a role that neither has.
    """
    logs: dict[str, Log] = {}
    unused: list[Unused] = []
    for number, record in read_jsonl(path):
        line = f"{path.name}:{number}"
        log = _read_line(record, f"{path}:{number}")
        if not log.messages:
            unused.append(Unused(log.id or line, "no_question", f"{line} holds no text of a user"))
            continue
        if log.id in logs and logs[log.id].messages != log.messages:
            # A service may give all requests of one talk the same id.
            log = replace(log, id=f"{log.id}/{_name_turns(log.messages)}")
        if log.id in logs:
            unused.append(Unused(log.id, "duplicate", f"{line} is there twice"))
        else:
            logs[log.id] = log
    return Logs(tuple(logs.values()), tuple(unused))


def _read_line(record: dict[str, object], place: str) -> Log:
    told = [(turn, hide_personal(turn.content)) for turn in _cut(_read_turns(record, place))]
    turns = tuple(Message(turn.role, text) for turn, (text, _) in told)
    names = [name for key in ("id", "custom_id") if isinstance(name := record.get(key), str)]
    # It becomes part of slots, which tables and pages show.
    name = next((name for name in names if name.strip() and not name_personal(name)), "")
    hidden = tuple(kind for _, (_, kinds) in told for kind in kinds)
    return Log(name or (_name_turns(turns) if turns else ""), turns, hidden, place)


def _name_turns(turns: tuple[Message, ...]) -> str:
    return content_id("log", [[turn.role, turn.content] for turn in turns])[:16]


def _read_turns(record: dict[str, object], place: str) -> Iterator[Message]:
    """Yield the turns of a line that hold text, as they stand there."""
    for wrapper in _WRAPPERS:
        inner = record.get(wrapper)
        if isinstance(inner, dict):
            record = inner
    said = next((record[key] for key in _TURNS if key in record), None)
    if isinstance(said, str):
        said = [{"role": "user", "content": said}]
    if not isinstance(said, list):
        names = ", ".join(f"`{name}`" for name in sorted(record)) or "nothing"
        raise InputError(f"no conversation in {names}", where=place, expected=_EXPECTED)
    for turn in said:
        role = turn.get("role") if isinstance(turn, dict) else None
        if not isinstance(turn, dict) or (role is None and "type" not in turn):
            raise InputError("a turn is no message", where=place, expected=_EXPECTED)
        if role is not None and (not isinstance(role, str) or role not in _ROLES):
            known = ", ".join(_ROLES)
            raise InputError(
                f"a turn has the role {role!r}", where=place, expected=f"one of {known}"
            )
        if (name := _ROLES.get(str(role), "")) and (text := _read_content(turn.get("content"))):
            yield Message(name, text)


def _read_content(content: object) -> str:
    """Return the text of a turn: a text, or a list of blocks, of which only those of text count."""
    if isinstance(content, str):
        return content.strip()
    blocks = content if isinstance(content, list) else []
    texts = [
        block if isinstance(block, str) else block.get("text")
        for block in blocks
        if isinstance(block, str) or (isinstance(block, dict) and block.get("type") in _TEXT)
    ]
    return "\n".join(text.strip() for text in texts if isinstance(text, str) and text.strip())


def _cut(turns: Iterable[Message]) -> list[Message]:
    """Return the turns from the user's first to the user's last, those of one role in a row as one."""
    joined = [
        Message(role, "\n\n".join(turn.content for turn in group))
        for role, group in groupby(turns, key=lambda turn: turn.role)
    ]
    asked = [place for place, turn in enumerate(joined) if turn.role == "user"]
    return joined[asked[0] : asked[-1] + 1] if asked else []
