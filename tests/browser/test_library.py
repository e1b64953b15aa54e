"""The library: what became of files, tags, collections, web pages, and thousands of files at once."""

import json
from typing import Any

import httpx
from playwright.async_api import Browser, Locator, Route, expect

from tests.browser.test_files import text_file
from tests.browser.visitor import Visitor
from tests.documents import text_pdf
from tests.service import Service

OTTERS = "Sea otters sleep on their backs and hold hands so that they do not drift apart.\n\n" * 3
WALRUS = "A walrus uses its tusks to haul itself out of the water onto the ice.\n\n" * 3
BOOK = {"name": "book.pdf", "mimeType": "application/pdf", "buffer": text_pdf([OTTERS, WALRUS])}
FITS = "document.documentElement.scrollWidth <= innerWidth"


def rows(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("list", name="Your files").locator("> li")


async def fill(visitor: Visitor, *files: dict[str, Any]) -> None:
    """Open the library and add files to it."""
    await visitor.page.goto(f"{visitor.url}/#/files")
    await visitor.page.get_by_role("button", name="Add files").wait_for()
    await visitor.page.locator("main input[type=file]").set_input_files(list(files))  # type: ignore[arg-type]
    await expect(rows(visitor).get_by_text("Ready", exact=True)).to_have_count(len(files), timeout=90_000)


async def test_tags_are_suggested_checked_saved_and_filtered_by(visitor: Visitor) -> None:
    page = visitor.page
    await fill(visitor, BOOK, text_file("walrus.txt", WALRUS))
    row = rows(visitor).filter(has_text="book.pdf")
    await row.get_by_role("button", name="Details of book.pdf").click()
    form = row.get_by_role("form", name="Tags of book.pdf")
    await form.get_by_role("button", name="Add a tag").click()
    await form.get_by_label("Tag", exact=True).fill("grade")
    await form.get_by_label("Value").fill("5")
    await form.get_by_label("Pages").fill("2-3")
    await expect(form).to_contain_text("The file has 2 pages.")
    await form.get_by_label("Pages").fill("2")
    await form.get_by_role("button", name="Save tags").click()
    await visitor.told("Tags of book.pdf saved")
    await expect(row).to_contain_text("grade: 5 (page 2)")
    await page.reload()
    await expect(row).to_contain_text("grade: 5 (page 2)")
    await page.get_by_label("Tag", exact=True).select_option("grade:5")
    await expect(rows(visitor)).to_have_count(1)
    await page.get_by_label("Tag", exact=True).select_option("Any")
    await expect(rows(visitor)).to_have_count(2)
    await page.get_by_label("Filter by name").fill("walr")
    await expect(rows(visitor)).to_have_count(1)
    await page.get_by_label("State").select_option("Failed")
    await page.get_by_text("No file is like that.").wait_for()
    await page.get_by_role("button", name="Show all files").click()
    await expect(rows(visitor)).to_have_count(2)


async def test_a_collection_is_made_filled_shared_and_asked(visitor: Visitor, browser: Browser, site: Service) -> None:
    page = visitor.page
    await fill(visitor, text_file("otters.txt", OTTERS), text_file("walrus.txt", WALRUS))
    await page.get_by_role("navigation", name="Library").get_by_role("link", name="Collections").click()
    await page.get_by_label("Name", exact=True).fill("Sea animals")
    await page.get_by_role("button", name="Make").click()
    await page.get_by_role("heading", name="Sea animals").wait_for()
    await page.get_by_role("button", name="Add files").click()
    await page.get_by_role("checkbox", name="otters.txt").check()
    files = page.get_by_role("list", name="Files of this collection").locator("> li")
    await expect(files).to_have_count(1)
    await page.get_by_role("button", name="Rename").click()
    await page.get_by_label("Name", exact=True).fill("Otters")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("heading", name="Otters").wait_for()

    other = await browser.new_context()
    reader = await Visitor.register(other, site.url)
    await page.get_by_label("User name").fill(reader.name)
    await page.get_by_role("button", name="Share", exact=True).click()
    await visitor.told(f"{reader.name} may read now")
    await expect(page.get_by_role("list", name="Who has access")).to_contain_text(reader.name)

    await reader.page.goto(f"{site.url}/#/collections")
    shared = reader.page.get_by_role("list", name="Collections").get_by_role("listitem")
    await expect(shared).to_contain_text(f"Shared by {visitor.name}, to read")
    await shared.get_by_role("link").click()
    await expect(reader.page.get_by_role("list", name="Files of this collection")).to_contain_text("otters.txt")
    await expect(reader.page.get_by_role("button", name="Add files")).to_have_count(0)
    await expect(reader.page.get_by_role("button", name="Take otters.txt out")).to_have_count(0)
    await reader.page.get_by_role("button", name="Ask in it").click()
    await expect(reader.page.get_by_role("list", name="Where this chat looks")).to_contain_text("Otters")
    await reader.asked("How do otters sleep? fake-m1")
    await reader.text.get_by_role("button", name="Source 1").first.click()
    await expect(reader.page.get_by_role("dialog").get_by_label("Passage", exact=True)).to_contain_text("hold hands")
    assert reader.complaints == []
    await other.close()

    await page.get_by_role("button", name=f"Stop sharing with {reader.name}").click()
    await page.get_by_text("Only you.").wait_for()
    await page.get_by_role("button", name="Take otters.txt out").click()
    await page.get_by_text("There are no files in it yet.").wait_for()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await page.get_by_text("You have no collections yet").wait_for()


async def test_a_chat_looks_where_it_is_told(visitor: Visitor) -> None:
    page = visitor.page
    await fill(visitor, text_file("otters.txt", OTTERS), text_file("walrus.txt", WALRUS))
    await page.get_by_role("button", name="New chat").click()
    bodies: list[dict[str, Any]] = []
    page.on("request", lambda r: bodies.append(json.loads(r.post_data or "{}")) if "/chat/stream" in r.url else None)
    await page.get_by_role("button", name="Where to look").click()
    await page.get_by_role("radio", name="Chosen files").check()
    await page.get_by_role("checkbox", name="walrus.txt").check()
    await page.get_by_role("checkbox", name="Answer only from documents").check()
    await page.get_by_role("button", name="Done").click()
    chips = page.get_by_role("list", name="Where this chat looks").get_by_role("listitem")
    await expect(chips).to_contain_text(["walrus.txt", "Only from documents"])
    await visitor.asked("What does a walrus use its tusks for? fake-m1")
    assert bodies[-1]["strict"] is True
    assert len(bodies[-1]["file_ids"]) == 1
    await expect(visitor.answers.last.locator("section")).not_to_contain_text("otters.txt")
    await page.reload()
    await expect(chips).to_contain_text(["walrus.txt", "Only from documents"])
    await page.get_by_role("button", name="Without walrus.txt").click()
    await expect(chips).to_have_count(1)
    await page.get_by_role("button", name="New chat").click()
    await expect(chips).to_have_count(0)


async def test_a_web_page_that_may_not_be_fetched_says_so(visitor: Visitor) -> None:
    visitor.tolerate("422", "502")
    await visitor.page.goto(f"{visitor.url}/#/files")
    await visitor.page.get_by_role("button", name="Add a web page").click()
    await visitor.page.get_by_label("Address of a public page or file").fill("127.0.0.1/secret")
    await visitor.page.get_by_role("button", name="Fetch").click()
    await expect(visitor.page.get_by_role("alert")).to_contain_text("127.0.0.1")


def stored(number: int, **change: object) -> dict[str, object]:
    """A file as the list shows it."""
    return {
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "name": f"file {number}.pdf",
        "media_type": "application/pdf",
        "size_bytes": 1000,
        "status": "ready",
        "pages_total": 120,
        "pages_done": 120,
        "chunks_total": 480,
        "chunks_done": 480,
        "error": None,
        "conversation_id": None,
        "created_at": "2026-01-01T00:00:00Z",
        "tags": {},
        **change,
    }


COVERAGE = {"read": 118, "empty": 0, "ocr": 0, "needs_ocr": 2, "failed": 0}
REASONS = [{"pages": "3-4", "reason": "the page is a picture of text: install Tesseract"}]
MANY = [
    stored(0, coverage={**COVERAGE, "reasons": REASONS}),
    stored(1, status="failed", error={"code": "damaged", "message": "the PDF is damaged"}),
    stored(2, needs_reindex=True, tags={"grade": ["5", "6"]}, page_tags=[{"pages": "12-40", "tags": {"part": "one"}}]),
    stored(3, status="embedding", chunks_done=120),
    *(stored(number) for number in range(4, 10_000)),
]


async def many(route: Route) -> None:
    """Ten thousand files, as many on a page as were asked for."""
    query = httpx.URL(route.request.url).params
    begin, limit = int(query.get("cursor") or 0), int(query.get("limit") or 50)
    after = str(begin + limit) if begin + limit < len(MANY) else None
    await route.fulfill(json={"items": MANY[begin : begin + limit], "next_cursor": after})


async def test_ten_thousand_files_are_turned_over_page_by_page(visitor: Visitor) -> None:
    page = visitor.page
    await page.route("**/api/v1/files?*", many)
    await page.goto(f"{visitor.url}/#/files")
    await expect(rows(visitor)).to_have_count(50)
    pager = page.get_by_role("navigation", name="Pages of the list")
    await expect(pager).to_contain_text("Files 1–50")
    await pager.get_by_role("button", name="Older").click()
    await expect(pager).to_contain_text("Files 51–100")
    await expect(rows(visitor)).to_have_count(50)
    await pager.get_by_role("button", name="Newer").click()
    await expect(pager).to_contain_text("Files 1–50")


async def test_files_say_what_became_of_them(visitor: Visitor, axe: str) -> None:
    page = visitor.page
    await page.route("**/api/v1/files?*", many)
    await page.goto(f"{visitor.url}/#/files")
    await expect(rows(visitor).nth(0)).to_contain_text("118 of 120 pages read, 2 need OCR")
    await rows(visitor).nth(0).get_by_role("button", name="Details").click()
    await expect(rows(visitor).nth(0)).to_contain_text("Pages 3-4 The page is a picture of text: install Tesseract.")
    await expect(rows(visitor).nth(1)).to_contain_text("The PDF is damaged.")
    await expect(rows(visitor).nth(1)).to_contain_text("save it anew")
    await expect(rows(visitor).nth(1).get_by_role("button", name="Try file 1.pdf again")).to_be_visible()
    await expect(rows(visitor).nth(2)).to_contain_text("part: one (pages 12-40)")
    await expect(rows(visitor).nth(3)).to_contain_text("Indexing passage 120 of 480")
    await expect(rows(visitor).nth(3).get_by_role("button", name="Cancel file 3.pdf")).to_be_visible()
    await expect(page.get_by_text("read by another embedding model")).to_be_visible()
    for width in (1280, 360):
        await page.set_viewport_size({"width": width, "height": 720})
        assert await visitor.violations(axe) == []
        assert await page.evaluate(FITS)
