"""The page by keyboard, for screen readers, on small screens, in light and dark."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.visitor import Visitor
from tests.service import Service

OTTERS = {"name": "otters.txt", "mimeType": "text/plain", "buffer": b"Sea otters hold hands while they sleep.\n" * 9}
FITS = "document.documentElement.scrollWidth <= innerWidth"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (360, 640)])
async def test_nothing_that_the_checker_finds(
    browser: Browser, site: Service, axe: str, scheme: str, size: tuple[int, int]
) -> None:
    context = await browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": size[0], "height": size[1]}
    )
    page = await context.new_page()
    await page.goto(site.url)
    await page.get_by_role("heading", name="Welcome back").wait_for()
    visitor = Visitor(page, site.url, "nobody")
    assert await visitor.violations(axe) == [], "signing in"
    await page.close()
    visitor = await Visitor.register(context, site.url)
    page = visitor.page
    assert await visitor.violations(axe) == [], "empty"
    await page.locator("#picker").set_input_files([OTTERS])  # type: ignore[list-item]
    await visitor.ask("How do otters sleep? fake-m1")
    await visitor.told("Answer finished", timeout_s=90)
    assert await visitor.violations(axe) == [], "an answer"
    assert await page.evaluate(FITS)
    await visitor.text.get_by_role("button", name="Source 1").first.click()
    assert await visitor.violations(axe) == [], "a passage"
    await page.keyboard.press("Escape")
    await visitor.ask("fake-e400")
    await page.get_by_role("alert").wait_for()
    assert await visitor.violations(axe) == [], "an error"
    await page.get_by_role("button", name="Actions for this conversation").click()
    assert await visitor.violations(axe) == [], "a menu"
    await page.get_by_role("menuitem", name="Delete").click()
    assert await visitor.violations(axe) == [], "a question"
    await page.get_by_role("button", name="Keep it").click()
    await page.goto(f"{site.url}/#/files")
    await page.get_by_role("list", name="Your files").wait_for()
    assert await visitor.violations(axe) == [], "files"
    assert await page.evaluate(FITS)
    await context.close()


async def test_by_keyboard_alone(visitor: Visitor) -> None:
    page = visitor.page
    await expect(visitor.prompt).to_be_focused()
    await page.keyboard.type("fake-n5")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("in two lines")
    await page.keyboard.press("Enter")
    await visitor.told("Answer finished")
    await expect(visitor.prompt).to_be_focused()
    again = page.get_by_role("button", name="Answer again")
    for _ in range(8):
        await page.keyboard.press("Shift+Tab")
        if await again.evaluate("node => node === document.activeElement"):
            break
    await expect(again).to_be_focused()
    await page.keyboard.press("/")
    await expect(visitor.prompt).to_be_focused()
    await page.get_by_role("button", name="Actions for this conversation").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menuitem", name="Export as Markdown")).to_be_focused()
    await page.keyboard.press("ArrowUp")
    await expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Actions for this conversation")).to_be_focused()


async def test_the_way_past_the_list(visitor: Visitor) -> None:
    link = visitor.page.get_by_role("link", name="Skip to the message box")
    await expect(link).not_to_be_in_viewport()
    await link.focus()
    await expect(link).to_be_in_viewport()
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.prompt).to_be_focused()


async def test_the_drawer_on_a_small_screen(visitor: Visitor) -> None:
    await visitor.asked("fake-n3")
    await visitor.page.set_viewport_size({"width": 360, "height": 640})
    link = visitor.page.get_by_role("link", name="fake-n3")
    await expect(link).not_to_be_visible()
    opener = visitor.page.get_by_role("button", name="Conversations")
    await opener.click()
    await expect(link).to_be_visible()
    await visitor.page.keyboard.press("Escape")
    await expect(link).not_to_be_visible()
    await expect(opener).to_be_focused()


async def test_a_chosen_theme_is_kept(visitor: Visitor) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    light = await visitor.page.evaluate(paper)
    await visitor.page.get_by_role("button", name=visitor.name).click()
    await visitor.page.get_by_role("menuitem", name="Dark theme").click()
    dark = await visitor.page.evaluate(paper)
    assert dark != light
    await visitor.page.reload()
    assert await visitor.page.evaluate(paper) == dark
