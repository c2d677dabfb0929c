"""Start the stub teacher: ``python -m tests.stub_teacher --help``."""

import argparse
import asyncio
import contextlib
import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.stub_teacher.calls import Options
from tests.stub_teacher.server import serve


def main() -> None:
    options = read_options()
    # What is loaded by now stays, and need not be looked through again at each collection.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options))


def read_options(arguments: list[str] | None = None) -> Options:
    """Return the options of the command line; the package's docstring says what each means."""
    parser = argparse.ArgumentParser(prog="python -m tests.stub_teacher")
    default = Options()
    for name in ("port", "answer_tokens", "max_concurrent", "requests_per_minute"):
        _add(parser, name, int, getattr(default, name))
    _add(parser, "tokens_per_minute", int, default.tokens_per_minute)
    for name in ("latency", "jitter", "batch_seconds", "retry_after", "cache_seconds"):
        _add(parser, name, float, getattr(default, name))
    _add(parser, "key", str, default.key)
    _add(parser, "log", str, default.log)
    _add(parser, "models", _read_names, default.models)
    _add(parser, "prices", _read_prices, default.prices)
    _add(parser, "plan", _read_plan, {})
    for name in ("--resume", "--die-with-stdin"):
        parser.add_argument(name, action="store_true")
    return Options(**vars(parser.parse_args(arguments)))


def _add(
    parser: argparse.ArgumentParser, name: str, kind: Callable[[str], Any], default: object
) -> None:
    parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default)


def _read_names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _read_prices(text: str) -> tuple[float, float]:
    into, out = map(float, text.split(","))
    return into, out


def _read_plan(path: str) -> dict[str, Any]:
    return dict(json.loads(Path(path).read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
