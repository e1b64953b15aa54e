"""How a model is loaded: what its header and the settings make of each other. Travels to the model's process."""

import os
from typing import Final

import msgspec

from app.core.model_settings import LocalSettings
from app.services.llm.base import ModelKind
from app.services.llm.gguf.header import Header

MAX_EMBEDDED_TOKENS: Final = 2048  # a text is embedded in one piece, and the memory for that grows with its square
DEFAULT_TOKENS: Final = 512
GPU_BATCH: Final = 2048
GPU_UBATCH: Final = 512
# A batch is what Stop and the other chats wait for. On a CPU it is what the model reads in about 0.2 s, by a rough
# speed for each thread; under 64 tokens reading itself becomes slower by a tenth and more.
BATCH_S: Final = 0.2
OPERATIONS_PER_S: Final = 4e10
MIN_BATCH, MAX_BATCH = 64, 512
# llama.cpp's threads wait for each other at every layer: with one for each core, anything else that runs, and this
# service does, slows it down many times (4.6 tokens/s instead of 143, measured with two cores).
SPARE_CORES: Final = 1


class Plan(msgspec.Struct, frozen=True):
    """`context_tokens` is for each slot, `batch` how many tokens a CPU reads at once. `socket`: where to listen."""

    path: str
    kind: ModelKind
    context_tokens: int
    slots: int
    threads: int
    gpu_layers: int
    batch: int
    key: str = ""
    socket: str = ""


class Started(msgspec.Struct, frozen=True):
    """The first word of a model's process: how much memory its graphics cards have free."""

    gpu_free_bytes: int


class Loaded(msgspec.Struct, frozen=True):
    """Its second word: where its server listens."""

    address: str


def plan(header: Header, settings: LocalSettings) -> Plan:
    own = header.context_tokens
    context = min(settings.local_context_tokens, own) if own else settings.local_context_tokens
    threads = settings.local_threads or max(1, available_cores() - SPARE_CORES)
    if header.kind is not ModelKind.CHAT:
        context = min(context if own else DEFAULT_TOKENS, MAX_EMBEDDED_TOKENS)
    return Plan(
        path=str(header.path.absolute()),
        kind=header.kind,
        context_tokens=context,
        slots=settings.local_parallel,
        threads=threads,
        gpu_layers=settings.local_gpu_layers,
        batch=cpu_batch(header.parameters, threads) if header.kind is ModelKind.CHAT else context,
    )


def cpu_batch(parameters: int, threads: int) -> int:
    """A power of two from 64 to 512. A token costs two operations for each parameter."""
    tokens = BATCH_S * OPERATIONS_PER_S * threads / (2 * max(1, parameters))
    return max(MIN_BATCH, min(MAX_BATCH, 1 << (max(1, int(tokens)).bit_length() - 1)))


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
