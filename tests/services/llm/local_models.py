"""Asks local models, in tests."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from app.core.model_settings import LocalSettings
from app.services.llm.base import Delta, Generation, Options, Turn
from app.services.llm.providers.gguf import GGUF

HELLO = [Turn("user", "hello there")]
NOTHING: Mapping[str, object] = {}


@asynccontextmanager
async def opened(where: Path, **settings: Any) -> AsyncIterator[GGUF]:
    """One thread: more would only wait for each other with such small models."""
    provider = GGUF("local", LocalSettings(local_threads=1, **settings), where=where)
    try:
        yield provider
    finally:
        await provider.aclose()


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def ask(
    turns: list[Turn] = HELLO, *, model: str | None = None, others: Mapping[str, object] = NOTHING, **options: Any
) -> Generation:
    """`others` are llama.cpp's own options: a grammar makes random weights write what is wanted."""
    extra = {name: raw(value) for name, value in others.items()}
    return Generation(turns, model=model, options=Options(**options, others=extra))


async def answer(local: GGUF, request: Generation) -> list[Delta]:
    return [delta async for delta in local.stream(request)]


def text(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)
