"""Whether each port of the service works, asked from outside at `/ready`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from loguru import logger

from app.core.errors import AppError

TIMEOUT_S = 5.0
FRESH_S = 1.0


@dataclass(frozen=True, slots=True)
class Check:
    """One port. `probe` returns a word about it or raises; without a `needed` port the service cannot work."""

    port: str
    probe: Callable[[], Awaitable[str]]
    needed: bool = True


@dataclass(frozen=True, slots=True)
class PortState:
    ok: bool
    needed: bool
    detail: str


class Readiness:
    """Asks all ports at once, at most once a second however many ask."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks
        self._lock = asyncio.Lock()
        self._states: dict[str, PortState] = {}
        self._asked_at = float("-inf")

    async def states(self) -> dict[str, PortState]:
        """Each port by its name."""
        async with self._lock:
            if monotonic() - self._asked_at > FRESH_S:
                states = await asyncio.gather(*(_ask(check) for check in self._checks))
                self._states = {check.port: state for check, state in zip(self._checks, states, strict=True)}
                self._asked_at = monotonic()
            return self._states


async def _ask(check: Check) -> PortState:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return PortState(ok=True, needed=check.needed, detail=await check.probe())
    except AppError as error:
        return PortState(ok=False, needed=check.needed, detail=error.message)
    except TimeoutError:
        return PortState(ok=False, needed=check.needed, detail=f"no answer within {TIMEOUT_S:g} s")
    except Exception as error:
        logger.opt(exception=True).warning("the port {!r} is down", check.port)
        return PortState(ok=False, needed=check.needed, detail=f"{type(error).__name__}; the log has more")
