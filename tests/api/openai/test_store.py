"""`store`: the request becomes a conversation of its user, with the promises of the chat."""

import asyncio
from uuid import uuid4

import pytest

from tests.api.openai.asking import CHAT, ask, body, opened, payloads, refused, stream, text
from tests.api.people import Person
from tests.chats import Chat
from tests.documents import text_pdf
from tests.fakes.upstream import Upstream

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "My name is Zephyrine."},
    {"role": "assistant", "content": "Hello Zephyrine."},
    {"role": "user", "content": "What is my name?"},
]


async def kept(person: Person, conversation_id: str) -> list[tuple[str, str, str]]:
    return [(m["role"], m["content"], m["status"]) for m in await Chat(person.http).messages(conversation_id)]


async def test_a_whole_answer_and_its_history_are_kept(person: Person, model: Upstream) -> None:
    found = await ask(person, "openai/fake-n5", messages=TALK, store=True)
    answer = found["choices"][0]["message"]["content"]
    assert await kept(person, found["conversation_id"]) == [
        ("user", "My name is Zephyrine.", "complete"),
        ("assistant", "Hello Zephyrine.", "complete"),
        ("user", "What is my name?", "complete"),
        ("assistant", answer, "complete"),
    ]
    assert model.stats.bodies[-1]["messages"] == TALK
    assert found["usage"]["completion_tokens"] == 5
    (listed,) = (await person.http.get("/api/v1/conversations", params={"q": "Zephyrine"})).json()["items"]
    assert (listed["id"], listed["title"]) == (found["conversation_id"], "My name is Zephyrine.")


async def test_a_stream_is_kept_and_goes_on_in_its_conversation(person: Person, model: Upstream) -> None:
    chunks = await stream(person, "fake-n5-q2", store=True, stream_options={"include_usage": True})
    (conversation_id,) = {chunk["conversation_id"] for chunk in chunks}
    assert (await kept(person, conversation_id))[-1] == ("assistant", text(chunks), "complete")
    assert text(chunks, "reasoning_content") == "r0 r1 "
    assert chunks[-1]["usage"]["completion_tokens"] == 5
    more = await ask(person, store=True, conversation_id=conversation_id)
    assert more["conversation_id"] == conversation_id
    assert len(await kept(person, conversation_id)) == 4
    assert [m["role"] for m in model.stats.bodies[-1]["messages"]][-3:] == ["user", "assistant", "user"]  # type: ignore[attr-defined]


async def test_it_is_written_to_its_end_when_the_client_leaves(person: Person) -> None:
    async with opened(person, "fake-n60-d5", store=True) as response:
        async for data in response.aiter_raw():
            conversation_id = payloads(data)[0]["conversation_id"]
            break
    async with asyncio.timeout(10):
        while True:
            role, content, status = (await kept(person, conversation_id))[-1]
            if status != "streaming":
                break
            await asyncio.sleep(0.02)
    assert (role, len(content.split()), status) == ("assistant", 60, "complete")


async def test_passages_are_found_for_it(person: Person) -> None:
    file_id = await person.ready(text_pdf(["The registration number of the Morning Star is 4711."]))
    messages = [{"role": "user", "content": "What is the number of the Morning Star?"}]
    chunks = await stream(person, messages=messages, store=True, file_ids=[file_id])
    assert chunks[0]["choices"][0]["delta"]["sources"][0]["file_id"] == file_id


async def test_nothing_is_kept_without_it(person: Person) -> None:
    assert "conversation_id" not in await ask(person)
    assert (await person.http.get("/api/v1/conversations")).json()["items"] == []


async def test_errors_have_a_status_until_the_answer_has_begun(person: Person) -> None:
    for streamed in (False, True):
        answer = await person.http.post(CHAT, json=body("fake-e400", store=True, stream=streamed))
        refused(answer, 502, "upstream_refused")
    async with opened(person, "fake-n9-d1-x5", store=True) as response:
        assert payloads(await response.aread())[-1]["error"]["code"] == "upstream_unavailable"


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"stop": ["x"]}, "stop"),
        ({"seed": 0}, "seed"),
        ({"top_k": 5}, "top_k"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "messages[0]"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "messages"),
        ({"messages": [*TALK[:2], {"role": "user", "content": "   "}]}, "messages"),
        ({"store": False, "conversation_id": str(uuid4())}, "conversation_id"),
    ],
    ids=["tools", "stop", "seed", "others", "parts", "no question", "blank", "no store"],
)
async def test_what_cannot_be_kept_is_refused(person: Person, wrong: dict[str, object], param: str) -> None:
    answer = await person.http.post(CHAT, json=body(**{"store": True, **wrong}))
    assert refused(answer, 400, None)["param"] == param
    assert (await person.http.get("/api/v1/conversations")).json()["items"] == []


async def test_the_conversation_of_another_is_not_found(person: Person, stranger: Chat) -> None:
    mine = (await ask(person, store=True))["conversation_id"]
    answer = await stranger.http.post(CHAT, json=body(store=True, conversation_id=mine))
    refused(answer, 404, "not_found")


async def test_a_history_that_is_too_long_is_not_cut(person: Person) -> None:
    messages = [{"role": "user", "content": "word " * 4000}, {"role": "user", "content": "hi"}]
    answer = await person.http.post(CHAT, json=body(messages=messages, store=True))
    refused(answer, 400, "context_length_exceeded")
