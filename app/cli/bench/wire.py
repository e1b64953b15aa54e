"""What reading a token costs, before anything is done with it: one token per TCP write, each wire by itself."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Final

from app.cli.bench.machine import python_ns
from app.cli.bench.subject import LOOPBACK, upstream
from app.cli.bench.table import Table
from app.services.llm.base import Generation, Provider, Turn
from app.services.llm.http import FixedKey, Http
from app.services.llm.providers.ollama import Models, Ollama
from app.services.llm.providers.openai_compatible import Endpoint, OpenAICompatible

BUDGET_US: Final = 6
CONTEXT_TOKENS: Final = 4096
Say = Callable[[str], None]


async def wire(streams: list[int], tokens: int, say: Say) -> list[Table]:
    """CPU of this process alone: connection, framing, JSON, and joining what came in one read."""
    table = Table(
        f"Reading an answer of {tokens} tokens without a pause; budget {BUDGET_US} us CPU a token",
        ["wire", "streams", "CPU us/token", "tokens/read", "lost", "python ns"],
    )
    with upstream() as port:
        async with _providers(port) as providers:
            for provider in providers:
                for count in streams:
                    say(f"{provider.name}, {count} streams")
                    await _measure(table, provider, count, f"bench-n{tokens}-d0", tokens)
    return [table]


@asynccontextmanager
async def _providers(port: int) -> AsyncIterator[list[Provider]]:
    base, http = f"http://{LOOPBACK}:{port}", Http()
    openai = OpenAICompatible("openai", Endpoint(f"{base}/v1"), credentials=FixedKey(None), http=http)
    try:
        yield [openai, Ollama(base, Models("bench", "bench", CONTEXT_TOKENS), http=http)]
    finally:
        await http.aclose()


async def _measure(table: Table, provider: Provider, count: int, model: str, tokens: int) -> None:
    await _read(provider, model)  # connections, and what is looked up once for a model
    began = time.process_time()
    found = await asyncio.gather(*(_read(provider, model) for _ in range(count)))
    cpu_us = (time.process_time() - began) * 1e6
    got, reads = sum(f[0] for f in found), sum(f[1] for f in found)
    lost = count * tokens - got
    table.rows.append([provider.name, count, cpu_us / (count * tokens), got / max(reads, 1), lost, python_ns()])
    if lost:
        table.faults.append(f"{provider.name}, {count} streams: {lost} tokens lost")


async def _read(provider: Provider, model: str) -> tuple[int, int]:
    """How many tokens came, in how many reads."""
    tokens = reads = 0
    async with aclosing(provider.stream(Generation([Turn("user", "Hello")], model=model))) as deltas:
        async for delta in deltas:
            tokens += delta.text.count("@")
            reads += bool(delta.text)
    return tokens, reads
