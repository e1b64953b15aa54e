"""The list of conversations."""

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.visitor import PASSWORD, Visitor


async def make(visitor: Visitor, titles: list[str]) -> None:
    """Conversations by the API, oldest first."""
    async with httpx.AsyncClient(base_url=f"{visitor.url}/api/v1") as client:
        answer = await client.post("/auth/login", json={"username": visitor.name, "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        for title in titles:
            assert (await client.post("/conversations", json={"title": title})).status_code == 201


async def open_menu(visitor: Visitor, title: str, item: str) -> None:
    row = visitor.page.get_by_role("listitem").filter(has=visitor.page.get_by_role("link", name=title, exact=True))
    await row.hover()
    await row.get_by_role("button", name=f"Actions for {title}").click()
    await visitor.page.get_by_role("menuitem", name=item).click()


async def test_an_empty_list_says_so(visitor: Visitor) -> None:
    await expect(visitor.page.get_by_role("navigation")).to_contain_text("Your conversations will be listed here")


async def test_a_long_list_comes_in_pages_as_it_is_scrolled(visitor: Visitor) -> None:
    await make(visitor, [f"Talk {n:03}" for n in range(75)])
    await visitor.page.reload()
    links = visitor.page.get_by_role("navigation").get_by_role("link")
    await expect(links.first).to_have_text("Talk 074")
    assert await links.count() < 75
    for _ in range(4):
        await links.last.scroll_into_view_if_needed()
        await visitor.page.wait_for_timeout(300)
    await expect(links).to_have_count(75)
    await expect(links.last).to_have_text("Talk 000")


async def test_search(visitor: Visitor) -> None:
    await visitor.asked("What is a walrus? fake-n3")
    await make(visitor, ["Something about otters"])
    await visitor.page.reload()
    search = visitor.page.get_by_role("searchbox", name="Search conversations")
    links = visitor.page.get_by_role("navigation").get_by_role("link")
    await expect(links).to_have_count(2)
    await visitor.page.keyboard.press("Control+k")
    await expect(search).to_be_focused()
    await search.fill("walrus")
    await expect(links).to_have_count(1)
    await expect(links.first).to_contain_text("walrus")
    await search.fill("nothing of the kind")
    await expect(visitor.page.get_by_role("navigation")).to_contain_text("Nothing matches")
    await search.fill("")
    await expect(links).to_have_count(2)


async def test_rename(visitor: Visitor) -> None:
    await make(visitor, ["An old name"])
    await visitor.page.reload()
    await open_menu(visitor, "An old name", "Rename")
    title = visitor.page.get_by_role("textbox", name="New title")
    await expect(title).to_be_focused()
    await title.fill("A new name")
    await title.press("Enter")
    await visitor.page.get_by_role("link", name="A new name", exact=True).wait_for()
    await visitor.page.reload()
    await visitor.page.get_by_role("link", name="A new name", exact=True).wait_for()


async def test_delete_asks_first(visitor: Visitor) -> None:
    await visitor.asked("to be deleted fake-n3")
    title = "to be deleted fake-n3"
    await open_menu(visitor, title, "Delete")
    dialog = visitor.page.get_by_role("dialog")
    await expect(dialog).to_contain_text(title)
    await dialog.get_by_role("button", name="Keep it").click()
    await expect(visitor.page.get_by_role("link", name=title)).to_have_count(1)
    await open_menu(visitor, title, "Delete")
    await dialog.get_by_role("button", name="Delete").click()
    await expect(visitor.page.get_by_role("link", name=title)).to_have_count(0)
    await expect(visitor.answers).to_have_count(0)
    assert visitor.page.url.endswith("#/")


@pytest.mark.parametrize("place", ["#/c/00000000-0000-4000-8000-000000000000"])
async def test_a_conversation_that_is_gone_says_so(visitor: Visitor, place: str) -> None:
    visitor.tolerate("404")
    await visitor.page.goto(f"{visitor.url}/{place}")
    await visitor.page.reload()
    alert = visitor.page.get_by_role("alert")
    await expect(alert).to_contain_text("may have been deleted")
    await alert.get_by_role("link", name="New chat").click()
    await visitor.asked("fake-n3")
