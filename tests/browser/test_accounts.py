"""Signing in, staying signed in, signing out."""

import asyncio
import contextlib

from playwright.async_api import BrowserContext, Error, expect

from tests.browser.visitor import PASSWORD, Visitor
from tests.service import Service


async def sign_out(visitor: Visitor) -> None:
    await visitor.page.get_by_role("button", name=visitor.name).click()
    await visitor.page.get_by_role("menuitem", name="Sign out").click()
    await visitor.page.get_by_role("heading", name="Welcome back").wait_for()


async def sign_in(visitor: Visitor, password: str = PASSWORD) -> None:
    await visitor.page.get_by_label("Username").fill(visitor.name)
    await visitor.page.get_by_label("Password", exact=True).fill(password)
    await visitor.page.get_by_role("button", name="Sign in", exact=True).click()


async def test_a_wrong_password_is_said(visitor: Visitor) -> None:
    visitor.tolerate("401")
    await sign_out(visitor)
    await sign_in(visitor, "not the password")
    await expect(visitor.page.get_by_role("alert")).to_contain_text("Check the username and the password")
    await sign_in(visitor)
    await visitor.prompt.wait_for()


async def test_a_taken_name_is_said(visitor: Visitor) -> None:
    visitor.tolerate("409")
    await sign_out(visitor)
    await visitor.page.get_by_role("button", name="Create an account").click()
    await visitor.page.get_by_label("Username").fill(visitor.name)
    await visitor.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await visitor.page.get_by_role("button", name="Create account").click()
    await expect(visitor.page.get_by_role("alert")).to_contain_text(visitor.name)


async def test_a_reload_stays_signed_in_and_a_sign_out_does_not(visitor: Visitor) -> None:
    await visitor.page.reload()
    await visitor.prompt.wait_for()
    await sign_out(visitor)
    await visitor.page.reload()
    await visitor.page.get_by_role("heading", name="Welcome back").wait_for()


async def test_tabs_that_renew_at_once_all_stay_signed_in(visitor: Visitor) -> None:
    tabs = await asyncio.gather(*[visitor.another_tab() for _ in range(4)])
    await asyncio.gather(*[tab.page.reload() for tab in tabs])
    await asyncio.gather(*[tab.prompt.wait_for() for tab in tabs])
    assert [tab.complaints for tab in tabs] == [[], [], [], []]


async def test_impatient_reloads_do_not_sign_out(visitor: Visitor) -> None:
    for _ in range(10):
        with contextlib.suppress(Error):  # of a page that is going away
            await visitor.page.evaluate("void location.reload()")
    await expect(visitor.prompt).to_be_visible(timeout=20_000)


async def test_signing_out_in_one_tab_signs_out_the_others(visitor: Visitor) -> None:
    other = await visitor.another_tab()
    await sign_out(visitor)
    await other.page.get_by_role("heading", name="Welcome back").wait_for()


async def test_a_session_of_one_tab_ends_with_it(context: BrowserContext, site: Service) -> None:
    visitor = await Visitor.register(context, site.url)
    await sign_out(visitor)
    await visitor.page.get_by_label("Keep me signed in").uncheck()
    await sign_in(visitor)
    await visitor.prompt.wait_for()
    await visitor.page.reload()
    await visitor.prompt.wait_for()
    fresh = await context.new_page()
    await fresh.goto(site.url)
    await fresh.get_by_role("heading", name="Welcome back").wait_for()


async def test_a_server_that_is_down_does_not_sign_out(visitor: Visitor) -> None:
    visitor.tolerate("ERR_", "Failed to load")
    await visitor.page.route("**/api/**", lambda route: route.abort())
    await visitor.page.reload()
    await visitor.page.get_by_role("heading", name="The server does not answer").wait_for()
    await visitor.page.unroute("**/api/**")
    await visitor.page.get_by_role("button", name="Try again").click()
    await visitor.prompt.wait_for()
