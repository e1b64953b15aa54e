"""Search over HTTP: ranks of both halves, scopes and refusals."""

import json

import pytest

from tests.api.people import Person
from tests.documents import text_pdf

PAGES = ["The harbour crane was painted green.", "A violin lay in the meadow.", "The copper lantern went dark."]


async def test_a_hit_names_page_offsets_and_the_rank_in_each_half(ann: Person) -> None:
    file_id = await ann.ready(text_pdf(PAGES), name="three.pdf")
    answer = (await ann.search("violin in a meadow")).json()
    assert answer["mode"] == "hybrid"
    best = answer["items"][0]
    assert (best["file_id"], best["file_name"], best["page_from"], best["page_to"]) == (file_id, "three.pdf", 2, 2)
    assert (best["dense_rank"], best["text_rank"]) == (1, 1)
    page = (await ann.http.get(f"/api/v1/files/{file_id}/pages/2")).json()
    start = best["char_from"] - page["char_from"]
    assert page["text"][start : start + len(best["text"])] == best["text"]


async def test_modes_limits_and_named_files(ann: Person) -> None:
    one, two = [await ann.ready(text_pdf(PAGES), name=f"{n}.pdf") for n in (1, 2)]
    by_words = (await ann.search("lantern", mode="text")).json()
    assert (by_words["mode"], {hit["dense_rank"] for hit in by_words["items"]}) == ("text", {None})
    assert {hit["file_id"] for hit in by_words["items"]} == {one, two}
    assert {h["file_id"] for h in (await ann.search("lantern", file_ids=[two])).json()["items"]} == {two}
    assert len((await ann.search("crane violin lantern", limit=2)).json()["items"]) == 2
    assert (await ann.search("lantern", file_ids=[])).json()["items"] == []
    assert (await ann.search("xylophone", mode="text")).json()["items"] == []


async def test_a_file_that_is_not_ready_is_a_conflict_that_tells_its_state(ann: Person) -> None:
    failed = (await ann.upload(b"%PDF-1.4 nonsense", name="broken.pdf")).json()["id"]
    assert (await ann.until_final(failed))["status"] == "failed"
    answer = await ann.search("anything", file_ids=[failed])
    assert answer.status_code == 409
    assert answer.json()["error"]["details"] == {"files": {failed: "failed"}}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": ""},
        {"query": "a\0b"},
        {"query": "x" * 10_001},
        {"query": "x", "limit": 0},
        {"query": "x", "limit": 101},
        {"query": "x", "mode": "magic"},
        {"query": "x", "file_ids": ["x"]},
        {"query": "x", "tags": {"grade": []}},
        {"query": "x", "tags": {"": ["5"]}},
        {"query": "x", "tags": {"grade": [{"x": 1}]}},
        {"query": "x", "tags": {"grade": "\ud800"}},
        {"query": "x", "tags": {"grade": ["a\0"]}},
        {"query": "x", "tags": {"g" * 65: ["5"]}},
        {"query": "x", "tags": [1]},
        {"query": "x", "unknown": 1},
    ],
)
async def test_a_wrong_request_is_refused(ann: Person, body: dict[str, object]) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await ann.http.post("/api/v1/search", content=json.dumps(body), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "validation_error")
