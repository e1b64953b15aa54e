"""Bytes to deltas: whatever the cuts, the framing and the manners of the server."""

import random

import msgspec
import pytest

from app.core.errors import UpstreamRefused, UpstreamUnavailable
from app.services.llm import wire
from app.services.llm.base import Delta, TokenUsage
from app.services.llm.openai_wire import DONE, OpenAIDeltas, decode_chunk
from app.services.llm.wire import SSEDecoder, error_text
from tests.fakes.http import sse
from tests.fakes.raw import token

EVENTS = [b'{"a":1}', b"[DONE]", "é中🙂".encode(), b"two\nlines"]
STREAM = (
    ': a comment\n\ndata: {"a":1}\n\nevent: x\ndata:[DONE]\nid: 4\n\n\n'
    "data: é中🙂\n\ndata: two\ndata: lines\n\ndata: unfinished"
).encode()


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("seed", range(20))
def test_any_cut_gives_the_same_events(newline: bytes, seed: int) -> None:
    rng = random.Random(seed)
    stream = STREAM.replace(b"\n", newline)
    decoder, events, position = SSEDecoder(), [], 0
    while position < len(stream):
        size = rng.choice((1, 2, 3, 7, 50))
        events += decoder.feed(stream[position : position + size])
        position += size
    assert events == EVENTS


@pytest.mark.parametrize("part", [b"x" * 65536, b"data: x\n" * 8192, b"\r" + b"x" * 65536])
def test_an_event_without_end_is_refused(part: bytes) -> None:
    decoder = SSEDecoder()
    with pytest.raises(UpstreamUnavailable, match="without ending a message"):
        for _ in range(wire.MAX_EVENT_BYTES // len(part) + 2):
            decoder.feed(part)


def test_one_read_is_one_delta() -> None:
    deltas = OpenAIDeltas()
    payloads = [b'{"choices":[{"delta":{"role":"assistant","content":""}}]}', *map(payload, ("a", "b", "c"))]
    assert deltas.read(payloads) == Delta("abc")
    assert deltas.read([]) is None
    assert deltas.read([b'{"choices":[{"delta":{},"finish_reason":"stop"}]}']) is None
    assert deltas.read([b'{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}', DONE]) is None
    assert deltas.finish_reason == "stop"
    assert deltas.end() == Delta(finish_reason="stop", usage=TokenUsage(3, 4))


def payload(text: str) -> bytes:
    return token(text)[6:-2]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning(field: str) -> None:
    chunk = msgspec.json.encode({"choices": [{"delta": {field: "hm", "content": None}}]})
    assert OpenAIDeltas().read([chunk]) == Delta(reasoning="hm")


@pytest.mark.parametrize(
    "chunk",
    [
        b'{"choices":[{"delta":null,"finish_reason":null}],"error":null,"usage":null}',
        b'{"choices":null}',
        b"{}",
        b'{"choices":[{"index":0,"content_filter_offsets":{}}],"x":[1]}',
    ],
)
def test_chunks_without_anything_to_say(chunk: bytes) -> None:
    assert OpenAIDeltas().read([chunk]) is None


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (b'"a\\u0000b"', "a\ufffdb"),
        (b'"a\\ud83db"', "a?b"),
        (b'"\\ud83d\\ude42"', "\N{SLIGHTLY SMILING FACE}"),
        (b'"a\xffb"', "a\ufffdb"),
    ],
)
def test_characters_that_nobody_can_keep(sent: bytes, read: str) -> None:
    delta = OpenAIDeltas().read([b'{"choices":[{"delta":{"content":%b}}]}' % sent])
    assert delta == Delta(read)


@pytest.mark.parametrize("bad", [b"{not json", b"[1]", b'"x"', b'{"choices":{}}', b"\x00\xff", b"[" * 100_000])
def test_garbage(bad: bytes) -> None:
    with pytest.raises(UpstreamUnavailable, match="not a chat completion"):
        decode_chunk(bad)


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        ({"message": "no such thing", "code": "bad"}, UpstreamRefused, "no such thing"),
        ("plain", UpstreamRefused, "plain"),
        ({"message": "too busy", "code": 429}, UpstreamUnavailable, "too busy"),
        ({"message": "crashed", "code": 500}, UpstreamUnavailable, "crashed"),
        ({"message": "bad request", "code": 400}, UpstreamRefused, "bad request"),
    ],
)
def test_an_error_in_the_stream(error: object, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        OpenAIDeltas().read([sse({"error": error})[6:-2]])


@pytest.mark.parametrize("then", ["read", "end"])
def test_what_came_before_an_error_is_given_first(then: str) -> None:
    deltas = OpenAIDeltas()
    assert deltas.read([payload("a"), b"{nonsense", payload("b")]) == Delta("a")
    with pytest.raises(UpstreamUnavailable, match="nonsense"):
        _ = deltas.end() if then == "end" else deltas.read([payload("c")])


def test_a_stream_that_breaks_off() -> None:
    deltas = OpenAIDeltas()
    deltas.read([payload("a")])
    with pytest.raises(UpstreamUnavailable, match="in the middle"):
        deltas.end()


@pytest.mark.parametrize(
    ("said", "meant"), [("stop", "stop"), ("length", "length"), ("content_filter", "content_filter")]
)
def test_finish_reasons(said: str, meant: str) -> None:
    deltas = OpenAIDeltas()
    deltas.read([token("a", said)[6:-2]])
    assert deltas.end() == Delta(finish_reason=meant)  # type: ignore[arg-type]


def test_an_answer_without_end_is_cut() -> None:
    deltas = OpenAIDeltas()
    piece = payload("x" * 500_000)
    for _ in range(wire.MAX_ANSWER_CHARS // 500_000):
        deltas.read([piece])
    assert deltas.finish_reason is None
    deltas.read([payload("x")])
    assert deltas.end().finish_reason == "length"


def test_a_whole_answer() -> None:
    body = {"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1}}
    deltas = OpenAIDeltas()
    assert deltas.whole(msgspec.json.encode(body)) == Delta("hello")
    assert deltas.end() == Delta(finish_reason="stop", usage=TokenUsage(1, 0))
    with pytest.raises(UpstreamRefused, match="hello there"):
        OpenAIDeltas().whole(b'{"message": "hello there"}')


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error":{"message":"a"}}', "a"),
        (b'{"error":"b"}', "b"),
        (b'{"detail":"c"}', "c"),
        (b'{"detail":[{"msg":"d"}]}', "[{'msg': 'd'}]"),
        (b"<h1>e</h1>", "<h1>e</h1>"),
        (b"\xff\x00", "\ufffd\ufffd"),
        (b"", ""),
        (b'{"error":{}}', "{'error': {}}"),
    ],
)
def test_error_text(body: bytes, said: str) -> None:
    assert error_text(body) == said
