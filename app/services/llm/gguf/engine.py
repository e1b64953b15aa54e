"""A loaded model: its process, and llama.cpp's server in it, asked over a socket in a folder that is ours alone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import aiohttp
import msgspec

from app.core.errors import AppError, ContextOverflow, ModelUnavailable, UpstreamRefused, ValidationFailed
from app.services.llm.gguf.process import Process
from app.services.llm.http import read
from app.services.llm.wire import MAX_BODY_BYTES, error_text

MAX_REPLY_BYTES: Final = 64 << 20  # vectors of a batch
DEATH_S: Final = 2.0
# What llama.cpp answers with 500 to requests that are wrong in themselves.
WRONG_REQUESTS: Final = ("Failed to parse", "not supported", "cannot be empty", "must be", "Unable to generate parser")
T = TypeVar("T")


class _Error(msgspec.Struct):
    type: str = ""
    n_prompt_tokens: int = 0
    n_ctx: int = 0


class _Refusal(msgspec.Struct):
    error: _Error = msgspec.field(default_factory=_Error)


class _Tokens(msgspec.Struct):
    tokens: list[int]


class _Counted(msgspec.Struct):
    input_tokens: int


class Engine:
    """Raises ModelUnavailable from every call once its process has ended."""

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self.plan = process.plan
        self._process = process
        self._slots = asyncio.Semaphore(process.plan.slots)
        self._ended = ""
        # llama.cpp closes a connection after an answer: one that is kept would fail the next request.
        self._http = aiohttp.ClientSession(
            "http://localhost",
            connector=aiohttp.UnixConnector(self.plan.socket, limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"Authorization": f"Bearer {self.plan.key}", "Content-Type": "application/json"},
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @asynccontextmanager
    async def chat(self, body: bytes) -> AsyncIterator[aiohttp.StreamReader]:
        """The bytes of an answer, once a slot is free. Leaving closes the connection, which stops the model."""
        async with self._slots, self._post("/v1/chat/completions", body) as response:
            yield response.content

    async def ask(self, path: str, body: object, expected: type[T]) -> T:
        """One reply, once a slot is free."""
        async with self._slots:
            return await self._reply(path, msgspec.json.encode(body), expected)

    async def count_chat(self, body: bytes) -> int:
        return (await self._reply("/v1/chat/completions/input_tokens", body, _Counted)).input_tokens

    async def count_text(self, text: str, *, whole: bool = False) -> int:
        """`whole`: with the marks that a model puts around a text that it embeds."""
        body = msgspec.json.encode({"content": text, "add_special": whole})
        return len((await self._reply("/tokenize", body, _Tokens)).tokens)

    async def wait(self) -> str:
        """Until its process has ended by itself. Gives the reason."""
        return await self._process.wait()

    async def end(self, why: str) -> None:
        """Ends its answers with `why`, and gives its memory back."""
        self._ended = self._ended or why
        await self._process.end()
        await self._http.close()

    @asynccontextmanager
    async def _post(self, path: str, body: bytes) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._http.closed:
            raise self._gone(self._ended)
        try:
            async with self._http.post(path, data=body) as response:
                if response.status != 200:
                    raise self._refusal(response.status, await response.content.read(MAX_BODY_BYTES))
                yield response
        except (aiohttp.ClientError, OSError) as error:
            raise await self._lost(error) from error

    async def _reply(self, path: str, body: bytes, expected: type[T]) -> T:
        async with self._post(path, body) as response:
            data = await read(response.content, MAX_REPLY_BYTES)
        try:
            return msgspec.json.decode(data, type=expected)
        except msgspec.DecodeError as error:
            raise UpstreamRefused(f"{self.name!r} answered {path} with {data[:80]!r}: {error}") from None

    async def _lost(self, error: Exception) -> ModelUnavailable:
        """Why the connection broke: most likely the process has just ended."""
        try:
            async with asyncio.timeout(DEATH_S):
                why = await self._process.wait()
        except TimeoutError:
            why = f"its server broke the connection ({type(error).__name__})"
        return self._gone(self._ended or why)

    def _gone(self, why: str) -> ModelUnavailable:
        return ModelUnavailable(f"{self.name!r} cannot go on: {why}; try again", retry_after_s=1)

    def _refusal(self, status: int, body: bytes) -> AppError:
        """Of a whole request, before any answer."""
        said = error_text(body)
        try:
            error = msgspec.json.decode(body, type=_Refusal).error
        except msgspec.DecodeError:
            error = _Error()
        if error.type == "exceed_context_size_error":
            return overflow(self.name, error.n_prompt_tokens, error.n_ctx)
        if status == 400 or any(words in said for words in WRONG_REQUESTS):
            return ValidationFailed(f"{self.name!r} cannot take this request: {said}")
        return UpstreamRefused(f"{self.name!r} refused: {said}")


def overflow(name: str, prompt_tokens: int, context_tokens: int, what: str = "the prompt") -> ContextOverflow:
    return ContextOverflow(
        f"{what} has {prompt_tokens} tokens and {name!r} takes {context_tokens} here; shorten it, or raise "
        "LOCAL_CONTEXT_TOKENS if the model takes more",
        details={"prompt_tokens": prompt_tokens, "context_tokens": context_tokens},
    )


def in_batches(texts: Sequence[str], size: int) -> list[Sequence[str]]:
    return [texts[first : first + size] for first in range(0, len(texts), size)]
