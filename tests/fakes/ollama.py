"""A fake Ollama: the names of `tests.fakes.upstream` over newline-delimited JSON. See there."""

import json
from asyncio import StreamReader, StreamWriter

from tests.fakes.http import answer
from tests.fakes.upstream import Answer, Upstream

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
TAGS = ("fake-n20", "fake-n200", "nomic-embed-text:latest")
TRAINED = 8192  # tokens of every model


def line(event: dict[str, object]) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


class OllamaAnswer(Answer):
    head = HEAD

    def _event(self, delta: dict[str, object], logprobs: object = None, finish: str | None = None) -> bytes:
        said = {"content": delta.get("content", ""), "thinking": delta.get("reasoning_content")}
        message = {"role": "assistant", **{name: text for name, text in said.items() if text is not None}}
        return line({"model": self.body["model"], "message": message, "done": False})

    def _end(self) -> list[bytes]:
        calls = [{"function": {"name": "look", "arguments": {"at": 3}}}] if self.body.get("tools") else []
        message = {"role": "assistant", "content": "", **({"tool_calls": calls} if calls else {})}
        counts = {"prompt_eval_count": self.usage["prompt_tokens"], "eval_count": self.plan.tokens}
        times = {"prompt_eval_duration": 5_000_000, "eval_duration": 10_000_000}
        return [line({"message": message, "done": True, "done_reason": self.plan.finish, **counts, **times})]


class Ollama(Upstream):
    """`url` has no path, as Ollama's has none. A model named `missing...` is not there."""

    answers = OllamaAnswer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _answer(
        self, route: str, headers: dict[str, str], body: bytes, reader: StreamReader, writer: StreamWriter
    ) -> None:
        if route == "GET /api/tags":
            models = [{"name": m, "model": m, "size": 1000, "details": {"family": "fake"}} for m in TAGS]
            writer.write(answer(200, {"models": models}))
            return
        asked = json.loads(body) if body else {}
        model = str(asked.get("model"))
        if model.startswith("missing"):
            writer.write(answer(404, {"error": f"model '{model}' not found"}))
        elif route == "POST /api/show":
            writer.write(answer(200, {"model_info": {"fake.context_length": TRAINED}, "details": {}}))
        elif route == "POST /api/pull":
            await self._pull(model, writer)
        elif route == "POST /api/chat":
            await self._chat(asked, headers, reader, writer)
        else:
            await super()._answer(route, headers, body, reader, writer)

    async def _pull(self, model: str, writer: StreamWriter) -> None:
        if model.startswith("unknown"):
            writer.write(HEAD + chunked(line({"error": "pull model manifest: file does not exist"})) + b"0\r\n\r\n")
            return
        layers = [{"status": "pulling abc", "total": 100, "completed": done} for done in (0, 50, 100)]
        lines = [{"status": "pulling manifest"}, *layers, {"status": "success"}]
        writer.write(HEAD + b"".join(chunked(line(said)) for said in lines) + b"0\r\n\r\n")


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
