"""``python -m bench.teachers``: our engine against bare loops, on a stub teacher of this machine.

Every loop asks the same stub the same requests, one after the other in turns, each in a process of its
own: our `collect_answers` (journal, leases, account, retries and all), the bare `AsyncAnthropic` loop with a
semaphore on each of its two HTTP clients, the same loop over raw posts, and raw aiohttp. Ratios come from the
medians of one run. The stub answers after 100 ms with about 250 tokens.

    python -m bench.teachers [--requests 2000] [--in-flight 64,256] [--rounds 3] [--long 50000]
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.stub_teacher.process import StubProcess, start_stub

KEY = "bench-key-of-nobody"
LATENCY = 0.1
ANSWER_TOKENS = 250
FAULTS = {"429": 0.02, "500": 0.01, "529": 0.02}
LOOPS = ("ours", "sdk, aiohttp", "sdk, default", "raw posts", "raw aiohttp")
PASSAGE = (
    "A shift of kind {0} has {0} breaks of {1} minutes, and begins at {2}:15 on weekdays. " * 8
)


@dataclass(frozen=True)
class Run:
    """One loop's run; seconds of wall and CPU, and megabytes above the interpreter with imports."""

    wall: float
    cpu: float
    memory: float
    answered: int


def main() -> None:
    arguments = read_arguments()
    if arguments.loop:
        print(
            json.dumps(asdict(run_loop(arguments.loop, arguments.requests, arguments.in_flight[0])))
        )
        return
    with start_stub(latency=LATENCY, answer_tokens=ANSWER_TOKENS) as stub:
        for in_flight in arguments.in_flight:
            compare(stub.url, arguments.requests, in_flight, arguments.rounds)
        compare_with_faults(stub, arguments.requests, arguments.in_flight[0], arguments.rounds)
        if arguments.long:
            print_memory(stub.url, arguments.requests, arguments.long, arguments.in_flight[-1])


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.teachers")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument(
        "--in-flight", type=lambda text: [int(n) for n in text.split(",")], default=[64, 256]
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--long", type=int, default=0, help="a run of so many requests, for memory")
    parser.add_argument("--loop", choices=LOOPS, help=argparse.SUPPRESS)
    return parser.parse_args()


def compare(url: str, requests: int, in_flight: int, rounds: int) -> None:
    runs: dict[str, list[Run]] = {loop: [] for loop in LOOPS}
    for _ in range(rounds):
        for loop in LOOPS:
            runs[loop].append(start_loop(loop, url, requests, in_flight))
    rate = {loop: statistics.median(requests / run.wall for run in runs[loop]) for loop in LOOPS}
    cpu = {
        loop: statistics.median(run.cpu / requests * 1e3 for run in runs[loop]) for loop in LOOPS
    }
    print(f"{requests} requests, {LATENCY * 1e3:.0f} ms, {in_flight} in flight, median of {rounds}")
    for loop in LOOPS:
        memory = max(run.memory for run in runs[loop])
        ratio = rate["ours"] / rate[loop]
        print(
            f"  {loop:14} {rate[loop]:6.0f}/s  {cpu[loop]:5.2f} ms CPU a request  "
            f"{memory:5.0f} MB  ours is {ratio:4.2f} x"
        )
    print(
        f"  bookkeeping (ours above raw posts): {cpu['ours'] - cpu['raw posts']:.2f} ms CPU a request"
    )


def compare_with_faults(stub: StubProcess, requests: int, in_flight: int, rounds: int) -> None:
    """Print how much longer it takes when one answer in twenty is 429, 500 or 529 at first."""
    walls: dict[bool, list[float]] = {False: [], True: []}
    for number in range(2 * rounds):
        faulty = bool(number % 2)
        stub.set_plan({"seed": number, "shares": FAULTS if faulty else {}})
        walls[faulty].append(start_loop("ours", stub.url, requests, in_flight).wall)
    stub.set_plan({})
    clean, faulty_wall = (statistics.median(walls[faulty]) for faulty in (False, True))
    print(
        f"{requests} requests, {in_flight} in flight: clean {clean:.1f} s, "
        f"5 % faults {faulty_wall:.1f} s, ratio {faulty_wall / clean:.2f}"
    )


def print_memory(url: str, few: int, many: int, in_flight: int) -> None:
    small, large = (start_loop("ours", url, count, in_flight) for count in (few, many))
    print(
        f"memory above the interpreter with imports: {small.memory:.0f} MB at {few} requests, "
        f"{large.memory:.0f} MB at {many} ({many / large.wall:.0f}/s)"
    )


def start_loop(loop: str, url: str, requests: int, in_flight: int) -> Run:
    command = [sys.executable, "-m", "bench.teachers", "--loop", loop]
    command += ["--requests", str(requests), "--in-flight", str(in_flight)]
    environment = {**os.environ, "ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": KEY}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    run = Run(**json.loads(done.stdout))
    if run.answered != requests:
        raise RuntimeError(
            f"{loop}: {run.answered} of {requests} answers came: {done.stderr[-500:]}"
        )
    return run


def run_loop(loop: str, requests: int, in_flight: int) -> Run:
    prepared = prepare_ours if loop == "ours" else prepare_bare
    with tempfile.TemporaryDirectory() as folder:
        ask = prepared(Path(folder), loop, requests, in_flight)
        before = psutil.Process().memory_info().rss
        cpu, begun = time.process_time(), time.perf_counter()
        answered = ask()
        wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Run(wall, cpu, max(0, peak - before) / 1e6, answered)


def prepare_ours(folder: Path, _loop: str, requests: int, in_flight: int) -> Callable[[], int]:
    import aiohttp  # noqa: F401 - imports are not what is measured
    import anthropic.types  # noqa: F401
    import tqdm  # noqa: F401

    from stillhouse.base.records import Request
    from stillhouse.base.runtime import Runtime
    from stillhouse.base.tables import StoredTable, open_table
    from stillhouse.teachers.claude import Claude
    from stillhouse.teachers.desk import Terms
    from stillhouse.teachers.estimate import Estimator
    from stillhouse.teachers.generate import GenerateParams, Listed, collect_answers
    from stillhouse.teachers.journal import Journal
    from stillhouse.teachers.lookup import Archive
    from stillhouse.teachers.params import load_teachers

    path, teachers = folder / "requests.parquet", load_teachers()
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    with open_table(path, Request) as table:
        for number in range(requests):
            table.add(make_request(number))

    def ask() -> int:
        with Journal(folder / "journal.sqlite") as journal:
            collected = collect_answers(
                StoredTable(path, Request),
                [Claude(teachers, Runtime(concurrency=in_flight))],
                journal,
                Archive(folder, folder),
                GenerateParams(),
                Terms(estimator=Estimator(journal.read_rates(), teachers)),
                listed=StoredTable(path, Listed),
            )
        return collected.counts.sent

    return ask


def make_request(number: int) -> Any:
    from stillhouse.base.ids import canonical_json, content_id
    from stillhouse.base.records import Message, Request

    body = write_body(number)
    return Request(
        content_id("request", body["messages"]),
        f"a.md|{number}",
        (f"chunk-{number}",),
        "recall",
        "prompts/recall.md",
        "0" * 64,
        "plain",
        "staff",
        0,
        "anthropic",
        body["model"],
        body["system"],
        tuple(Message(**turn) for turn in body["messages"]),
        canonical_json(body["output_config"]["format"]["schema"]),
        canonical_json({"max_tokens": body["max_tokens"]}),
    )


def write_body(number: int) -> dict[str, Any]:
    from stillhouse.prompts.passages import render_passage
    from stillhouse.prompts.schema import ANSWER_SCHEMA

    passage = render_passage("a.md", "A", PASSAGE.format(number, number + 3, number % 24))
    schema = json.loads(ANSWER_SCHEMA)
    return {
        "model": "claude-sonnet-5-5",
        "max_tokens": 1024,
        "system": "You write training questions for an assistant.",
        "messages": [
            {"role": "user", "content": f"{passage}\n\nWrite 3 questions for each of 2 facts."}
        ],
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
    }


def prepare_bare(_folder: Path, loop: str, requests: int, in_flight: int) -> Callable[[], int]:
    import aiohttp
    import anthropic
    import anthropic.types
    import httpx2

    bodies = [write_body(number) for number in range(requests)]

    async def ask_sdk() -> int:
        http = None if loop == "sdk, default" else anthropic.DefaultAioHttpClient()
        async with anthropic.AsyncAnthropic(http_client=http, max_retries=0) as client:

            async def create(body: dict[str, Any]) -> bool:
                return bool((await client.messages.create(**body)).content[0].text)

            async def post(body: dict[str, Any]) -> bool:
                answer = await client.post("/v1/messages", body=body, cast_to=httpx2.Response)
                return bool(json.loads(answer.content)["content"][0]["text"])

            return await ask_all(bodies, in_flight, post if loop == "raw posts" else create)

    async def ask_raw() -> int:
        url = os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages"
        headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

            async def post(body: dict[str, Any]) -> bool:
                async with session.post(url, json=body) as answer:
                    return bool((await answer.json())["content"][0]["text"])

            return await ask_all(bodies, in_flight, post)

    ask = ask_raw if loop == "raw aiohttp" else ask_sdk
    return lambda: asyncio.run(ask())


async def ask_all(
    bodies: list[dict[str, Any]], in_flight: int, ask: Callable[[dict[str, Any]], Awaitable[bool]]
) -> int:
    semaphore = asyncio.Semaphore(in_flight)

    async def one(body: dict[str, Any]) -> bool:
        async with semaphore:
            return await ask(body)

    return sum(await asyncio.gather(*(one(body) for body in bodies)))


if __name__ == "__main__":
    main()
