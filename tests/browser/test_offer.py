"""A service without a model: what is said, and the model that is offered."""

import asyncio
import re

from playwright.async_api import BrowserContext, expect

from app.services.llm.store.offer import FILE, REPO
from tests.browser.visitor import Visitor
from tests.fakes.hub import Hub, gguf
from tests.service import Service

MB = 1 << 20
NAME = FILE.removesuffix(".gguf")


async def test_the_offer_is_fetched_when_asked_cancelled_and_fetched_again(
    context: BrowserContext, bare: Service, hub: Hub
) -> None:
    file = hub.repos[REPO].files[FILE]
    size = f"{round(len(file.data) / 1e6)} MB"
    file.holds = [3 * MB, MB]
    admin = await Visitor.admin(context, bare.url)
    page = admin.page
    await expect(page.get_by_role("heading", name="No language model yet")).to_be_visible()
    card = page.locator(".offer")
    await expect(card).to_contain_text(re.compile(f"{NAME}.*{size} · licence apache-2.0 · from {REPO}", re.DOTALL))
    assert hub.seen.sent[FILE] == 0, "nothing is fetched unasked"
    await card.get_by_role("button", name=f"Download {size}").click()
    part = bare.data_dir / "models" / f"{FILE}.part"
    await asyncio.to_thread(hub.wait_held, part, 2 * MB)
    bar = page.get_by_role("progressbar", name=f"Fetching {NAME}")
    await expect(bar).to_be_visible()
    await expect(page.get_by_text(re.compile(rf"of {size}, \d+ %"))).to_be_visible()
    await page.reload()
    await expect(bar).to_be_visible()
    await page.get_by_role("button", name=f"Cancel {NAME}").click()
    await expect(page.get_by_text("Cancelled. What was fetched is kept")).to_be_visible()
    hub.release()
    await page.get_by_role("button", name="Try again").click()
    await asyncio.to_thread(hub.wait_held, part, 2 * MB)
    hub.release()
    await admin.told(f"{NAME} is ready")
    assert (bare.data_dir / "models" / FILE).read_bytes() == file.data
    await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    await expect(admin.picker).to_have_accessible_name(f"Model: local/{NAME}, the default")
    await admin.ask("hello world")
    await expect(admin.text).not_to_be_empty(timeout=30_000)
    await page.keyboard.press("Escape")
    await expect(admin.answers.last.locator(".usage")).to_contain_text(NAME)
    assert admin.complaints == []


async def test_a_user_is_told_whom_to_ask(context: BrowserContext, bare: Service) -> None:
    visitor = await Visitor.register(context, bare.url)
    await expect(visitor.page.get_by_text("An administrator of this service can set up a model.")).to_be_visible()
    await expect(visitor.page.get_by_role("button", name="Download")).to_have_count(0)
    await visitor.asked("Is anybody there?")
    await expect(visitor.text).to_contain_text("No language model is configured")
    assert visitor.complaints == []


async def test_models_are_added_by_name_and_removed_even_broken_ones(
    context: BrowserContext, bare: Service, hub: Hub
) -> None:
    hub.add("owner/Groesse-GGUF", "strasse-Q4_K_M.gguf", gguf(MB, seed=9))
    admin = await Visitor.admin(context, bare.url)
    admin.tolerate("404", "502", "503")
    page = admin.page
    await page.goto(f"{bare.url}/#/settings/models")
    await page.get_by_label("Name or address").fill("owner/nothing-here")
    await page.get_by_role("button", name="Download").click()
    await expect(page.get_by_role("alert")).to_contain_text("owner/nothing-here")
    await page.get_by_label("Name or address").fill("owner/Groesse-GGUF")
    await page.get_by_role("button", name="Download").click()
    await admin.told("strasse-Q4_K_M is ready")
    await expect(page.get_by_role("list", name="Models being fetched")).to_contain_text("Ready, 1.0 MB")
    await page.get_by_role("button", name="Remove strasse-Q4_K_M").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Its files are deleted from this server")
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await admin.told("strasse-Q4_K_M removed")
    assert not (bare.data_dir / "models" / "strasse-Q4_K_M.gguf").exists()
    assert admin.complaints == []
