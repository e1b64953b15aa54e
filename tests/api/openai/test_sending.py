"""When a stream begins, and what it says while the model says nothing."""

import httpx

from app.api.openai.answer import Reading, Streaming
from app.core.enums import CountedBy
from app.core.errors import AppError, RateLimited, UpstreamTimeout
from app.observability.middleware import Observed
from app.schemas.chat import Source, UsageCounted
from app.services.answering import Finished
from app.services.llm.base import Delta, TokenUsage
from tests.api.openai.asking import payloads, refused, text

END = Finished("stop", UsageCounted(1, 1, CountedBy.PROVIDER, None, None), TokenUsage(1, 1), "s", "m")


class Played(Reading):
    """An answer whose steps are written by the test; a number is a place in the queue and silence."""

    def __init__(self, *steps: Delta | Finished | AppError | int | None) -> None:
        self._steps = list(steps)
        self.position: int | None = None
        self.cancelled = 0

    @property
    def sources(self) -> list[Source] | None:
        return None

    async def read(self) -> Delta | Finished | None:
        step = self._steps.pop(0)
        if isinstance(step, AppError):
            raise step
        self.position = step if isinstance(step, int) else None
        return None if isinstance(step, int) else step

    def cancel(self) -> None:
        self.cancelled += 1


async def sent(played: Played) -> httpx.Response:
    transport = httpx.ASGITransport(Observed(Streaming(played, "m", include_usage=False)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.post("/v1/chat/completions")
    assert played.cancelled == 1
    return answer


async def test_silence_is_filled_with_comments() -> None:
    answer = await sent(Played(3, 1, None, Delta("a"), None, Delta("b"), END))
    comments = [block for block in answer.text.split("\n\n") if block.startswith(":")]
    assert comments == [": queued 3", ": queued 1", ": keep-alive", ": keep-alive"]
    *chunks, done = payloads(answer.content)
    assert (text(chunks), done) == ("ab", "[DONE]")


async def test_an_error_is_a_status_until_something_was_sent() -> None:
    answer = await sent(Played(RateLimited("slow down", retry_after_s=7)))
    refused(answer, 429, "rate_limit_exceeded")
    assert answer.headers["Retry-After"] == "7"
    answer = await sent(Played(2, UpstreamTimeout("late")))
    assert answer.status_code == 200
    assert payloads(answer.content)[-1]["error"]["code"] == "upstream_timeout"
