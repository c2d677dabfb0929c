"""Answers as lines of JSON: in the files of a journal's remote (segments) and in exports.

What comes from elsewhere is looked over line by line before anything is done with it.
"""

import gzip
import hashlib
import io
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from stillhouse.base.errors import InputError
from stillhouse.base.ids import canonical_json
from stillhouse.base.records import Response

SUFFIX: Final = ".jsonl.gz"
LINE_BYTES: Final = 16 << 20  # no answer is longer: a million tokens are four megabytes
SEGMENT_BYTES: Final = 8 << 20  # of lines, after which another segment is begun
_MOST_BYTES: Final = 4 * LINE_BYTES  # of a segment, unpacked
_MOST: Final = 2**53
_SHOWN: Final = 300  # characters of what others wrote
_COUNTS: Final = ("input_tokens", "output_tokens", "cached_tokens")

_Name = Annotated[str, Field(min_length=1, max_length=256)]
_Count = Annotated[int, Field(ge=0, le=_MOST)]
_Probability = Annotated[float, Field(ge=0, le=1)]


class _Line(BaseModel):
    # Not `forbid`: a later version may say more of an answer.
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False)


class Answer(_Line):
    """A teacher's answer, as ``Response`` has it. Answers of old journals name no teacher."""

    kind: Literal["answer"] = "answer"
    teacher: Annotated[str, Field(max_length=256)]
    request_id: _Name
    text: str
    reasoning: str
    stop_reason: str
    input_tokens: _Count
    output_tokens: _Count
    cached_tokens: _Count
    model: str
    confidences: tuple[_Probability, ...] = ()

    @property
    def response(self) -> Response:
        """The answer as the journal takes it."""
        return Response(**self.model_dump(exclude={"kind", "teacher"}))


class Batch(_Line):
    """A batch that was submitted, by the server's name; ``ended``: its answers have been read."""

    kind: Literal["batch"] = "batch"
    teacher: _Name
    name: _Name
    submitted: Annotated[float, Field(ge=0)]
    request_ids: tuple[_Name, ...]
    ended: bool = False


Line: TypeAlias = Answer | Batch
_LINES: Final[TypeAdapter[Line]] = TypeAdapter(Annotated[Line, Field(discriminator="kind")])


def make_answer(teacher: str, response: Response) -> Answer:
    """Return an answer with who gave it; the journal's own, which needs no looking over."""
    values = asdict(response)
    # A line that readers refuse would cost them all of its file. Servers count tokens as they like.
    counts = {name: min(max(values[name], 0), _MOST) for name in _COUNTS}
    confidences = tuple(min(max(one, 0.0), 1.0) for one in response.confidences)  # rounding errors
    if any(map(math.isnan, confidences)):
        confidences = ()  # they stand for the answers in their order: all or none
    return Answer.model_construct(
        **{**values, **counts, "teacher": teacher, "confidences": confidences}
    )


def write_line(line: Line) -> bytes:
    """Return the one line that says this; equal content, equal bytes."""
    return (canonical_json(line.model_dump(mode="json")) + "\n").encode()


def read_lines(file: IO[bytes] | gzip.GzipFile, where: str) -> Iterator[tuple[int, Line]]:
    """Yield (number, content) of each line that is not blank.

    Raises:
        InputError: a line is too long, is no JSON, or says something else than an answer.
    """
    number = 0
    while text := file.readline(LINE_BYTES + 1):
        number += 1
        if len(text) > LINE_BYTES:
            what = f"the line is longer than {LINE_BYTES >> 20} MiB"
            raise InputError(what, where=f"{where}:{number}")
        if text.strip():
            yield number, _parse(text, f"{where}:{number}")


def write_segment(lines: Sequence[bytes], path: Path) -> str:
    """Write lines to ``path``, packed; return the segment's name, which its content gives it."""
    content = b"".join(lines)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        file.write(content)
    digest = hashlib.sha256(content).hexdigest()
    return f"{digest[:2]}/{digest}{SUFFIX}"


def read_segment(path: Path, name: str, where: str) -> list[Line]:
    """Return what a segment says.

    Raises:
        InputError: it is cut off, has other content than its name says, or a line is wrong.
    """
    with explain_damage(where), gzip.open(path) as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise InputError(f"longer than {_MOST_BYTES >> 20} MiB", where=where)
    if f"{hashlib.sha256(content).hexdigest()}{SUFFIX}" != name.rpartition("/")[2]:
        raise InputError("damaged: its content is not what its name says", where=where)
    return [line for _, line in read_lines(io.BytesIO(content), where)]


@contextmanager
def explain_damage(where: str) -> Iterator[None]:
    """Turn what unpacking finds wrong within the block into an error that a user can read."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as exc:
        what = f"damaged or no gzip file ({' '.join(str(exc).split())})"
        raise InputError(what, where=where) from exc


def cut_segments(lines: Iterable[tuple[str, bytes]]) -> Iterator[dict[str, bytes]]:
    """Put lines together into segments; each has what it says it of."""
    segment: dict[str, bytes] = {}
    size = 0
    for name, line in lines:
        if segment and size + len(line) > SEGMENT_BYTES:
            yield segment
            segment, size = {}, 0
        segment[name] = line
        size += len(line)
    if segment:
        yield segment


def quote(text: str) -> str:
    """Return what comes from elsewhere as part of a sentence: one line, not long, nothing that acts."""
    shown = "".join(one if one.isprintable() else " " for one in text[:_SHOWN])
    return " ".join(shown.split()) + "…" * (len(text) > _SHOWN)


def _parse(text: bytes, where: str) -> Line:
    try:
        return _LINES.validate_json(text)
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"] if part not in ("answer", "batch"))
        said = quote(first["msg"][:1].lower() + first["msg"][1:])
        what = f"`{key}`: {said}" if key else said
        expected = '{"kind": "answer", "request_id": …} as `stillhouse journal export` writes it'
        raise InputError(what, where=where, expected=expected) from exc
