"""A model's process: started, told to load, and killed to give everything back."""

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from app.core.settings import environment
from app.services.llm.gguf.plan import Loaded, Plan, Started

MODULE: Final = "app.services.llm.gguf.child"
LOAD_TIMEOUT_S: Final = 1800.0
START_TIMEOUT_S: Final = 60.0
LAST_WORDS_BYTES: Final = 1 << 14
# What an interpreter and graphics drivers need. No secret of the service reaches a process that reads strangers' files.
KEPT: Final = re.compile(
    r"PATH|HOME|LANG|LC_ALL|TMPDIR|(DY)?LD_LIBRARY_PATH|(CUDA|NVIDIA|HIP|ROCR|HSA|VK|GGML|OMP|KMP)_.*"
)
STAMP: Final = re.compile(r"^[\d.]+ E ", re.MULTILINE)
W = TypeVar("W", Started, Loaded)


class Failed(Exception):
    """The process ended before the model was loaded. The message is llama.cpp's own reason."""


class Process:
    """Of use until `end()`, or until it ends by itself, which `wait()` tells."""

    def __init__(self, child: asyncio.subprocess.Process, plan: Plan) -> None:
        if child.stdin is None or child.stdout is None or child.stderr is None:
            raise ValueError("a child without pipes")
        self.plan = plan
        self.gpu_free_bytes = 0
        self._child = child
        self._orders, self._replies, self._log = child.stdin, child.stdout, child.stderr
        self._words = b""
        self._loaded = False
        self._listener = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, plan: Plan) -> "Process":
        """A process that waits for `load()`. Raises Failed, or OSError when no process can be started."""
        folder = Path(tempfile.mkdtemp(prefix="llama-service-"))  # that only we may enter
        plan = msgspec.structs.replace(
            plan, key=secrets.token_urlsafe(32), socket=str(folder / "model.sock")
        )  # llama.cpp knows a socket by its ending
        inherited = {name: value for name, value in environment().items() if KEPT.fullmatch(name)}
        try:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", MODULE),
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env={**inherited, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
                start_new_session=True,  # Ctrl+C is for the service, which ends this process in order
            )
        except BaseException:
            _remove(folder)
            raise
        process = cls(child, plan)
        async with process._killed_unless_done():
            process._tell(msgspec.json.encode(plan))
            process.gpu_free_bytes = (await process._hear(Started, START_TIMEOUT_S)).gpu_free_bytes
        return process

    @property
    def pid(self) -> int:
        return self._child.pid

    async def load(self) -> None:
        """Loads the model: its server listens at `plan.socket`. Raises Failed."""
        async with self._killed_unless_done():
            self._tell(b"load")
            await self._hear(Loaded, LOAD_TIMEOUT_S)
        self._loaded = True

    async def wait(self) -> str:
        """Until it has ended. Gives the reason."""
        await self._child.wait()
        await asyncio.wait([self._listener])
        return self._reason()

    async def end(self) -> None:
        if self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()
        self._orders.close()
        await self._child.wait()
        await asyncio.wait([self._listener])
        _remove(Path(self.plan.socket).parent)

    @contextlib.asynccontextmanager
    async def _killed_unless_done(self) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(self.end()))
            raise

    def _tell(self, order: bytes) -> None:
        self._orders.write(order + b"\n")

    async def _hear(self, expected: type[W], timeout_s: float) -> W:
        try:
            async with asyncio.timeout(timeout_s):
                line = await self._replies.readline()
        except TimeoutError:
            raise Failed(f"llama.cpp did not finish within {timeout_s:g} s") from None
        if not line:
            raise Failed(await self.wait())
        return msgspec.json.decode(line, type=expected)

    async def _listen(self) -> None:
        """What it says is kept until it ends, but never logged: it may quote a prompt."""
        while said := await self._log.read(LAST_WORDS_BYTES):
            self._words = (self._words + said)[-LAST_WORDS_BYTES:]

    def _reason(self) -> str:
        status = self._child.returncode or 0
        if status == -signal.SIGKILL:
            return "it was killed, most likely because the memory ran out"
        how = f"its process ended with {signal.Signals(-status).name if status < 0 else f'status {status}'}"
        words = self._words.decode("utf-8", "replace")
        if self._loaded:  # its last words may be about a request, and quote it
            assertion = re.search(r"GGML_ASSERT\(.*", words)
            return assertion[0][:300] if assertion else how
        return reason(words) or how


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def reason(words: str) -> str:
    """The line of llama.cpp's messages that says most; empty when none does."""
    lines = [STAMP.sub("", line).strip() for line in words.splitlines()]
    for pattern in (
        r"gguf_init_from_\w+: (?!failed to read)(.*)",
        r"llama_model_load: error loading model: (?:error loading model \w+: )?(?!llama_model_loader: failed)(.*)",
        r".*?((?:failed|unable) to (?:allocate|create|initialize)\b.*)",
        r".*?(GGML_ASSERT\(.*)",
        r"(\w*(?:Error|error): .*)",
        r"(?:\w+ +)?\w+: (.+)",
    ):
        found = next((match[1] for line in lines if (match := re.match(pattern, line))), "")
        if found:
            return found[:300]
    return ""
