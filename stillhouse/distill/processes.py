"""A stage's work by several processes, on this machine or on several, as accelerate starts them.

The stage itself stays the one that DVC started: it starts the others, ends when they have ended, and takes
them with it when it is killed. They run the same command, and know by their environment who they are.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

import yaml

from stillhouse.base.errors import InputError
from stillhouse.base.params import PARAMS
from stillhouse.base.processes import count_processes, is_first, is_worker
from stillhouse.base.runtime import Runtime, choose_device, count_threads
from stillhouse.distill.checkpoints import Checkpoints, open_checkpoints
from stillhouse.distill.params import Method

_KINDS: Final = ("NO", "MULTI_CPU", "MULTI_GPU", "FSDP")  # accelerate's names


def wants_processes(runtime: Runtime) -> bool:
    """Say whether this process is to start others instead of doing the work."""
    return not is_worker() and (runtime.processes > 1 or runtime.accelerate is not None)


def check_alone(method: Method, *, several: bool) -> None:
    """Refuse several processes to a method that TRL trains with one.

    Raises:
        InputError: there are several.
    """
    if several and method == "on_policy":
        raise InputError(
            f"`method: {method}` trains in one process, and several are asked for",
            where="params.yaml: `runtime`",
            expected="`processes: 1` and `accelerate: null`",
        )


def run_processes(runtime: Runtime, module: str, arguments: list[str]) -> None:
    """Run a module by several processes until all have ended.

    Args:
        runtime: ``processes``, or the ``accelerate`` configuration that says how many, and of which kind.
        module: such as ``stages.train``.
        arguments: what it is given.

    Raises:
        InputError: there is no such configuration file.
        SystemExit: one of the processes failed, which has said why; with its exit code.
    """
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    how = ["--multi_gpu", "--num_processes", str(runtime.processes), "--num_machines", "1",
           "--mixed_precision", "no", "--dynamo_backend", "no"]  # fmt: skip
    count = runtime.processes
    if runtime.accelerate is not None:
        how, count = ["--config_file", runtime.accelerate], _read_plan(runtime)
    # Else torch's launcher takes one thread for each, and says so in five lines.
    own = max(1, count_threads(runtime) // max(1, count))
    os.environ.setdefault("OMP_NUM_THREADS", str(own))
    if choose_device(runtime) == "cpu":
        os.environ["ACCELERATE_USE_CPU"] = "true"
    try:
        launch_command(launch_command_parser().parse_args([*how, "-m", module, *arguments]))
    except ChildFailedError as exc:
        sys.exit(exc.get_first_failure()[1].exitcode or 1)


def _read_plan(runtime: Runtime) -> int:
    """Return how many processes the configuration of accelerate begins on this machine.

    Raises:
        InputError: it cannot be read, or asks for what would silently not be done.
    """
    path = Path(str(runtime.accelerate))
    expected = "what `accelerate config --config_file <file>` wrote"
    try:
        plan = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise InputError(
            f"`runtime.accelerate` names {path}, and there is no such file",
            where=str(PARAMS), expected=expected,
        ) from exc  # fmt: skip
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise InputError("not YAML", where=str(path), expected=expected) from exc
    if not isinstance(plan, dict) or "distributed_type" not in plan:
        raise InputError("it has no `distributed_type`", where=str(path), expected=expected)
    kind = str(plan["distributed_type"])
    if kind not in _KINDS:
        raise InputError(
            f"`distributed_type` is {kind}", where=str(path),
            expected=f"one of {', '.join(_KINDS)}: others were never tried with these losses",
        )  # fmt: skip
    if kind == "FSDP" and choose_device(runtime) == "cpu":
        raise InputError(
            "accelerate spreads weights (FSDP) over GPUs alone, and would train whole copies here",
            where=str(path),
            remedy="set `distributed_type: MULTI_CPU`, or `runtime.device: cuda` where there are GPUs",
        )
    machines = max(1, int(plan.get("num_machines", 1)))
    return max(1, int(plan.get("num_processes", 1)) // machines)


@contextmanager
def share_checkpoints(
    root: Path, key: str, every: float, device: str
) -> Iterator[Checkpoints | None]:
    """Yield the checkpoints of a run, those that its first process opened, to all of its processes."""
    if count_processes() == 1:
        with open_checkpoints(root, key, every) as own:
            yield own
        return
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    state = PartialState(cpu=device == "cpu")  # joins the processes: before that nothing is sent
    with open_checkpoints(root, key, every) if is_first() else nullcontext() as own:
        found = [own]
        broadcast_object_list(found)
        yield found[0]
        state.wait_for_everyone()  # who leaves first may take the others' meeting place with it
    state.destroy_process_group()
