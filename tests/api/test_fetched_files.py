"""Documents by their address over HTTP."""

import pytest

from tests.api.people import Person
from tests.fakes.site import site
from tests.service import Service


def stored_files(service: Service) -> int:
    return sum(path.is_file() for path in (service.data_dir / "files").rglob("*"))


async def test_a_web_page_is_fetched_and_read(person: Person) -> None:
    async with site() as base:
        answer = await person.http.post("/api/v1/files/url", json={"url": f"{base}/", "tags": {"kind": "page"}})
    assert answer.status_code == 202, answer.text
    accepted = answer.json()
    assert (accepted["name"], accepted["source_url"], accepted["tags"]) == (
        "127.0.0.1.html",
        f"{base}/",
        {"kind": "page"},
    )
    ready = await person.until_final(accepted["id"])
    assert (ready["status"], ready["media_type"]) == ("ready", "text/html")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/x?to=http://127.0.0.2:9/", 422, "validation_error"),
        ("/none", 502, "upstream_refused"),
        ("/x?status=500", 503, "upstream_unavailable"),
        ("/picture", 415, "unsupported_type"),
        ("/nothing", 422, "validation_error"),
        ("/cut", 503, "upstream_unavailable"),
    ],
)
async def test_an_address_that_is_refused_leaves_nothing(
    person: Person, chatting: Service, path: str, status: int, code: str
) -> None:
    before = stored_files(chatting)
    async with site() as base:
        answer = await person.http.post("/api/v1/files/url", json={"url": base + path})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert stored_files(chatting) == before
    assert (await person.http.get("/api/v1/files")).json()["items"] == []
