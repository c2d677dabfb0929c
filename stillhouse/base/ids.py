"""Content ids: versioned sha256 over canonical JSON, equal on every machine and in every process."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Union

from stillhouse.base import versions

Json = Union[None, bool, int, float, str, Sequence["Json"], Mapping[str, "Json"]]

_BLOCK: Final = 1 << 20


def canonical_json(value: Json) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, no NaN, UTF-8 kept as it is."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def content_id(kind: str, content: Json) -> str:
    """Return the 64 hex digits that name ``content`` as a ``kind``; equal content, equal id.

    The version and the kind are hashed with the content, so that a pair and a request with the
    same fields never share an id, and a change of layout cannot collide with an older id.
    """
    text = canonical_json({"stillhouse": versions.IDS, "kind": kind, "content": content})
    return sha256_text(text)


def sha256_text(text: str) -> str:
    """Return the sha256 of the UTF-8 bytes of ``text`` as 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the sha256 of a file's bytes as 64 hex digits."""
    return _hash_file(path, "sha256")


def md5_file(path: Path) -> str:
    """Return the md5 of a file's bytes: the name by which DVC knows the file."""
    return _hash_file(path, "md5")


def combine_sha256(files: Mapping[str, str]) -> str:
    """Return one hash over several files, given the sha256 of each by name, in order of name."""
    return sha256_text("\n".join(f"{name} {files[name]}" for name in sorted(files)))


def merkle_root(leaves: Iterable[str]) -> str:
    """Return the root of a binary hash tree over ``leaves`` (hex digests), in their order.

    As in RFC 6962, a leaf is hashed with the prefix 0x00 and an inner node with 0x01, so that an
    inner node can never be passed off as a leaf; an odd node is carried up unchanged. The root of
    no leaves is the sha256 of nothing.
    """
    level = [hashlib.sha256(b"\x00" + bytes.fromhex(leaf)).digest() for leaf in leaves]
    if not level:
        return hashlib.sha256().hexdigest()
    while len(level) > 1:
        pairs = [
            hashlib.sha256(b"\x01" + level[i] + level[i + 1]).digest()
            for i in range(0, len(level) - 1, 2)
        ]
        level = pairs + level[len(level) - len(level) % 2 :]
    return level[0].hex()


def _hash_file(path: Path, name: str) -> str:
    digest = hashlib.new(name, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
