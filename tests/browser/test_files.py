"""Uploading, asking, following a citation to its passage."""

from pathlib import Path

from playwright.async_api import Locator, expect

from tests.browser.visitor import Visitor

OTTERS = "Sea otters sleep on their backs and hold hands so that they do not drift apart.\n\n" * 3
WALRUS = "A walrus uses its tusks to haul itself out of the water onto the ice.\n\n" * 3
DROP = """
([name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name, {type: 'text/plain'}));
  for (const kind of ['dragenter', 'dragover', 'drop'])
    document.body.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
}
"""


async def attach(visitor: Visitor, *files: dict[str, object]) -> None:
    await visitor.page.locator("#picker").set_input_files(files)  # type: ignore[arg-type]


def text_file(name: str, text: str) -> dict[str, object]:
    return {"name": name, "mimeType": "text/plain", "buffer": text.encode()}


def chips(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("list", name="Files of this chat").get_by_role("listitem")


async def test_a_question_waits_for_its_files_and_cites_them(visitor: Visitor) -> None:
    await attach(visitor, text_file("otters.txt", OTTERS), text_file("walrus.txt", WALRUS))
    await visitor.ask("How do otters sleep? fake-m1")
    await visitor.told("Answer finished", timeout_s=90)
    await expect(visitor.page.get_by_role("heading", level=1)).to_have_text("How do otters sleep? fake-m1")
    panel = visitor.page.get_by_role("dialog")
    chip = visitor.text.get_by_role("button", name="Source 1").first
    await chip.click()
    await expect(panel).to_contain_text("otters.txt")
    await expect(panel).to_contain_text("page 1")
    await expect(panel.get_by_label("Passage", exact=True)).to_contain_text("hold hands")
    await expect(panel.get_by_role("heading")).to_be_focused()
    await panel.get_by_role("button", name="Next passage").click()
    await expect(panel).to_contain_text("2 of ")
    await visitor.page.keyboard.press("Escape")
    await expect(panel).to_have_count(0)
    await expect(chip).to_be_focused()
    await visitor.answers.last.locator("section").get_by_role("button").first.click()
    await expect(panel).to_contain_text("otters.txt")
    await panel.get_by_role("button", name="Close the passage").click()
    await visitor.page.reload()
    await expect(visitor.text.get_by_role("button", name="Source 1").first).to_be_visible()


async def test_files_are_left_aside_when_told_so(visitor: Visitor) -> None:
    await attach(visitor, text_file("otters.txt", OTTERS))
    await visitor.told("otters.txt is ready", timeout_s=90)
    await visitor.page.get_by_role("button", name="Use files").click()
    await visitor.asked("fake-m1")
    await expect(visitor.text.locator(".cite")).to_have_count(0)
    await expect(visitor.text).to_contain_text("[1]")


async def test_a_dropped_file_is_attached(visitor: Visitor) -> None:
    await visitor.page.evaluate(DROP, ["dropped.txt", OTTERS])
    await expect(chips(visitor)).to_contain_text(["dropped.txt"])
    await visitor.told("dropped.txt is ready", timeout_s=90)


async def test_a_file_that_cannot_be_read_says_why(visitor: Visitor) -> None:
    await attach(visitor, {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 and nothing more"})
    await visitor.told("broken.pdf could not be read", timeout_s=60)
    chip = chips(visitor).filter(has_text="broken.pdf")
    await expect(chip).to_contain_text("PDF")
    await chip.get_by_role("button", name="Try broken.pdf again").click()
    await visitor.told("broken.pdf could not be read", timeout_s=60)
    await chip.get_by_role("button", name="Delete broken.pdf").click()
    await visitor.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(chip).to_have_count(0)


async def test_a_file_that_is_refused_says_why(visitor: Visitor) -> None:
    visitor.tolerate("413", "415", "422")
    await attach(visitor, {"name": "empty.pdf", "mimeType": "application/pdf", "buffer": b""})
    chip = chips(visitor).filter(has_text="empty.pdf")
    await expect(chip.get_by_role("alert")).to_contain_text("empty")
    await chip.get_by_role("button", name="Dismiss empty.pdf").click()
    await expect(chip).to_have_count(0)


async def test_sending_shows_how_far_it_is(visitor: Visitor, tmp_path: Path) -> None:
    big = tmp_path / "big.txt"
    big.write_text("word " * 600_000)
    session = await visitor.page.context.new_cdp_session(visitor.page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 1_500_000}
    await session.send("Network.enable")
    await session.send("Network.emulateNetworkConditions", slow)
    await visitor.page.locator("#picker").set_input_files(big)
    bar = visitor.page.get_by_role("progressbar", name="Sending big.txt")
    await bar.wait_for()
    await visitor.until("document.querySelector('progress')?.value > 0.2")
    await visitor.page.get_by_role("button", name="Cancel big.txt").click()
    await expect(bar).to_have_count(0)


async def test_the_library(visitor: Visitor) -> None:
    page = visitor.page
    await page.get_by_role("link", name="Files").click()
    await page.get_by_role("heading", name="No files yet").wait_for()
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="Add files").click()
    await (await chooser.value).set_files([text_file("otters.txt", OTTERS)])  # type: ignore[list-item]
    row = page.get_by_role("list", name="Your files").get_by_role("listitem")
    await expect(row).to_contain_text("Ready", timeout=60_000)
    await page.get_by_role("button", name="New chat").click()
    await visitor.asked("How do otters sleep? fake-m1")
    await expect(visitor.text.get_by_role("button", name="Source 1").first).to_be_visible()
    await page.get_by_role("link", name="Files").click()
    await row.get_by_role("button", name="Delete otters.txt").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await page.get_by_role("heading", name="No files yet").wait_for()
