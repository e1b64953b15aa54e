"""What a document costs, process by process, and what running streams feel of it meanwhile."""

import asyncio
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Final

from app.cli.bench import documents, subject
from app.cli.bench.load import Address, Tally, fetch, percentile, run_stream
from app.cli.bench.machine import child_running, own_cpu_s, reaped_cpu_s, thread_cpu_s
from app.cli.bench.relay import Say
from app.cli.bench.subject import Service
from app.cli.bench.table import Cell, Table

DOCUMENT_TIMEOUT_S: Final = 1800.0
BASELINE_S: Final = 5.0
POLL_S: Final = 0.25
STREAM_TOKENS: Final = 100
STREAM_TIMEOUT_S: Final = 60.0
STREAM_MODEL: Final = f"bench-n{STREAM_TOKENS}-d20"
SAMPLE: Final = re.compile(r"^(\S+) (\S+)$", re.MULTILINE)
LAG: Final = re.compile(r'llama_loop_lag_seconds_bucket\{le="([^"]+)"\}')
CPU_COLUMNS: Final = [
    *("document", "CPU s", "event loop", "embedding", "other threads", "parser", "vectors"),
    *("without embedding", "budget"),
]
SPEED_COLUMNS: Final = [
    *("document", "chunks", "chunks per core-s of embedding", "budget", "wall s", "pages/s"),
    *("streams p99 ms before", "p99 ms meanwhile", "budget", "max ms meanwhile", "loop lag ms"),
]
LEAST_CHUNKS: Final = "20"
LATENCY_BUDGET_MS: Final = "50"


@dataclass(frozen=True, slots=True)
class Document:
    """`size` in pages, or megabytes for a text. `budget_s` is CPU seconds without embedding."""

    kind: str
    size: int

    @property
    def name(self) -> str:
        return f"{self.size}-page PDF" if self.kind == "pdf" else f"{self.size} MB text"

    @property
    def budget_s(self) -> str | None:
        return "2" if (self.kind, self.size) == ("pdf", 100) else None

    def content(self) -> tuple[str, bytes]:
        if self.kind == "pdf":
            return "bench.pdf", documents.pdf(self.size, seed=self.size)
        return "bench.txt", documents.text(self.size << 20, seed=self.size)


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds by where they were used."""

    loop: float
    embedding: float
    other: float
    parser: float
    vectors: float

    @classmethod
    def of(cls, pid: int) -> "Usage":
        threads = thread_cpu_s(pid)
        loop, embedding = threads.get("loop", 0.0), threads.get("embedding", 0.0)
        vectors = child_running(pid, "app.rag.chroma")
        other = max(0.0, own_cpu_s(pid) - loop - embedding)
        return cls(loop, embedding, other, reaped_cpu_s(pid), own_cpu_s(vectors) if vectors else 0.0)

    def since(self, before: "Usage", *, idle: "Usage | None" = None, seconds: float = 0.0) -> "Usage":
        """What was used since then, without what streams alone use in so many seconds."""
        spent = [now - then for now, then in zip(astuple(self), astuple(before), strict=True)]
        rates = astuple(idle) if idle is not None else (0.0,) * len(spent)
        return Usage(*(max(0.0, used - rate * seconds) for used, rate in zip(spent, rates, strict=True)))

    @property
    def total(self) -> float:
        return float(sum(astuple(self)))


class Streams:
    """Streams paced at 20 ms that begin again until they are stopped."""

    def __init__(self, service: Service, count: int) -> None:
        self.tally = Tally()
        self._stopping = False
        body = {"message": "Hello", "model_source": "openai", "model": STREAM_MODEL, "use_rag": False}
        self._request = service.address.request("POST", "/api/v1/chat/stream", body)
        self._address = service.address
        self._tasks = [asyncio.create_task(self._repeat()) for _ in range(count)]

    async def stop(self) -> None:
        self._stopping = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STREAM_TIMEOUT_S)

    def added_ms(self, since: float, until: float) -> list[float]:
        """The delays of the tokens that came in this time, by the loop's clock."""
        return [ms for at, ms in zip(self.tally.at_s, self.tally.added_ms, strict=True) if since <= at <= until]

    async def _repeat(self) -> None:
        while not self._stopping:
            await run_stream(self._address, self._request, self.tally, want=STREAM_TOKENS, timeout_s=STREAM_TIMEOUT_S)


async def ingest(wanted: Sequence[Document], streams: int, say: Say) -> list[Table]:
    """Two tables: CPU seconds by process, and speed. The streams' own cost is measured before and taken off."""
    cpu = Table("CPU seconds from the upload to ready", CPU_COLUMNS)
    speed = Table(f"Speed, and what {streams} running streams feel", SPEED_COLUMNS)
    with subject.under_load() as (service, _):
        say("starting the embedder and the vectors' process")
        await ready(service, "warm-up.txt", documents.text(20_000, seed=0))
        service.wait_idle()
        for document in wanted:
            await _measure(service, document, Streams(service, streams), (cpu, speed), say)
    return [cpu, speed]


async def _measure(
    service: Service, document: Document, streams: Streams, tables: tuple[Table, Table], say: Say
) -> None:
    clock = asyncio.get_running_loop().time
    name, content = document.content()
    say(f"{document.name}: the streams alone, for {BASELINE_S:g} s")
    await asyncio.sleep(1)
    quiet, before = clock(), Usage.of(service.pid)
    await asyncio.sleep(BASELINE_S)
    idle = Usage.of(service.pid).since(before)
    idle = Usage(*(used / BASELINE_S for used in astuple(idle)))
    say(f"{document.name}: from the upload to ready")
    counted, before, began = await _metrics(service.address), Usage.of(service.pid), clock()
    file = await ready(service, name, content)
    ended = clock()
    used = Usage.of(service.pid).since(before, idle=idle, seconds=ended - began)
    now = await _metrics(service.address)
    await streams.stop()
    cpu, speed = tables
    bare = used.total - used.embedding
    cpu.rows.append([document.name, used.total, *astuple(used), bare, document.budget_s])
    parse_s = _grown(counted, now, 'llama_ingest_stage_seconds_sum{stage="parse"}')
    chunks, pages = int(str(file["chunks_total"])), int(str(file["pages_total"]))
    meanwhile = streams.added_ms(began, ended)
    row: list[Cell] = [document.name, chunks, chunks / used.embedding if used.embedding else None, LEAST_CHUNKS]
    row += [ended - began, pages / parse_s if parse_s else None]
    row += [percentile(streams.added_ms(quiet, began), 0.99), percentile(meanwhile, 0.99), LATENCY_BUDGET_MS]
    row += [max(meanwhile, default=None), _lag(counted, now)]
    speed.rows.append(row)
    speed.faults += [f"{document.name}: {fault}" for fault in streams.tally.faults()]
    if file["status"] != "ready":
        cpu.faults.append(f"{document.name} ended {file['status']}: {file['error']}")


async def ready(service: Service, name: str, content: bytes) -> dict[str, object]:
    """Upload a document and wait for its end, well or not. Raises OSError, or TimeoutError after half an hour."""
    file = await send(service, name, content)
    look = service.address.request("GET", f"/api/v1/files/status/{file['id']}")
    async with asyncio.timeout(DOCUMENT_TIMEOUT_S):
        while file["status"] not in {"ready", "failed", "cancelled"}:
            await asyncio.sleep(POLL_S)
            file = json.loads(await fetch(service.address, look))
    return file


async def send(service: Service, name: str, content: bytes) -> dict[str, object]:
    """Upload a document. Raises OSError."""
    boundary = secrets.token_hex(16)
    part = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    body = part + content + f"\r\n--{boundary}--\r\n".encode()
    form = f"multipart/form-data; boundary={boundary}"
    head = service.address.head("POST", "/api/v1/files/upload", len(body), content_type=form)
    file: dict[str, object] = json.loads(await fetch(service.address, head + body))
    return file


async def _metrics(address: Address) -> Mapping[str, float]:
    text = (await fetch(address, address.request("GET", "/metrics"))).decode()
    return {name: float(value) for name, value in SAMPLE.findall(text) if not name.startswith("#")}


def _grown(before: Mapping[str, float], now: Mapping[str, float], name: str) -> float:
    return now.get(name, 0.0) - before.get(name, 0.0)


def _lag(before: Mapping[str, float], now: Mapping[str, float]) -> str | None:
    """Between which bounds of the histogram the longest delay of the event loop lies."""
    bounds = sorted((float(found[1]), name) for name in now if (found := LAG.fullmatch(name)))
    grown = [(bound, _grown(before, now, name)) for bound, name in bounds]
    if not grown or not grown[-1][1]:
        return None
    bound = next(bound for bound, number in grown if number == grown[-1][1])
    return f"<= {bound * 1000:g}" if bound != float("inf") else f"> {grown[-2][0] * 1000:g}"
