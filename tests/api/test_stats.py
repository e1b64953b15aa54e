"""Usage figures over HTTP: sums of the messages' own usage, of one's own answers; of all for administrators alone."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.schemas.stats import SystemStats, UserStats
from tests.api.people import Person
from tests.chats import Chat
from tests.conftest import Serve
from tests.fakes.upstream import Upstream
from tests.service import ADMIN_PASSWORD, Service

USER, SYSTEM = "/api/v1/stats/user", "/api/v1/stats/system"
FIGURES = ("messages", "failed", "prompt_tokens", "completion_tokens", "estimated", "cost")
Figures = dict[str, Any]


def today() -> date:
    return datetime.now(UTC).date()


async def stats(http: httpx.AsyncClient, path: str = USER, **query: str) -> Figures:
    answer = await http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    found: Figures = answer.json()
    return found


def counts(found: Figures) -> tuple[int, ...]:
    return tuple(found[name] for name in FIGURES[:-1])


async def administrator(service: Service) -> httpx.AsyncClient:
    async with service.client() as client:
        body = {"username": "admin", "password": ADMIN_PASSWORD}
        token = (await client.post("/api/v1/auth/login", json=body)).json()["access_token"]
    return service.client(headers={"Authorization": f"Bearer {token}"})


async def use(chat: Chat) -> Figures:
    """Two models; an answer again; one failed, one stopped. Gives what the messages say of it."""
    first = await chat.stream("one", model="fake-n5")
    second = await chat.stream("two", model="fake-n20")
    again = await chat.stream(None, model="fake-n20", regenerate=first[0].data["message_id"])
    failed = await chat.stream("three", model="fake-e401")
    assert failed[-1].kind == "error"
    async with chat.open("four", model="fake-n10000-d5") as tail:
        await tail.until("delta", 5)
        await chat.stop(tail.run_id)
        stopped = await tail.rest()
    used = [(await chat.message(frames))["usage"] for frames in (first, second, again, failed, stopped)]
    return {
        "messages": 5,
        "failed": 1,
        "prompt_tokens": sum(u["prompt_tokens"] for u in used),
        "completion_tokens": sum(u["completion_tokens"] for u in used),
        "estimated": sum(u["counted_by"] == "estimate" for u in used),
        "cost": None,
    }


async def test_sums_are_those_of_the_messages(chat: Chat, stranger: Chat) -> None:
    before = today()
    assert counts((await stats(chat.http))["totals"]) == (0, 0, 0, 0, 0)
    used = await use(chat)
    await stranger.ask("mine", model="fake-n9")
    found = await stats(chat.http)
    UserStats.model_validate(found)
    assert found["totals"] == used
    assert used["estimated"] == 2
    assert (found["to"], found["truncated"]) == (str(today()), False)
    assert date.fromisoformat(found["from"]) == today() - timedelta(days=29)
    models = {of["model"]: counts(of) for of in found["models"]}
    assert set(models) == {"fake-n5", "fake-n20", "fake-e401", "fake-n10000-d5"}
    assert (models["fake-n20"][0], models["fake-n20"][3]) == (2, 40)
    assert {of["model_source"] for of in found["models"]} == {"openai"}
    for listed in (found["models"], found["days"]):
        assert [sum(column) for column in zip(*map(counts, listed), strict=True)] == list(counts(used))
    assert {of["day"] for of in found["days"]} <= {str(before), str(today())}


async def test_figures_stay_when_the_conversation_is_deleted(chat: Chat) -> None:
    frames = await chat.stream("one", model="fake-n5")
    before = await stats(chat.http)
    await chat.http.delete(f"/api/v1/conversations/{frames[0].data['conversation_id']}")
    assert await stats(chat.http) == before


async def test_continued_answer_counts_both_times(chat: Chat) -> None:
    first = await chat.message(await chat.stream("one", model="fake-n5"))
    more = await chat.message(await chat.stream(None, model="fake-n3", **{"continue": first["id"]}))
    found = (await stats(chat.http))["totals"]
    assert (found["messages"], found["completion_tokens"]) == (2, 8)
    assert found["prompt_tokens"] == first["usage"]["prompt_tokens"] + more["usage"]["prompt_tokens"]


async def test_days_that_are_asked_for(chat: Chat) -> None:
    await chat.ask("one", model="fake-n1")
    day, yesterday = today(), today() - timedelta(days=1)
    for query, messages in (
        ({"from": str(yesterday)}, 1),
        ({"from": str(yesterday), "to": str(day + timedelta(days=1))}, 1),
        ({"to": str(yesterday - timedelta(days=1))}, 0),
        ({"from": "2024-01-01", "to": "2024-12-31"}, 0),
        ({"from": "0001-01-01", "to": "0001-01-01"}, 0),
        ({"from": "9999-12-31", "to": "9999-12-31"}, 0),
    ):
        found = await stats(chat.http, **query)
        assert found["totals"]["messages"] == messages, query
        assert {name: found[name] for name in query} == query


@pytest.mark.parametrize("path", [USER, SYSTEM])
@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ({"from": "yesterday"}, "from: use a date such as 2026-01-31"),
        ({"to": "2026-02-30"}, "to: use a date such as"),
        ({"from": "20260101"}, "from: use a date"),
        ({"from": "0"}, "from: use a date"),
        ({"from": ""}, "from: use a date"),
        ({"from": "2026-01-01T00:00:00"}, "from: use a date"),
        ({"from": "٢٠٢٦-٠١-٠١"}, "from: use a date"),
        ({"from": "2026-01-02", "to": "2026-01-01"}, "from=2026-01-02 is after to=2026-01-01"),
        ({"from": "2024-01-01", "to": "2025-01-01"}, "are 367 days and 366 are allowed"),
        ({"from": "0001-01-01", "to": "9999-12-31"}, "and 366 are allowed"),
    ],
)
async def test_wrong_dates_are_refused(chatting: Service, path: str, query: dict[str, str], complaint: str) -> None:
    async with await administrator(chatting) as admin:
        answer = await admin.get(path, params=query)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "validation_error")
        assert complaint in answer.json()["error"]["message"]


async def test_figures_of_all_are_for_administrators(chatting: Service, person: Person, chat: Chat) -> None:
    refused = await person.http.get(SYSTEM)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    async with await administrator(chatting) as admin:
        before = await stats(admin, SYSTEM)
        await chat.ask("one", model="fake-n1000")
        await person.ready(b"A few words.")
        found = await stats(admin, SYSTEM)
        SystemStats.model_validate(found)
        assert found["totals"]["messages"] > before["totals"]["messages"]
        assert found["users"] > before["users"]
        assert found["accounts"] >= found["users"]
        assert found["storage"]["files"] > before["storage"]["files"]
        assert found["storage"]["bytes"] >= before["storage"]["bytes"] + 12
        name = (await chat.http.get("/api/v1/auth/me")).json()["username"]
        (mine,) = [of for of in found["per_user"] if of["username"] == name]
        assert counts(mine) == counts((await stats(chat.http))["totals"])
        assert len(found["per_user"]) <= 50

        made = await admin.post("/api/v1/auth/keys", json={"name": mine["username"], "scopes": ["stats"]})
        async with chatting.client(headers={"X-API-Key": made.json()["key"]}) as client:
            assert (await client.get(SYSTEM)).status_code == 200
        made = await admin.post("/api/v1/auth/keys", json={"name": f"{mine['username']}2", "scopes": ["chat"]})
        async with chatting.client(headers={"X-API-Key": made.json()["key"]}) as client:
            assert (await client.get(SYSTEM)).status_code == 403


PRICED = """sources:
  - name: priced
    base_urls: [{url}]
    models:
      - {{name: fake-n5, prompt_price: 1000, completion_price: 100000}}
      - {{name: fake-n7}}
      - {{name: fake-e503, prompt_price: 9, completion_price: 9}}
    fallback: [openai/fake-n3]
"""


async def test_cost_is_by_the_prices_of_the_rows_and_a_fallback_counts_for_what_answered(
    serve: Serve, upstream: Upstream, tmp_path: Path
) -> None:
    rows = tmp_path / "models.yaml"
    rows.write_text(PRICED.format(url=upstream.url))
    service = serve(MODELS_CONFIG=str(rows), OPENAI_BASE_URL=upstream.url, OPENAI_MODEL="fake-n3")
    person = await Person.of(service)
    chat = Chat(person.http)
    for model in ("fake-n7", "fake-n5", "fake-n5", "fake-e503"):
        asked = await chat.ask("one", model_source="priced", model=model)
        assert asked.status_code == 200, asked.text
        if model == "fake-n7":
            assert (await stats(person.http))["totals"]["cost"] is None
    found = await stats(person.http)
    of = {(listed["model_source"], listed["model"]): listed for listed in found["models"]}
    assert set(of) == {("priced", "fake-n7"), ("priced", "fake-n5"), ("openai", "fake-n3")}
    five = of["priced", "fake-n5"]
    assert five["messages"] == 2
    assert five["cost"] == pytest.approx((five["prompt_tokens"] * 1000 + five["completion_tokens"] * 100000) / 1e6)
    assert five["cost"] == found["totals"]["cost"]
    assert [of[key]["cost"] for key in (("priced", "fake-n7"), ("openai", "fake-n3"))] == [None, None]
    await person.aclose()


async def test_figures_on_postgres(serve: Serve, upstream: Upstream, postgres_url: str) -> None:
    url = postgres_url.replace("postgresql+asyncpg://", "postgresql://")
    service = serve(DATABASE_URL=url, OPENAI_BASE_URL=upstream.url)
    person = await Person.of(service)
    used = await use(Chat(person.http))
    found = await stats(person.http)
    assert found["totals"] == used
    key = await person.key("stats")
    async with service.client(headers={"X-API-Key": key}) as client:
        assert await stats(client) == found
    async with await administrator(service) as admin:
        system = await stats(admin, SYSTEM)
    assert (system["totals"], system["users"], system["accounts"]) == (used, 1, 2)
    assert [counts(of) for of in system["per_user"]] == [counts(used)]
    await person.aclose()


async def test_answers_for_openai_clients_are_counted(person: Person) -> None:
    body = {"model": "openai/fake-n7", "messages": [{"role": "user", "content": "hello"}]}
    used = [(await person.http.post("/v1/chat/completions", json=body)).json()["usage"] for _ in range(2)]
    failing = {**body, "model": "openai/fake-e401"}
    assert (await person.http.post("/v1/chat/completions", json=failing)).status_code >= 400
    for _ in range(100):
        found = (await stats(person.http))["totals"]
        if found["messages"] == 3:
            break
    assert (found["messages"], found["failed"]) == (3, 1)
    assert found["completion_tokens"] == sum(u["completion_tokens"] for u in used) == 14
