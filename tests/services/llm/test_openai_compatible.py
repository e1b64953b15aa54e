"""The byte path against servers of every kind, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import msgspec
import pytest

from app.core.enums import Author
from app.core.errors import UpstreamError, UpstreamRefused, UpstreamUnavailable
from app.services.llm.base import Delta, Generation, Options, TokenUsage, Turn
from app.services.llm.http import FixedKey, Http
from app.services.llm.providers.openai_compatible import Endpoint, OpenAICompatible
from tests.fakes.http import sse
from tests.fakes.raw import CHUNKED, END, UNTIL_CLOSE, Flood, Hang, Step, chunk, page, raw_upstream, token
from tests.fakes.upstream import Upstream
from tests.processes import free_port

HELLO = Generation([Turn(Author.SYSTEM, "be brief"), Turn(Author.USER, "hello")])
DONE = b"data: [DONE]\n\n"
USAGE = sse({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}})
WHOLE = (
    b'{"choices":[{"message":{"content":"ab"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":5,"completion_tokens":2}}'
)


@asynccontextmanager
async def provider(url: str, key: str | None = "k") -> AsyncIterator[OpenAICompatible]:
    endpoint = Endpoint(url, model="m", context_tokens=1000)
    opened = OpenAICompatible("openai", endpoint, credentials=FixedKey(key), http=Http())
    try:
        yield opened
    finally:
        await opened.aclose()


async def answer(url: str, request: Generation = HELLO) -> tuple[str, Delta]:
    """The text, and the last delta."""
    async with provider(url) as openai:
        deltas = [delta async for delta in openai.stream(request)]
    assert [d.finish_reason for d in deltas[:-1]] == [None] * (len(deltas) - 1)
    return "".join(d.text for d in deltas), deltas[-1]


async def test_what_is_asked(upstream: Upstream) -> None:
    request = Generation(HELLO.turns, model="fake-n3-q2", options=Options(temperature=0.5, max_tokens=7))
    async with provider(upstream.url) as openai:
        deltas = [delta async for delta in openai.stream(request)]
    assert "".join(d.reasoning for d in deltas) == "r0 r1 "
    assert len("".join(d.text for d in deltas).split()) == 3
    usage = deltas[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens > 0, usage.completion_tokens) == (True, 3)
    body = upstream.stats.bodies[0]
    assert (body["model"], body["temperature"], body["max_tokens"], body["stream"]) == ("fake-n3-q2", 0.5, 7, True)
    assert body["messages"] == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]
    assert upstream.stats.authorization == ["Bearer k"]


async def test_a_connection_is_used_again(upstream: Upstream) -> None:
    async with raw_upstream(CHUNKED, chunk(token("a")), chunk(token("b", "stop") + USAGE + DONE), END) as seen:
        async with provider(seen.url) as openai:
            for _ in range(5):
                assert [d async for d in openai.stream(HELLO)][-1].usage == TokenUsage(5, 2)
                assert seen.open == 1
        assert seen.requests == 5


GOOD: dict[str, tuple[Step, ...]] = {
    "chunked": (CHUNKED, chunk(token("a")), chunk(token("b")), chunk(token("", "stop") + USAGE), chunk(DONE), END),
    "one write": (CHUNKED + chunk(token("a") + token("b", "stop") + USAGE + DONE) + END,),
    "until close": (UNTIL_CLOSE, token("a"), token("b", "stop"), USAGE, DONE),
    "crlf and comments": (
        UNTIL_CLOSE,
        b": hi\r\n\r\n",
        token("a").replace(b"\n", b"\r\n"),
        b": busy\r\n\r\n",
        token("b", "stop").replace(b"\n", b"\r\n") + USAGE.replace(b"\n", b"\r\n"),
    ),
    "no [DONE]": (UNTIL_CLOSE, token("a"), token("b", "stop"), USAGE),
    "kept open after [DONE]": (CHUNKED, chunk(token("ab", "stop") + USAGE + DONE), Hang()),
    "kept open without [DONE]": (CHUNKED, chunk(token("ab", "stop") + USAGE), Hang()),
    "garbage after the end": (CHUNKED, chunk(token("ab", "stop") + USAGE), chunk(b"data: {nonsense\n\n"), END),
    "chatter after the end": (UNTIL_CLOSE, token("ab", "stop") + USAGE, Flood(b": x\n\n", 0.01)),
    "cut after the end": (CHUNKED, chunk(token("ab", "stop") + USAGE), b"5\r\nab"),
    "byte by byte": (UNTIL_CLOSE, *(bytes([b]) for b in token("ab", "stop") + USAGE)),
    "whole json": (page("200 OK", "application/json; charset=utf-8", WHOLE),),
    "whole json in pieces": (page("200 OK", "application/json", WHOLE)[:-50], 0.01, WHOLE[-50:]),
}


@pytest.mark.parametrize("name", GOOD)
async def test_every_manner_of_answering(name: str) -> None:
    async with raw_upstream(*GOOD[name]) as seen:
        text, last = await answer(seen.url)
    assert (text, last) == ("ab", Delta(finish_reason="stop", usage=TokenUsage(5, 2)))


async def test_no_usage() -> None:
    async with raw_upstream(UNTIL_CLOSE, token("ab", "length")) as seen:
        assert await answer(seen.url) == ("ab", Delta(finish_reason="length"))


async def test_a_huge_chunk() -> None:
    async with raw_upstream(CHUNKED, chunk(token("x" * 900_000)), chunk(token("", "stop")), END) as seen:
        assert (await answer(seen.url))[0] == "x" * 900_000


BAD: dict[str, tuple[tuple[Step, ...], type[UpstreamError], str]] = {
    "garbage events": ((UNTIL_CLOSE, b"data: {not json\n\n"), UpstreamUnavailable, "not a chat completion"),
    "garbage instead of http": ((b"\x00\xff\xfe nonsense\r\n\r\n",), UpstreamUnavailable, "dropped the connection"),
    "closed at once": ((b"",), UpstreamUnavailable, "dropped the connection"),
    "nothing in it": ((UNTIL_CLOSE,), UpstreamUnavailable, "in the middle"),
    "cut in mid-answer": ((CHUNKED, chunk(token("a"))), UpstreamUnavailable, "dropped the connection"),
    "ended in mid-answer": ((UNTIL_CLOSE, token("a")), UpstreamUnavailable, "in the middle"),
    "bad chunk size": ((CHUNKED, b"zz\r\n"), UpstreamUnavailable, "dropped the connection"),
    "bad gzip": (
        (UNTIL_CLOSE.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n"), b"not gzip at all, really"),
        UpstreamUnavailable,
        "dropped the connection",
    ),
    "endless event": ((UNTIL_CLOSE, Flood(b"x" * 65536)), UpstreamUnavailable, "without ending a message"),
    "endless lines": ((UNTIL_CLOSE, Flood(b"data: x\n" * 8192)), UpstreamUnavailable, "without ending a message"),
    "endless header": ((b"HTTP/1.1 200 OK\r\nX: ", Flood(b"x" * 65536)), UpstreamUnavailable, "dropped"),
    "web page": ((page("200 OK", "text/html", b"<h1>Welcome</h1>"),), UpstreamRefused, "web page"),
    "json of another kind": ((page("200 OK", "application/json", b'{"hello":"you"}'),), UpstreamRefused, "hello"),
    "json that is an error": (
        (page("200 OK", "application/json", b'{"error":{"message":"no credit"}}'),),
        UpstreamRefused,
        "no credit",
    ),
    "json without end": (
        (page("200 OK", "application/json", b"[").replace(b"Length: 1", b"Length: 999999999"), Flood(b"[" * 65536)),
        UpstreamUnavailable,
        "not a chat completion",
    ),
    "error in the stream": (
        (UNTIL_CLOSE, token("a"), sse({"error": {"message": "out of memory"}})),
        UpstreamRefused,
        "out of memory",
    ),
    "redirect": ((page("307 X", "text/plain", b"", "Location: http://127.0.0.1:1/"),), UpstreamRefused, "307"),
    "error page in pieces": (
        (page("400 X", "application/json", b'{"error":{"message":"too long"}}')[:-10], 0.01, b'too long"}}'[1:]),
        UpstreamRefused,
        "400",
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_every_manner_of_failing(name: str) -> None:
    steps, kind, said = BAD[name]
    async with raw_upstream(*steps) as seen:
        with pytest.raises(kind, match=said):
            await answer(seen.url)


@pytest.mark.parametrize(
    ("model", "kind", "retry_after_s"),
    [
        ("fake-e401", UpstreamRefused, None),
        ("fake-e403", UpstreamRefused, None),
        ("fake-e404", UpstreamRefused, None),
        ("fake-e400", UpstreamRefused, None),
        ("fake-e429", UpstreamUnavailable, None),
        ("fake-e429-r7", UpstreamUnavailable, 7.0),
        ("fake-e500", UpstreamUnavailable, None),
        ("fake-e503-r1", UpstreamUnavailable, 1.0),
    ],
)
async def test_refusals(upstream: Upstream, model: str, kind: type[UpstreamError], retry_after_s: float | None) -> None:
    with pytest.raises(kind, match=f"{model[6:9]}.*injected") as caught:
        await answer(upstream.url, Generation(HELLO.turns, model=model))
    assert caught.value.retry_after_s == retry_after_s


async def test_a_server_that_is_down() -> None:
    with pytest.raises(UpstreamUnavailable, match="cannot reach"):
        await answer(f"http://127.0.0.1:{free_port()}/v1")


@pytest.mark.parametrize("steps", [(CHUNKED, chunk(token("a")), Hang()), (Hang(),)], ids=["in mid-answer", "before"])
async def test_closing_the_answer_closes_the_connection(steps: tuple[Step, ...]) -> None:
    async with raw_upstream(*steps) as seen, provider(seen.url) as openai:
        reading = asyncio.create_task(read(openai))
        await seen.asked.wait()
        assert seen.open == 1
        reading.cancel()
        await asyncio.wait([reading])
        for _ in range(1000):
            if seen.open == 0:
                break
            await asyncio.sleep(0.001)
        assert seen.open == 0


async def read(openai: OpenAICompatible) -> None:
    async with aclosing(openai.stream(HELLO)) as deltas:
        async for _ in deltas:
            pass


async def test_models(upstream: Upstream) -> None:
    async with provider(upstream.url) as openai:
        assert "fake-n20" in [model.name for model in await openai.models()]
    async with provider(f"http://127.0.0.1:{free_port()}/v1", None) as openai:
        with pytest.raises(UpstreamUnavailable, match="did not list"):
            await openai.models()


async def test_a_body_is_json_that_the_server_can_read() -> None:
    async with raw_upstream(UNTIL_CLOSE, token("", "stop")) as seen:
        await answer(seen.url, Generation([Turn(Author.USER, 'é中 "\n')]))
    body = msgspec.json.decode(seen.bodies[0])
    assert body["messages"] == [{"role": "user", "content": 'é中 "\n'}]
    assert "temperature" not in body
    assert "max_tokens" not in body
