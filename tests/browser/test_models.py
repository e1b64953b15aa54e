"""Choosing a model, and what is said while it answers and after."""

import re

from playwright.async_api import expect

from tests.browser.visitor import Visitor
from tests.fakes.upstream import Upstream


async def test_a_picked_model_answers_and_is_remembered(guest: Visitor, model: Upstream) -> None:
    await expect(guest.picker).to_have_accessible_name("Model: openai/fake-asked, the default")
    await guest.pick("openai/fake-n200-d20")
    await expect(guest.picker).to_be_focused()
    await guest.told("The next answer comes from openai/fake-n200-d20")
    asked = model.stats.models["fake-n200-d20"]
    await guest.ask("Who are you?")
    await expect(guest.text).to_contain_text("5@")
    assert model.stats.models["fake-n200-d20"] == asked + 1
    await guest.page.keyboard.press("Escape")
    await guest.told("Answer stopped")
    await guest.page.get_by_role("button", name="New chat").click()
    await expect(guest.picker).to_have_text("fake-n200-d20")
    await guest.page.reload()
    await expect(guest.picker).to_have_text("fake-n200-d20")


async def test_a_conversation_keeps_its_model(guest: Visitor) -> None:
    await guest.pick("second/fake-n20")
    await guest.asked("the first question")
    await guest.page.get_by_role("button", name="New chat").click()
    await guest.picker.click()
    await guest.page.get_by_role("option", name="Default model").click()
    await guest.asked("fake-n3")
    await expect(guest.picker).to_have_text("fake-asked")
    await guest.page.get_by_role("link", name="the first question").click()
    await expect(guest.picker).to_have_accessible_name("Model: second/fake-n20")
    await guest.page.reload()
    await expect(guest.picker).to_have_accessible_name("Model: second/fake-n20")


async def test_what_the_list_says(guest: Visitor) -> None:
    await guest.picker.click()
    panel = guest.page.get_by_role("dialog", name="Choose a model")
    await expect(panel.get_by_role("group", name="second").get_by_role("option")).to_have_text(
        ["fake-n20 its default · 128k context", "fake-n200-d20", "fake-n200", re.compile("^Überlange")]
    )
    await expect(panel.get_by_role("option", name="bge-m3")).to_have_count(0)
    await expect(panel).to_contain_text(re.compile("lost does not answer: .* did not list its models"))
    await expect(panel.get_by_role("group", name="lost").get_by_role("option")).to_have_text(
        "fake-q20 its default, not listed"
    )
    await expect(panel.get_by_role("option", selected=True)).to_have_text("Default model now openai/fake-asked")


async def test_a_name_that_is_not_listed_by_keyboard_alone(guest: Visitor, model: Upstream) -> None:
    await guest.picker.focus()
    await guest.page.keyboard.press("Enter")
    field = guest.page.get_by_role("combobox", name="Find a model")
    await expect(field).to_be_focused()
    await guest.page.keyboard.type("fake-n7")
    use = guest.page.get_by_role("option", name="Use “fake-n7” at second")
    await guest.page.keyboard.press("ArrowDown")
    await expect(use).to_have_class(re.compile("active"))
    await expect(field).to_have_attribute("aria-activedescendant", await use.get_attribute("id") or "")
    await guest.page.keyboard.press("Enter")
    await expect(guest.picker).to_be_focused()
    await guest.asked("Hello")
    assert model.stats.models["fake-n7"] == 1
    await guest.picker.click()
    await guest.page.keyboard.type("umlaut überlange")
    await expect(guest.page.get_by_role("option")).to_have_count(0)
    await guest.page.keyboard.press("Escape")
    await expect(guest.picker).to_be_focused()


async def test_the_place_in_line_is_told(guest: Visitor) -> None:
    await guest.pick("narrow/fake-asked")
    await guest.ask("fake-n5000-d10")
    await expect(guest.text).to_contain_text("5@")
    other = await guest.another_tab()
    await other.page.get_by_role("button", name="New chat").click()
    await expect(other.picker).to_have_accessible_name("Model: narrow/fake-asked")
    await other.ask("fake-n5")
    await expect(other.answers.last).to_contain_text("Waiting, 1st in line…")
    await guest.page.keyboard.press("Escape")
    await expect(other.text).to_contain_text("4@")
    await expect(other.answers.last.locator(".usage")).to_contain_text("in line")


async def test_another_model_that_answers_instead_is_told(guest: Visitor) -> None:
    await guest.pick("lost/fake-q20")
    await guest.ask("Are you there?")
    answer = guest.answers.last
    await expect(answer).to_contain_text("Trying again (2): ")
    await expect(answer).to_contain_text("lost/fake-q20 did not answer, asking second/fake-f2500-n5 instead: ")
    await expect(guest.text).to_contain_text("4@")
    note = "lost/fake-q20 did not answer"
    await expect(answer).to_contain_text(note)
    await expect(answer).to_contain_text("second/fake-f2500-n5 answered instead.")
    await expect(guest.picker).to_have_accessible_name(re.compile("^Model: lost/fake-q20"))
    await guest.page.reload()
    await expect(answer).to_contain_text(f"{note}. second/fake-f2500-n5 answered instead.")
    await expect(guest.picker).to_have_accessible_name("Model: lost/fake-q20, which does not answer now")


async def test_thoughts_stand_apart(guest: Visitor) -> None:
    await guest.ask("fake-q60-f100-d100-n40")
    answer = guest.answers.last
    thoughts = answer.get_by_role("region", name="Thoughts of the model")
    await expect(guest.text).to_contain_text("3@")
    await expect(thoughts).to_have_count(0)
    await answer.get_by_text("How the model thought").click()
    await expect(thoughts).to_contain_text("r59")
    await guest.settled()
    await expect(thoughts).to_be_visible()
    assert "r59" not in await guest.text.inner_text()


async def test_what_an_answer_took(guest: Visitor) -> None:
    await guest.pick("second/fake-n20")
    await guest.asked("How much?")
    usage = guest.answers.last.locator(".usage")
    await expect(usage.locator("summary")).to_contain_text(
        re.compile(r"^fake-n20 · 20 tokens · .*first after .* · \$\d")
    )
    await usage.locator("summary").click()
    await expect(usage).to_contain_text("Modelsecond/fake-n20")
    await expect(usage).to_contain_text("Countedby the model’s server")
    await expect(usage).to_contain_text("Cost$")


async def test_after_an_error_another_model_can_be_chosen(guest: Visitor) -> None:
    await guest.ask("fake-e400")
    alert = guest.page.get_by_role("alert")
    await alert.get_by_role("button", name="Choose another model").click()
    await guest.option("second/fake-n20").click()
    await alert.get_by_role("button", name="Retry").click()
    await expect(guest.text).to_contain_text("19@")
    await expect(guest.answers.last.locator(".usage")).to_contain_text("fake-n20")
