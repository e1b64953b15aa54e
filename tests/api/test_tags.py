"""Tags over HTTP: given with an upload or later, counted, and as a filter wherever passages are looked for."""

import json
from typing import Any

import pytest

from tests.api.openai import asking
from tests.api.people import Person
from tests.api.test_chat_files import sources
from tests.chats import Chat, text
from tests.documents import text_pdf

PAGES = [f"Sum number {n}: adding apples." for n in range(1, 7)]
ON_PAGES = [{"pages": "2-3", "tags": {"grade": 5}}, {"pages": "6", "tags": {"grade": ["6", 7]}}]
SHOWN = [{"pages": "2-3", "tags": {"grade": "5"}}, {"pages": "6", "tags": {"grade": ["6", "7"]}}]


@pytest.fixture
async def file_id(person: Person) -> str:
    tags, page_tags = json.dumps({"subject": "math"}), json.dumps(ON_PAGES)
    return await person.ready(text_pdf(PAGES), name="sums.pdf", tags=tags, page_tags=page_tags)


async def pages(person: Person, **more: object) -> set[int]:
    answer = await person.search("adding apples", limit=50, **more)
    assert answer.status_code == 200, answer.text
    return {hit["page_from"] for hit in answer.json()["items"]}


async def test_tags_are_shown_counted_and_replaced(person: Person, file_id: str) -> None:
    file = (await person.http.get(f"/api/v1/files/{file_id}")).json()
    assert (file["tags"], file["page_tags"]) == ({"subject": "math"}, SHOWN)
    assert (await person.http.get("/api/v1/files")).json()["items"] == [file]
    assert (await person.http.get("/api/v1/tags")).json()["items"] == [
        {"key": "grade", "values": [{"value": value, "files": 1} for value in ("5", "6", "7")]},
        {"key": "subject", "values": [{"value": "math", "files": 1}]},
    ]
    body = {"tags": {"done": True}, "page_tags": [{"pages": "1,4-6", "tags": {"grade": "5"}}]}
    changed = await person.http.put(f"/api/v1/files/{file_id}/tags", json=body)
    assert (changed.json()["tags"], changed.json()["page_tags"]) == ({"done": "true"}, body["page_tags"])
    assert (await person.http.get(f"/api/v1/files/{file_id}")).json() == changed.json()
    assert await pages(person, tags={"grade": 5}) == {1, 4, 5, 6}
    assert (await person.http.put(f"/api/v1/files/{file_id}/tags", json={})).json()["page_tags"] == []
    assert (await person.http.get("/api/v1/tags")).json() == {"items": []}
    assert await pages(person, tags={"grade": 5}) == set()


async def test_the_list_of_files_is_narrowed_by_tags(person: Person, file_id: str) -> None:
    other = await person.ready(text_pdf(PAGES[:3]), name="other.pdf", tags='{"subject": "art"}')
    for query, expected in (
        ("tag=grade:5", [file_id]),
        ("tag=subject:math&tag=subject:art&limit=9", [other, file_id]),
        ("tag=subject:art&tag=grade:5", []),
        ("tag=grade:5&q=sums", [file_id]),
        ("tag=grade:5&q=other", []),
    ):
        answer = await person.http.get(f"/api/v1/files?{query}")
        assert [file["id"] for file in answer.json()["items"]] == expected, query
    for tag in ("grade", ":5", "grade:", "%00:5"):
        assert (await person.http.get(f"/api/v1/files?tag={tag}")).status_code == 422


def on_pages(found: list[dict[str, Any]]) -> set[int]:
    """Passages of pages that follow each other are one."""
    return {page for source in found for page in range(source["page_from"], source["page_to"] + 1)}


async def test_every_surface_finds_only_passages_with_the_tags(person: Person, file_id: str) -> None:
    other = await person.ready(text_pdf([*PAGES, "More."]), name="other.pdf", tags='{"subject": "art"}')
    for tags, expected in (
        ({"grade": ["5"]}, {2, 3}),
        ({"grade": 5}, {2, 3}),
        ({"grade": ["5", "7"]}, {2, 3, 6}),
        ({"grade": "6", "subject": ["math", "art"]}, {6}),
        ({"grade": "6", "subject": "art"}, set()),
    ):
        for mode in ("hybrid", "dense", "text"):
            assert await pages(person, tags=tags, mode=mode) == expected
        assert await pages(person, tags=tags, file_ids=[file_id, other]) == expected
        frames = await Chat(person.http).stream("adding apples", tags=tags, model_source="passages")
        assert on_pages(sources(frames)) == expected
        assert ("matches" in text(frames)) is not bool(expected)
        found = await asking.ask(
            person, "passages", messages=[{"role": "user", "content": "adding apples"}], tags=tags, store=bool(expected)
        )
        assert on_pages(found["choices"][0]["message"]["sources"]) == expected
    assert await pages(person, tags={"grade": "5"}, file_ids=[other]) == set()


async def test_an_answer_that_is_made_again_searches_what_its_question_did(person: Person, file_id: str) -> None:
    chat = Chat(person.http)
    other = await person.ready(text_pdf(["Adding apples to apples."]), name="other.pdf")
    frames = await chat.stream("adding apples", tags={"grade": ["5"]}, model_source="passages")
    message = await chat.message(frames)
    entry = (await chat.ledger(message["id"]))[-1]
    assert (entry["tags"], entry["files_searched"]) == ({"grade": ["5"]}, [file_id])
    for more, expected in (
        ({}, {2, 3}),
        ({"tags": {"grade": ["7"]}}, {6}),
        ({"file_ids": [other]}, {1}),
    ):
        again = await chat.stream(None, regenerate=message["id"], model_source="passages", **more)
        assert on_pages(sources(again)) == expected
    plain = await chat.message(await chat.stream("adding apples", use_rag=False, model="fake-n1"))
    again = await chat.stream(None, regenerate=plain["id"], model="fake-n1")
    assert "sources" not in {frame.kind for frame in again}
    named = await chat.message(await chat.stream("adding apples", file_ids=[other], model_source="passages"))
    await person.http.delete(f"/api/v1/files/{other}")
    again = await chat.stream(None, regenerate=named["id"], model_source="passages")
    assert sources(again) == [], "the file is gone: no other is taken instead"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"page_tags": [{"pages": "12-40", "tags": {"a": 1}}]}, "pages '12-40': the file's last page is 6"),
        ({"page_tags": [{"pages": "40-12", "tags": {"a": 1}}]}, "write '12-40'"),
        ({"page_tags": [{"pages": "a", "tags": {"a": 1}}]}, "'a' is not a page"),
        ({"page_tags": [{"pages": "0", "tags": {"a": 1}}]}, "counted from 1"),
        ({"page_tags": [{"pages": 3, "tags": {"a": 1}}]}, "pages"),
        ({"page_tags": [{"pages": "3", "tags": {"a": []}}]}, "'a' has no value"),
        ({"page_tags": [{"pages": "3"}]}, "tags"),
        ({"tags": {"": 1}}, "the key is empty"),
        ({"tags": {"a": None}}, "neither a word nor a number"),
        ({"tags": {"a": "x" * 201}}, "200 are allowed"),
        ({"tags": [1]}, "tags"),
        ({"tag": {}}, "tag"),
    ],
)
async def test_wrong_tags_are_refused_and_change_nothing(
    person: Person, file_id: str, body: dict[str, object], said: str
) -> None:
    answer = await person.http.put(f"/api/v1/files/{file_id}/tags", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "validation_error")
    assert said in answer.json()["error"]["message"]
    assert (await person.http.get(f"/api/v1/files/{file_id}")).json()["page_tags"] == SHOWN


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"tags": "[1]"}, "tags is not a JSON object"),
        ({"tags": '{"a": "\\u0000"}'}, "cannot be shown"),
        ({"tags": "[" * 10_000}, "tags is not"),
        ({"page_tags": '{"pages": "1"}'}, "page_tags is not a JSON list"),
        ({"page_tags": '[{"pages": "4-2", "tags": {"a": 1}}]'}, "ends before it begins"),
        ({"page_tags": '[{"pages": "4", "tag": {"a": 1}}]'}, "page_tags is not"),
    ],
)
async def test_an_upload_with_wrong_tags_leaves_nothing(person: Person, fields: dict[str, str], said: str) -> None:
    answer = await person.upload(b"text", **fields)
    assert answer.status_code == 422
    assert said in answer.json()["error"]["message"]
    assert (await person.http.get("/api/v1/files")).json()["items"] == []
