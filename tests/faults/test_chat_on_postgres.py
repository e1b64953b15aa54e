"""The main job with PostgreSQL as the rows: ask, resume, stop, go on, be killed, come back."""

import asyncio
import contextlib
from uuid import uuid4

import httpx

from tests.api.people import Person
from tests.chats import Chat, check, text
from tests.conftest import Serve
from tests.fakes.upstream import Upstream


async def test_chat_on_postgres(serve: Serve, upstream: Upstream, postgres_url: str) -> None:
    url = postgres_url.replace("postgresql+asyncpg://", "postgresql://")
    service = serve(DATABASE_URL=url, OPENAI_BASE_URL=upstream.url)
    person = await Person.of(service)
    chat = Chat(person.http)

    first = await chat.stream("one", model="fake-n20-d2")
    conversation = first[0].data["conversation_id"]
    assert (await chat.message(first))["content"] == text(first)
    assert await chat.resume(first[0].data["run_id"], 4) == first[4:]
    second = await chat.stream("two", model="fake-n2", conversation_id=conversation)
    assert len((await chat.ledger(second[0].data["message_id"]))[0]["turns_kept"]) == 2
    again = await chat.stream(None, regenerate=second[0].data["message_id"], model="fake-n2")
    assert len(await chat.messages(conversation)) == 5
    assert again[0].data["user_message_id"] == second[0].data["user_message_id"]

    key = uuid4().hex
    same = await asyncio.gather(*(chat.stream("once", key=key, model="fake-n9-d5-b3") for _ in range(8)))
    assert all(frames == same[0] for frames in same)
    assert upstream.stats.models["fake-n9-d5-b3"] == 1
    many = await asyncio.gather(*(chat.stream(f"question {n}", model="fake-n2-d5") for n in range(40)))
    assert {frames[-1].kind for frames in many} == {"done"}
    refused = await chat.ask("one", model="fake-e401")
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "upstream_refused")
    assert (await chat.ask("a\0b")).status_code == 422

    async with chat.open("three", model="fake-n100000-d5") as tail:
        await tail.until("delta", 3)
        assert (await chat.stop(tail.run_id)).status_code == 202
        stopped = await tail.rest()
    assert (await chat.message(stopped))["status"] == "stopped"

    with contextlib.suppress(httpx.TransportError):
        async with chat.open("four", model="fake-n100000-d5") as tail:
            await tail.until("delta", 20)
            service.kill()
            await tail.rest()
    service.start()
    message = await chat.message(tail.frames)
    rest = await chat.resume(tail.run_id, tail.frames[-1].id)
    check(rest)
    assert (message["status"], message["content"]) == ("interrupted", text(tail.frames) + text(rest))
    more = await chat.stream(None, model="fake-n2", **{"continue": message["id"]})
    assert (await chat.message(more))["content"] == message["content"] + text(more)
    deleted = await chat.http.delete(f"/api/v1/conversations/{conversation}")
    assert deleted.status_code == 204
    await person.aclose()
