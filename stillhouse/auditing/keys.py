"""Keys that sign: the private half in the user's own folder, the public half in the project.

No private key, and no passphrase, ever stands in a message, a result or a file of the project.
"""

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stillhouse.base.errors import InputError, explain_os_error, suggest
from stillhouse.base.files import write_text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

KEYS: Final = Path("signatures/keys")
_PRIVATE: Final = ".pem"
_PUBLIC: Final = ".pub"
_NAME: Final = re.compile(r"\w[\w-]*")
_NEW: Final = "`stillhouse sign --new-key NAME` makes one"


@dataclass(frozen=True, slots=True)
class Key:
    """A public key as the project has it; ``fingerprint`` is the sha256 of its 32 bytes."""

    name: str
    fingerprint: str
    path: Path


def find_key_folder() -> Path:
    """Return where this user's private keys lie; it may not be there yet."""
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "stillhouse" / "keys"


def make_key(root: Path, name: str, passphrase: str) -> tuple[Path, Key]:
    """Make a pair of keys; return where the private one lies, and the public one.

    Raises:
        InputError: the name is none, is taken, or private keys would lie in the project.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not _NAME.fullmatch(name):
        raise InputError(f"`{name}` is no name of a key", expected="letters, digits, `_` and `-`")
    folder = find_key_folder()
    if folder.resolve().is_relative_to(root.resolve()):
        raise InputError(
            "private keys would lie in the project, from where git or DVC would publish them",
            where=str(folder),
            remedy="name a folder outside of it in XDG_CONFIG_HOME",
        )
    path, public = folder / f"{name}{_PRIVATE}", root / KEYS / f"{name}{_PUBLIC}"
    for taken in (path, public):
        if taken.exists():
            raise InputError(
                "there is a key of that name already", where=str(taken), remedy="take another name"
            )
    key = Ed25519PrivateKey.generate()
    _write_private(path, _encode_private(key, passphrase))
    try:
        return path, write_public(root, name, key.public_key())
    except BaseException:  # half a pair would only take the name
        path.unlink()
        raise


def open_private(name: str, ask: Callable[[Path], str | None]) -> "tuple[str, Ed25519PrivateKey]":
    """Return the name and the key of a private key, by its name or file, or the only one there is.

    Args:
        name: of a key in the user's folder, or the path of a file; empty for the only key.
        ask: returns the passphrase of an encrypted file; None where nobody can be asked.

    Raises:
        InputError: there is no such key, others may read it, or it is none that signs here.
    """
    path = _find_private(name)
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise InputError(
                "others may read this private key", where=str(path), remedy=f"`chmod 600 {path}`"
            )
        content = path.read_bytes()
    except OSError as exc:
        raise explain_os_error(exc, str(path)) from exc
    return path.stem, _decode_private(path, content, ask)


def write_public(root: Path, name: str, public: "Ed25519PublicKey") -> Key:
    """Keep a public key in the project, where it is not there yet.

    Raises:
        InputError: the project has another key of that name.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    path = root / KEYS / f"{name}{_PUBLIC}"
    if path.exists():
        known = read_public(root, name)
        if known is None or take_fingerprint(known) != take_fingerprint(public):
            raise InputError(
                f"the project has another key called `{name}`",
                where=str(path),
                expected=f"fingerprint {take_fingerprint(public)}",
                remedy="sign with the private key of that one, or with a key of another name",
            )
    else:
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        write_text(path, pem.decode())
    return Key(name, take_fingerprint(public), path)


def read_public(root: Path, name: str) -> "Ed25519PublicKey | None":
    """Return a public key of the project; None where it has none of that name, or no Ed25519 key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if not _NAME.fullmatch(name):
        return None
    try:
        key = load_pem_public_key((root / KEYS / f"{name}{_PUBLIC}").read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey) else None


def take_fingerprint(key: "Ed25519PublicKey") -> str:
    """Return the sha256 of a key's 32 bytes as 64 hex digits."""
    return sha256(key.public_bytes_raw()).hexdigest()


def _find_private(name: str) -> Path:
    folder = find_key_folder()
    known = {path.stem: path for path in sorted(folder.glob(f"*{_PRIVATE}"))}
    if not name:
        if len(known) == 1:
            return next(iter(known.values()))
        if known:
            raise InputError(
                "there are several keys",
                where=str(folder),
                expected="`--key` and one of " + ", ".join(known),
            )
        raise InputError("there is no private key", where=str(folder), remedy=_NEW)
    if name in known:
        return known[name]
    if Path(name).is_file():
        return Path(name)
    raise InputError(
        f"there is no private key called `{name}`",
        where=str(folder),
        expected=f"a file, or one of {', '.join(known)}" if known else None,
        remedy=suggest(name, known) or _NEW,
    )


def _encode_private(key: "Ed25519PrivateKey", passphrase: str) -> bytes:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        KeySerializationEncryption,
        NoEncryption,
        PrivateFormat,
    )

    kept: KeySerializationEncryption = NoEncryption()
    if passphrase:
        kept = BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, kept)


def _decode_private(
    path: Path, content: bytes, ask: Callable[[Path], str | None]
) -> "Ed25519PrivateKey":
    # `from None`: what the library says of a key is nobody's business but its owner's.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    passphrase = None
    if b"ENCRYPTED" in content:
        passphrase = ask(path)
        if passphrase is None:
            raise InputError(
                "this private key has a passphrase, and nobody can be asked for it",
                where=str(path),
                remedy="run it on a terminal, or set STILLHOUSE_KEY_PASSPHRASE",
            )
    try:
        key = load_pem_private_key(content, passphrase.encode() if passphrase else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        told = "the passphrase is wrong" if passphrase is not None else "not a private key"
        raise InputError(told, where=str(path), expected="an Ed25519 key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(
            "a private key of another kind", where=str(path), expected="an Ed25519 key", remedy=_NEW
        )
    return key


def _write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody else can read, also while it is being written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    except OSError as exc:
        raise explain_os_error(exc, str(path)) from exc
