"""The process that a loaded model lives in: llama.cpp's own server on a socket that asks for a key.

Loading holds the interpreter's lock from beginning to end, and some damaged files abort the process: neither may happen
where the event loop runs. `python -m app.services.llm.gguf.child`, spoken to by Process.
"""

import os
import shutil
import sys
from pathlib import Path

import msgspec
import xllamacpp

from app.services.llm.base import ModelKind
from app.services.llm.gguf.plan import GPU_BATCH, GPU_UBATCH, Loaded, Plan, Started

ERRORS_ONLY = 1
SPARE_CONNECTIONS = 4  # beside the answers: counting tokens


def main() -> None:
    replies = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=Plan)
    gpu_free_bytes = _gpu_free_bytes() if plan.gpu_layers else 0
    _say(replies, Started(gpu_free_bytes))
    if not sys.stdin.buffer.readline():
        os._exit(0)
    try:
        server = xllamacpp.Server(parameters(plan, on_gpu=gpu_free_bytes > 0))
    except RuntimeError:  # llama.cpp says why on stderr, in a thread that a plain exit waits for
        sys.exit(1)
    _say(replies, Loaded(server.listening_address))
    sys.stdin.buffer.read()  # ends with the service, however that ends
    shutil.rmtree(Path(plan.socket).parent, ignore_errors=True)
    os._exit(0)  # taking the server down in order may wait for ever: its loop can miss the word


def _gpu_free_bytes() -> int:
    """Of cards with memory of their own. A Mac's is the machine's own."""
    kinds = xllamacpp.ggml_backend_dev_type
    devices = [] if sys.platform == "darwin" else xllamacpp.get_device_info()
    return sum(d["memory_free"] for d in devices if d["type"] == kinds.GGML_BACKEND_DEVICE_TYPE_GPU)


def parameters(plan: Plan, *, on_gpu: bool) -> xllamacpp.CommonParams:
    p = xllamacpp.CommonParams()
    p.model.path = plan.path
    p.n_parallel = plan.slots
    p.n_ctx = plan.context_tokens * plan.slots  # it is divided among the slots
    p.cpuparams.n_threads = plan.threads
    p.n_gpu_layers = plan.gpu_layers
    p.fit_params = on_gpu  # loads a second time, to see what fits a card
    if plan.socket:
        p.hostnames = [plan.socket]
        p.api_keys = [plan.key]
    p.n_threads_http = plan.slots + SPARE_CONNECTIONS
    p.verbosity = ERRORS_ONLY
    p.warmup = False
    p.ui = p.endpoint_slots = p.cache_idle_slots = False
    p.cache_ram_mib = 0  # would take up to 8 GB more
    if plan.kind is ModelKind.CHAT:
        p.n_batch, p.n_ubatch = (GPU_BATCH, GPU_UBATCH) if on_gpu else (plan.batch, plan.batch)
    else:
        p.embedding = True
        p.n_batch = p.n_ubatch = plan.batch  # a text must fit into one
        if plan.kind is ModelKind.RERANK:
            p.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
    return p


def _say(replies: int, word: Started | Loaded) -> None:
    os.write(replies, msgspec.json.encode(word) + b"\n")


if __name__ == "__main__":
    main()
