"""Questions whose right page is known: saved once, asked again, compared with the run before."""

import pytest

from tests.api.people import Person
from tests.documents import text_pdf

WHALES = text_pdf(["Contents", "The blue whale eats krill.", "Its heart is as heavy as a car."])
EATS = "What does the blue whale eat?"


async def saved(person: Person, question: str, file_id: str, page: int) -> dict[str, object]:
    answer = await person.http.post("/api/v1/golden", json={"question": question, "file_id": file_id, "page": page})
    assert answer.status_code == 201, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_questions_are_saved_once_listed_and_deleted(person: Person) -> None:
    file_id = await person.ready(WHALES, name="whales.pdf")
    first = await saved(person, f" {EATS} ", file_id, 2)
    assert (first["question"], first["file_id"], first["file_name"], first["page"]) == (EATS, file_id, "whales.pdf", 2)
    assert (await saved(person, EATS, file_id, 2))["id"] == first["id"]
    second = await saved(person, EATS, file_id, 3)
    page = (await person.http.get("/api/v1/golden", params={"limit": 1})).json()
    assert [item["id"] for item in page["items"]] == [second["id"]]
    rest = (await person.http.get("/api/v1/golden", params={"cursor": page["next_cursor"]})).json()
    assert [item["id"] for item in rest["items"]] == [first["id"]]
    assert (await person.http.delete(f"/api/v1/golden/{second['id']}")).status_code == 204
    assert (await person.http.delete(f"/api/v1/golden/{second['id']}")).status_code == 404


async def test_a_run_is_compared_with_the_one_before(person: Person) -> None:
    assert (await person.http.post("/api/v1/golden/run")).status_code == 404
    file_id = await person.ready(WHALES, name="whales.pdf")
    eats = await saved(person, EATS, file_id, 2)
    first = (await person.http.post("/api/v1/golden/run")).json()
    assert (first["before"], first["compared"], first["quality"]["hybrid"]["hit_1"]) == (None, 0, 1)
    assert first["items"][0]["ranks"] == {"text": 1, "dense": 1, "hybrid": 1}

    assert (await person.http.delete(f"/api/v1/files/{file_id}")).status_code == 204
    gone = (await person.http.post("/api/v1/golden/run")).json()
    assert (gone["items"][0]["missing"], gone["items"][0]["ranks"]["hybrid"]) == (True, None)
    assert (gone["quality"]["hybrid"]["mrr"], gone["before"]["hybrid"]["mrr"], gone["compared"]) == (0, 1, 1)

    again = await person.ready(WHALES, name="whales again.pdf")
    heart = await saved(person, "How heavy is its heart?", again, 3)
    back = (await person.http.post("/api/v1/golden/run")).json()
    assert [item["id"] for item in back["items"]] == [eats["id"], heart["id"]]
    assert [item["before"] and item["before"]["hybrid"] for item in back["items"]] == [None, None]
    assert (back["items"][0]["ranks"]["hybrid"], back["compared"]) == (1, 1)


@pytest.mark.parametrize(("page", "status"), [(4, 422), (0, 422), (2**31, 422), (3, 201)])
async def test_a_page_must_be_one_of_the_file(person: Person, page: int, status: int) -> None:
    file_id = await person.ready(WHALES)
    answer = await person.http.post("/api/v1/golden", json={"question": EATS, "file_id": file_id, "page": page})
    assert answer.status_code == status, answer.text


async def test_a_file_that_is_not_ready_has_no_right_page(person: Person) -> None:
    accepted = (await person.upload(b"\0", name="a.pdf")).json()
    await person.until_final(accepted["id"])
    body = {"question": EATS, "file_id": accepted["id"], "page": 1}
    assert (await person.http.post("/api/v1/golden", json=body)).status_code == 409
