"""Who vouches for a student: detached Ed25519 signatures over the hashes that say what it is.

What is signed is the canonical JSON of the statement (``base/ids.py``), so that anybody can check it
with the public key alone. Statements of another kind have other keys: no signature of the one can
be passed off as one of the other.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stillhouse.auditing.keys import KEYS, read_public, take_fingerprint, write_public
from stillhouse.auditing.papers import open_provenance
from stillhouse.auditing.problems import Outcome, Problem, join_outcomes
from stillhouse.auditing.student import Student
from stillhouse.base.errors import InputError
from stillhouse.base.files import write_json
from stillhouse.base.ids import canonical_json, sha256_file
from stillhouse.lineage.model_folder import PROVENANCE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FOLDER: Final = Path("signatures")
KIND: Final = "signature"
_VERSION: Final = 1
_SHORT: Final = 12
_STATED: Final = {"student", "weights_sha256", "provenance_sha256", "dataset_md5", "merkle_root"}


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as it lies in the project; ``fault`` says why it counts for nothing, else empty."""

    path: Path
    key: str
    fingerprint: str
    statement: Mapping[str, str]
    fault: str


def make_statement(student: str, folder: Path) -> dict[str, str]:
    """Return what is signed of a student's folder; its files are not looked at.

    Raises:
        InputError: it has no readable provenance.
    """
    provenance = open_provenance(folder)
    return {
        "student": student,
        "weights_sha256": provenance.weights_sha256,
        "provenance_sha256": sha256_file(folder / PROVENANCE),
        "dataset_md5": provenance.dataset.md5,
        "merkle_root": provenance.dataset.merkle_root,
    }


def sign(root: Path, statement: Mapping[str, str], name: str, key: "Ed25519PrivateKey") -> Path:
    """Write the signature of a statement, and the public key beside it; return where it lies.

    Raises:
        InputError: the project has another key of that name.
    """
    public = write_public(root, name, key.public_key())
    path = root / _name_file(statement, name)
    made = base64.b64encode(key.sign(canonical_json(statement).encode())).decode()
    write_json(
        path,
        {
            "version": _VERSION,
            "key": name,
            "fingerprint": public.fingerprint,
            "statement": statement,
            "signature": made,
        },
    )
    return path


def list_signatures(root: Path) -> list[Signature]:
    """Return every signature of the project, checked against its public key."""
    return [_read(root, path) for path in sorted((root / FOLDER).glob("*.json"))]


def check_signatures(
    students: Sequence[Student], root: Path, *, required: bool, whole: bool
) -> Outcome:
    """Find signatures that are wrong, and students whose bytes are others than those signed.

    Args:
        students: those that are verified.
        root: the project.
        required: whether a student without any is a problem.
        whole: whether a wrong signature of any other student is a problem, too.
    """
    signatures = list_signatures(root)
    names = {"", *(student.name for student in students)}  # of an unreadable one none is known
    wrong = [
        _tell(one, f"a signature by a key of {KEYS}", one.fault)
        for one in signatures
        if one.fault and (whole or one.statement.get("student", "") in names)
    ]
    good = [one for one in signatures if not one.fault]
    return join_outcomes(
        [Outcome(tuple(wrong)), *(_check(student, good, required=required) for student in students)]
    )


def _check(student: Student, signatures: Sequence[Signature], *, required: bool) -> Outcome:
    try:
        now = make_statement(student.name, student.folder)
    except InputError:
        return Outcome()  # which the check of its files tells
    own = [one for one in signatures if one.statement["student"] == student.name]
    right = [one for one in own if one.statement == now]
    remedy = f"`stillhouse sign {student.name}`, if these files are right"
    expected = f"a signature of weights_sha256 {now['weights_sha256']}"
    problems = []
    for one in own:
        # Of the same weights, yet another statement: no older version, but other papers.
        if one not in right and one.statement["weights_sha256"] == now["weights_sha256"]:
            keys = [key for key in sorted(now) if one.statement[key] != now[key]]
            said = ", ".join(f"{key} {one.statement[key]}" for key in keys)
            right_one = ", ".join(f"{key} {now[key]}" for key in keys)
            problems.append(
                _tell(one, f"{right_one} ({student.shown})", f"{said}, which was signed")
            )
    if own and not right and not problems:
        found = f"only signatures of other versions: {', '.join(one.path.name for one in own)}"
        problems.append(Problem(KIND, student.shown, expected, found, remedy))
    elif required and not right:
        problems.append(Problem(KIND, student.shown, expected, "no such signature", remedy))
    return Outcome(tuple(problems), checked={"signatures": len(right)})


def _read(root: Path, path: Path) -> Signature:
    try:
        value = json.loads(path.read_bytes())
        statement = {str(name): str(told) for name, told in value["statement"].items()}
        key, fingerprint = str(value["key"]), str(value["fingerprint"])
        made = base64.b64decode(value["signature"], validate=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        return Signature(path, "", "", {}, "not a signature that can be read")
    if value.get("version") != _VERSION or statement.keys() != _STATED:
        return Signature(
            path, key, fingerprint, {}, "a signature of another layout than this code's"
        )
    fault = _find_fault(root, path, key, fingerprint, statement, made)
    return Signature(path, key, fingerprint, statement, fault)


def _find_fault(
    root: Path, path: Path, key: str, fingerprint: str, statement: Mapping[str, str], made: bytes
) -> str:
    from cryptography.exceptions import InvalidSignature

    public = read_public(root, key)
    if public is None:
        return f"the key `{key}` is not known: there is no readable {KEYS}/{key}.pub"
    if take_fingerprint(public) != fingerprint:
        return f"it names the key {fingerprint}, but {KEYS}/{key}.pub is {take_fingerprint(public)}"
    try:
        public.verify(made, canonical_json(statement).encode())
    except InvalidSignature:
        return f"the signature is not that of the key `{key}` over this statement"
    if path != root / _name_file(statement, key):
        return "its file is named for another student, other weights or another key"
    return ""


def _name_file(statement: Mapping[str, str], key: str) -> Path:
    return FOLDER / f"{statement['student']}-{statement['weights_sha256'][:_SHORT]}.{key}.json"


def _tell(signature: Signature, expected: str, found: str) -> Problem:
    where = (FOLDER / signature.path.name).as_posix()
    remedy = f"`git log -p -- {where} {KEYS}` shows who changed it; sign again or remove it"
    return Problem(KIND, where, expected, found, remedy)
