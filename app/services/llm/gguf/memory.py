"""How much memory a model needs, and how much there is. All figures are bytes."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.services.llm.base import ModelKind
from app.services.llm.gguf.header import Header
from app.services.llm.gguf.plan import Plan

PROCESS_BYTES: Final = 80 << 20  # the interpreter and llama.cpp, without a model
CACHE_VALUE_BYTES: Final = 2  # keys and values are kept as float16
FLOAT_BYTES: Final = 4
# How many arrays of a layer's width are alive at once while it is computed.
ACTIVATIONS: Final = 6
# Every n-th layer sees the whole context and the others a window of it, where the file does not say which.
WINDOW_PATTERNS: Final = {"gemma2": 2, "gemma3": 6, "gemma3n": 5, "gpt-oss": 2, "cohere2": 4, "llama4": 4}
PROC: Final = Path("/proc")
CGROUPS: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Need:
    """`cache`: keys and values of all slots. `buffers`: what computing one batch takes."""

    weights: int
    cache: int
    buffers: int

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.buffers


def need(header: Header, plan: Plan) -> Need:
    """An estimate that is a little high: weights as they stand in the file, cache and buffers by the model's shape."""
    width, inner = header.embedding_length, header.number("feed_forward_length")
    heads = header.number("attention.head_count")
    batch = max(plan.batch, 1)
    logits = header.vocabulary * (batch if plan.kind is ModelKind.CHAT else 0)
    # Without flash attention, one score for each pair of tokens and head.
    scores = heads * batch * batch if plan.kind is not ModelKind.CHAT else 0
    values = batch * (ACTIVATIONS * width + 3 * inner) + logits + scores
    return Need(header.tensor_bytes, _cache(header, plan), values * FLOAT_BYTES + PROCESS_BYTES)


def _cache(header: Header, plan: Plan) -> int:
    if (
        plan.kind is not ModelKind.CHAT
        and header.contents.values.get(f"{header.architecture}.attention.causal") is False
    ):
        return 0
    heads = header.number("attention.head_count") or 1
    width = header.embedding_length // heads
    values = header.number("attention.key_length", width) + header.number("attention.value_length", width)
    kv_heads = header.per_layer("attention.head_count_kv")
    if not any(kv_heads):
        kv_heads = (heads,) * header.number("block_count")
    window = header.number("attention.sliding_window")
    seen = min(plan.context_tokens, window + plan.batch) if window else plan.context_tokens
    tokens = (plan.context_tokens if whole else seen for whole in _whole_layers(header, len(kv_heads)))
    rows = sum(count * heads_here for count, heads_here in zip(tokens, kv_heads, strict=True))
    return rows * values * plan.slots * CACHE_VALUE_BYTES


def _whole_layers(header: Header, layers: int) -> Iterator[bool]:
    """For each layer, whether it sees the whole context."""
    pattern = header.contents.values.get(f"{header.architecture}.attention.sliding_window_pattern")
    if isinstance(pattern, tuple) and len(pattern) == layers:
        return (not is_window for is_window in pattern)
    every = pattern if isinstance(pattern, int) else WINDOW_PATTERNS.get(header.architecture, 1)
    return ((layer + 1) % max(1, every) == 0 for layer in range(layers))


def available(proc: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """What this machine can still give: the least of its free memory and what the control groups leave."""
    return max(0, min([_machine_bytes(proc), *_cgroup_bytes(proc, cgroups)]))


def file_pages(pid: int) -> int:
    """What of a process's memory is pages of files. The kernel calls them available, but its model needs them."""
    return _amount(PROC / str(pid) / "status", "RssFile:") << 10


def _machine_bytes(proc: Path) -> int:
    found = _amount(proc / "meminfo", "MemAvailable:") << 10
    return found or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _cgroup_bytes(proc: Path, cgroups: Path) -> Iterator[int]:
    """What each group that this process is in leaves, in both versions of control groups."""
    with suppress(OSError):
        for line in (proc / "self" / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                yield from _groups(cgroups, path, "memory.max", "memory.current", "inactive_file")
            elif "memory" in controllers.split(","):
                names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
                yield from _groups(cgroups / "memory", path, *names)


def _groups(root: Path, path: str, limit: str, used: str, reclaimable: str) -> Iterator[int]:
    folder = root / path.strip("/")
    for group in (folder, *folder.parents):
        if not group.is_relative_to(root):
            return
        with suppress(OSError, ValueError):  # no limit, or another's view of the groups
            most, now = int((group / limit).read_text()), int((group / used).read_text())
            yield most - now + _amount(group / "memory.stat", reclaimable)


def _amount(path: Path, name: str) -> int:
    """The number behind a name, in a file of such lines; 0 when there is none."""
    with suppress(OSError):
        for line in path.read_text().splitlines():
            parts = line.split()
            if len(parts) > 1 and parts[0] == name:
                return int(parts[1])
    return 0
