"""OpenAI's own package against the service, with a base URL and a key and nothing else."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from tests.api.people import Person
from tests.service import Service

HI: Any = [{"role": "user", "content": "hi"}]


class Human(BaseModel):
    name: str
    age: int


def key(person: Person) -> str:
    return str(person.http.headers["Authorization"]).removeprefix("Bearer ")


@pytest.fixture
async def client(chatting: Service, person: Person) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{chatting.url}/v1", api_key=key(person), max_retries=0) as opened:
        yield opened


async def test_chat(client: openai.AsyncOpenAI) -> None:
    found = await client.chat.completions.create(model="openai/fake-n5", messages=HI, temperature=0.1)
    assert len((found.choices[0].message.content or "").split()) == 5
    assert found.usage is not None
    assert found.usage.completion_tokens == 5
    assert found._request_id


async def test_stream(client: openai.AsyncOpenAI) -> None:
    text, usage = "", None
    stream = await client.chat.completions.create(
        model="fake-n5",
        messages=HI,
        stream=True,
        stream_options={"include_usage": True},
    )
    async for chunk in stream:
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
        usage = chunk.usage or usage
    assert len(text.split()) == 5
    assert usage is not None


async def test_the_stream_helper_and_tools(client: openai.AsyncOpenAI) -> None:
    tool: Any = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
    async with client.chat.completions.stream(model="fake-c1", messages=HI, tools=[tool]) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    calls = final.choices[0].message.tool_calls or []
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ("get_weather", '{"city": "Oslo"}'),
        ("get_time", '{"zone": "CET"}'),
    ]


async def test_structured_output(client: openai.AsyncOpenAI) -> None:
    found = await client.chat.completions.parse(model="fake-j1", messages=HI, response_format=Human)
    assert found.choices[0].message.parsed == Human(name="Ann", age=41)
    async with client.chat.completions.stream(model="fake-j1", messages=HI, response_format=Human) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.parsed == Human(name="Ann", age=41)


async def test_logprobs(client: openai.AsyncOpenAI) -> None:
    found = await client.chat.completions.create(model="fake-p1-n3", messages=HI, logprobs=True)
    assert found.choices[0].logprobs is not None
    assert len(found.choices[0].logprobs.content or []) == 3


@pytest.mark.parametrize("name", ["openai/embedder", "all-MiniLM-L6-v2"], ids=["source", "built in"])
async def test_embeddings(client: openai.AsyncOpenAI, name: str) -> None:
    found = await client.embeddings.create(model=name, input=["a", "b"])
    assert len({len(entry.embedding) for entry in found.data}) == 1
    assert found.usage.prompt_tokens == 2


async def test_models(client: openai.AsyncOpenAI) -> None:
    assert "openai/fake-n20" in [model.id async for model in client.models.list()]
    assert (await client.models.retrieve("openai/fake-n20")).owned_by == "openai"


async def test_errors_are_those_that_clients_know(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as bad:
        await client.chat.completions.create(model="m", messages=HI, temperature=9)
    assert bad.value.param == "temperature"
    with pytest.raises(openai.NotFoundError) as missing:
        await client.chat.completions.create(model="fake-e404", messages=HI)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.AuthenticationError) as nobody:
        await client.with_options(api_key="sk-no").models.list()
    assert nobody.value.code == "invalid_api_key"
    with pytest.raises(openai.InternalServerError):
        await client.chat.completions.create(model="fake-e500-r99", messages=HI)


async def test_an_error_in_mid_stream_is_raised(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="fake-n9-d1-x5", messages=HI, stream=True)
    with pytest.raises(openai.APIError, match="dropped the connection"):
        async for _ in stream:
            pass


def test_the_synchronous_client(chatting: Service, sync_key: str) -> None:
    with openai.OpenAI(base_url=f"{chatting.url}/v1", api_key=sync_key, max_retries=0) as client:
        found = client.chat.completions.create(model="fake-n5", messages=HI)
        assert found.choices[0].finish_reason == "stop"
        chunks = list(client.chat.completions.create(model="fake-n5", messages=HI, stream=True))
        assert chunks[-1].choices[0].finish_reason == "stop"
        extra = client.chat.completions.create(model="fake-n2", messages=HI, extra_body={"use_rag": True})
        assert extra.choices[0].message.model_extra == {"sources": [], "citations": []}


@pytest.fixture
def sync_key(chatting: Service) -> str:
    body = {"username": "synchronous", "password": "a long password"}
    httpx.post(f"{chatting.url}/api/v1/auth/register", json=body)
    answer = httpx.post(f"{chatting.url}/api/v1/auth/login", json=body)
    return str(answer.json()["access_token"])
