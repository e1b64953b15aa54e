"""A model that plays a script: a real Provider without a server."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import numpy as np
import numpy.typing as npt

from app.services.llm.base import Capabilities, Delta, Embeddings, Generation, ModelInfo

END = Delta(finish_reason="stop")
Step = Delta | Exception | float | asyncio.Event


class Scripted:
    """One script per attempt, the last one again and again. A number is a pause, an event is waited for."""

    def __init__(self, *scripts: list[Step], name: str = "scripted", context_tokens: int = 4096) -> None:
        self.name = name
        self.default_model: str | None = None
        self.capabilities = Capabilities()
        self._context_tokens = context_tokens
        self.asked: list[Generation] = []
        self.embeds: list[Embeddings | Exception] = []  # what `embed` gives, one after another
        self.embedded: list[Sequence[str]] = []
        self.closed = 0
        self._scripts = scripts

    async def models(self) -> list[ModelInfo]:
        return []

    async def context_tokens(self, model: str | None) -> int:
        return self._context_tokens

    async def embed(self, texts: Sequence[str], *, model: str | None, dimensions: int | None) -> Embeddings:
        self.embedded.append(texts)
        step = self.embeds.pop(0) if self.embeds else Embeddings(_vectors(texts, dimensions or 2), model or "own", 7)
        if isinstance(step, Exception):
            raise step
        return step

    async def stream(self, request: Generation) -> AsyncGenerator[Delta, None]:
        script = self._scripts[min(len(self.asked), len(self._scripts) - 1)]
        self.asked.append(request)
        try:
            for step in script:
                match step:
                    case Exception():
                        raise step
                    case Delta():
                        yield step
                    case asyncio.Event():
                        await step.wait()
                    case _:
                        await asyncio.sleep(step)
        finally:
            self.closed += 1

    async def aclose(self) -> None:
        self.closed = -1


def _vectors(texts: Sequence[str], dimensions: int) -> npt.NDArray[np.float32]:
    """The length of each text, again and again."""
    return np.array([[len(text)] * dimensions for text in texts], np.float32)
