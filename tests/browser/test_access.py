"""The page by keyboard, for screen readers, on small screens, in light and dark."""

import time
from collections.abc import AsyncIterator
from typing import Literal

import pytest
from playwright.async_api import Browser, BrowserContext, expect

from tests.browser.visitor import Visitor
from tests.service import Service

OTTERS = {"name": "otters.txt", "mimeType": "text/plain", "buffer": b"Sea otters hold hands while they sleep.\n" * 9}
FITS = "document.documentElement.scrollWidth <= innerWidth"


SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]


@pytest.fixture(params=[(1280, 800), (360, 640)], ids=["wide", "phone"])
async def seen(request: pytest.FixtureRequest, browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser profile, wide or narrow."""
    width, height = request.param
    made = await browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    yield made
    await made.close()


async def check(visitor: Visitor, axe: str, view: str) -> None:
    """In light and in dark."""
    assert await visitor.page.evaluate(FITS), view
    for scheme in SCHEMES:
        await visitor.page.emulate_media(color_scheme=scheme)
        assert await visitor.violations(axe) == [], (view, scheme)


async def test_nothing_that_the_checker_finds(seen: BrowserContext, site: Service, axe: str) -> None:
    page = await seen.new_page()
    await page.goto(site.url)
    await page.get_by_role("heading", name="Welcome back").wait_for()
    visitor = Visitor(page, site.url, "nobody")
    await check(visitor, axe, "signing in")
    await page.close()
    visitor = await Visitor.register(seen, site.url)
    page = visitor.page
    await check(visitor, axe, "empty")
    await page.locator("#picker").set_input_files([OTTERS])  # type: ignore[list-item]
    await visitor.ask("How do otters sleep? fake-m1")
    await visitor.told("Answer finished", timeout_s=90)
    await check(visitor, axe, "an answer")
    await visitor.text.get_by_role("button", name="Source 1").first.click()
    await check(visitor, axe, "a passage")
    await page.keyboard.press("Escape")
    await visitor.ask("fake-e400")
    await page.get_by_role("alert").wait_for()
    await check(visitor, axe, "an error")
    await page.get_by_role("button", name="Actions for this conversation").click()
    await check(visitor, axe, "a menu")
    await page.get_by_role("menuitem", name="Delete").click()
    await check(visitor, axe, "a question")
    await page.get_by_role("button", name="Keep it").click()
    await page.goto(f"{site.url}/#/files")
    await page.get_by_role("list", name="Your files").wait_for()
    await check(visitor, axe, "files")


async def test_nothing_that_the_checker_finds_where_models_are_chosen(
    seen: BrowserContext, house: Service, axe: str
) -> None:
    visitor = await Visitor.register(seen, house.url)
    page = visitor.page
    await visitor.picker.click()
    await visitor.option("second/fake-n20").wait_for()
    await check(visitor, axe, "the models")
    await page.get_by_role("combobox").fill("straßenverzeichnisse")
    await page.get_by_role("option", name="Überlange").wait_for()
    await check(visitor, axe, "a model that was searched for")
    await page.get_by_role("combobox").fill("unheard-of")
    await page.get_by_role("option", name="Use “unheard-of” at second").wait_for()
    await check(visitor, axe, "a name that is not listed")
    await page.keyboard.press("Escape")
    await visitor.ask("fake-q500-d50-n30-f200")
    await page.get_by_text("How the model thought").last.click()
    await visitor.settled()
    await visitor.answers.last.locator(".usage summary").click()
    await check(visitor, axe, "thoughts and figures")
    await visitor.pick("lost/fake-q20")
    await visitor.ask("Are you there?")
    await visitor.answers.last.get_by_text("answered instead").wait_for()
    await check(visitor, axe, "another model instead")


async def test_nothing_that_the_checker_finds_in_the_settings(seen: BrowserContext, house: Service, axe: str) -> None:
    admin = await Visitor.admin(seen, house.url)
    page = admin.page
    await page.goto(f"{house.url}/#/settings/models")
    await page.get_by_role("heading", name="lost", exact=True).wait_for()
    await check(admin, axe, "models")
    await page.goto(f"{house.url}/#/settings/keys")
    name = f"Schlüssel {time.time_ns()}"
    await page.get_by_label("Name").fill(name)
    await check(admin, axe, "a new key")
    await page.get_by_role("button", name="Make key").click()
    await page.locator("[data-key]").wait_for()
    await check(admin, axe, "the key")
    await page.get_by_role("button", name=f"Revoke {name}").click()
    await check(admin, axe, "a question")
    await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await admin.told(f"{name} revoked")
    await page.goto(f"{house.url}/#/")
    await admin.asked("fake-n3")
    await page.goto(f"{house.url}/#/settings/usage")
    await page.get_by_label("Whose usage").select_option("Everybody's")
    await page.get_by_role("heading", name="By person").wait_for()
    await page.get_by_text("As a table").click()
    await check(admin, axe, "usage")


async def test_nothing_that_the_checker_finds_without_a_model(seen: BrowserContext, bare: Service, axe: str) -> None:
    admin = await Visitor.admin(seen, bare.url)
    page = admin.page
    await page.get_by_role("button", name="Download").wait_for()
    await check(admin, axe, "the offer")
    await page.goto(f"{bare.url}/#/settings/models")
    await page.get_by_label("Name or address").fill("/no/such/Größe.gguf")
    await page.get_by_role("button", name="Download").click()
    await page.get_by_role("alert").wait_for()
    await check(admin, axe, "a refused pull")


async def test_nothing_that_the_checker_finds_in_the_library(seen: BrowserContext, site: Service, axe: str) -> None:
    visitor = await Visitor.register(seen, site.url)
    page = visitor.page
    await page.goto(f"{site.url}/#/files")
    await page.get_by_role("button", name="Add files").wait_for()
    await page.locator("main input[type=file]").set_input_files([OTTERS])  # type: ignore[list-item]
    await visitor.told("otters.txt is ready", timeout_s=90)
    await page.get_by_role("button", name="Details of otters.txt").click()
    tags = page.get_by_role("form", name="Tags of otters.txt")
    await tags.get_by_role("button", name="Add a tag").click()
    await tags.get_by_label("Pages").fill("9-")
    await tags.get_by_text("Give the tag a name").wait_for()
    await page.get_by_role("button", name="Add a web page").click()
    await check(visitor, axe, "a file's details")
    await page.goto(f"{site.url}/#/collections")
    await page.get_by_label("Name", exact=True).fill("Sea animals")
    await check(visitor, axe, "collections")
    await page.get_by_role("button", name="Make").click()
    await page.get_by_label("Share with").select_option("Everybody")
    await page.get_by_role("button", name="Share", exact=True).click()
    await page.get_by_role("list", name="Who has access").wait_for()
    await page.get_by_role("button", name="Add files").click()
    await page.get_by_role("checkbox", name="otters.txt").check()
    await page.get_by_role("list", name="Files of this collection").wait_for()
    await check(visitor, axe, "a collection")
    await page.get_by_role("button", name="Stop sharing with Everybody").click()
    await page.get_by_text("Only you.").wait_for()
    await page.goto(f"{site.url}/#/")
    await page.get_by_role("button", name="Where to look").click()
    await page.get_by_role("radio", name="Collections").check()
    await page.get_by_role("checkbox", name="Sea animals").check()
    await page.get_by_role("checkbox", name="Answer only from documents").check()
    await check(visitor, axe, "where to look")
    await page.get_by_role("button", name="Done").click()
    await expect(page.get_by_role("button", name="Where to look: collections")).to_be_focused()
    await check(visitor, axe, "what was chosen")
    await page.goto(f"{site.url}/#/settings/golden")
    await page.get_by_text("There are none yet.").wait_for()
    await check(visitor, axe, "golden questions")


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
