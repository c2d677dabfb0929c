"""What a child process gives up before it touches untrusted text. Linux: Landlock, seccomp, rlimits.

The order matters: limits first, then files (Landlock needs its own system calls), then calls. After
that nothing can be taken back: not by this process, and it can start no other.

The filter of system calls is a list of what is allowed. A call that a later kernel brings, or that
nobody thought of, is refused with EPERM.

Sources: Landlock's user documentation of the kernel (docs.kernel.org/userspace-api/landlock.html);
``seccomp(2)``; ``linux/seccomp.h``, ``linux/audit.h``, ``linux/landlock.h`` for the numbers.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38

# The same on every architecture: they came after the tables were made one.
_LANDLOCK_CREATE: Final = 444
_LANDLOCK_ADD: Final = 445
_LANDLOCK_RESTRICT: Final = 446
_READ: Final = (1 << 2) | (1 << 3)  # files and folders, not to run them

# Bits of access to files that each version of Landlock knows; what is handled and not allowed is refused.
_FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}

_ALLOW, _DENY, _KILL = 0x7FFF0000, 0x00050001, 0x80000000  # the second: errno EPERM
_FILTER_TSYNC: Final = 1
_LOAD, _EQUALS, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06

# Reading and writing what is open, opening (Landlock says what), memory, time, and the end. No
# process, no thread, no socket, no signal to others, no change of a file's owner or rights.
_CALLS: Final = {
    "x86_64": (
        0xC000003E,
        (
            0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 23, 24, 25,
            27, 28, 32, 33, 35, 39, 60, 63, 78, 79, 89, 96, 97, 98, 99, 100, 102, 104, 107, 108,
            110, 131, 158, 186, 201, 202, 204, 217, 219, 228, 229, 230, 231, 257, 262, 267, 269,
            270, 271, 273, 318, 324, 332, 334, 439,
        ),
    ),
    "aarch64": (
        0xC00000B7,
        (
            17, 23, 24, 48, 56, 57, 61, 62, 63, 64, 65, 66, 67, 68, 72, 73, 78, 79, 80, 93, 94, 96,
            98, 99, 101, 113, 114, 115, 123, 124, 128, 132, 134, 135, 136, 139, 153, 160, 165, 169,
            172, 173, 174, 175, 176, 177, 178, 179, 214, 215, 216, 222, 226, 232, 233, 278, 283,
            291, 293, 439,
        ),
    ),
}  # fmt: skip


def confine(memory_mb: int, readable: Iterable[Path] = ()) -> list[str]:
    """Give up everything but computing; return what the kernel could not take of ``files``, ``calls``.

    The process must have one thread: Landlock binds only the thread that calls it.

    Args:
        memory_mb: address space in MiB.
        readable: folders whose files may still be read.
    """
    limit_resources(memory_mb)
    if sys.platform != "linux":
        return ["files", "calls"]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):  # what it would start gains no rights either
        return ["files", "calls"]
    missing = [] if restrict_files(libc, readable) else ["files"]
    return missing if restrict_calls(libc) else [*missing, "calls"]


def limit_resources(memory_mb: int) -> None:
    """Limit memory; allow no file to be written, no core dump, few open files."""
    room = memory_mb * 2**20
    for what, most in (
        (resource.RLIMIT_AS, room),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        hard = resource.getrlimit(what)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(what, (least, least))
        except (ValueError, OSError):  # macOS knows no limit of the address space
            continue


def restrict_files(libc: ctypes.CDLL, readable: Iterable[Path]) -> bool:
    """Forbid every file but those below ``readable``, and TCP where Landlock knows it (version 4)."""
    version = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1 or not _is_alone():  # it binds the calling thread alone
        return False
    files = (1 << _FILE_RIGHTS[min(version, max(_FILE_RIGHTS))]) - 1
    rules = struct.pack("=QQQ", files, 3, 3)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    ruleset = libc.syscall(_LANDLOCK_CREATE, rules, ctypes.c_size_t(len(rules)), 0)
    if ruleset < 0:
        return False
    try:
        for folder in readable:
            if not _allow_reading(libc, ruleset, folder):
                return False
        return bool(libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def restrict_calls(libc: ctypes.CDLL) -> bool:
    """Forbid every system call that is not listed, in all threads; False where that cannot be done."""
    machine = platform.machine()
    if machine not in _CALLS:
        return False
    code = ctypes.create_string_buffer(_build_filter(*_CALLS[machine]))
    program = struct.pack("HxxxxxxP", (len(code) - 1) // 8, ctypes.addressof(code))
    number = {"x86_64": 317, "aarch64": 277}[machine]
    return bool(libc.syscall(number, 1, _FILTER_TSYNC, program) == 0)


def die_with_parent() -> None:
    """Ask the kernel to end this process with its parent (Linux; elsewhere a no-op)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _allow_reading(libc: ctypes.CDLL, ruleset: int, folder: Path) -> bool:
    place = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", _READ, place)
        return bool(libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0) == 0)
    finally:
        os.close(place)


def _is_alone() -> bool:
    """Whether this process has one thread."""
    return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208


def _build_filter(architecture: int, allowed: tuple[int, ...]) -> bytes:
    """Return the BPF program: another architecture ends the process, another call gets EPERM."""
    steps = [(_LOAD, 0, 0, 4), (_EQUALS, 1, 0, architecture), (_RETURN, 0, 0, _KILL)]
    steps.append((_LOAD, 0, 0, 0))
    # Numbers from 2^30 on are those of x32, the second table of x86-64.
    steps.append((_AT_LEAST, len(allowed), 0, 1 << 30))
    for index, number in enumerate(allowed):
        steps.append((_EQUALS, len(allowed) - index, 0, number))
    steps += [(_RETURN, 0, 0, _DENY), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
