"""Figures about the process itself."""

import asyncio
import os
import subprocess
import sys
import time

import psutil

from app.observability import metrics


def value(name: str) -> float:
    found = metrics.REGISTRY.get_sample_value(name)
    assert found is not None
    return found


async def test_blocked_loop_is_seen() -> None:
    sampler = asyncio.create_task(metrics.sample_loop_lag())
    await asyncio.sleep(0)
    time.sleep(metrics.LAG_INTERVAL_S + 0.2)  # noqa: ASYNC251
    for _ in range(1000):
        if value("llama_loop_lag_seconds_count"):
            break
        await asyncio.sleep(0.001)
    sampler.cancel()
    await asyncio.wait({sampler})
    assert value("llama_loop_lag_max_seconds") >= 0.2


def test_memory_counts_the_children() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "x = b'x' * (50 << 20); print(1, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    alone = psutil.Process(os.getpid()).memory_info().rss
    assert metrics.tree_resident_bytes() > alone + (45 << 20)
    child.communicate(b"\n")


def test_rendered_text_names_the_metrics() -> None:
    text = metrics.render().decode()
    for name in (
        "requests_total",
        "ttft_seconds",
        "active_runs",
        "loop_lag_seconds_sum",
        "ingest_stage_seconds",
    ):
        assert f"llama_{name}" in text
    assert "process_resident_memory_bytes" in text
