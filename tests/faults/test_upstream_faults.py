"""Whatever the model's server does: one terminal event, in bounded time, and the question is kept."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.api.people import Person
from tests.chats import Chat, check, text
from tests.conftest import NUMBERS
from tests.fakes.http import sse
from tests.fakes.raw import CHUNKED, END, UNTIL_CLOSE, Flood, Hang, Step, chunk, page, raw_upstream, token
from tests.fakes.upstream import Upstream
from tests.processes import free_port
from tests.service import Service

FIRST_S, IDLE_S, TOTAL_S = "2", "1", "4"
BOUND_S = 15


class Relay:
    """A fixed address for the service, behind which each test puts its own server."""

    def __init__(self) -> None:
        self.port = free_port()
        self.target: int | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.target is None:
            writer.transport.abort()
            return
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer), return_exceptions=True)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@pytest.fixture(scope="module")
def model() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture(scope="module")
async def relay() -> AsyncIterator[Relay]:
    relay = Relay()
    server = await asyncio.start_server(relay.serve, "127.0.0.1", relay.port)
    yield relay
    server.close()


@pytest.fixture(scope="module")
def service(relay: Relay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    env = {
        "OPENAI_BASE_URL": f"http://127.0.0.1:{relay.port}/v1",
        "FIRST_TOKEN_TIMEOUT_S": FIRST_S,
        "IDLE_TIMEOUT_S": IDLE_S,
        "TOTAL_TIMEOUT_S": TOTAL_S,
    }
    running = Service(tmp_path_factory.mktemp("service"), env)
    yield running
    running.kill()


@pytest.fixture(scope="module")
async def chat(service: Service) -> AsyncIterator[Chat]:
    person = await Person.of(service)
    yield Chat(person.http)
    await person.aclose()


async def fails(chat: Chat, code: str, *, retried: bool, model: str | None = None) -> str:
    """Ask with a stream and without. Gives the text that came before the fault."""
    model = model or f"m{next(NUMBERS)}"  # a new one: what fails again and again is not asked for a while
    async with asyncio.timeout(BOUND_S):
        frames, whole = await asyncio.gather(
            chat.stream("a question", model=model), chat.ask("a question", model=model)
        )
    error = frames[-1].data
    assert (frames[-1].kind, error["code"]) == ("error", code), error
    assert error["message"]
    assert error["request_id"]
    attempts = [f.data["attempt"] for f in frames if f.data.get("stage") == "retrying"]
    assert attempts in ([[2], [2, 3]] if retried else [[]])
    question, answer = await chat.messages(frames[0].data["conversation_id"])
    assert (question["content"], answer["status"], answer["content"]) == ("a question", "failed", text(frames))
    assert answer["error"]["code"] == code
    assert await chat.resume(frames[0].data["run_id"]) == frames

    status = {"upstream_refused": 502, "upstream_unavailable": 503, "upstream_timeout": 504}[code]
    assert (whole.status_code, whole.json()["error"]["code"]) == (status, code)
    details = whole.json()["error"]["details"]
    question, answer = await chat.messages(details["conversation_id"])
    assert (question["content"], answer["id"], answer["status"]) == ("a question", details["message_id"], "failed")
    return text(frames)


FAKE: list[tuple[str, str, bool, int]] = [
    ("e401", "upstream_refused", False, 0),
    ("e403", "upstream_refused", False, 0),
    ("e404", "upstream_refused", False, 0),
    ("e429-r0", "upstream_unavailable", True, 0),
    ("e429-r60", "upstream_unavailable", False, 0),
    ("e500-r0", "upstream_unavailable", True, 0),
    ("e503-r0", "upstream_unavailable", True, 0),
    ("n9-x0", "upstream_unavailable", False, 0),
    ("n9-x5", "upstream_unavailable", False, 5),
    ("n9-d20-g4", "upstream_unavailable", False, 4),
    ("n9-s0", "upstream_timeout", False, 0),
    ("n9-d5-s5", "upstream_timeout", False, 5),
    ("f60000", "upstream_timeout", False, 0),
    ("n9-t200", "upstream_timeout", False, 0),
    ("n100000-d50", "upstream_timeout", False, -1),
]


@pytest.mark.parametrize(("fault", "code", "retried", "tokens"), FAKE)
async def test_faults_by_name(
    chat: Chat, relay: Relay, model: Upstream, fault: str, code: str, retried: bool, tokens: int
) -> None:
    relay.target = model.port
    got = await fails(chat, code, retried=retried or fault.endswith("x0"), model=f"fake-{fault}")
    assert tokens in (-1, len(got.split()))


RAW: dict[str, tuple[tuple[Step, ...], str, bool]] = {
    "closed at once": ((b"",), "upstream_unavailable", True),
    "garbage instead of http": ((b"\x00\xff\xfe\r\n\r\n",), "upstream_unavailable", True),
    "garbage events": ((UNTIL_CLOSE, b"data: {not json\n\n"), "upstream_unavailable", True),
    "nothing in it": ((UNTIL_CLOSE,), "upstream_unavailable", True),
    "web page": ((page("200 OK", "text/html", b"<h1>Hi</h1>"),), "upstream_refused", False),
    "another json": ((page("200 OK", "application/json", b'{"x":1}'),), "upstream_refused", False),
    "error in the stream": ((UNTIL_CLOSE, token("a"), sse({"error": {"message": "oom"}})), "upstream_refused", False),
    "endless event": ((UNTIL_CLOSE, Flood(b"x" * 65536)), "upstream_unavailable", True),
    "endless event later": ((UNTIL_CLOSE, token("a"), Flood(b"x" * 65536)), "upstream_unavailable", False),
    "trickle without an event": ((UNTIL_CLOSE, Flood(b"d", 0.02)), "upstream_timeout", False),
    "trickle after a token": ((UNTIL_CLOSE, token("a"), Flood(b"d", 0.02)), "upstream_timeout", False),
    "comments for ever": ((UNTIL_CLOSE, Flood(b": busy\n\n", 0.02)), "upstream_timeout", False),
    "headers for ever": ((b"HTTP/1.1 200 OK\r\n", Flood(b"X: y\r\n", 0.05)), "upstream_timeout", False),
    "no header": ((Hang(),), "upstream_timeout", False),
    "error page without end": ((b"HTTP/1.1 500 X\r\nContent-Length: 99\r\n\r\n", Hang()), "upstream_timeout", False),
    "tokens for ever": ((UNTIL_CLOSE, Flood(token("a"), 0.02)), "upstream_timeout", False),
}


@pytest.mark.parametrize("name", RAW)
async def test_faults_below_the_tokens(chat: Chat, relay: Relay, name: str) -> None:
    steps, code, retried = RAW[name]
    async with raw_upstream(*steps) as seen:
        relay.target = int(seen.url.rpartition(":")[2].partition("/")[0])
        await fails(chat, code, retried=retried)


async def test_a_server_that_is_down(chat: Chat, relay: Relay) -> None:
    relay.target = None
    await fails(chat, "upstream_unavailable", retried=True)


GOOD: dict[str, tuple[Step, ...]] = {
    "no [DONE] and no usage": (UNTIL_CLOSE, token("ab", "stop")),
    "never closed": (CHUNKED, chunk(token("ab", "stop")), Hang()),
    "crlf and comments": (UNTIL_CLOSE, b": hi\r\n\r\n" + token("ab", "stop").replace(b"\n", b"\r\n")),
    "whole json": (
        page("200 OK", "application/json", b'{"choices":[{"message":{"content":"ab"},"finish_reason":"stop"}]}'),
    ),
    "chunked": (CHUNKED, chunk(token("a")), chunk(token("b", "stop") + b"data: [DONE]\n\n"), END),
}


@pytest.mark.parametrize("name", GOOD)
async def test_odd_but_whole(chat: Chat, relay: Relay, name: str) -> None:
    async with raw_upstream(*GOOD[name]) as seen:
        relay.target = int(seen.url.rpartition(":")[2].partition("/")[0])
        frames = await chat.stream()
    check(frames)
    assert (text(frames), frames[-1].kind) == ("ab", "done")
    usage = next(f.data for f in frames if f.kind == "usage")
    assert usage["counted_by"] == "estimate"
    assert usage["prompt_tokens"] > 0


async def test_a_nul_in_the_answer(chat: Chat, relay: Relay) -> None:
    async with raw_upstream(UNTIL_CLOSE, token("a\0b", "stop")) as seen:
        relay.target = int(seen.url.rpartition(":")[2].partition("/")[0])
        frames = await chat.stream()
    assert text(frames) == (await chat.message(frames))["content"] == "a\ufffdb"


async def test_how_long_to_wait_is_passed_on(chat: Chat, relay: Relay, model: Upstream) -> None:
    relay.target = model.port
    answer = await chat.ask(model="fake-e429-r59.6")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")


async def test_it_recovers_by_trying_again(chat: Chat, relay: Relay, model: Upstream) -> None:
    relay.target = model.port
    frames = await chat.stream(model=f"fake-n3-u503-r0-f{next(NUMBERS)}")
    stages = [(f.data["stage"], f.data.get("attempt")) for f in frames if f.kind == "status"]
    assert stages == [("generating", None), ("retrying", 2)]
    assert (frames[-1].kind, len(text(frames).split())) == ("done", 3)
