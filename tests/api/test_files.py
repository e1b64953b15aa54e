"""Files over HTTP: accepted, refused, shown, deleted, and never another user's."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi.routing import APIRoute

from app.api.v1 import files, search
from tests.api.people import Person
from tests.documents import encrypted_pdf, text_pdf
from tests.service import Service

MB = 1 << 20
TEXT = b"The harbour crane was painted green in spring.\n\nA violin lay in the meadow by the quarry.\n"
BOUNDARY = "b0undary"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("service"), {"MAX_FILESIZE_MB": "2", "STORAGE_QUOTA_MB": "40"})
    yield running
    running.kill()


def stored_bytes(service: Service) -> int:
    return sum(path.stat().st_size for path in (service.data_dir / "files").rglob("*") if path.is_file())


def raw_form(*parts: str, close: bool = True) -> bytes:
    lines = "".join(f"--{BOUNDARY}\r\n{part}\r\n" for part in parts)
    return (lines + (f"--{BOUNDARY}--\r\n" if close else "")).encode()


def file_part(content: str, *, field: str = "file", name: str = "a.txt") -> str:
    return f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n{content}'


async def test_an_upload_is_accepted_at_once_and_becomes_ready(ann: Person) -> None:
    answer = await ann.upload(text_pdf(["One violin.", "Two cranes."]), name="Two pages.pdf", tags='{"grade": 5}')
    assert answer.status_code == 202
    accepted = answer.json()
    assert accepted["name"] == "Two pages.pdf"
    assert (accepted["status"], accepted["media_type"], accepted["tags"]) == (
        "stored",
        "application/pdf",
        {"grade": "5"},
    )
    ready = await ann.until_final(accepted["id"])
    assert (ready["status"], ready["pages_total"], ready["pages_done"], ready["error"]) == ("ready", 2, 2, None)
    assert ready["chunks_total"] == ready["chunks_done"] == 2
    assert (await ann.http.get(f"/api/v1/files/{accepted['id']}")).json() == ready


@pytest.mark.parametrize(
    ("data", "name", "status", "code", "said"),
    [
        (b"x" * (2 * MB + 1), "a.txt", 413, "too_large", "2 MB"),
        (b"x" * (9 * MB), "a.txt", 413, "too_large", "2 MB"),
        (b"", "a.txt", 422, "validation_error", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a.png", 415, "unsupported_type", "supported: PDF, Word"),
    ],
)
async def test_what_cannot_be_stored_is_refused_and_leaves_nothing(
    service: Service, ann: Person, data: bytes, name: str, status: int, code: str, said: str
) -> None:
    before = stored_bytes(service)
    answer = await ann.upload(data, name=name)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert said in error["message"]
    assert stored_bytes(service) == before
    assert (await ann.http.get("/api/v1/files")).json()["items"] == []


async def test_a_stream_of_unknown_length_is_refused_when_it_is_too_large(service: Service, ann: Person) -> None:
    before = stored_bytes(service)

    async def endless() -> AsyncIterator[bytes]:
        yield raw_form(file_part(""), close=False).removesuffix(b"\r\n")
        for _ in range(64):
            yield b"word " * 13_107

    answer = await ann.http.post(
        "/api/v1/files/upload",
        content=endless(),
        headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
    )
    assert answer.status_code == 413
    assert stored_bytes(service) == before


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (raw_form('Content-Disposition: form-data; name="tags"\r\n\r\n{}'), "no file in the field 'file'"),
        (raw_form(file_part("x", field="other")), "one file per request, in the field 'file'"),
        (raw_form(file_part("x"), file_part("y")), "one file per request"),
        (raw_form(file_part("x"), close=False), "ended before the form did"),
        (b"garbage", "the form cannot be read"),
        (b"", "ended before the form did"),
        (raw_form(file_part("x"), 'Content-Disposition: form-data; name="tags"\r\n\r\n[1]'), "tags is not"),
        (raw_form(file_part("x"), 'Content-Disposition: form-data; name="conversation_id"\r\n\r\n7'), "is not an id"),
        (raw_form('Content-Disposition: form-data; name="tags"\r\n\r\n' + "x" * 40_000, file_part("x")), "larger than"),
    ],
)
async def test_a_broken_form_is_refused_with_the_reason(service: Service, ann: Person, body: bytes, said: str) -> None:
    before = stored_bytes(service)
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = await ann.http.post("/api/v1/files/upload", content=body, headers=headers)
    assert answer.status_code == 422
    assert said in answer.json()["error"]["message"]
    assert stored_bytes(service) == before


async def test_a_body_that_is_no_form_is_refused(ann: Person) -> None:
    answer = await ann.http.post("/api/v1/files/upload", json={"file": "x"})
    assert answer.status_code == 422
    assert "multipart/form-data" in answer.json()["error"]["message"]


async def test_fields_may_come_after_the_file(ann: Person) -> None:
    talk = (await ann.http.post("/api/v1/conversations", json={"title": "Talk"})).json()["id"]
    body = raw_form(
        file_part(TEXT.decode(), name="C:\\\\dir\\\\..\\\\notes.txt"),
        f'Content-Disposition: form-data; name="conversation_id"\r\n\r\n{talk}',
    )
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = await ann.http.post("/api/v1/files/upload", content=body, headers=headers)
    assert answer.status_code == 202
    assert (answer.json()["conversation_id"], answer.json()["name"]) == (talk, "notes.txt")
    listed = (await ann.http.get("/api/v1/files", params={"conversation_id": talk})).json()["items"]
    assert [file["id"] for file in listed] == [answer.json()["id"]]
    assert (await ann.http.delete(f"/api/v1/conversations/{talk}")).status_code == 204
    assert (await ann.http.get(f"/api/v1/files/{answer.json()['id']}")).status_code == 404


async def test_a_key_stands_for_one_upload(ann: Person) -> None:
    first = await ann.upload(TEXT, key="once")
    again = await ann.upload(TEXT, key="once")
    other = await ann.upload(TEXT + b"!", key="once")
    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert first.json()["id"] == again.json()["id"]
    assert len((await ann.http.get("/api/v1/files")).json()["items"]) == 1


async def test_the_same_bytes_are_answered_with_the_first_file(service: Service, ann: Person) -> None:
    first = (await ann.upload(TEXT)).json()
    ready = await ann.until_final(first["id"])
    before = stored_bytes(service)
    again = await ann.upload(TEXT, name="copy.txt")
    assert again.status_code == 202
    assert (first["duplicate"], again.json()) == (False, {**ready, "duplicate": True})
    assert stored_bytes(service) == before
    assert ready["coverage"] == {"read": 1, "empty": 0, "ocr": 0, "needs_ocr": 0, "failed": 0, "reasons": []}
    assert (first["step"], ready["step"]) == ("stored", "ready")


async def test_a_file_that_cannot_be_read_says_why_and_can_be_retried(ann: Person) -> None:
    answer = await ann.upload(encrypted_pdf(["Secret"], password="unknown"), name="locked.pdf")
    failed = await ann.until_final(answer.json()["id"])
    assert failed["status"] == "failed"
    assert isinstance(failed["error"], dict)
    assert failed["error"]["code"] == "encrypted"
    retried = await ann.http.post(f"/api/v1/files/{failed['id']}/retry")
    assert (retried.status_code, retried.json()["attempt"]) == (202, 2)
    assert (await ann.until_final(str(failed["id"])))["status"] == "failed"


async def test_retry_and_cancel_of_a_ready_file_are_conflicts(ann: Person) -> None:
    file_id = await ann.ready(TEXT)
    for action in ("retry", "cancel"):
        answer = await ann.http.post(f"/api/v1/files/{file_id}/{action}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")


async def test_a_deleted_file_is_found_nowhere(service: Service, ann: Person) -> None:
    kept, deleted = await ann.ready(TEXT), await ann.ready(TEXT + b"!")
    assert {hit["file_id"] for hit in (await ann.search("violin")).json()["items"]} == {kept, deleted}
    assert (await ann.http.delete(f"/api/v1/files/{deleted}")).status_code == 204
    for mode in ("hybrid", "dense", "text"):
        hits = (await ann.search("violin in the meadow", mode=mode)).json()["items"]
        assert {hit["file_id"] for hit in hits} == {kept}
    assert not list((service.data_dir / "files").rglob(deleted))
    assert (await ann.http.delete(f"/api/v1/files/{deleted}")).status_code == 404
    assert (await ann.http.get(f"/api/v1/files/status/{deleted}")).status_code == 404


async def test_the_list_has_pages_and_filters(ann: Person) -> None:
    ids = [(await ann.upload(TEXT + b"%d" % n, name=f"Report {n}.txt")).json()["id"] for n in range(3)]
    first = (await ann.http.get("/api/v1/files", params={"limit": 2})).json()
    second = (await ann.http.get("/api/v1/files", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [file["id"] for file in first["items"] + second["items"]] == ids[::-1]
    assert second["next_cursor"] is None
    found = (await ann.http.get("/api/v1/files", params={"q": "report 1"})).json()["items"]
    assert [file["id"] for file in found] == [ids[1]]
    for wrong in ({"limit": 0}, {"cursor": "x"}, {"status": "lost"}, {"conversation_id": "x"}):
        assert (await ann.http.get("/api/v1/files", params=wrong)).status_code == 422


async def test_a_foreign_conversation_is_not_found(ann: Person, bob: Person) -> None:
    talk = (await bob.http.post("/api/v1/conversations", json={"title": "Bob's"})).json()["id"]
    for conversation_id in (talk, str(uuid4())):
        answer = await ann.upload(TEXT, conversation_id=conversation_id)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def routes_by_id() -> list[tuple[str, str]]:
    found = []
    for route in files.router.routes:
        assert isinstance(route, APIRoute)
        if "{file_id}" in route.path:
            found += [(method, route.path) for method in route.methods]
    return found


def test_the_matrix_below_has_every_route() -> None:
    assert len(routes_by_id()) == 8
    assert [route.path for route in search.router.routes if isinstance(route, APIRoute)] == ["/search"]


async def test_every_route_answers_404_for_another_users_file_and_401_for_nobody(
    service: Service, ann: Person, bob: Person
) -> None:
    file_id = await ann.ready(TEXT)
    for method, path in routes_by_id():
        url = "/api/v1" + path.replace("{file_id}", file_id).replace("{number}", "1")
        answer = await bob.http.request(method, url)
        assert answer.status_code == 404, (method, path)
        assert method == "HEAD" or answer.json()["error"]["code"] == "not_found"
        missing = await bob.http.request(method, url.replace(file_id, str(uuid4())))
        assert missing.status_code == 404
        async with service.client() as nobody:
            assert (await nobody.request(method, url)).status_code == 401
    assert (await bob.search("violin", file_ids=[file_id])).status_code == 404
    assert (await bob.search("violin")).json()["items"] == []
    assert (await bob.http.get("/api/v1/files")).json()["items"] == []
    assert (await ann.http.get(f"/api/v1/files/{file_id}")).json()["status"] == "ready"


async def test_uploads_beyond_the_quota_are_refused(tmp_path: Path) -> None:
    service = Service(tmp_path, {"STORAGE_QUOTA_MB": "1"})
    try:
        person = await Person.of(service)
        answers = [await person.upload(b"%d word " % n * 100_000) for n in range(2)]
        assert [answer.status_code for answer in answers] == [202, 507]
        assert answers[1].json()["error"]["code"] == "storage_full"
        await person.aclose()
    finally:
        service.kill()
