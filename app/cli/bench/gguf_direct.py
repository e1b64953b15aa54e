"""xllamacpp called directly, in a process of its own, to compare with: `python -m app.cli.bench.gguf_direct`."""

import os
import sys
import threading
import time

import msgspec
import xllamacpp

from app.cli.bench.gguf import Done, Work
from app.services.llm.gguf.child import parameters
from app.services.llm.gguf.plan import GPU_BATCH, GPU_UBATCH, Plan


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Chunk(msgspec.Struct):
    usage: _Usage | None = None


def main() -> None:
    replies = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints
    given = parameters(msgspec.json.decode(sys.stdin.buffer.readline(), type=Plan), on_gpu=False)
    given.n_batch, given.n_ubatch = GPU_BATCH, GPU_UBATCH  # llama.cpp's own
    server = xllamacpp.Server(given)
    for line in iter(sys.stdin.buffer.readline, b""):
        done = _perform(server, msgspec.json.decode(line, type=Work))
        os.write(replies, msgspec.json.encode(done) + b"\n")
    os._exit(0)


def _perform(server: xllamacpp.Server, work: Work) -> Done:
    found: list[_Usage] = []
    threads = [threading.Thread(target=_answer, args=(server, prompt, work.tokens, found)) for prompt in work.prompts]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall_s = time.perf_counter() - began
    return Done(sum(usage.prompt_tokens for usage in found), sum(usage.completion_tokens for usage in found), wall_s)


def _answer(server: xllamacpp.Server, prompt: str, tokens: int, found: list[_Usage]) -> None:
    body = {
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": tokens,
        "seed": 1,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    chunks: list[bytes] = []
    server.handle_chat_completions(msgspec.json.encode(body), chunks.append)
    usages = (msgspec.json.decode(chunk, type=_Chunk).usage for chunk in reversed(chunks) if chunk.startswith(b"{"))
    found.append(next((usage for usage in usages if usage), _Usage()))


if __name__ == "__main__":
    main()
