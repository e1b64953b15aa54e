"""A model that plays a script: a real Provider without a server."""

import asyncio
from collections.abc import AsyncGenerator

from app.services.llm.base import Capabilities, Delta, Generation

END = Delta(finish_reason="stop")
Step = Delta | Exception | float | asyncio.Event


class Scripted:
    """One script per attempt, the last one again and again. A number is a pause, an event is waited for."""

    def __init__(self, *scripts: list[Step], name: str = "scripted", context_tokens: int = 4096) -> None:
        self.name = name
        self.default_model: str | None = None
        self.capabilities = Capabilities(context_tokens=context_tokens)
        self.asked: list[Generation] = []
        self.closed = 0
        self._scripts = scripts

    async def models(self) -> list[str]:
        return []

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
