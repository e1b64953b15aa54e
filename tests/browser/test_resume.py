"""Answers go on through reloads, lost connections and restarts."""

import asyncio

import pytest
from playwright.async_api import Browser, BrowserContext, expect

from tests.browser.visitor import Visitor
from tests.fakes.upstream import ASKED, Upstream
from tests.service import Service

SLOW = "fake-n150-d15"


def indexes(text: str) -> list[int]:
    """The numbers of the fake model's tokens, as they were read."""
    return [int(token.partition("@")[0]) for token in text.split()]


async def test_a_reload_goes_on_where_the_answer_is(visitor: Visitor) -> None:
    await visitor.ask(SLOW)
    for seen in ("15@", "40@", "70@"):
        await expect(visitor.text).to_contain_text(seen)
        await visitor.page.reload()
    await visitor.settled()
    await expect(visitor.text).to_contain_text("149@")
    assert indexes(await visitor.text.inner_text()) == list(range(150))


async def test_leaving_a_conversation_leaves_its_answer_running(visitor: Visitor) -> None:
    await visitor.ask(SLOW)
    await expect(visitor.text).to_contain_text("10@")
    await visitor.page.get_by_role("button", name="New chat").click()
    await expect(visitor.answers).to_have_count(0)
    await visitor.page.get_by_role("link", name=SLOW).click()
    await expect(visitor.text).to_contain_text("149@")
    assert indexes(await visitor.text.inner_text()) == list(range(150))


async def test_two_tabs_read_the_same_answer(visitor: Visitor) -> None:
    await visitor.ask(SLOW)
    await expect(visitor.text).to_contain_text("10@")
    other = await visitor.another_tab()
    await asyncio.gather(visitor.settled(), other.settled())
    assert indexes(await other.text.inner_text()) == list(range(150))
    await expect(visitor.text).to_have_text(await other.text.inner_text())
    assert other.complaints == []


async def test_a_question_in_one_tab_appears_in_the_other(visitor: Visitor) -> None:
    await visitor.asked("fake-n3")
    other = await visitor.another_tab()
    await visitor.asked("a second one fake-n4")
    await expect(other.page.locator("article")).to_have_count(4)
    await other.settled()
    await expect(other.text).to_have_text(await visitor.text.inner_text())


@pytest.fixture
async def fragile(browser: Browser, tmp_path: object, model: Upstream, serve: object) -> object:
    """A service of its own, to be killed, and a visitor to it."""
    service: Service = serve(OPENAI_BASE_URL=model.url, OPENAI_API_KEY="x", OPENAI_MODEL=ASKED)  # type: ignore[operator]
    context: BrowserContext = await browser.new_context()
    visitor = await Visitor.register(context, service.url)
    visitor.tolerate("ERR_", "Failed to load")
    yield service, visitor
    await context.close()


async def test_a_killed_service_leaves_an_answer_that_goes_on(fragile: tuple[Service, Visitor]) -> None:
    service, visitor = fragile
    await visitor.ask("fake-n5000-d10")
    await expect(visitor.text).to_contain_text("30@")
    service.kill()
    await expect(visitor.answers.last).to_contain_text("Connection lost")
    before = indexes(await visitor.text.inner_text())
    service.start()
    await expect(visitor.answers.last).to_contain_text("The service restarted", timeout=30_000)
    kept = indexes(await visitor.text.inner_text())
    assert kept[: len(before)] == before
    assert kept == list(range(len(kept)))
    await visitor.page.get_by_role("button", name="Continue").click()
    await expect(visitor.page.get_by_role("button", name="Stop")).to_be_visible()
    await visitor.until(f"document.querySelector('.md').innerText.split(/\\s+/).length > {len(kept) + 10}")
    await visitor.page.keyboard.press("Escape")
    await visitor.told("Answer stopped")


async def test_a_lost_connection_is_made_again(fragile: tuple[Service, Visitor]) -> None:
    service, visitor = fragile
    await visitor.ask("fake-n400-d15")
    await expect(visitor.text).to_contain_text("10@")
    for _ in range(3):
        await visitor.page.context.set_offline(True)
        await visitor.page.wait_for_timeout(300)
        await visitor.page.context.set_offline(False)
        await visitor.page.wait_for_timeout(300)
    await visitor.settled()
    assert indexes(await visitor.text.inner_text()) == list(range(400))
    assert service.child.running
