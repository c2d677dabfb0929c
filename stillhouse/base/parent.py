"""A stage ends with the DVC that started it: ``kill -9`` on DVC alone would leave it running."""

import ctypes
import os
import signal
import sys
from typing import Final

from stillhouse.base.processes import is_worker

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends (Linux; elsewhere a no-op).

    A parent that had ended already is found out, too: what DVC starts is in DVC's session, while
    whoever takes in an orphan has a session of its own.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if is_worker():  # in a session of its own, which its launcher gave it
        return
    if "DVC_STAGE" in os.environ and _session_of(os.getppid()) != os.getsid(0):
        sys.exit("the DVC that started this stage has ended, and so does the stage")


def _session_of(process: int) -> int:
    try:
        return os.getsid(process)
    except ProcessLookupError:  # it ended just now
        return -1
