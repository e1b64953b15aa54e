"""Collections over HTTP: made, filled, shared, asked, and taken back."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from tests.api.openai import asking
from tests.api.people import Person
from tests.api.test_chat_files import sources
from tests.chats import Chat, text
from tests.documents import text_pdf
from tests.service import Service

PAGES = ["About the pruning of apple trees.", "The registration number of the ferry Morning Star is 4711."]
QUESTION = "What is the registration number of the Morning Star?"


@pytest.fixture
async def reader(chatting: Service) -> AsyncIterator[Person]:
    new = await Person.of(chatting)
    yield new
    await new.aclose()


@pytest.fixture
async def other(chatting: Service) -> AsyncIterator[Person]:
    new = await Person.of(chatting)
    yield new
    await new.aclose()


async def test_a_collection_is_made_changed_listed_and_deleted(person: Person, reader: Person) -> None:
    made = await person.http.post("/api/v1/collections", json={"name": "  School \n books ", "description": "all"})
    body = made.json()
    assert made.status_code == 201
    assert (body["name"], body["description"], body["access"], body["files_total"]) == (
        "School books",
        "all",
        "owner",
        0,
    )
    assert body["owner"]["username"] == person.username
    file_id = await person.ready(text_pdf(PAGES), collection_id=body["id"])
    changed = await person.http.patch(f"/api/v1/collections/{body['id']}", json={"name": "Books"})
    assert (changed.json()["name"], changed.json()["description"], changed.json()["files_total"]) == ("Books", "all", 1)
    others = [await person.collection(name=str(n)) for n in range(3)]
    listed: list[str] = []
    cursor: str | None = None
    while cursor is not None or not listed:
        page = await person.http.get(
            "/api/v1/collections", params={"limit": 2, **({"cursor": cursor} if cursor else {})}
        )
        listed += [item["id"] for item in page.json()["items"]]
        cursor = page.json()["next_cursor"]
    assert listed == [*others[::-1], body["id"]]
    await person.share(body["id"], reader.username)
    (seen,) = [c for c in (await reader.http.get("/api/v1/collections")).json()["items"] if c["id"] == body["id"]]
    assert (seen["access"], seen["owner"]["username"]) == ("read", person.username)
    files = (await reader.http.get(f"/api/v1/collections/{body['id']}/files")).json()
    assert [(f["id"], f["access"], f["conversation_id"]) for f in files["items"]] == [(file_id, "read", None)]
    assert (await person.http.delete(f"/api/v1/collections/{body['id']}")).status_code == 204
    assert (await person.http.get(f"/api/v1/files/{file_id}")).json()["access"] == "owner"
    for path in (
        f"collections/{body['id']}",
        f"files/{file_id}",
        f"files/{file_id}/pages/1",
        f"files/{file_id}/content",
    ):
        assert (await reader.http.get(f"/api/v1/{path}")).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("", {}, 422),
        ("", {"name": " "}, 422),
        ("", {"name": "x" * 201}, 422),
        ("", {"name": "x", "description": "x" * 2001}, 422),
        ("", {"name": "x\0"}, 422),
        ("", {"name": "x", "owner": "y"}, 422),
        ("/{id}/shares", {}, 422),
        ("/{id}/shares", {"username": "nobody-of-this-name", "access": "read"}, 404),
        ("/{id}/shares", {"username": "x", "access": "owner"}, 422),
        ("/{id}/shares", {"username": "x" * 65}, 422),
    ],
)
async def test_a_wrong_request_is_refused(person: Person, path: str, body: dict[str, object], status: int) -> None:
    made = await person.collection()
    answer = await person.http.post(f"/api/v1/collections{path.format(id=made)}", json=body)
    assert answer.status_code == status, answer.text


async def test_shares_are_listed_changed_and_ended(person: Person, reader: Person) -> None:
    books = await person.collection()
    share_id = await person.share(books, reader.username.upper())
    assert await person.share(books, reader.username, "write") == share_id
    everybody = await person.share(books, None)
    path = f"/api/v1/collections/{books}/shares"
    assert (await person.http.get(path)).json() == {
        "items": [
            {"id": share_id, "username": reader.username, "access": "write"},
            {"id": everybody, "username": None, "access": "read"},
        ]
    }
    assert (await person.http.delete(f"{path}/{share_id}")).status_code == 204
    assert (await person.http.delete(f"{path}/{share_id}")).status_code == 404
    assert (await reader.http.get(f"/api/v1/collections/{books}")).json()["access"] == "read"
    assert (await person.http.delete(f"{path}/{everybody}")).status_code == 204
    assert (await reader.http.get(f"/api/v1/collections/{books}")).status_code == 404


async def test_a_reader_searches_asks_and_opens_what_is_cited_until_it_is_taken_back(
    person: Person, reader: Person, other: Person
) -> None:
    file_id = await person.ready(text_pdf(PAGES), name="ferries.pdf")
    secret = await person.ready(text_pdf(["The registration number of the Evening Star is 1812."]), name="secret.pdf")
    books = await person.collection(file_id)
    share_id = await person.share(books, reader.username)
    named: dict[str, object] = {"collection_ids": [books]}
    for mode in ("hybrid", "dense", "text"):
        hits = (await reader.search(QUESTION, mode=mode, **named)).json()["items"]
        assert {hit["file_id"] for hit in hits} == {file_id}
        assert (await reader.search(QUESTION, mode=mode)).json()["items"] == [], "the library is one's own"
    assert (await other.search(QUESTION, **named)).status_code == 404
    chat = Chat(reader.http)
    frames = await chat.stream(QUESTION, model_source="passages", **named)
    (found, *_) = sources(frames)
    assert (found["file_id"], found["page_from"]) == (file_id, 2)
    page = await reader.http.get(f"/api/v1/files/{file_id}/pages/2")
    assert "4711" in page.json()["text"]
    assert (await reader.http.get(f"/api/v1/files/{file_id}/content")).content.startswith(b"%PDF")
    assert (await reader.http.get(f"/api/v1/files/{secret}")).status_code == 404
    completion = await asking.ask(reader, "passages", messages=[{"role": "user", "content": QUESTION}], **named)
    assert completion["choices"][0]["message"]["sources"][0]["file_id"] == file_id
    message = await chat.message(frames)
    again = await chat.stream(None, regenerate=message["id"], model_source="passages")
    assert sources(again)[0]["file_id"] == file_id

    assert (await person.http.delete(f"/api/v1/collections/{books}/shares/{share_id}")).status_code == 204
    for path in (f"files/{file_id}", f"files/{file_id}/pages/2", f"files/{file_id}/content"):
        assert (await reader.http.get(f"/api/v1/{path}")).status_code == 404
    assert (await reader.search(QUESTION, **named)).status_code == 404
    again = await chat.stream(None, regenerate=message["id"], model_source="passages")
    assert sources(again) == []
    assert "matches" in text(again)
    answer = await reader.http.post(asking.CHAT, json=asking.body(**named))
    assert asking.refused(answer, 404, "not_found")["param"] == "collection_ids"


async def test_a_conversation_may_keep_collections(person: Person, reader: Person) -> None:
    books = await person.collection(await person.ready(text_pdf(PAGES)))
    share_id = await person.share(books, None)
    own = await reader.ready(text_pdf(["The registration number of the Evening Star is 1812."]))
    made = (await reader.http.post("/api/v1/conversations", json={"collection_ids": [books, books]})).json()
    assert made["collection_ids"] == [books]
    listed = (await reader.http.get("/api/v1/conversations")).json()["items"]
    assert [item["collection_ids"] for item in listed] == [[books]]
    chat = Chat(reader.http)
    frames = await chat.stream(QUESTION, conversation_id=made["id"], model_source="passages")
    assert {s["file_id"] for s in sources(frames)}.isdisjoint({own})
    assert sources(frames)
    await person.http.delete(f"/api/v1/collections/{books}/shares/{share_id}")
    frames = await chat.stream(QUESTION, conversation_id=made["id"], model_source="passages")
    assert sources(frames) == [], "what was shared is gone, and the library was not asked for"
    changed = await reader.http.patch(f"/api/v1/conversations/{made['id']}", json={"collection_ids": []})
    assert changed.json()["collection_ids"] == []
    frames = await chat.stream(QUESTION, conversation_id=made["id"], model_source="passages")
    assert {s["file_id"] for s in sources(frames)} == {own}


async def test_uploads_to_a_collection_need_the_right_to_write(person: Person, reader: Person) -> None:
    books = await person.collection()
    await person.share(books, reader.username)
    assert (await reader.upload(b"text", collection_id=books)).status_code == 403
    await person.share(books, reader.username, "write")
    file_id = await reader.ready(b"A lantern.", collection_id=books)
    assert [hit["file_id"] for hit in (await person.search("lantern", collection_ids=[books])).json()["items"]] == [
        file_id
    ]
    assert (await person.http.delete(f"/api/v1/files/{file_id}")).status_code == 403, "it stays the writer's"
    talk = (await reader.http.post("/api/v1/conversations", json={})).json()["id"]
    both = await reader.upload(b"text", collection_id=books, conversation_id=talk)
    assert (both.status_code, "belongs to a conversation" in both.text) == (409, True)
    for wrong, status in (("x", 422), (str(UUID(int=7)), 404)):
        assert (await reader.upload(b"text", collection_id=wrong)).status_code == status
    assert (await person.http.put(f"/api/v1/collections/{books}/files/{uuid4()}")).status_code == 404
    assert (await person.http.delete(f"/api/v1/collections/{books}/files/{uuid4()}")).status_code == 404
    assert (await reader.http.delete(f"/api/v1/files/{file_id}")).status_code == 204
    assert (await person.search("lantern", collection_ids=[books])).json()["items"] == []
