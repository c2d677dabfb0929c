"""``python -S bench/timed.py OUT COMMAND...``: run a command; write its exit code, seconds and peak memory.

In a process of its own, and a small one: Linux counts the memory of whoever started a command as
the command's own peak.
"""

import json
import os
import sys
import time


def main() -> None:
    """Run the command and write JSON to OUT; ``kilobytes`` are its greatest resident set."""
    out, *command = sys.argv[1:]
    began = time.perf_counter()
    _, status, used = os.wait4(os.posix_spawn(command[0], command, os.environ), 0)
    wall = time.perf_counter() - began
    told = {
        "code": os.waitstatus_to_exitcode(status),
        "wall": wall,
        "cpu": used.ru_utime + used.ru_stime,
        "kilobytes": used.ru_maxrss,
    }
    with open(out, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes longer to import
        json.dump(told, file)


if __name__ == "__main__":
    main()
