"""Ollama over real sockets: the wire, what is asked of it, and what its errors become."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from app.core.errors import AppError, ContextOverflow, UpstreamRefused, UpstreamUnavailable
from app.services.llm.base import Delta, Generation, Options, TokenUsage, Turn
from app.services.llm.http import Http
from app.services.llm.ollama_wire import OllamaDeltas
from app.services.llm.providers.ollama import Models, Ollama
from app.services.llm.wire import LineDecoder
from tests.fakes import ollama as fake
from tests.fakes.raw import UNTIL_CLOSE, Hang, Step, page, raw_upstream
from tests.processes import free_port

HELLO = Generation([Turn("system", "be brief"), Turn("user", "hello")])
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}


@pytest.fixture
def server() -> Iterator[fake.Ollama]:
    with fake.Ollama() as started:
        yield started


@asynccontextmanager
async def provider(url: str, context_tokens: int = 32768) -> AsyncIterator[Ollama]:
    opened = Ollama(url, Models("fake-n3", "nomic-embed-text:latest", context_tokens), http=Http())
    try:
        yield opened
    finally:
        await opened.aclose()


async def answer(url: str, request: Generation = HELLO, context_tokens: int = 32768) -> list[Delta]:
    async with provider(url, context_tokens) as ollama:
        return [delta async for delta in ollama.stream(request)]


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


async def test_an_answer(server: fake.Ollama) -> None:
    deltas = await answer(server.url, Generation(HELLO.turns, model="fake-n5-q2"))
    assert "".join(d.reasoning for d in deltas) == "r0 r1 "
    assert len("".join(d.text for d in deltas).split()) == 5
    usage = deltas[-1].usage
    assert usage is not None
    assert (usage.completion_tokens, usage.prompt_ms, usage.decode_ms) == (5, 5.0, 10.0)
    assert deltas[-1].finish_reason == "stop"
    body = server.stats.bodies[0]
    assert body["messages"] == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]
    assert (body["stream"], body["truncate"], body["shift"]) == (True, False, False)


async def test_every_option_is_asked_for(server: fake.Ollama) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    options = Options(
        temperature=0.5,
        top_p=0.9,
        max_completion_tokens=7,
        stop="END",
        seed=3,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        logprobs=True,
        top_logprobs=2,
        response_format=raw({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}),
        tools=raw([{"type": "function", "function": {"name": "look"}}]),
    )
    deltas = await answer(server.url, Generation(HELLO.turns, options=options))
    body = server.stats.bodies[0]
    sent = body["options"]
    assert isinstance(sent, dict)
    assert sent.pop("num_ctx") == 4096
    assert sent == {
        "num_predict": 7,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["END"],
        "seed": 3,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
    }
    assert (body["format"], body["logprobs"], body["top_logprobs"]) == (schema, True, 2)
    call = msgspec.json.decode(next(d.tool_calls for d in deltas if d.tool_calls)[0])
    assert call["function"] == {"name": "look", "arguments": '{"at":3}'}
    assert (call["index"], call["type"], deltas[-1].finish_reason) == (0, "function", "tool_calls")


async def test_images_and_calls_in_the_history(server: fake.Ollama) -> None:
    call = raw({"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 3}'}})
    turns = [
        Turn("developer", "be brief"),
        Turn("user", [raw({"type": "text", "text": "what is this?"}), raw(IMAGE)]),
        Turn("assistant", None, tool_calls=[call]),
        Turn("tool", "a cat", tool_call_id="c1", name="look"),
    ]
    await answer(server.url, Generation(turns))
    assert server.stats.bodies[0]["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "what is this?", "images": ["aGk="]},
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "look", "arguments": {"at": 3}}}]},
        {"role": "tool", "content": "a cat", "tool_name": "look"},
    ]


async def test_the_context_fits_the_prompt_and_never_shrinks(server: fake.Ollama) -> None:
    long, short = Generation([Turn("user", "word " * 4000)]), HELLO
    async with provider(server.url) as ollama:
        for request in (short, long, short):
            async for _ in ollama.stream(request):
                pass
        assert await ollama.context_tokens(None) == fake.TRAINED
    assert [body["options"]["num_ctx"] for body in server.stats.bodies] == [4096, 8192, 8192]  # type: ignore[index]


async def test_a_prompt_that_does_not_fit_is_refused_with_both_figures(server: fake.Ollama) -> None:
    with pytest.raises(ContextOverflow, match=r"about 12\d+ tokens and fake-n3 takes 8192"):
        await answer(server.url, Generation([Turn("user", "word " * 10_000)]))
    assert not server.stats.bodies


async def test_a_model_that_is_not_pulled(server: fake.Ollama) -> None:
    with pytest.raises(UpstreamRefused, match="ollama pull missing-7b"):
        await answer(server.url, Generation(HELLO.turns, model="missing-7b"))
    async with provider(server.url) as ollama:
        with pytest.raises(UpstreamRefused, match="ollama pull missing-embed"):
            await ollama.embed(["a"], model="missing-embed", dimensions=None)


async def test_models_and_pull(server: fake.Ollama) -> None:
    async with provider(server.url) as ollama:
        models = {model.name: model for model in await ollama.models()}
        assert (models["fake-n20"].size_bytes, models["fake-n20"].kind) == (1000, None)
        assert models["nomic-embed-text:latest"].kind == "embedding"
        said = [step async for step in ollama.sdk.pull("llama3.2")]
        assert [(s.bytes_done, s.bytes_total) for s in said] == [(0, 0), (0, 100), (50, 100), (100, 100), (0, 0)]
        with pytest.raises(UpstreamRefused, match="does not exist"):
            _ = [step async for step in ollama.sdk.pull("unknown")]


async def test_a_server_that_is_down() -> None:
    async with provider(f"http://127.0.0.1:{free_port()}") as ollama:
        with pytest.raises(UpstreamUnavailable, match="cannot reach"):
            _ = [delta async for delta in ollama.stream(HELLO)]
        with pytest.raises(UpstreamUnavailable, match="is it running"):
            await ollama.models()


NDJSON = UNTIL_CLOSE
DONE = fake.line({"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"})
TEXT = fake.line({"message": {"role": "assistant", "content": "a"}, "done": False})
BAD: dict[str, tuple[tuple[Step, ...], type[AppError], str]] = {
    "breaks off": ((NDJSON, TEXT), UpstreamUnavailable, "in the middle"),
    "not json": ((NDJSON, TEXT, b"{no\n"), UpstreamUnavailable, "not a chat completion"),
    "another json": ((NDJSON, b'{"x":1}\n'), UpstreamUnavailable, "not a chat completion"),
    "web page": ((page("200 OK", "text/html", b"<h1>"),), UpstreamRefused, "web page"),
    "error line": ((NDJSON, TEXT, b'{"error":"out of memory"}\n'), UpstreamRefused, "out of memory"),
    "busy": ((page("503 X", "application/json", b'{"error":"server busy"}'),), UpstreamUnavailable, "server busy"),
    "endless line": ((NDJSON, b"x" * (2 << 20), Hang()), UpstreamUnavailable, "without ending"),
    "too long": (
        (page("400 X", "application/json", b'{"error":"the prompt exceeds the context window"}'),),
        ContextOverflow,
        "too long",
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_every_manner_of_failing(name: str) -> None:
    steps, kind, said = BAD[name]
    async with raw_upstream(*steps) as seen:
        with pytest.raises(kind, match=said):
            await answer(seen.url.removesuffix("/v1"))


async def test_any_cut_gives_the_same_answer() -> None:
    stream = TEXT + b"\r\n" + fake.line({"message": {"content": "é中🙂"}}) + DONE
    for size in (1, 2, 3, 7, 1000):
        lines, deltas, text = LineDecoder(), OllamaDeltas(), ""
        for start in range(0, len(stream), size):
            delta = deltas.read(lines.feed(stream[start : start + size]))
            text += delta.text if delta else ""
        assert (text, deltas.end()) == ("aé中🙂", Delta(finish_reason="stop", usage=TokenUsage(0, 0)))
