"""What a person does on the page, in their words."""

import time
from itertools import count
from typing import Any

from playwright.async_api import BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.service import ADMIN_PASSWORD

PASSWORD = "a long enough password"
NAMES = count(1)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Visitor:
    """One tab of one user."""

    def __init__(self, page: Page, url: str, name: str) -> None:
        self.page, self.url, self.name = page, url, name
        self.complaints: list[str] = []
        self.tolerated: tuple[str, ...] = ()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    @classmethod
    async def register(cls, context: BrowserContext, url: str) -> "Visitor":
        """A new user's first visit."""
        visitor = cls(await context.new_page(), url, f"visitor{next(NAMES)}-{time.time_ns():x}")
        page = visitor.page
        await page.goto(url)
        await page.get_by_role("button", name="Create an account").click()
        await page.get_by_label("Username").fill(visitor.name)
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await page.get_by_role("button", name="Create account").click()
        await visitor.prompt.wait_for()
        return visitor

    @classmethod
    async def admin(cls, context: BrowserContext, url: str) -> "Visitor":
        """The administrator that the first start has made."""
        visitor = cls(await context.new_page(), url, "admin")
        await visitor.page.goto(url)
        await visitor.page.get_by_label("Username").fill("admin")
        await visitor.page.get_by_label("Password", exact=True).fill(ADMIN_PASSWORD)
        await visitor.page.get_by_role("button", name="Sign in", exact=True).click()
        await visitor.prompt.wait_for()
        return visitor

    async def another_tab(self) -> "Visitor":
        """The same user where this tab is, in a second one."""
        other = Visitor(await self.page.context.new_page(), self.url, self.name)
        await other.page.goto(self.page.url)
        await other.prompt.wait_for()
        return other

    def tolerate(self, *parts: str) -> None:
        """Complaints with these words are what the test is about."""
        self.tolerated += parts
        self.complaints = [c for c in self.complaints if not any(part in c for part in self.tolerated)]

    def _heard(self, message: ConsoleMessage) -> None:
        text = f"{message.text} {message.location.get('url', '')}"
        if message.type == "error" and not any(part in text for part in self.tolerated):
            self.complaints.append(text)

    @property
    def prompt(self) -> Locator:
        return self.page.get_by_role("textbox", name="Message")

    @property
    def answers(self) -> Locator:
        return self.page.locator("article.answer")

    @property
    def text(self) -> Locator:
        """The words of the last answer."""
        return self.answers.last.locator(".md")

    @property
    def picker(self) -> Locator:
        """What opens the list of models, and says which one is chosen."""
        return self.page.get_by_role("button", name="Model:")

    def option(self, name: str) -> Locator:
        """A line of the list of models, as `source/model`."""
        source, _, model = name.partition("/")
        group = self.page.get_by_role("group", name=source, exact=True)
        return group.get_by_role("option").filter(has=self.page.get_by_text(model, exact=True))

    async def pick(self, name: str) -> None:
        """Choose a model, as `source/model`."""
        await self.picker.click()
        await self.option(name).click()

    async def ask(self, question: str) -> None:
        await self.prompt.fill(question)
        await self.prompt.press("Enter")

    async def told(self, words: str, timeout_s: float = 30) -> None:
        """Wait until a screen reader is told so."""
        await expect(self.page.locator("[data-said]")).to_have_text(words, timeout=timeout_s * 1000)

    async def asked(self, question: str) -> str:
        """Ask, and wait for the whole answer."""
        await self.ask(question)
        await expect(self.page.locator("article.question").last).to_contain_text(question)
        await self.settled()
        return await self.text.inner_text()

    async def settled(self) -> None:
        """Wait until no answer is being written."""
        await expect(self.page.locator("article[aria-busy=true]")).to_have_count(0, timeout=30_000)

    async def until(self, expression: str, timeout_s: float = 20) -> None:
        """`wait_for_function` evaluates in the page, which its policy refuses."""
        deadline = time.monotonic() + timeout_s
        while not await self.page.evaluate(expression):
            assert time.monotonic() < deadline, expression
            await self.page.wait_for_timeout(50)

    async def violations(self, axe: str) -> list[tuple[str, Any]]:
        """What the accessibility checker finds. Evaluated, since the page's policy refuses a script tag."""
        await self.page.evaluate(axe)
        found = await self.page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
        return [(v["id"], [node["target"] for node in v["nodes"]]) for v in found["violations"]]
