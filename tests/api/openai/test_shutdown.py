"""What a client of the OpenAI surface learns when the service ends."""

import asyncio

from tests.api.openai.asking import opened, payloads
from tests.api.people import Person
from tests.conftest import Serve
from tests.fakes.upstream import Upstream


async def test_a_stream_ends_in_one_error_that_says_when_to_come_back(serve: Serve, upstream: Upstream) -> None:
    service = serve(OPENAI_BASE_URL=upstream.url, OPENAI_MODEL="fake-n100000-d5")
    person = await Person.of(service)
    async with opened(person, "fake-n100000-d5") as response:
        reading = response.aiter_raw()
        data = await anext(reading)
        assert await asyncio.to_thread(service.stop) == 0
        data += b"".join([more async for more in reading])
    await person.aclose()
    *chunks, error = payloads(data)
    assert chunks
    assert error["error"]["code"] == "model_unavailable"
    assert "restarting" in error["error"]["message"]
    assert (upstream.stats.active, upstream.stats.aborted) == (0, 1)
