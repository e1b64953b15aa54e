"""What is sent to the model, and what is refused before it is asked."""

import json
from typing import Any

import pytest

from app.api.openai.body import chat
from app.services.llm.base import Generation
from app.services.llm.http import FixedKey, Http
from app.services.llm.providers.openai_compatible import Endpoint, OpenAICompatible
from tests.api.openai.asking import CHAT, HI, ask, body, refused, stream
from tests.api.people import Person
from tests.fakes.raw import CHUNKED, END, chunk, raw_upstream, token
from tests.fakes.upstream import Upstream

TOOL = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {"z": {}, "a": {}}}, "strict": True},
}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": {"type": "object"}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}
PARAMETERS: dict[str, object] = {
    "temperature": 0.5,
    "top_p": 0.25,
    "max_tokens": 17,
    "max_completion_tokens": 18,
    "stop": ["a", "b", "c", "d"],
    "seed": -(2**63),
    "presence_penalty": -2,
    "frequency_penalty": 2,
    "logprobs": True,
    "top_logprobs": 20,
    "response_format": SCHEMA,
    "tools": [TOOL],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "parallel_tool_calls": False,
    "logit_bias": {"50256": -100},
    "top_k": 40,
    "reasoning_effort": "low",
    "chat_template_kwargs": {"enable_thinking": False, "big": 123456789012345678901234567890},
    "guided_regex": "[a-z]+",
}
MESSAGES: list[dict[str, object]] = [
    {"role": "developer", "content": "be brief"},
    {"role": "user", "name": "ann", "content": [{"type": "text", "text": "what is this?"}, IMAGE]},
    {
        "role": "assistant",
        "content": None,
        "reasoning_content": "kept",
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"z":1}'}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "42", "cache_control": {"type": "ephemeral"}},
    {"role": "assistant", "content": "It is 42.", "refusal": None},
    {"role": "user", "content": "thanks é \U0001f600"},
]


@pytest.fixture(scope="module")
def sent(model: Upstream) -> Any:
    """The newest body that the model's server got."""
    return lambda: model.stats.bodies[-1]


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_a_parameter_arrives_unchanged(person: Person, sent: Any, name: str, streamed: bool) -> None:
    more = {name: PARAMETERS[name], **({"logprobs": True} if name == "top_logprobs" else {})}
    await (stream if streamed else ask)(person, "fake-n2", **more)
    assert sent() == {
        "model": "fake-n2",
        "messages": HI,
        "stream": True,
        "stream_options": {"include_usage": True},
        **more,
    }


async def test_all_parameters_and_messages_arrive_unchanged(person: Person, sent: Any) -> None:
    await ask(person, "openai/fake-n2", **PARAMETERS, messages=MESSAGES)
    assert sent()["messages"] == MESSAGES
    assert {name: sent()[name] for name in PARAMETERS} == PARAMETERS


async def test_bytes_stay_as_they_were_written() -> None:
    """Order, spaces and numbers of what is only passed on."""
    messages = b'[{"zz": 1.0e2, "role": "user",  "content": [{"text":"a","type":"text"}]}]'
    tools = b'[{"function": {"name":"f", "b": 1.50, "a": -0.0}, "type":"function"}]'
    asked, _ = chat(b'{"model":"m","messages":%b,"tools":%b,"x":{ "b":1e3,"a":2 }}' % (messages, tools))
    async with raw_upstream(CHUNKED, chunk(token("a", "stop")), END) as seen:
        provider = OpenAICompatible("openai", Endpoint(seen.url), credentials=FixedKey(None), http=Http())
        request = Generation(asked.turns, model="m", options=asked.options, written=asked.written)
        assert [d.text async for d in provider.stream(request)] == ["a", ""]
        await provider.aclose()
        for part in (messages[1:-1], tools, b'{ "b":1e3,"a":2 }'):
            assert part in seen.bodies[0]


async def test_what_concerns_us_alone_is_not_sent(person: Person, sent: Any) -> None:
    ours = {"user": "ann", "metadata": {"a": "b"}, "n": 1, "use_rag": False, "store": False, "temperature": None}
    await ask(person, "fake-n2", **ours)
    assert set(sent()) == {"model", "messages", "stream", "stream_options"}


LONG = "[" * 100_000 + "]" * 100_000
BAD: list[tuple[str, str | None]] = [
    ("", None),
    ("{", None),
    ("not json", None),
    ("[]", None),
    ("null", None),
    ("1e999", None),
    ('{"a": NaN}', None),
    (LONG, None),
    ('{"x": ' + LONG + "}", None),
    ('{"messages": [{"role": "user", "content": "a"}]}', "model"),
    ('{"model": "m"}', "messages"),
    ('{"model": "", "messages": [{"role": "user", "content": "a"}]}', "model"),
    ('{"model": "a\\u0000b", "messages": [{"role": "user", "content": "a"}]}', "model"),
    ('{"model": "m", "messages": []}', "messages"),
    ('{"model": "m", "messages": {}}', "messages"),
    ('{"model": "m", "messages": [1]}', "messages[0]"),
    ('{"model": "m", "messages": [{}]}', "messages[0].role"),
    ('{"model": "m", "messages": [{"role": "robot", "content": "a"}]}', "messages[0].role"),
    ('{"model": "m", "messages": [{"role": "user"}]}', "messages[0].content"),
    ('{"model": "m", "messages": [{"role": "user", "content": null}]}', "messages[0].content"),
    ('{"model": "m", "messages": [{"role": "user", "content": 5}]}', "messages[0].content"),
    ('{"model": "m", "messages": [{"role": "user", "content": "a\\u0000"}]}', "messages[0].content"),
    ('{"model": "m", "messages": [{"role": "user", "content": "\\ud800"}]}', None),
    ('{"model": "m", "messages": [{"role": "user", "content": ["a"]}]}', "messages[0].content[0]"),
    ('{"model": "m", "messages": [{"role": "user", "content": [{"type": "text"}]}]}', "messages[0].content[0].text"),
    ('{"model": "m", "messages": [{"role": "user", "content": [{"text": "a"}]}]}', "messages[0].content[0].type"),
    ('{"model": "m", "messages": [{"role": "assistant"}]}', "messages[0].content"),
    ('{"model": "m", "messages": [{"role": "tool", "content": "a"}]}', "messages[0].tool_call_id"),
]
WRONG: list[tuple[dict[str, object], str]] = [
    ({"n": 2}, "n"),
    ({"n": "1"}, "n"),
    ({"stream": "yes"}, "stream"),
    ({"stream_options": {"include_usage": True}}, "stream_options"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": -0.1}, "temperature"),
    ({"temperature": "0.5"}, "temperature"),
    ({"top_p": 1.1}, "top_p"),
    ({"presence_penalty": 2.1}, "presence_penalty"),
    ({"frequency_penalty": -2.1}, "frequency_penalty"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"max_completion_tokens": 10**40}, "max_completion_tokens"),
    ({"seed": 2**63}, "seed"),
    ({"stop": ["a"] * 5}, "stop"),
    ({"stop": [1]}, "stop[0]"),
    ({"top_logprobs": 21, "logprobs": True}, "top_logprobs"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"logit_bias": [1]}, "logit_bias"),
    ({"tools": {}}, "tools"),
    ({"tools": [{"type": "function"}]}, "tools[0].function.name"),
    ({"tools": [{"function": {"name": "f"}}]}, "tools[0].type"),
    ({"tool_choice": 5}, "tool_choice"),
    ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
    ({"response_format": {"type": "xml"}}, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.name"),
    ({"functions": [{"name": "f"}]}, "functions"),
    ({"user": 5}, "user"),
    ({"file_ids": ["x"]}, "file_ids[0]"),
    ({"file_ids": "x"}, "file_ids"),
    ({"use_rag": "yes"}, "use_rag"),
    ({"collection_ids": ["x"]}, "collection_ids[0]"),
    ({"tags": {"grade": []}}, "tags"),
]


@pytest.mark.parametrize(("content", "param"), BAD, ids=[f"{n} {c[:60]}" for n, (c, _) in enumerate(BAD)])
async def test_a_body_that_cannot_be_read(person: Person, content: str, param: str | None) -> None:
    answer = await person.http.post(CHAT, content=content.encode(), headers={"Content-Type": "application/json"})
    error = refused(answer, 400, None)
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert len(error["message"]) < 700


@pytest.mark.parametrize(("wrong", "param"), WRONG, ids=[json.dumps(wrong)[:60] for wrong, _ in WRONG])
async def test_a_wrong_parameter_is_named(
    person: Person, model: Upstream, wrong: dict[str, object], param: str
) -> None:
    before = model.stats.requests
    error = refused(await person.http.post(CHAT, json=body(**wrong)), 400, None)
    assert error["param"] == param
    assert param in error["message"] or param == "stop[0]"
    assert model.stats.requests == before


async def test_broken_utf8_and_other_types(person: Person) -> None:
    refused(
        await person.http.post(CHAT, content=b'{"model": "\xff"}', headers={"Content-Type": "application/json"}),
        400,
        None,
    )
    good = json.dumps(body("fake-n1")).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "nonsense"):
        error = refused(await person.http.post(CHAT, content=good, headers={"Content-Type": kind}), 400, None)
        assert kind in error["message"]
    for kind in ("application/json; charset=utf-8", "application/vnd.api+json"):
        assert (await person.http.post(CHAT, content=good, headers={"Content-Type": kind})).status_code == 200


async def test_images_may_be_large_and_bodies_are_bounded(person: Person, sent: Any) -> None:
    url = "data:image/png;base64," + "A" * (6 << 20)
    content = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": url}}]
    await ask(person, "fake-n1", messages=[{"role": "user", "content": content}])
    assert sent()["messages"][0]["content"] == content
    answer = await person.http.post(CHAT, json=body(x="A" * (33 << 20)))
    error = refused(answer, 413, "request_too_large")
    assert str(32 << 20) in error["message"]
