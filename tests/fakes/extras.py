"""What a model may send besides text: tool calls, logprobs, JSON, and vectors."""

import base64
import struct
import zlib
from collections.abc import Sequence

OVERFLOW = "This model's maximum context length is 10 tokens. However, your messages resulted in 99 tokens."
CALLS = (("call_a", "get_weather", ['{"city": ', '"Oslo"}']), ("call_b", "get_time", ["{", '"zone": "CET"', "}"]))
JSON_PIECES = ['{"name": ', '"Ann", ', '"age": ', "41}"]
DIMENSIONS = 8


def calls() -> list[dict[str, object]]:
    """Two calls as a stream has them: the name first, then the arguments in pieces."""
    deltas: list[dict[str, object]] = []
    for index, (call_id, name, pieces) in enumerate(CALLS):
        head = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
        deltas.append({"tool_calls": [head]})
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces]
    return deltas


def logprob(token: str) -> dict[str, object]:
    return {"token": token, "logprob": -0.25, "bytes": list(token.encode()), "top_logprobs": []}


def embeddings(body: dict[str, object]) -> dict[str, object]:
    """One vector for each text, the same for the same text."""
    given = body["input"]
    texts: Sequence[object] = given if isinstance(given, list) else [given]
    size = int(str(body.get("dimensions", DIMENSIONS)))
    data = [
        {"object": "embedding", "index": n, "embedding": _encoded(_vector(str(text), size), body)}
        for n, text in enumerate(texts)
    ]
    tokens = sum(len(str(text).split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def _vector(text: str, size: int) -> list[float]:
    return [zlib.crc32(f"{n} {text}".encode()) % 1000 / 1000 for n in range(size)]


def _encoded(vector: list[float], body: dict[str, object]) -> object:
    if body.get("encoding_format") != "base64":
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def error(status: int, *, overflow: bool) -> dict[str, object]:
    return {"error": {"message": OVERFLOW if overflow else f"injected {status}", "type": "injected"}}
