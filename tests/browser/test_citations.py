"""Cited pages: the passage in its place, turning pages, the original, and what was not found in its source."""

import json
import re

import pytest
from playwright.async_api import Locator, Route, expect

from tests.browser.visitor import Visitor
from tests.documents import text_pdf

FILLER = "Nothing of note happened on this line of the logbook, nor on the next.\n"
OTTERS = "Sea otters sleep on their backs and hold hands so that they do not drift apart."
LOGBOOK = [FILLER * 20, f"{FILLER * 40}\n{OTTERS}\n\n{FILLER * 40}", "The third page is about walruses alone. " * 9]
CHECKED = [
    {"n": 1, "supported": True, "char_from": 0, "char_to": 33, "mark": {"char_from": 29, "char_to": 32}},
    {
        "n": 1,
        "supported": False,
        "char_from": 34,
        "char_to": 63,
        "mark": {"char_from": 59, "char_to": 62},
        "reason": "the figure 40 is not in passage 1",
    },
    {"n": 9, "supported": False, "char_from": 64, "char_to": 90, "mark": {"char_from": 86, "char_to": 89}},
]
ANSWER = "Otters do sleep on the water [1]. They swim at forty knots [1]. So it is said, and read [9]."
BUTTON = "Source 1 not found in the source: the figure 40 is not in passage 1"


def panel(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("dialog", name="Source 1")


async def in_passages(route: Route) -> None:
    """The best passages first, though the book is short enough to go in whole."""
    asked = json.loads(route.request.post_data or "{}")
    await route.continue_(post_data=json.dumps(asked | {"mode": "passages"}))


async def ask_the_logbook(visitor: Visitor) -> None:
    await visitor.page.route("**/chat/stream", in_passages)
    pages = [page.replace("\n", " ") if "walrus" in page else page for page in LOGBOOK]
    book = {"name": "logbook.pdf", "mimeType": "application/pdf", "buffer": text_pdf(pages)}
    await visitor.page.locator("#picker").set_input_files([book])  # type: ignore[list-item]
    await visitor.told("logbook.pdf is ready", timeout_s=90)
    await visitor.asked("Why do otters hold hands while they sleep? fake-m1")


async def test_a_click_opens_the_cited_page_where_the_passage_is(visitor: Visitor) -> None:
    await ask_the_logbook(visitor)
    page = visitor.page
    await visitor.text.get_by_role("button", name="Source 1").first.click()
    shown = panel(visitor)
    await expect(shown).to_contain_text("page 2 of 3")
    await expect(shown.locator("mark").first).to_be_in_viewport()
    assert "hold hands" in "".join(await shown.locator("mark").all_text_contents())
    await shown.get_by_role("button", name="Next page").click()
    await expect(shown).to_contain_text("page 3 of 3")
    await expect(shown.get_by_label("Passage", exact=True)).to_contain_text("walruses alone")
    await expect(shown.locator("mark")).to_have_count(0)
    await shown.get_by_role("button", name="Next page").click(force=True)  # there is none: it stays, and so does focus
    await expect(shown).to_contain_text("page 3 of 3")
    await page.keyboard.press("Escape")
    await expect(shown).to_have_count(0)
    await expect(visitor.text.get_by_role("button", name="Source 1").first).to_be_focused()


async def test_the_original_opens_at_the_page(visitor: Visitor) -> None:
    await ask_the_logbook(visitor)
    await visitor.text.get_by_role("button", name="Source 1").first.click()
    async with visitor.page.expect_popup() as popup:
        await panel(visitor).get_by_role("button", name="Open the original").click()
    tab = await popup.value
    await tab.wait_for_url(re.compile("^blob:.*#page=2$"), wait_until="commit")


async def test_a_text_is_saved_not_opened(visitor: Visitor) -> None:
    """What users upload never runs as a page of ours."""
    evil = {
        "name": "otters.html",
        "mimeType": "text/html",
        "buffer": f"<html><p>{OTTERS}</p><script>x</script>".encode(),
    }
    await visitor.page.locator("#picker").set_input_files([evil])  # type: ignore[list-item]
    await visitor.told("otters.html is ready", timeout_s=90)
    await visitor.asked("Why do otters hold hands? fake-m1")
    await visitor.text.get_by_role("button", name="Source 1").first.click()
    async with visitor.page.expect_download() as download:
        await panel(visitor).get_by_role("button", name="Open the original").click()
    assert (await download.value).suggested_filename == "otters.html"
    assert len(visitor.page.context.pages) == 1


async def test_a_file_that_is_gone_still_shows_what_was_sent(visitor: Visitor) -> None:
    visitor.tolerate("404")
    await ask_the_logbook(visitor)
    await visitor.page.get_by_role("button", name="1 file in this chat").click()
    await visitor.page.get_by_role("button", name="Delete logbook.pdf").click()
    await visitor.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(visitor.page.get_by_role("button", name="Delete logbook.pdf")).to_have_count(0)
    await visitor.text.get_by_role("button", name="Source 1").first.click()
    await expect(panel(visitor)).to_contain_text("as it was sent to the model")
    await expect(panel(visitor).get_by_label("Passage", exact=True)).to_contain_text("hold hands")


async def checked(route: Route) -> None:
    """The stored answer with these words and these verdicts."""
    answer = await route.fetch()
    body = await answer.json()
    for message in body["items"]:
        if message["role"] == "assistant":
            message |= {"content": ANSWER, "citations": CHECKED}
    await route.fulfill(response=answer, body=json.dumps(body))


@pytest.fixture
async def doubtful(visitor: Visitor) -> Visitor:
    """A visitor whose last answer says something that its source does not."""
    await ask_the_logbook(visitor)
    await visitor.page.route("**/messages?*", checked)
    await visitor.page.reload()
    await visitor.page.get_by_role("button", name=BUTTON).wait_for()
    return visitor


async def test_what_was_not_found_is_marked_in_words_and_says_why(doubtful: Visitor, axe: str) -> None:
    page, text = doubtful.page, doubtful.text
    await expect(text.locator(".cite")).to_have_text(["1", "1 not found in the source", "9 no such source"])
    doubt = page.get_by_role("button", name=BUTTON)
    reason = page.locator(".tip")
    await expect(reason).not_to_be_visible()
    await doubt.focus()
    await expect(reason).to_have_text("the figure 40 is not in passage 1")
    await page.keyboard.press("Tab")
    await expect(reason).not_to_be_visible()
    await doubt.hover()
    await expect(reason).to_be_visible()
    await expect(doubtful.answers.last.locator("section")).to_contain_text("1 of 2 statements not found")
    await doubt.click()
    await expect(panel(doubtful)).to_contain_text("Not found in the source: the figure 40 is not in passage 1.")
    assert await doubtful.violations(axe) == []


async def test_doubts_fit_on_a_phone(doubtful: Visitor, axe: str) -> None:
    await doubtful.page.set_viewport_size({"width": 360, "height": 640})
    assert await doubtful.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await doubtful.page.get_by_role("button", name=BUTTON).click()
    await expect(panel(doubtful)).to_contain_text("page 2 of 3")
    assert await doubtful.violations(axe) == []


async def test_a_citation_becomes_a_golden_question(visitor: Visitor) -> None:
    page = visitor.page
    await ask_the_logbook(visitor)
    await visitor.text.get_by_role("button", name="Source 1").first.click()
    await panel(visitor).get_by_role("button", name="Save as golden question").click()
    question = panel(visitor).get_by_role("textbox", name="Question")
    await expect(question).to_have_value("Why do otters hold hands while they sleep? fake-m1")
    await question.fill("Why do otters hold hands?")
    await panel(visitor).get_by_role("button", name="Save", exact=True).click()
    await visitor.told("Saved as a golden question")
    await page.goto(f"{visitor.url}/#/settings/golden")
    row = page.get_by_role("list", name="Golden questions").get_by_role("listitem")
    await page.get_by_role("button", name="Ask them all now").click()
    await visitor.told("Golden questions asked")
    await expect(row).to_contain_text("place 1")
    await expect(row).to_contain_text("Why do otters hold hands?")
    await expect(row).to_contain_text("logbook.pdf, page 2")
    await row.get_by_role("button", name="Delete").click()
    await page.get_by_text("There are none yet.").wait_for()
