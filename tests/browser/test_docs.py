"""The API's own page, offline and under the policy."""

from playwright.async_api import BrowserContext, expect

from tests.browser.visitor import Visitor
from tests.service import Service


async def test_the_description_works_without_a_network(context: BrowserContext, site: Service) -> None:
    page = await context.new_page()
    visitor = Visitor(page, site.url, "nobody")
    asked_for: list[str] = []
    page.on("request", lambda request: asked_for.append(request.url))
    await page.goto(f"{site.url}/docs")
    await expect(page.locator(".opblock-summary-path", has_text="/api/v1/chat/stream").first).to_be_visible()
    await page.locator(".opblock-summary-control").first.click()
    await page.locator(".opblock-body").first.wait_for()
    assert [url for url in asked_for if not url.startswith((site.url, "data:"))] == []
    assert visitor.complaints == []
