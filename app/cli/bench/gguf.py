"""What the provider costs against xllamacpp called directly, and what the event loop feels of a model."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from app.cli.bench.load import percentile
from app.cli.bench.machine import tree_cpu_s, tree_pss_mb
from app.cli.bench.relay import Say
from app.cli.bench.table import Table
from app.core.model_settings import LocalSettings
from app.core.settings import environment
from app.services.llm.base import Generation, Options, TokenUsage, Turn
from app.services.llm.gguf.header import read_header
from app.services.llm.gguf.plan import Plan, plan
from app.services.llm.providers.gguf import GGUF

DIRECT: Final = "app.cli.bench.gguf_direct"
CHATS: Final = (1, 4)
TICK_S: Final = 0.002
SETTLE_S: Final = 0.5
LAG_BUDGET: Final = "20"
RATIO_BUDGET: Final = ">= 0.95"
TEXT: Final = "The quick brown fox jumps over the lazy dog. "
LONG_PROMPT_TOKENS: Final = 2000


class Work(msgspec.Struct, frozen=True):
    """Prompts to answer at the same time, each with so many tokens."""

    prompts: Sequence[str]
    tokens: int


class Done(msgspec.Struct, frozen=True):
    """Tokens of all answers, and those of the prompts; how long it took."""

    prompt_tokens: int
    tokens: int
    wall_s: float


Runner = Callable[[Work], Awaitable[Done]]


async def gguf(model: Path, tokens: int, rounds: int, say: Say) -> list[Table]:
    """Three tables. While speeds are compared, the model is in memory twice. Raises AppError or BadFile."""
    settings = LocalSettings(local_parallel=max(CHATS), local_idle_unload_s=0)
    how = plan(await asyncio.to_thread(read_header, model), settings)
    provider = GGUF("local", settings, where=model)
    felt = Table("The event loop meanwhile", ("phase", "seconds", "lag p50 ms", "lag p99 ms", "lag max ms", "budget"))
    memory = Table("Memory of all processes (PSS)", ("when", "MB"), [("before", tree_pss_mb(os.getpid()))])
    try:
        say("loading")
        await _felt("loading", provider.load(None), felt)
        memory.rows.append(("loaded", tree_pss_mb(os.getpid())))
        wanted = min(LONG_PROMPT_TOKENS, how.context_tokens * 3 // 4)
        long = TEXT * max(1, wanted // await provider.count_text(TEXT, model=None))
        speed = await _compared(provider, how, Work([long], tokens), rounds, say)
        say("what the loop feels")
        await _felt("reading a long prompt", _answers(provider, Work([f"Now {long}"], 1)), felt)
        await _felt(f"{max(CHATS)} answers", _answers(provider, Work(_short(max(CHATS)), tokens)), felt)
        say("stopping in mid-prompt")
        stopped = [await _stopped(provider, f"{number} {long}") for number in range(rounds)]
        speed.rows.append(("from a stop in mid-prompt to the next answer, ms", 1, None, median(stopped)))
        await _felt("unloading", provider.unload(None), felt)
        await asyncio.sleep(SETTLE_S)
        memory.rows.append(("unloaded", tree_pss_mb(os.getpid())))
    finally:
        await provider.aclose()
    speed.rows = [[*row, *[None] * (len(speed.columns) - len(row))] for row in speed.rows]
    return [speed, felt, memory]


async def _compared(provider: GGUF, how: Plan, long: Work, rounds: int, say: Say) -> Table:
    columns = ("what", "chats", "direct", "provider", "ratio", "budget", "direct CPU ms/token", "provider CPU ms/token")
    table = Table("Speed against xllamacpp called directly; alternating, medians", columns)
    with Direct(how) as direct:
        for chats in CHATS:
            pairs = []
            for number in range(rounds + 1):  # the first warms up
                say(f"{chats} chats, round {number} of {rounds}")
                work = Work(_short(chats), long.tokens)
                pairs.append((await _measured(direct, work), await _measured(_runner(provider), work)))
            table.rows.append(("answers, tokens/s", chats, *_medians(pairs[1:])))
        say("a long prompt")
        pairs = []
        for number in range(rounds + 1):
            work = Work([f"{number} {prompt}" for prompt in long.prompts], 1)
            pairs.append((await _measured(direct, work), await _measured(_runner(provider), work)))
        row = _medians([(_reading(one), _reading(other)) for one, other in pairs[1:]])
        table.rows.append(("a long prompt, tokens/s", 1, *row[:3], None, *row[4:]))
    return table


def _medians(pairs: Sequence[tuple["Measured", "Measured"]]) -> tuple[float | str, ...]:
    ratios = [ours.done.tokens / ours.done.wall_s * one.done.wall_s / one.done.tokens for one, ours in pairs]
    speeds = [median(run.done.tokens / run.done.wall_s for run in runs) for runs in zip(*pairs, strict=True)]
    costs = [median(run.cpu_s / run.done.tokens * 1000 for run in runs) for runs in zip(*pairs, strict=True)]
    return *speeds, median(ratios), RATIO_BUDGET, *costs


class Measured(msgspec.Struct, frozen=True):
    done: Done
    cpu_s: float


def _reading(run: Measured) -> Measured:
    """The tokens of the prompt are those that count."""
    return Measured(msgspec.structs.replace(run.done, tokens=run.done.prompt_tokens), run.cpu_s)


async def _measured(runner: Runner, work: Work) -> Measured:
    before = tree_cpu_s(os.getpid())
    done = await runner(work)
    return Measured(done, tree_cpu_s(os.getpid()) - before)


def _short(chats: int) -> list[str]:
    return [f"{number} {TEXT}" for number in range(chats)]


def _runner(provider: GGUF) -> Runner:
    return lambda work: _answers(provider, work)


async def _answers(provider: GGUF, work: Work) -> Done:
    began = time.perf_counter()
    found = await asyncio.gather(*(_answer(provider, prompt, work.tokens) for prompt in work.prompts))
    wall_s = time.perf_counter() - began
    return Done(sum(usage.prompt_tokens for usage in found), sum(usage.completion_tokens for usage in found), wall_s)


async def _answer(provider: GGUF, prompt: str, tokens: int) -> TokenUsage:
    usage = TokenUsage(0, 0)
    async for delta in provider.stream(_request(prompt, tokens)):
        usage = delta.usage or usage
    return usage


def _request(prompt: str, tokens: int) -> Generation:
    others = {"ignore_eos": msgspec.Raw(b"true")}
    return Generation([Turn("user", prompt)], options=Options(max_tokens=tokens, seed=1, others=others))


async def _stopped(provider: GGUF, prompt: str) -> float:
    """Milliseconds from the stop of a chat whose prompt is being read to the end of a next one of one token."""
    async with aclosing(provider.stream(_request(prompt, 1))) as deltas:
        async for delta in deltas:
            if delta.progress:
                break
    began = time.perf_counter()
    await _answer(provider, "Hello", 1)
    return (time.perf_counter() - began) * 1000


async def _felt(phase: str, work: Awaitable[object], table: Table) -> None:
    """Adds a row: how much later than asked for timers fire while `work` goes on."""
    late_ms: list[float] = []
    watch = asyncio.create_task(_watch(late_ms))
    await asyncio.sleep(TICK_S)
    began = time.perf_counter()
    await work
    wall_s = time.perf_counter() - began
    await asyncio.sleep(2 * TICK_S)
    watch.cancel()
    table.rows.append(
        (phase, wall_s, percentile(late_ms, 0.5), percentile(late_ms, 0.99), max(late_ms, default=None), LAG_BUDGET)
    )


async def _watch(late_ms: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(TICK_S)
        late_ms.append((time.perf_counter() - before - TICK_S) * 1000)


class Direct:
    """xllamacpp in a process that does nothing else."""

    def __init__(self, how: Plan) -> None:
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", DIRECT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(PYTHONPATH=path),
        )
        self._send(how)

    def __enter__(self) -> "Direct":
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._process.kill()

    async def __call__(self, work: Work) -> Done:
        self._send(work)
        line = await asyncio.to_thread(self._process.stdout.readline) if self._process.stdout else b""
        return msgspec.json.decode(line, type=Done)

    def _send(self, order: Plan | Work) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            self._process.stdin.flush()
