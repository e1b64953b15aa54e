"""Bounded reads of what a model's server sends."""

import asyncio
import contextlib
from typing import Final

import aiohttp

from app.core.errors import UpstreamError
from app.services.llm.wire import OpenAIDeltas, SSEDecoder

AFTER_END_S: Final = 0.5


async def read(content: aiohttp.StreamReader, limit: int) -> bytes:
    """A body, or its first `limit` bytes."""
    body = bytearray()
    async for data in content.iter_any():
        body += data
        if len(body) >= limit:
            break
    return bytes(body[:limit])


async def read_usage(content: aiohttp.StreamReader, deltas: OpenAIDeltas, events: SSEDecoder) -> None:
    """What follows a finished answer. A server that errs or falls silent then must not keep the answer from ending.

    Reading to the very end lets the connection be used again.
    """
    with contextlib.suppress(TimeoutError, aiohttp.ClientError, UpstreamError):
        async with asyncio.timeout(AFTER_END_S):
            async for data in content.iter_any():
                deltas.read(events.feed(data))
