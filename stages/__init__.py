"""One module for each DVC stage, run as ``python -m stages.<name>`` from the project's root."""

import os
import sys

from stillhouse.base.ending import hush_interrupt
from stillhouse.base.parent import die_with_parent

# Torch's OpenMP threads spin while they wait. On cores shared with anything else that is ruinous (72 short
# answers took 72 CPU-seconds instead of 8); not to spin at all makes a training step on quiet cores 1.4
# times as long. A short spin keeps both. It is read when torch is first imported, so it stands here.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")

# A training step asks for the same gigabyte again and again: in pages of 4 kB 160,000 page faults a step and a
# third of all processor time in the kernel, in huge pages a fifth of the faults. PyTorch reads this once.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

# So early that nobody can end DVC before: a stage's own imports take seconds. `-m` is what stands in the
# place of the program's name while Python still looks for the module that it is to run.
if sys.argv[0] == "-m":
    die_with_parent()
# Ctrl-C while a stage still imports torch: one line, no traceback.
sys.excepthook = hush_interrupt
