"""Conversations over HTTP: listed, found, renamed, branched, deleted."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.api.people import Person
from tests.chats import Chat
from tests.service import Service

PATH = "/api/v1/conversations"
SOME_ID = UUID(int=1)


async def create(chat: Chat, title: str) -> dict[str, Any]:
    made = await chat.http.post(PATH, json={"title": title})
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


async def page(chat: Chat, **query: object) -> dict[str, Any]:
    answer = await chat.http.get(PATH, params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def titles(chat: Chat, **query: object) -> list[str]:
    return [item["title"] for item in (await page(chat, **query))["items"]]


async def asked(chat: Chat, message: str, **body: object) -> dict[str, Any]:
    """Ask and give the answer: {conversation_id, run_id, message}."""
    answer = await chat.ask(message, model="fake-n3", **body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_new_conversation(chat: Chat) -> None:
    made = await create(chat, "  Plans \n for\tspring ")
    assert set(made) == {"id", "title", "created_at", "updated_at", "active_message_id", "collection_ids"}
    assert (made["title"], made["active_message_id"]) == ("Plans for spring", None)
    assert made["created_at"].endswith("Z")
    assert UUID(made["id"])
    assert (await chat.http.get(f"{PATH}/{made['id']}")).json() == made
    assert await page(chat) == {"items": [made], "next_cursor": None}
    assert (await chat.messages(made["id"])) == []
    assert (await chat.http.post(PATH, json={})).json()["title"] == "New conversation"


async def test_title_is_made_of_the_first_question(chat: Chat) -> None:
    await asked(chat, "  What does the\treport say about apples?\nAnd about pears?")
    long = "Please compare " + "the very long harvest report " * 5
    await asked(chat, long)
    found = await titles(chat)
    assert found[1] == "What does the report say about apples?"
    assert len(found[0]) <= 60
    assert found[0].endswith("…")
    assert long.startswith(found[0][:-1])


async def test_pages_join_while_conversations_are_added(chat: Chat) -> None:
    for number in range(7):
        await create(chat, f"t{number}")
    seen: list[str] = []
    cursor = None
    for _ in range(10):
        query = {"limit": 3} if cursor is None else {"limit": 3, "cursor": cursor}
        found = await page(chat, **query)
        seen += [item["title"] for item in found["items"]]
        await create(chat, "added meanwhile")
        cursor = found["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"t{number}" for number in reversed(range(7))]


async def test_last_page_says_that_it_is_the_last(chat: Chat) -> None:
    for number in range(4):
        await create(chat, f"t{number}")
    assert (await page(chat, limit=4))["next_cursor"] is None
    first = await page(chat, limit=2)
    assert (await page(chat, limit=2, cursor=first["next_cursor"]))["next_cursor"] is None


async def test_new_message_makes_a_conversation_the_newest(chat: Chat) -> None:
    old = (await asked(chat, "first question"))["conversation_id"]
    await create(chat, "newer")
    await asked(chat, "again", conversation_id=old)
    assert await titles(chat) == ["first question", "newer"]


def odd_cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        *("x", "=", "ä", "%", "null", "0", "x" * 200, "x" * 201),
        *map(odd_cursor, ("2026-01-01T00:00:00+00:00", f"2026-01-01T00:00:00 {SOME_ID}", f"yesterday {SOME_ID}")),
        *map(odd_cursor, (f"0001-01-01T00:00:00+14:00 {SOME_ID}", f"9999-12-31T23:59:59-14:00 {SOME_ID}", "a b c")),
        *map(odd_cursor, ("2026-01-01T00:00:00+00:00 x", f"2026-13-01T00:00:00+00:00 {SOME_ID}")),
    ],
)
async def test_cursor_that_no_list_gave_is_refused(chat: Chat, cursor: str) -> None:
    made = await create(chat, "t")
    for path in (PATH, f"{PATH}/{made['id']}/messages"):
        answer = await chat.http.get(path, params={"cursor": cursor})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "validation_error")


async def test_cursor_of_another_zone_is_a_moment_like_any_other(chat: Chat) -> None:
    await create(chat, "t")
    cursor = odd_cursor(f"2100-01-01T00:00:00+14:00 {uuid4()}")
    assert await titles(chat, cursor=cursor) == ["t"]


async def test_search_in_questions_answers_and_titles(chat: Chat, stranger: Chat) -> None:
    apples = (await asked(chat, "Compare apples\nwith quinces"))["conversation_id"]
    await create(chat, "Übersicht: Birnen")
    await asked(chat, "東京大学について")
    await asked(stranger, "quinces belong to somebody else")
    for query in ("quinces", "QUIN", "apples compare", '"quinces"', "quinces with apples", "0"):
        assert "Compare apples" in await titles(chat, q=query), query
    assert await titles(chat, q="ubersicht") == ["Übersicht: Birnen"]
    assert await titles(chat, q="大学") == ["東京大学について"]
    assert await titles(chat, q="somebody") == []
    for query in ('"', "*", "quinces*'", "NEAR(", "AND", "quinces OR", "- -", "🎉", "x" * 500):
        assert (await chat.http.get(PATH, params={"q": query})).status_code == 200, query
    assert len(await titles(chat, q="  ")) == 3
    await chat.http.patch(f"{PATH}/{apples}", json={"title": "Renamed"})
    assert await titles(chat, q="renamed") == ["Renamed"]


async def test_words_of_an_answer_are_found_when_it_is_complete(chat: Chat) -> None:
    answer = await asked(chat, "hello")
    word = re.findall(r"@([0-9a-f]+)", answer["message"]["content"])[-1]
    assert await titles(chat, q=word) == ["hello"]


async def test_found_conversations_come_in_pages_too(chat: Chat) -> None:
    for number in range(5):
        await create(chat, f"needle {number}")
    await create(chat, "hay")
    first = await page(chat, q="needle", limit=3)
    second = await page(chat, q="needle", limit=3, cursor=first["next_cursor"])
    found = [item["title"] for item in first["items"] + second["items"]]
    assert found == [f"needle {number}" for number in reversed(range(5))]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    "body", [{"title": ""}, {"title": " \n"}, {"title": "x" * 201}, {"active_message_id": "x"}, {"x": 1}]
)
async def test_changes_that_are_refused(chat: Chat, body: dict[str, object]) -> None:
    made = await create(chat, "kept")
    answer = await chat.http.patch(f"{PATH}/{made['id']}", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "validation_error")
    assert (await chat.http.get(f"{PATH}/{made['id']}")).json() == made


async def test_rename_changes_nothing_else(chat: Chat) -> None:
    first, second = await create(chat, "first"), await create(chat, "second")
    renamed = (await chat.http.patch(f"{PATH}/{first['id']}", json={"title": "1st: <b>&\"'"})).json()
    assert renamed == {**first, "title": "1st: <b>&\"'"}
    assert (await chat.http.patch(f"{PATH}/{first['id']}", json={})).json() == renamed
    assert await titles(chat) == ["second", renamed["title"]]
    assert second["title"] == "second"


async def test_another_branch_is_shown_to_its_newest_leaf(chat: Chat) -> None:
    first = await asked(chat, "one")
    conversation_id, answer_1 = first["conversation_id"], first["message"]
    answer_2 = (await asked(chat, "two", conversation_id=conversation_id))["message"]
    edited = (await asked(chat, "two, edited", conversation_id=conversation_id, parent_id=answer_1["id"]))["message"]
    show = f"{PATH}/{conversation_id}"
    assert (await chat.http.get(show)).json()["active_message_id"] == edited["id"]
    for shown, leaf in ((answer_2["parent_id"], answer_2["id"]), (answer_1["id"], edited["id"])):
        changed = await chat.http.patch(show, json={"active_message_id": shown})
        assert changed.json()["active_message_id"] == leaf
    assert len(await chat.messages(conversation_id)) == 6
    for missing in (str(uuid4()), (await asked(chat, "elsewhere"))["message"]["id"]):
        answer = await chat.http.patch(show, json={"active_message_id": missing})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_messages_come_in_pages(chat: Chat) -> None:
    conversation_id = (await asked(chat, "0"))["conversation_id"]
    for number in range(1, 4):
        await asked(chat, str(number), conversation_id=conversation_id)
    contents: list[str] = []
    cursor = None
    for _ in range(10):
        query = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        found = (await chat.http.get(f"{PATH}/{conversation_id}/messages", params=query)).json()
        contents += [item["content"] for item in found["items"] if item["role"] == "user"]
        cursor = found["next_cursor"]
        if cursor is None:
            break
    assert contents == ["0", "1", "2", "3"]


def stored(service: Service, data: bytes) -> bool:
    return any(data in path.read_bytes() for path in (service.data_dir / "files").rglob("*") if path.is_file())


async def test_deleted_conversation_is_gone_everywhere(person: Person, chatting: Service) -> None:
    chat = Chat(person.http)
    answer = await asked(chat, "unforgettable words", use_rag=False)
    conversation_id, run_id, message_id = answer["conversation_id"], answer["run_id"], answer["message"]["id"]
    file_id = await person.ready(b"A zeppelin over the lake.", conversation_id=conversation_id)
    kept = await person.ready(b"A zeppelin over the town.")
    assert stored(chatting, b"over the lake")
    deleted = await chat.http.delete(f"{PATH}/{conversation_id}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    for path in (
        *(f"{PATH}/{conversation_id}{below}" for below in ("", "/messages", "/export")),
        *(f"/api/v1/chat/runs/{run_id}/events", f"/api/v1/chat/messages/{message_id}/ledger"),
        *(f"/api/v1/files/{file_id}", f"/api/v1/files/{file_id}/content", f"/api/v1/files/{file_id}/pages/1"),
    ):
        assert (await chat.http.get(path)).status_code == 404, path
    assert await titles(chat) == []
    assert await titles(chat, q="unforgettable") == []
    found = (await person.search("zeppelin")).json()["items"]
    assert {item["file_id"] for item in found} == {kept}
    assert not stored(chatting, b"over the lake")
    assert (await chat.http.delete(f"{PATH}/{conversation_id}")).status_code == 404


async def test_other_pages_of_the_user_are_told(chat: Chat, stranger: Chat) -> None:
    async with chat.http.stream("GET", "/api/v1/events") as events, asyncio.timeout(30):
        lines = events.aiter_lines()
        await create(stranger, "somebody else's")
        made = await create(chat, "t")
        path = f"{PATH}/{made['id']}"
        heard = [await told(lines)]
        for change in ({"title": "new"}, {}):
            await chat.http.patch(path, json=change)
            heard.append(await told(lines))
        await chat.http.delete(path)
        heard.append(await told(lines))
    assert heard == [{"id": made["id"], "change": change} for change in ("created", "renamed", "changed", "deleted")]


async def told(lines: AsyncIterator[str]) -> dict[str, object]:
    """The data of the next event, which must be about a conversation."""
    async for line in lines:
        assert not line.startswith("event: ") or line == "event: conversation"
        if line.startswith("data: "):
            found: dict[str, object] = json.loads(line.removeprefix("data: "))
            return found
    raise AssertionError("the stream ended")


async def test_deleting_at_the_same_moment_succeeds_once(chat: Chat) -> None:
    made = await create(chat, "t")
    answers = await asyncio.gather(*(chat.http.delete(f"{PATH}/{made['id']}") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [204, 404, 404, 404]
