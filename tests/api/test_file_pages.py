"""What is in a file over HTTP: its pages, what is highlighted on them, and its bytes."""

from tests.api.people import Person
from tests.documents import text_pdf


async def test_pages_give_their_text_and_offset(person: Person) -> None:
    file_id = await person.ready(text_pdf(["First page here.", "Second page here."]), name="two.pdf")
    pages = [(await person.http.get(f"/api/v1/files/{file_id}/pages/{n}")).json() for n in (1, 2)]
    assert [page["page"] for page in pages] == [1, 2]
    assert [page["text"].strip() for page in pages] == ["First page here.", "Second page here."]
    assert (pages[0]["char_from"], pages[1]["char_from"]) == (0, len(pages[0]["text"]) + 1)
    assert (pages[1]["file_name"], pages[1]["pages_total"]) == ("two.pdf", 2)
    for number, status in ((3, 404), (0, 422), ("x", 422), (10**30, 422)):
        assert (await person.http.get(f"/api/v1/files/{file_id}/pages/{number}")).status_code == status


async def test_a_stretch_of_the_file_is_highlighted_on_each_of_its_pages(person: Person) -> None:
    file_id = await person.ready(text_pdf(["One harbour here.", "Two harbours there."]), name="two.pdf")

    async def stretches(page: int, *chars: object) -> tuple[int, list[str]]:
        given = dict(zip(("char_from", "char_to"), chars, strict=False))
        answer = await person.http.get(f"/api/v1/files/{file_id}/pages/{page}", params=given)
        body = answer.json()
        return answer.status_code, [body["text"][h["from"] : h["to"]] for h in body.get("highlights", [])]

    assert await stretches(1) == (200, [])
    first = (await person.http.get(f"/api/v1/files/{file_id}/pages/1")).json()["text"]
    at = first.index("harbour")
    assert await stretches(1, at, at + 7) == (200, ["harbour"])
    begin = len(first) + 1
    assert await stretches(1, at, begin + 12) == (200, ["harbour here."])
    assert await stretches(2, at, begin + 12) == (200, ["Two harbours"])
    bad = [(5, 5), (6, 5), (-1, 5), (5,), (0, "x"), (0, 10**30), (begin + 500, begin + 600)]
    for chars in bad:
        assert (await stretches(1, *chars))[0] == 422, chars
    assert (await stretches(2, at, at + 7))[0] == 422
    assert (await stretches(1, begin, begin + 3))[0] == 422


async def test_content_is_the_file_as_it_came_and_is_saved_not_shown(person: Person) -> None:
    page = b"<!doctype html><title>x</title><p>Hello harbour.</p><script>alert(1)</script>"
    file_id = await person.ready(page, name='na"me; ü.html')
    url = f"/api/v1/files/{file_id}/content"
    whole = await person.http.get(url)
    assert (whole.status_code, whole.content) == (200, page)
    assert whole.headers["content-disposition"].startswith("attachment;")
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert "html" not in whole.headers["content-type"]
    part = await person.http.get(url, headers={"Range": "bytes=5-13"})
    assert (part.status_code, part.content) == (206, page[5:14])
    assert part.headers["content-range"] == f"bytes 5-13/{len(page)}"
    beyond = await person.http.get(url, headers={"Range": "bytes=9999-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(page)}")
    tail = await person.http.get(url, headers={"Range": "bytes=-9", "If-Range": whole.headers["etag"]})
    assert (tail.status_code, tail.content) == (206, page[-9:])
    for headers in ({"Range": "bytes=5-13", "If-Range": '"another"'}, {"Range": "bytes=x"}, {"Range": "lines=1-2"}):
        again = await person.http.get(url, headers=headers)
        assert (again.status_code, again.content) == (200, page), headers
    head = await person.http.head(url)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(page)))
    assert head.headers["content-disposition"] == whole.headers["content-disposition"]
