"""How much a relayed token costs, how late it comes, and what many chats at once do."""

import asyncio
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from app.cli.bench import subject
from app.cli.bench.load import Address, Tally, percentile, repeat, run_streams
from app.cli.bench.machine import python_ns, tree_cpu_s
from app.cli.bench.subject import Service
from app.cli.bench.table import Table

TIMEOUT_S: Final = 180.0
SETTLE_S: Final = 0.3
PAUSE_MS: Final = 20
LONE_CHATS: Final = 30
CHATS_AT_ONCE: Final = 256
CONNECTIONS: Final = 32
LIST_S: Final = 3.0
PACED_BUDGET_US: Final = {64: 80, 256: 50, 1000: 50}
FAST_BUDGET_US: Final = 12
MIN_FAST_STREAMS: Final = 64
COLUMNS: Final = [
    "streams",
    "ms/token",
    "CPU s",
    "us CPU/token",
    "budget",
    "added p50 ms",
    "added p99 ms",
    "first p50 ms",
    *("tokens/s", "lost", "doubled", "disordered", "failed", "python ns"),
]


@dataclass(frozen=True, slots=True)
class Plan:
    """`paced` and `fast` are tokens per stream, with 20 ms between them and with none."""

    streams: Sequence[int]
    paced: int
    fast: int


@dataclass(frozen=True, slots=True)
class Measured:
    tally: Tally
    cpu_s: float
    wall_s: float


Say = Callable[[str], None]


async def relay(plan: Plan, say: Say) -> list[Table]:
    """Two tables: streams, and everything around them. Nothing but this machine's loopback is used."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # 1,000 streams are 2,000 connections of the service
    with subject.under_load() as (service, port):
        service.wait_idle()
        await measure(service, 8, pause_ms=0, tokens=50)
        return [await streams(service, plan, say), await chats(service, Address(subject.LOOPBACK, port), say)]


async def measure(service: Service, count: int, *, pause_ms: int, tokens: int) -> Measured:
    """So many new chats at once, each on a connection of its own."""
    request = _chat(service, f"bench-n{tokens}-d{pause_ms}")
    before, began = tree_cpu_s(service.pid), time.monotonic()
    tally = await run_streams(service.address, [request] * count, want=tokens, timeout_s=TIMEOUT_S)
    wall_s = time.monotonic() - began
    await asyncio.sleep(SETTLE_S)
    return Measured(tally, tree_cpu_s(service.pid) - before, wall_s)


async def streams(service: Service, plan: Plan, say: Say) -> Table:
    table = Table("Relay of chats that are stored, one token per write of the model's server", COLUMNS)
    for pause_ms, tokens, budgets in ((PAUSE_MS, plan.paced, PACED_BUDGET_US), (0, plan.fast, None)):
        for count in plan.streams:
            say(f"{count} streams of {tokens} tokens, {pause_ms} ms apart")
            speed = python_ns()
            found = await measure(service, count, pause_ms=pause_ms, tokens=tokens)
            tally = found.tally
            fast_budget = FAST_BUDGET_US if count >= MIN_FAST_STREAMS else None
            table.rows.append([
                count,
                pause_ms,
                found.cpu_s,
                found.cpu_s / tally.tokens * 1e6 if tally.tokens else None,
                fast_budget if budgets is None else budgets.get(count),
                percentile(tally.added_ms, 0.5),
                percentile(tally.added_ms, 0.99),
                percentile(tally.first_ms, 0.5),
                round(tally.tokens / found.wall_s),
                tally.lost,
                tally.doubled,
                tally.disordered,
                len(tally.failures),
                (speed + python_ns()) / 2,
            ])  # fmt: skip
            table.faults += [f"{count} streams: {fault}" for fault in tally.faults()]
    return table


async def chats(service: Service, upstream: Address, say: Say) -> Table:
    table = Table("Around the stream", ("figure", "value", "unit", "budget"))
    say(f"{LONE_CHATS} chats, one after another")
    alone = await _alone(service, upstream, table)
    say(f"{CHATS_AT_ONCE} chats at once")
    found = await measure(service, CHATS_AT_ONCE, pause_ms=0, tokens=1)
    each_ms = found.cpu_s / CHATS_AT_ONCE * 1000
    table.rows += [
        ("CPU per one-token chat, one after another", alone, "ms", "5"),
        (f"CPU per one-token chat, {CHATS_AT_ONCE} at once", each_ms, "ms", "5"),
        (f"failed of {CHATS_AT_ONCE} at once", len(found.tally.failures), "chats", "0"),
        ("their first token, p50", percentile(found.tally.first_ms, 0.5), "ms", None),
        ("their first token, p99", percentile(found.tally.first_ms, 0.99), "ms", None),
    ]
    table.faults += [f"{CHATS_AT_ONCE} chats at once: {fault}" for fault in found.tally.faults()]
    say(f"the conversation list over {CONNECTIONS} connections")
    request = service.address.request("GET", "/api/v1/conversations", keep=True)
    before = tree_cpu_s(service.pid)
    good, bad = await repeat(service.address, request, connections=CONNECTIONS, seconds=LIST_S)
    used_us = (tree_cpu_s(service.pid) - before) / max(1, good + bad) * 1e6
    table.rows += [
        ("CPU per conversation list", used_us, "us", None),
        (f"conversation lists over {CONNECTIONS} connections", round(good / LIST_S), "1/s", ">= 1000"),
    ]
    table.faults += [f"{bad} conversation lists failed"] if bad else []
    return table


async def _alone(service: Service, upstream: Address, table: Table) -> float:
    """CPU ms per chat. Adds a row: how much later the first token comes than from the model's server itself."""
    direct = upstream.request("POST", "/v1/chat/completions", {"model": "bench-n1-d0", "stream": True})
    straight: list[float] = []
    ours: list[float] = []
    before = tree_cpu_s(service.pid)
    for _ in range(LONE_CHATS):
        straight += (await run_streams(upstream, [direct], want=1, timeout_s=TIMEOUT_S)).first_ms
        found = await run_streams(service.address, [_chat(service, "bench-n1-d0")], want=1, timeout_s=TIMEOUT_S)
        ours += found.first_ms
        table.faults += found.faults()
    await asyncio.sleep(SETTLE_S)
    used_ms = (tree_cpu_s(service.pid) - before) / LONE_CHATS * 1000
    added_ms = median(ours) - median(straight) if ours and straight else None
    table.rows.append(("added to the first token of a lone stream, p50", added_ms, "ms", "5"))
    return used_ms


def _chat(service: Service, model: str) -> bytes:
    body = {"message": "Hello", "model_source": "openai", "model": model}
    return service.address.request("POST", "/api/v1/chat/stream", body)
