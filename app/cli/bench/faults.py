"""What becomes of a chat when its model's server fails: every mode, at every moment, for every kind of server."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import httpx
import msgspec

from app.cli.bench.fault_proxy import FaultProxy, Mode, Moment, fault_proxy
from app.cli.bench.subject import Service, folder, service, upstream
from app.cli.bench.table import Table
from app.core.enums import FinishReason

TOKENS: Final = 12
PAUSE_MS: Final = 20
FIRST_TOKEN_S: Final = 1.5
IDLE_S: Final = 1.0
TOTAL_S: Final = 6.0
GRACE_S: Final = 2.0  # for attempts, and for storing the answer
PROVIDERS: Final = ("openai", "aihub", "ollama")
TERMINAL: Final = {"done", "error"}
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Case:
    provider: str
    moment: Moment
    mode: Mode

    @property
    def model(self) -> str:
        """Another for each case: what fails again and again is not asked for a while."""
        return f"bench-n{TOKENS}-d{PAUSE_MS}-{self.mode}_{self.moment.name.lower()}"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a chat ended: its terminal events, the text that came, and what its message says afterwards."""

    terminal: list[str]
    tokens: int
    retries: int
    seconds: float
    stored: str


async def faults(providers: list[str], say: Say) -> list[Table]:
    """One table. A fault is a chat without exactly one terminal event, one that took too long, or one that was lost."""
    table = Table(
        f"Faults of a model's server; first token within {FIRST_TOKEN_S:g} s, idle {IDLE_S:g} s, total {TOTAL_S:g} s",
        ["provider", "moment", "fault", "ends in", "tokens", "retries", "stored as", "seconds"],
    )
    async with AsyncExitStack() as stack:
        port = stack.enter_context(upstream())
        proxies = {name: await stack.enter_async_context(fault_proxy(port)) for name in providers}
        where = stack.enter_context(folder())
        started = stack.enter_context(service(where, settings=_settings(proxies, port)))
        await asyncio.to_thread(_enter, started)
        say(f"{len(Mode) * len(Moment)} cases for each of {', '.join(providers)}")
        every = await asyncio.gather(*(_cases(started, name, proxies[name]) for name in providers))
    for case, ending in (pair for pairs in every for pair in pairs):
        shown = " + ".join(ending.terminal) or "nothing"
        table.rows.append(
            [case.provider, case.moment, case.mode, shown, ending.tokens, ending.retries, ending.stored, ending.seconds]
        )
        table.faults += _faults(case, ending)
    return [table]


def _settings(proxies: dict[str, FaultProxy], keycloak_port: int) -> dict[str, str]:
    urls = {name: f"http://127.0.0.1:{proxy.port}" for name, proxy in proxies.items()}
    given = {
        "FIRST_TOKEN_TIMEOUT_S": f"{FIRST_TOKEN_S}",
        "IDLE_TIMEOUT_S": f"{IDLE_S}",
        "TOTAL_TIMEOUT_S": f"{TOTAL_S}",
        "EMBEDDINGS_BASEURL": urls.get("ollama", ""),
        "OPENAI_BASE_URL": f"{urls['openai']}/v1" if "openai" in urls else "",
    }
    if "aihub" in urls:
        given |= {
            "AIHUB_URL": f"{urls['aihub']}/v1",
            "AIHUB_KEYCLOAK_HOST": f"http://127.0.0.1:{keycloak_port}",
            "AIHUB_CLIENT_SECRET": "bench",
        }
    return given


def _enter(started: Service) -> None:
    started.wait_healthy()
    started.sign_in()


async def _cases(started: Service, provider: str, proxy: FaultProxy) -> list[tuple[Case, Ending]]:
    found = []
    headers = dict(started.http.headers)
    async with httpx.AsyncClient(base_url=started.http.base_url, headers=headers, timeout=TOTAL_S * 4) as http:
        for moment in Moment:
            for mode in Mode:
                case = Case(provider, moment, mode)
                await proxy.break_by(mode, moment)
                found.append((case, await _ask(http, case)))
    return found


class _Told(msgspec.Struct):
    """Whatever an event of a run says that is looked at here."""

    stage: str = ""
    text: str = ""
    code: str = ""
    finish_reason: str = ""
    conversation_id: str = ""


async def _ask(http: httpx.AsyncClient, case: Case) -> Ending:
    body = {"message": "Hello", "model_source": case.provider, "model": case.model, "use_rag": False}
    terminal: list[str] = []
    tokens = retries = 0
    conversation, began = "", time.monotonic()
    async with http.stream("POST", "/api/v1/chat/stream", json=body) as response:
        kind = ""
        async for line in response.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data" and kind != "sources":
                told = msgspec.json.decode(value, type=_Told)
                conversation = conversation or told.conversation_id
                tokens += len(told.text.split()) if kind == "delta" else 0
                retries += told.stage == "retrying"
                terminal += [f"{kind}: {told.code or told.finish_reason}"] if kind in TERMINAL else []
    seconds = time.monotonic() - began
    messages = (await http.get(f"/api/v1/conversations/{conversation}/messages")).json()["items"]
    return Ending(terminal, tokens, retries, seconds, messages[-1]["status"])


def _faults(case: Case, ending: Ending) -> list[str]:
    name = f"{case.provider}, {case.mode} {case.moment}"
    found = []
    if len(ending.terminal) != 1:
        found.append(f"{name}: {len(ending.terminal)} terminal events")
    if ending.seconds > TOTAL_S + GRACE_S:
        found.append(f"{name}: took {ending.seconds:.1f} s")
    whole = ending.terminal == [f"done: {FinishReason.STOP}"]
    if whole != (ending.tokens == TOKENS) or whole != (ending.stored == "complete"):
        found.append(f"{name}: {ending.tokens} of {TOKENS} tokens end in {ending.terminal}, stored as {ending.stored}")
    return found
