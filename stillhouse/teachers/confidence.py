"""How sure a teacher was of its words: the probabilities of the tokens that it wrote.

The confidence of an answer is ``exp`` of the mean log-probability of its tokens, which is the
geometric mean of their probabilities: length-normalised sequence likelihood (Malinin and Gales 2021,
"Uncertainty Estimation in Autoregressive Structured Prediction").

Tokens are laid along the text byte by byte. A character of several bytes may be spread over several
tokens, and teachers tell of these in three ways, all of which are taken:

* each token's own bytes (OpenAI's ``bytes``): they join to the text as they are;
* the character on the token that completes it, and nothing (``""``) on those before, which then
  count as parts of that character (what decoding token by token gives);
* U+FFFD in place of each part: such tokens share whatever lies between their neighbours.
"""

import json
import math
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from stillhouse.teachers.answers import PLAIN_TASK, find_json

# What a token says, as text or as UTF-8, and its log-probability.
Token: TypeAlias = tuple[str | bytes, float]
_Span: TypeAlias = tuple[int, int]

_TORN: Final = "\N{REPLACEMENT CHARACTER}".encode()
_DIGITS: Final = 3  # below lies what a teacher's own rounding changes
_LEXEME: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}:,]|[^\s\[\]{}:,"]+')


def measure_confidence(task: str, text: str, tokens: Sequence[Token]) -> tuple[float, ...]:
    """Return the confidence, in (0, 1], of each ``answer`` in a teacher's text, in their order.

    Of plain text (the task ``replay``) it is one, of the whole. Empty where the text is no answer
    in JSON, an entry has no answer, or the tokens are not those of this text. ``tokens`` may begin
    earlier (with thoughts) and end later (with a mark of the end) than the text.
    """
    raw = _encode(text)
    spans = _lay_along(raw, [_encode(piece) for piece, _ in tokens])
    answers = [_strip(raw)] if task == PLAIN_TASK else _find_answers(text)
    found = [
        [tokens[i][1] for i, (start, end) in enumerate(spans) if start < last and first < end]
        for first, last in answers
    ]
    return tuple(_average(logprobs) for logprobs in found) if all(found) else ()


def _average(logprobs: Sequence[float]) -> float:
    mean = math.exp(min(math.fsum(logprobs) / len(logprobs), 0.0))
    return max(float(f"{mean:.{_DIGITS}g}"), sys.float_info.min)


def _encode(piece: str | bytes) -> bytes:
    # Half a surrogate pair is no UTF-8, but servers let models write it.
    return piece if isinstance(piece, bytes) else piece.encode(errors="surrogatepass")


def _strip(raw: bytes) -> _Span:
    start = len(raw) - len(raw.lstrip())
    return start, start + len(raw.strip())


def _lay_along(raw: bytes, pieces: Sequence[bytes]) -> list[_Span]:
    """Return where in the text each piece lies; nothing where they do not make it."""
    at = b"".join(pieces).rfind(raw)
    if at < 0:
        return _lay_torn(raw, pieces)
    spans, place = [], -at
    for piece in pieces:
        spans.append((place, place + max(len(piece), 1)))
        place += len(piece)
    return spans


def _lay_torn(raw: bytes, pieces: Sequence[bytes]) -> list[_Span]:
    """As ``_lay_along``, where some pieces tell only that they are parts of a character.

    U+FFFD, three bytes itself, stands for one to three. So it is known between which places the next
    whole piece begins.
    """
    spans: list[_Span] = []
    place, least, most = 0, 0, 0  # how far the next whole piece may be away
    for piece in pieces:
        if _TORN in piece or (most and not piece):
            least, most = least + len(piece) - 2 * piece.count(_TORN), most + len(piece)
            spans.append((place, -1))
            continue
        if place == len(raw) and not most:  # a mark of the end
            spans.append((place, place))
            continue
        at = raw.find(piece, place + least, place + most + len(piece))
        if at < 0:
            return []
        spans = [(start, at if end < 0 else end) for start, end in spans]
        spans.append((at, at + max(len(piece), 1)))
        place, least, most = at + len(piece), 0, 0
    if place + least > len(raw) or place + most < len(raw):
        return []
    return [(start, len(raw) if end < 0 else end) for start, end in spans]


def _find_answers(text: str) -> list[_Span]:
    """Return where each entry's answer lies, in bytes; nothing unless every entry has one."""
    try:
        value, offset, content = find_json(text)
    except ValueError:
        return []
    match value:
        case {"pairs": [*entries]}:
            spans = dict(_walk_answers(content))  # of a name that stands twice the last counts
        case _:
            return []
    if sorted(spans) != list(range(len(entries))):
        return []
    ends = [(offset + start, offset + end) for _, (start, end) in sorted(spans.items())]
    return [(len(_encode(text[:start])), len(_encode(text[:end]))) for start, end in ends]


def _walk_answers(content: str) -> Iterator[tuple[int, _Span]]:
    """Yield entry and place of each text ``pairs[entry].answer`` in a JSON object that is whole."""
    path: list[str | int] = []  # the name or number of the value that is read, at each depth
    named = True  # whether the next text is a value, not a name
    for found in _LEXEME.finditer(content):
        match found[0]:
            case "{":
                path, named = [*path, ""], False
            case "[":
                path, named = [*path, 0], True
            case "}" | "]":
                path = path[:-1]
            case ":":
                named = True
            case ",":
                last = path[-1]
                path[-1], named = (last, False) if isinstance(last, str) else (last + 1, True)
            case text if not named:
                path[-1] = json.loads(text)
            case text:
                match path:
                    case ["pairs", int(entry), "answer"] if text[0] == '"':
                        inner = (found.start() + 1, found.end() - 1)
                        yield entry, inner if inner[0] < inner[1] else found.span()
