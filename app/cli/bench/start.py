"""How long a start takes, and what a service weighs before its first document and with all of it in use."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from app.cli.bench import documents, subject
from app.cli.bench.ingest import ready
from app.cli.bench.load import fetch
from app.cli.bench.machine import tree, tree_cpu_s, tree_pss_mb
from app.cli.bench.relay import Say
from app.cli.bench.subject import Service
from app.cli.bench.table import Table

SAMPLE_S: Final = 0.2
IDLE_S: Final = 3.0
PAGES: Final = 20
QUESTION: Final = {"message": "Which committee reports on the railway?", "model_source": "passages"}


async def start(command: Sequence[str], again: int, say: Say) -> list[Table]:
    """One table. The first start makes the data folder; the `again` next ones find it."""
    table = Table("Start and memory", ("figure", "value", "unit", "budget"))
    with subject.folder() as where:
        say("the first start")
        _row(table, "first start, on a new data folder", [_started(where, command)], None)
        say(f"the next {again} starts")
        _row(table, f"next starts, median of {again}", [_started(where, command) for _ in range(again)], "3")
        with subject.service(where, command=command) as service:
            service.wait_healthy()
            service.sign_in()
            service.wait_idle()
            await _weigh(service, table, say)
    return [table]


def _started(where: Path, command: Sequence[str]) -> tuple[float, float]:
    """CPU seconds and seconds to the first healthy answer."""
    began = time.monotonic()
    with subject.service(where, command=command) as service:
        service.wait_healthy()
        return tree_cpu_s(service.pid), time.monotonic() - began


def _row(table: Table, name: str, starts: Sequence[tuple[float, float]], budget: str | None) -> None:
    table.rows += [
        (f"{name}: CPU", median(cpu for cpu, _ in starts), "s", None),
        (f"{name}: to the first healthy answer", median(wall for _, wall in starts), "s", budget),
    ]


async def _weigh(service: Service, table: Table, say: Say) -> None:
    say(f"idle for {IDLE_S:g} s, then the first document and a question about it")
    before = tree_cpu_s(service.pid)
    await asyncio.sleep(IDLE_S)
    idle_ms = (tree_cpu_s(service.pid) - before) / IDLE_S * 1000
    empty_mb, processes = tree_pss_mb(service.pid), len(tree(service.pid))
    before, weights = tree_cpu_s(service.pid), [empty_mb]
    watch = asyncio.create_task(_watch(service.pid, weights))
    file = await ready(service, "bench.pdf", documents.pdf(PAGES, seed=1))
    await fetch(service.address, service.address.request("POST", "/api/v1/chat", QUESTION))
    watch.cancel()
    used_s = tree_cpu_s(service.pid) - before
    in_use_mb = tree_pss_mb(service.pid)
    service.wait_idle()
    table.rows += [
        ("CPU while idle", idle_ms, "ms/s", None),
        (f"memory before the first document ({processes} processes, PSS)", empty_mb, "MB", "200"),
        (f"first document of {PAGES} pages and a question: CPU", used_s, "s", None),
        ("memory with embeddings and vectors in use (PSS), peak", max(*weights, in_use_mb), "MB", "450"),
        (f"memory afterwards, at rest ({len(tree(service.pid))} processes, PSS)", tree_pss_mb(service.pid), "MB", None),
    ]
    if file["status"] != "ready":
        table.faults.append(f"the document ended {file['status']}: {file['error']}")


async def _watch(pid: int, weights: list[float]) -> None:
    while True:
        weights.append(tree_pss_mb(pid))
        await asyncio.sleep(SAMPLE_S)
