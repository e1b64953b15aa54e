"""Answers, vectors and scores of real GGUF models, by llama.cpp itself."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.core.enums import CountedBy
from app.core.errors import ContextOverflow, UnknownName, ValidationFailed
from app.services.llm.base import ModelKind, Turn
from app.services.llm.providers.gguf import GGUF
from tests import tiny_gguf
from tests.services.llm.local_models import answer, ask, opened, raw, text
from tests.tiny_gguf import IDS, byte_token

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}},
            "required": ["city"],
        },
    },
}
AGE = {
    "type": "object",
    "properties": {"age": {"type": "integer", "minimum": 0, "maximum": 99}},
    "required": ["age"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
async def local(tiny_models: Path) -> AsyncIterator[GGUF]:
    async with opened(tiny_models) as provider:
        yield provider


async def test_answer_comes_bit_by_bit_with_usage_at_its_end(local: GGUF) -> None:
    deltas = await answer(local, ask(max_tokens=200, others={"grammar": f"root ::= {json.dumps('the cat ' * 200)}"}))
    last = deltas[-1]
    assert (last.finish_reason, [d.finish_reason for d in deltas[:-1]]) == ("length", [None] * (len(deltas) - 1))
    assert len([d for d in deltas if d.text]) > 1
    assert last.usage is not None
    assert (last.usage.completion_tokens, last.usage.counted_by) == (200, CountedBy.PROVIDER)
    assert last.usage.prompt_tokens == await local.count_tokens(ask())
    assert last.usage.prompt_ms is not None
    assert last.usage.decode_ms is not None


async def test_same_seed_gives_the_same_answer(local: GGUF) -> None:
    first, again, other = [text(await answer(local, ask(max_tokens=20, seed=s, temperature=1.0))) for s in (5, 5, 6)]
    assert first == again != other


async def test_stop_ends_the_answer_before_its_words(local: GGUF) -> None:
    request = ask(others={"grammar": 'root ::= "one two three"'}, stop=[" three"])
    deltas = await answer(local, request)
    assert (text(deltas), deltas[-1].finish_reason) == ("one two", "stop")


async def test_logprobs_of_each_token(local: GGUF) -> None:
    deltas = await answer(local, ask(logprobs=True, top_logprobs=2, others={"grammar": 'root ::= "the cat"'}))
    found = [json.loads(bytes(entry)) for delta in deltas for entry in delta.logprobs]
    assert "".join(entry["token"] for entry in found) == "the cat"
    assert all(len(entry["top_logprobs"]) == 2 for entry in found)


async def test_answer_follows_a_json_schema(local: GGUF) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": AGE, "strict": True}}
    for seed in range(5):
        deltas = await answer(local, ask(seed=seed, max_tokens=200, temperature=1.0, response_format=raw(form)))
        found = json.loads(text(deltas))
        assert list(found) == ["age"]
        assert 0 <= found["age"] <= 99
        assert deltas[-1].finish_reason == "stop"


async def test_json_that_is_cut_ends_by_length(local: GGUF) -> None:
    form = {"type": "json_schema", "json_schema": {"schema": {"enum": ["the cat and the dog " * 9]}}}
    deltas = await answer(local, ask(max_tokens=60, response_format=raw(form)))
    last = deltas[-1]
    assert text(deltas).startswith('"the cat and the ')
    assert last.usage is not None
    assert (last.finish_reason, last.usage.completion_tokens) == ("length", 60)


async def test_answer_that_llama_cpp_cannot_parse_ends_like_any_other(local: GGUF) -> None:
    """JSON that breaks off in bytes that are no UTF-8 is an error to it, after all of the text has come."""
    bias = [[byte_token(0xFF), 6], [byte_token(ord("{")), 5], [byte_token(ord('"')), 5], [byte_token(ord("}")), -100]]
    request = ask(max_tokens=60, response_format=raw({"type": "json_object"}), others={"logit_bias": bias})
    deltas = await answer(local, request)
    last = deltas[-1]
    assert text(deltas).startswith('{"')
    assert last.usage is not None
    assert (last.finish_reason, 0 < last.usage.completion_tokens < 60) == ("stop", True)
    assert last.usage.prompt_tokens == await local.count_tokens(ask())


async def test_tool_call_comes_as_openai_streams_it(local: GGUF) -> None:
    wanted = {"<tool_call>": 150, "</tool_call>": 100, "<|im_end|>": 200}  # the last one only where a call has ended
    forced = {"logit_bias": [[IDS[token], bias] for token, bias in wanted.items()]}
    deltas = await answer(
        local, ask(model="tools", max_tokens=200, tools=raw([WEATHER]), tool_choice=raw("required"), others=forced)
    )
    calls = [json.loads(bytes(call)) for delta in deltas for call in delta.tool_calls]
    assert calls[0]["function"]["name"] == "get_weather"
    assert json.loads("".join(call["function"]["arguments"] for call in calls))["city"] in {"Paris", "Rome"}
    assert (text(deltas), deltas[-1].finish_reason) == ("", "tool_calls")


async def test_tools_that_must_not_be_called_are_not_sent(local: GGUF) -> None:
    plain = await local.count_tokens(ask(model="tools"))
    assert await local.count_tokens(ask(model="tools", tools=raw([WEATHER]))) > plain
    assert await local.count_tokens(ask(model="tools", tools=raw([WEATHER]), tool_choice=raw("none"))) == plain


async def test_reasoning_is_kept_apart_from_the_answer(local: GGUF) -> None:
    others = {"chat_template_kwargs": {"thinks": True}, "grammar": 'root ::= "a cat or a dog?</think>a dog"'}
    deltas = await answer(local, ask(model="tools", others=others))
    assert "".join(delta.reasoning for delta in deltas) == "a cat or a dog?"
    assert text(deltas) == "a dog"


async def test_progress_of_a_long_prompt(local: GGUF) -> None:
    turns = [Turn("user", "the cat and the dog " * 380)]
    deltas = await answer(local, ask(turns, max_tokens=1))
    progress = [delta.progress for delta in deltas if delta.progress is not None]
    assert progress == sorted(progress)
    assert progress[0] < progress[-1] == 1.0  # how many steps are seen in between is up to the machine's load


async def test_prompt_that_is_too_long_is_refused_with_both_figures(local: GGUF) -> None:
    request = ask([Turn("user", "hello there " * 1500)])
    prompt, context = await local.count_tokens(request), await local.context_tokens(None)
    with pytest.raises(ContextOverflow, match=f"{prompt} tokens and 'chat' takes {context}") as refused:
        await answer(local, request)
    assert refused.value.details == {"prompt_tokens": prompt, "context_tokens": context}


async def test_answer_that_fills_the_context_ends_by_length(tiny_models: Path) -> None:
    async with opened(tiny_models, local_context_tokens=256, local_parallel=2) as local:
        last = (await answer(local, ask(others={"ignore_eos": True})))[-1]
    assert last.usage is not None
    assert (last.finish_reason, last.usage.prompt_tokens + last.usage.completion_tokens) == ("length", 256)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_tokens": -5}, "max_tokens"),
        ({"tools": raw("x")}, "tools"),
        ({"response_format": raw({"type": "json_schema", "json_schema": {"schema": {"type": "age"}}})}, "age"),
    ],
    ids=["limit", "tools", "schema"],
)
async def test_wrong_request_is_refused_in_words(local: GGUF, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationFailed, match=said):
        await answer(local, ask(**options))


async def test_image_is_refused(local: GGUF) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    turns = [Turn("user", [raw({"type": "text", "text": "what is this?"}), raw(picture)])]
    with pytest.raises(ValidationFailed, match=r"'chat' reads text alone.*'image_url'"):
        await answer(local, ask(turns))
    text_alone = [Turn("user", [raw({"type": "text", "text": "hello there"})])]
    assert await local.count_tokens(ask(text_alone)) == await local.count_tokens(ask())


async def test_several_chats_at_once_get_their_own_answers(local: GGUF) -> None:
    words = ["one", "two", "three", "four", "five", "six"]
    requests = [ask(others={"grammar": f'root ::= "the {word} cat"'}) for word in words]
    found = await asyncio.gather(*(answer(local, request) for request in requests))
    assert [text(deltas) for deltas in found] == [f"the {word} cat" for word in words]


async def test_answers_beyond_the_slots_wait_their_turn(tiny_models: Path) -> None:
    request = ask(max_tokens=3, others={"ignore_eos": True})
    async with opened(tiny_models, local_parallel=1) as local:
        found = await asyncio.gather(*(answer(local, request) for _ in range(5)))
    assert [deltas[-1].finish_reason for deltas in found] == ["length"] * 5


async def test_closing_an_answer_in_its_middle_stops_the_model(tiny_models: Path) -> None:
    """With one slot, the next answer would have to wait for the end of one that went on."""
    endless = ask(others={"ignore_eos": True})
    before = {child.pid for child in psutil.Process().children()}
    async with opened(tiny_models, local_parallel=1) as local:
        await answer(local, ask(max_tokens=1))
        process = next(child for child in psutil.Process().children() if child.pid not in before)
        began = used_s(process)
        await answer(local, endless)
        whole = used_s(process) - began
        async with aclosing(local.stream(endless)) as deltas:
            async for delta in deltas:
                if delta.text:
                    break
        began = used_s(process)
        await answer(local, ask(max_tokens=1))
        assert used_s(process) - began < whole / 4


def used_s(process: psutil.Process) -> float:
    """CPU seconds."""
    times = process.cpu_times()
    return float(times.user + times.system)


async def test_closing_an_answer_in_mid_prompt_stops_the_reading(tmp_path: Path) -> None:
    """What was read stays in the slot: asking again tells how much that was."""
    tiny_gguf.chat(tmp_path / "long.gguf", context=8192, width=96)
    request = ask([Turn("user", "the cat and the dog " * 1500)], max_tokens=1)
    async with opened(tmp_path, local_parallel=1, local_context_tokens=8192) as local:
        async with aclosing(local.stream(request)) as deltas:
            async for delta in deltas:
                if delta.progress:
                    break
        usage = (await answer(local, request))[-1].usage
    assert usage is not None
    assert usage.cached_tokens is not None
    assert 0 < usage.cached_tokens < usage.prompt_tokens / 2


async def test_count_of_a_text(local: GGUF) -> None:
    assert await local.count_text("the cat and the dog", model=None) == 5
    assert await local.count_text("", model=None) == 0


async def test_models_are_listed_with_kind_and_context(local: GGUF) -> None:
    listed = {model.name: (model.kind, model.context_tokens) for model in await local.models()}
    assert listed == {
        "chat": (ModelKind.CHAT, 2048),
        "tools": (ModelKind.CHAT, 2048),
        "embedding": (ModelKind.EMBEDDING, 128),
        "rerank": (ModelKind.RERANK, 128),
    }
    assert local.default_model == "chat"


async def test_unknown_name_lists_the_closest(local: GGUF) -> None:
    with pytest.raises(UnknownName, match="unknown model 'tool'; known: tools"):
        await answer(local, ask(model="tool"))


async def test_model_of_another_kind_is_refused(local: GGUF) -> None:
    with pytest.raises(ValidationFailed, match=r"'rerank' is a reranking model .* as a chat model; known: chat, tools"):
        await answer(local, ask(model="rerank"))
    with pytest.raises(ValidationFailed, match=r"'chat' is a chat model .* as an embedding model; known: embedding"):
        await local.embed(["x"], model="chat", dimensions=None)
