"""Asking, reading, stopping, asking again."""

import json
from pathlib import Path

from playwright.async_api import expect

from tests.browser.visitor import Visitor
from tests.fakes.upstream import Upstream


async def test_an_answer_is_rendered_as_markdown(visitor: Visitor) -> None:
    await visitor.asked("How is revenue described? fake-m1-d2")
    answer = visitor.answers.last
    await expect(answer.locator(".md h3")).to_have_text("How the filing describes revenue")
    await expect(answer.locator("td")).to_have_count(6)
    await expect(answer.locator("li")).to_have_count(2)
    await answer.locator(".hljs-keyword").first.wait_for()
    await expect(answer.get_by_role("link", name="the regulator")).to_have_attribute("rel", "noreferrer noopener")
    await expect(answer.locator(".usage")).to_contain_text("tokens")
    await expect(visitor.page.get_by_role("link", name="How is revenue described?")).to_have_attribute(
        "aria-current", "page"
    )


async def test_a_hostile_answer_does_nothing(visitor: Visitor) -> None:
    asked_for: list[str] = []
    visitor.page.on("request", lambda request: asked_for.append(request.url))
    await visitor.asked("fake-m2")
    assert await visitor.page.evaluate("window.pwned") is None
    bad = "script, img, iframe, style, form, input, [onerror], [style], a[href^='javascript:']"
    await expect(visitor.answers.last.locator(".md").locator(bad)).to_have_count(0)
    await expect(visitor.text).to_contain_text("[99]")
    await expect(visitor.text).to_contain_text("<script>window.pwned = 1</script>")
    assert [url for url in asked_for if not url.startswith(visitor.url)] == []


async def test_stop_closes_the_model(visitor: Visitor, model: Upstream) -> None:
    aborted = model.stats.aborted
    await visitor.ask("fake-n5000-d10")
    await expect(visitor.text).to_contain_text("20@")
    await visitor.page.get_by_role("button", name="Stop").click()
    await visitor.told("Answer stopped")
    await model.lost_client(aborted)
    await expect(visitor.answers.last).to_contain_text("You stopped this answer.")


async def test_escape_stops_before_the_first_token(visitor: Visitor, model: Upstream) -> None:
    aborted = model.stats.aborted
    await visitor.ask("fake-f60000")
    await expect(visitor.answers.last).to_contain_text("Writing…")
    await visitor.page.keyboard.press("Escape")
    await visitor.told("Answer stopped")
    await model.lost_client(aborted)


async def test_a_stopped_answer_goes_on(visitor: Visitor) -> None:
    await visitor.ask("fake-n5000-d10")
    await expect(visitor.text).to_contain_text("10@")
    await visitor.page.keyboard.press("Escape")
    await visitor.told("Answer stopped")
    before = await visitor.text.inner_text()
    await visitor.page.get_by_role("button", name="Continue").click()
    await visitor.until(f"document.querySelector('article.answer .md').innerText.length > {len(before) + 200}")
    await visitor.page.keyboard.press("Escape")
    await visitor.told("Answer stopped")
    after = await visitor.text.inner_text()
    assert after.startswith(before.strip())
    await visitor.page.reload()
    await expect(visitor.text).to_have_text(after)


async def test_versions_of_an_answer(visitor: Visitor) -> None:
    first = await visitor.asked("fake-n5")
    await visitor.page.get_by_role("button", name="Answer again").click()
    await expect(visitor.text).not_to_have_text(first)
    await visitor.settled()
    second = await visitor.text.inner_text()
    versions = visitor.page.get_by_role("group", name="Answer versions")
    await expect(versions).to_have_text("2/2")
    async with visitor.page.expect_response(lambda answer: answer.request.method == "PATCH"):
        await versions.get_by_role("button", name="Previous version").click()
    await expect(visitor.text).to_have_text(first)
    await visitor.page.reload()
    await expect(visitor.text).to_have_text(first)
    await versions.get_by_role("button", name="Next version").click()
    await expect(visitor.text).to_have_text(second)


async def test_a_question_in_other_words(visitor: Visitor) -> None:
    await visitor.asked("first words fake-n5")
    await visitor.asked("a later question fake-n3")
    question = visitor.page.locator("article.question").first
    await question.hover()
    await question.get_by_role("button", name="Edit question").click()
    editor = visitor.page.get_by_role("textbox", name="Edit your question")
    await expect(editor).to_be_focused()
    await editor.fill("other words fake-n4")
    await editor.press("Enter")
    await expect(visitor.page.locator("article")).to_have_count(2)
    await visitor.settled()
    await (
        visitor.page.get_by_role("group", name="Question versions")
        .get_by_role("button", name="Previous version")
        .click()
    )
    await expect(visitor.page.locator("article")).to_have_count(4)
    await expect(visitor.page.locator("article.question").first).to_contain_text("first words")


async def test_an_error_says_what_to_do_and_can_be_retried(visitor: Visitor) -> None:
    await visitor.asked("fake-n5")
    await visitor.ask("fake-e400")
    alert = visitor.page.get_by_role("alert")
    await expect(alert).to_contain_text("Request ")
    await expect(alert).to_contain_text("choose another model")
    await alert.get_by_role("button", name="Retry").click()
    await expect(visitor.page.get_by_role("group", name="Answer versions")).to_have_text("2/2")
    await visitor.settled()
    await visitor.page.reload()
    await expect(alert.get_by_role("button", name="Retry")).to_be_visible()


async def test_a_question_that_did_not_arrive_is_sent_again(visitor: Visitor) -> None:
    visitor.tolerate("ERR_", "Failed to load")
    await visitor.page.route("**/chat/stream", lambda route: route.abort())
    await visitor.ask("fake-n5")
    retry = visitor.page.get_by_role("button", name="Retry")
    await retry.wait_for(timeout=20_000)
    await expect(visitor.page.get_by_role("alert")).to_contain_text("cannot be reached")
    await visitor.page.unroute("**/chat/stream")
    await retry.click()
    await expect(visitor.text).to_contain_text("4@")
    await expect(visitor.page.locator("article")).to_have_count(2)


async def test_a_refused_question_keeps_its_words(visitor: Visitor) -> None:
    visitor.tolerate("413", "422")
    await visitor.ask("x" * 200_000)
    await expect(visitor.page.get_by_role("alert")).to_contain_text("characters")
    await visitor.asked("fake-n3")
    await expect(visitor.page.locator("article")).to_have_count(2)


async def test_a_draft_outlives_a_reload(visitor: Visitor) -> None:
    await visitor.prompt.fill("half a question")
    await visitor.page.reload()
    await expect(visitor.prompt).to_have_value("half a question")


async def test_exports(visitor: Visitor, tmp_path: Path) -> None:
    await visitor.asked("what is exported? fake-n5")
    for what, suffix in (("Export as Markdown", "md"), ("Export as JSON", "json")):
        await visitor.page.get_by_role("button", name="Actions for this conversation").click()
        async with visitor.page.expect_download() as download:
            await visitor.page.get_by_role("menuitem", name=what).click()
        found = await download.value
        assert found.suggested_filename == f"what is exported fake-n5.{suffix}"
        await found.save_as(tmp_path / suffix)
        assert "what is exported?" in (tmp_path / suffix).read_text()
    assert len(json.loads((tmp_path / "json").read_text())["messages"]) == 2


async def test_the_reader_is_not_moved(visitor: Visitor) -> None:
    gap = "(e => e.scrollHeight - e.clientHeight - e.scrollTop)(document.querySelector('main'))"
    top = "document.querySelector('main').scrollTop"
    await visitor.ask("fake-m1-n3000-d3")
    await visitor.until(f"{top} > 600")
    assert await visitor.page.evaluate(gap) < 80
    await visitor.page.locator("main").hover()
    await visitor.page.mouse.wheel(0, -400)
    await visitor.page.get_by_role("button", name="Jump to latest").wait_for()
    stayed = await visitor.page.evaluate(top)
    height = await visitor.page.evaluate("document.querySelector('main').scrollHeight")
    await visitor.until(f"document.querySelector('main').scrollHeight > {height + 200}")
    assert abs(await visitor.page.evaluate(top) - stayed) < 2
    await visitor.page.get_by_role("button", name="Jump to latest").click()
    await visitor.until(f"{gap} < 80")
    await visitor.page.keyboard.press("Escape")
    await visitor.told("Answer stopped")


async def test_a_selection_lives_on_while_the_answer_grows(visitor: Visitor) -> None:
    await visitor.ask("fake-m1-n3000-d3")
    await visitor.until("document.querySelectorAll('.md > div').length > 3")
    await visitor.page.evaluate("getSelection().selectAllChildren(document.querySelectorAll('.md > div')[1])")
    before = await visitor.page.evaluate("String(getSelection())")
    await visitor.until("document.querySelectorAll('.md > div').length > 12")
    assert len(before) > 20
    assert await visitor.page.evaluate("String(getSelection())") == before
    await visitor.page.keyboard.press("Escape")
    await visitor.told("Answer stopped")
