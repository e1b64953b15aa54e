"""What the service counts, in its own registry, served at `/metrics`. Labels are closed sets: routes, not paths."""

import asyncio
from collections import deque
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

REGISTRY = CollectorRegistry()
CONTENT_TYPE = CONTENT_TYPE_LATEST
LAG_INTERVAL_S = 0.25
LAG_WINDOW = 240  # samples that the maximum looks back on: one minute
PAGE_BYTES = 4096

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
LAG_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody reads
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

REQUESTS = Counter("llama_requests", "Answered requests.", ("method", "route", "status"), registry=REGISTRY)
REQUEST_SECONDS = Histogram(
    "llama_request_seconds", "From the request to the last byte.", ("route",), buckets=SECONDS, registry=REGISTRY
)
RUNS = Counter("llama_runs", "Finished runs.", ("model_source", "status"), registry=REGISTRY)
ACTIVE_RUNS = Gauge("llama_active_runs", "Runs that are being generated.", registry=REGISTRY)
QUEUE_DEPTH = Gauge("llama_queue_depth", "Runs that wait for a place at a model.", registry=REGISTRY)
TTFT = Histogram(
    "llama_ttft_seconds", "From the request to the first token.", ("model_source",), buckets=SECONDS, registry=REGISTRY
)
TOKENS = Counter("llama_tokens", "Generated tokens.", ("model_source",), registry=REGISTRY)
INGEST_FILES = Counter("llama_ingest_files", "Files by the state they ended in.", ("status",), registry=REGISTRY)
INGEST_PAGES = Counter("llama_ingest_pages", "Parsed pages.", registry=REGISTRY)
INGEST_CHUNKS = Counter("llama_ingest_chunks", "Indexed chunks.", registry=REGISTRY)
INGEST_SECONDS = Histogram(
    "llama_ingest_stage_seconds", "Time of one file in one stage.", ("stage",), buckets=SECONDS, registry=REGISTRY
)
LOOP_LAG = Histogram(
    "llama_loop_lag_seconds", "How late the event loop wakes up.", buckets=LAG_SECONDS, registry=REGISTRY
)
LOOP_LAG_MAX = Gauge("llama_loop_lag_max_seconds", "The longest delay of the last minute.", registry=REGISTRY)
TREE_MEMORY = Gauge(
    "llama_process_tree_resident_bytes", "Resident memory of this process and its children.", registry=REGISTRY
)


def render() -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)


async def sample_loop_lag() -> None:
    """Measure, until cancelled, how much later than asked the event loop wakes a sleeper."""
    loop = asyncio.get_running_loop()
    recent: deque[float] = deque(maxlen=LAG_WINDOW)
    while True:
        before = loop.time()
        await asyncio.sleep(LAG_INTERVAL_S)
        lag = max(0.0, loop.time() - before - LAG_INTERVAL_S)
        recent.append(lag)
        LOOP_LAG.observe(lag)
        LOOP_LAG_MAX.set(max(recent))


def tree_resident_bytes(pid: str = "self") -> int:
    """Resident memory of a process and its descendants by Linux' /proc; 0 where there is none."""
    process = Path("/proc", pid)
    try:
        own = int((process / "statm").read_text().split()[1]) * PAGE_BYTES
        children = [child for task in (process / "task").iterdir() for child in (task / "children").read_text().split()]
    except OSError:
        return 0
    return own + sum(tree_resident_bytes(child) for child in children)


TREE_MEMORY.set_function(tree_resident_bytes)
