"""One of several processes that train with FSDP on a CPU, where accelerate itself would train whole copies.

PyTorch shards weights on CPUs too; accelerate 1.15 takes its configuration seriously on GPUs alone. So
this sets what accelerate would find there. ``python -m accelerate.commands.launch … fsdp_worker.py <student>``.
"""

import sys
from pathlib import Path
from typing import Any

from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType

begin = AcceleratorState.__init__


def begin_spread(
    self: AcceleratorState, *args: Any, fsdp_plugin: Any = None, **kwargs: Any
) -> None:
    begin(self, *args, fsdp_plugin=fsdp_plugin, **kwargs)
    if fsdp_plugin is not None:
        self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, fsdp_plugin


if __name__ == "__main__":
    AcceleratorState.__init__ = begin_spread  # type: ignore[method-assign]
    sys.path.insert(0, str(Path.cwd()))
    from stages.train import main

    main()
