"""Bytes of a text file into text: which encoding they are in, and whether they are text at all."""

from typing import Final

from bs4.dammit import EncodingDetector
from charset_normalizer import from_bytes

from stillhouse.corpus.unreadable import UnreadableError

# The longer marks first: UTF-32's begins as UTF-16's does.
_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_LATIN: Final = frozenset({"iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii"})
_LOOK: Final = 1 << 18  # bytes from which an encoding is told
_ZEROS: Final = 0.4  # of every second byte, from which on they are the upper halves of UTF-16


def decode(data: bytes) -> str:
    """Return the text of bytes in Unicode with or without a mark, or in an old encoding.

    Raises:
        UnreadableError: they are no text (``binary``), or no encoding fits (``unknown_encoding``).
    """
    try:
        return _decode_unicode(data)
    except UnicodeDecodeError:
        return _decode_as(data, _guess_old(data[:_LOOK]))


def decode_page(data: bytes) -> str:
    """Return the text of an HTML page: as ``decode``, but what the page says of itself comes first.

    A page that says Latin-1 is in Windows-1252, as every browser reads it.
    """
    try:
        return _decode_unicode(data)
    except UnicodeDecodeError:
        said = EncodingDetector.find_declared_encoding(data, is_html=True) or ""
        said = "cp1252" if said.lower() in _LATIN else said
        try:
            return data.decode(said)
        except (UnicodeDecodeError, LookupError):
            return decode(data)


def _decode_unicode(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decode_as(data, encoding)
    if b"\x00" in data:
        return _decode_as(data, _tell_halves(data[:_LOOK]))
    return data.decode("utf-8")


def _decode_as(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except (UnicodeDecodeError, LookupError) as exc:
        raise UnreadableError("unknown_encoding", f"it begins as {encoding}, but is not") from exc
    if "\x00" in text:
        raise UnreadableError("binary", "it holds NUL characters, so it is not text")
    return text


def _tell_halves(data: bytes) -> str:
    """Return the UTF-16 in which text has a zero in every second byte."""
    for encoding, halves in (("utf-16-le", data[1::2]), ("utf-16-be", data[::2])):
        others = data[::2] if encoding == "utf-16-le" else data[1::2]
        if halves.count(0) > _ZEROS * len(halves) and 0 not in others:
            return encoding
    raise UnreadableError("binary", "it holds NUL bytes, so it is not text")


def _guess_old(data: bytes) -> str:
    """Return the likeliest old encoding; where Windows-1252, by far the commonest, may be it, that.

    Text of a few words fits many encodings alike, and the detector has no reason to prefer one.
    """
    fitting = [match.encoding for match in from_bytes(data)]
    if not fitting:
        raise UnreadableError("binary", "neither UTF-8 nor text in a likely old encoding")
    return "cp1252" if "cp1252" in fitting else fitting[0]
