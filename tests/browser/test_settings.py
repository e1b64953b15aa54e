"""The settings: how the models are, API keys, and what was used."""

import re

import httpx
from playwright.async_api import BrowserContext, Locator, expect

from tests.browser.visitor import Visitor
from tests.service import Service


async def open_settings(visitor: Visitor, page: str = "Models") -> None:
    """By the account's menu, as a person would."""
    await visitor.page.get_by_role("button", name=visitor.name).click()
    await visitor.page.get_by_role("menuitem", name="Settings").click()
    link = visitor.page.get_by_role("navigation", name="Settings").get_by_role("link", name=page)
    await link.click()
    await expect(link).to_have_attribute("aria-current", "page")


def card(visitor: Visitor, source: str) -> Locator:
    heading = visitor.page.get_by_role("heading", name=source, exact=True)
    return visitor.page.get_by_role("list", name="Sources of models").get_by_role("listitem").filter(has=heading)


async def test_a_source_that_is_down_is_told_from_one_that_answers(guest: Visitor) -> None:
    await open_settings(guest)
    await expect(card(guest, "openai")).to_contain_text("Default")
    await expect(card(guest, "openai")).to_contain_text(re.compile("Answers.*fake-asked.*3 models.*idle", re.DOTALL))
    await expect(card(guest, "lost")).to_contain_text(re.compile("Does not answer|Resting after failures"))
    await expect(card(guest, "lost")).to_contain_text("did not list its models")
    await expect(card(guest, "aihub")).to_contain_text("Not set up")
    await expect(card(guest, "aihub")).to_contain_text("AIHUB_URL")
    await guest.page.get_by_role("button", name="Refresh").click()
    await guest.told("The state of the models is up to date")
    await expect(guest.page.get_by_label("Name or address")).to_have_count(0)
    await guest.page.get_by_role("link", name="Back to the chat").click()
    await guest.prompt.wait_for()


async def test_a_key_is_made_copied_used_and_revoked(guest: Visitor) -> None:
    page = guest.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await open_settings(guest, "API keys")
    await expect(page.get_by_text("You have no keys yet.")).to_be_visible()
    await page.get_by_label("Name").fill("Rößlers Laptop")
    await page.get_by_role("checkbox", name="Usage").check()
    await page.get_by_label("Expires after").select_option("30 days")
    await page.get_by_role("button", name="Make key").click()
    await expect(page.get_by_role("heading", name="The key “Rößlers Laptop”")).to_be_focused()
    await page.get_by_role("button", name="Copy key").click()
    await guest.told("Copied")
    key = await page.evaluate("navigator.clipboard.readText()")
    await expect(page.locator("[data-key]")).to_have_text(key)
    example = page.get_by_role("region", name="curl example")
    await expect(example).to_contain_text(f"curl {guest.url}/v1/chat/completions")
    await expect(example).to_contain_text('"model":"openai/fake-asked"')
    async with httpx.AsyncClient(base_url=guest.url, headers={"Authorization": f"Bearer {key}"}) as program:
        assert (await program.get("/api/v1/stats/user")).status_code == 200
        assert (await program.get("/api/v1/conversations")).status_code == 403
        await page.get_by_role("button", name="I have copied it").click()
        await expect(page.get_by_label("Name")).to_be_focused()
        await page.reload()
        row = page.get_by_role("listitem").filter(has_text="Rößlers Laptop")
        await expect(row).to_contain_text(re.compile(r"last used .*, expires .*For openai, stats", re.DOTALL))
        assert key not in await page.content()
        await row.get_by_role("button", name="Revoke").click()
        await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        await guest.told("Rößlers Laptop revoked")
        await expect(page.get_by_text("You have no keys yet.")).to_be_visible()
        assert (await program.get("/api/v1/stats/user")).status_code == 401


async def test_a_key_whose_name_is_taken(guest: Visitor) -> None:
    guest.tolerate("409")
    await open_settings(guest, "API keys")
    for _ in range(2):
        await guest.page.get_by_label("Name").fill("twice")
        await guest.page.get_by_role("button", name="Make key").click()
        done = guest.page.get_by_role("button", name="I have copied it")
        await done.or_(guest.page.get_by_role("alert")).wait_for()
        if await done.is_visible():
            await done.click()
    await expect(guest.page.get_by_role("alert")).to_contain_text("Choose another name")


async def test_what_was_used(guest: Visitor) -> None:
    await open_settings(guest, "Usage")
    await expect(guest.page.get_by_text("Nothing was used in these days.")).to_be_visible()
    await guest.page.get_by_role("link", name="Back to the chat").click()
    await guest.pick("second/fake-n20")
    await guest.asked("count this")
    await open_settings(guest, "Usage")
    figures = guest.page.locator("dl > div")
    await expect(figures.filter(has_text="Answers")).to_have_text("Answers1")
    await expect(figures.filter(has_text="Tokens written")).to_have_text("Tokens written20")
    await expect(figures.filter(has_text="Cost")).to_have_text(re.compile(r"^Cost\$0\.0\d"))
    await expect(guest.page.get_by_role("img", name="Tokens per day from")).to_be_visible()
    await expect(guest.page.get_by_role("row", name="fake-n20 · second")).to_be_visible()
    await guest.page.get_by_text("As a table").click()
    await expect(guest.page.get_by_role("row").filter(has_text="20")).not_to_have_count(0)
    await guest.page.get_by_label("Days").select_option("Last 90 days")
    await expect(figures.filter(has_text="Answers")).to_have_text("Answers1")
    await expect(guest.page.get_by_label("Whose usage")).to_have_count(0)


async def test_an_administrator_sees_the_whole_system(guest: Visitor, house: Service, context: BrowserContext) -> None:
    await guest.asked("fake-n3")
    await guest.page.get_by_role("button", name=guest.name).click()
    await guest.page.get_by_role("menuitem", name="Sign out").click()
    await guest.page.get_by_role("heading", name="Welcome back").wait_for()
    admin = await Visitor.admin(context, house.url)
    await open_settings(admin, "Usage")
    await admin.page.get_by_label("Whose usage").select_option("Everybody's")
    await expect(admin.page.get_by_role("row", name=guest.name)).to_be_visible()
    assert admin.complaints == []


async def test_what_cannot_be_loaded_is_said_and_asked_for_again(guest: Visitor) -> None:
    guest.tolerate("ERR_", "Failed to load")
    for route, page in (("models/status", "Models"), ("auth/keys", "API keys"), ("stats/user", "Usage")):
        await guest.page.route(f"**/{route}*", lambda route: route.abort())
        await open_settings(guest, page)
        alert = guest.page.get_by_role("alert")
        await expect(alert).to_contain_text("cannot be reached")
        await guest.page.unroute(f"**/{route}*")
        await alert.get_by_role("button", name="Try again").click()
        await expect(alert).to_have_count(0)
