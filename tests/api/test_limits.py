"""Bodies that are too large or never end are refused, and the service goes on."""

import asyncio
import http.client
import json
import socket
from collections.abc import AsyncIterator
from contextlib import closing

import httpx
import pytest
from fastapi import FastAPI, Request

from app.api import errors
from app.api.limits import DRAIN_BYTES, BodyLimit
from tests.api.people import Person
from tests.service import Service

MAX_MESSAGE_CHARS = 100_000
MAX_BYTES = MAX_MESSAGE_CHARS * 6 + (256 << 10)
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def pieces(size: int) -> AsyncIterator[bytes]:
    """A body without Content-Length."""
    yield b'{"message": "'
    for _ in range(size // 65536):
        yield b"x" * 65536


def assert_too_large(answer: httpx.Response) -> None:
    assert answer.status_code == 413, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["details"]) == ("too_large", {"max_bytes": MAX_BYTES})
    assert str(MAX_BYTES) in error["message"]
    assert error["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 5_000_000])
@pytest.mark.parametrize(
    "path", ["/chat", "/chat/stream", "/conversations", "/search", "/auth/login", "/auth/register"]
)
async def test_declared_size_is_refused_before_anything_else(anybody: httpx.AsyncClient, path: str, size: int) -> None:
    assert_too_large(await anybody.post(f"/api/v1{path}", content=b"x" * size, headers=JSON))


@pytest.mark.parametrize("headers", [JSON, FORM], ids=["json", "form"])
@pytest.mark.parametrize("path", ["/chat", "/chat/stream", "/conversations", "/auth/login"])
async def test_chunked_body_is_refused_when_too_much_has_come(
    anybody: httpx.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    assert_too_large(await anybody.post(f"/api/v1{path}", content=pieces(2_000_000), headers=headers))


async def test_put_and_patch_are_bounded_too(person: Person) -> None:
    made = (await person.http.post("/api/v1/conversations", json={})).json()
    assert_too_large(
        await person.http.patch(f"/api/v1/conversations/{made['id']}", content=pieces(2_000_000), headers=JSON)
    )


async def test_message_of_one_megabyte_is_refused(person: Person) -> None:
    answer = await person.http.post("/api/v1/chat", json={"message": "x" * 1_000_000})
    assert_too_large(answer)
    answer = await person.http.post("/api/v1/chat", json={"message": "x" * (MAX_MESSAGE_CHARS + 1)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert answer.json()["error"]["details"] == {"max_message_chars": MAX_MESSAGE_CHARS}
    assert (await person.http.get("/api/v1/conversations")).json()["items"] == []


async def test_allowed_message_passes_however_it_is_written(person: Person) -> None:
    """Six bytes for each character; this model's context is what refuses it."""
    body = '{"message": "' + "\\u00e9" * MAX_MESSAGE_CHARS + '"}'
    answer = await person.http.post("/api/v1/chat", content=body, headers=JSON)
    assert answer.json()["error"]["code"] == "context_overflow"


async def test_service_is_well_after_all_that(chatting: Service, anybody: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(anybody.post("/api/v1/auth/login", content=pieces(3_000_000), headers=JSON) for _ in range(20))
    )
    assert {answer.status_code for answer in answers} == {413}
    assert (await anybody.get("/health")).status_code == 200
    assert "failed unexpectedly" not in chatting.log()


def small_app() -> FastAPI:
    app = FastAPI()
    errors.install(app)

    @app.post("/echo")
    async def echo(body: dict[str, object], request: Request) -> dict[str, object]:
        return {"body": body, "left": (await asyncio.wait_for(request.receive(), 5))["type"]}

    app.add_middleware(BodyLimit, max_message_chars=10, max_openai_mb=1, stall_timeout_s=0.05)
    return app


async def call(*received: dict[str, object], declared: int = 0) -> tuple[int, dict[str, object]]:
    """One request whose client sends these messages and then nothing more."""
    waiting, sent = list(received), []

    async def receive() -> dict[str, object]:
        return waiting.pop(0) if waiting else await asyncio.Event().wait()  # type: ignore[return-value]

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/echo",
        "raw_path": b"/echo",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"host", b"x"), (b"content-length", b"%d" % declared)],
    }
    await small_app()(scope, receive, send)  # type: ignore[arg-type]
    return int(sent[0]["status"]), json.loads(sent[1]["body"])  # type: ignore[call-overload, arg-type]


async def test_declared_size_is_refused_before_any_of_it_is_read() -> None:
    status, body = await call(declared=1_000_000_000)
    assert (status, body["error"]["code"]) == (413, "too_large")  # type: ignore[index]


@pytest.mark.parametrize("sent", [[], [{"type": "http.request", "body": b'{"a":', "more_body": True}]])
async def test_body_that_stalls_is_refused(sent: list[dict[str, object]]) -> None:
    status, body = await call(*sent)
    assert (status, body["error"]["code"]) == (422, "validation_error")  # type: ignore[index]
    assert "did not go on for 0.05 s" in body["error"]["message"]  # type: ignore[index]


async def test_client_may_stay_as_long_as_it_likes_when_its_body_is_there() -> None:
    whole = {"type": "http.request", "body": b'{"a": 1}', "more_body": False}
    task = asyncio.create_task(call(whole))
    await asyncio.wait([task], timeout=0.2)
    assert not task.done()
    task.cancel()
    assert await call(whole, {"type": "http.disconnect"}) == (200, {"body": {"a": 1}, "left": "http.disconnect"})


@pytest.mark.parametrize("path", ["/api/v1/auth/login", "/api/v1/files/upload"])
def test_client_that_sends_for_ever_gets_its_answer_and_no_more(chatting: Service, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with socket.create_connection(("127.0.0.1", chatting.port)) as connection:
        connection.sendall(head.encode())
        sent = 0
        with pytest.raises(OSError, match=r"reset|pipe"):
            while sent < 2 * (DRAIN_BYTES + MAX_BYTES):
                connection.sendall(chunk)
                sent += len(chunk)
    assert sent > DRAIN_BYTES


def test_client_that_has_sent_all_reads_the_refusal_and_goes_on(chatting: Service) -> None:
    body = b"x" * (50 << 20)
    with closing(http.client.HTTPConnection("127.0.0.1", chatting.port)) as connection:
        for path in ("/api/v1/auth/login", "/api/v1/files/upload"):
            connection.request("POST", path, body, JSON)
            answer = connection.getresponse()
            assert (answer.status, answer.headers["connection"]) in {(413, None), (401, None)}
            assert b'"error"' in answer.read()
