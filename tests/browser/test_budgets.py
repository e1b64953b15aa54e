"""What the page may cost."""

import gzip
import re
from pathlib import Path

from tests.browser.visitor import Visitor

STATIC = Path(__file__).parents[2] / "app/static"
TOKENS = 4000


NAMED = re.compile(r'(?:src|href)="/(assets/[^"]+)"')


def packed(*paths: Path) -> int:
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in paths)


def first_load() -> list[Path]:
    """What the document itself names: its script, what that imports, and its style."""
    return [STATIC / name for name in NAMED.findall((STATIC / "index.html").read_text())]


def test_first_load() -> None:
    assert {path.suffix for path in first_load()} == {".js", ".css"}
    assert packed(*first_load()) <= 80_000


def test_all_that_an_answer_needs() -> None:
    """Markdown comes beside the first load, colours for code after it."""
    assert packed(*first_load(), *(STATIC / "assets").glob("StreamMarkdown-*.js")) <= 100_000


def test_settings_come_when_they_are_opened() -> None:
    names = {path.name.partition("-")[0] for path in first_load()}
    assert not names & {"SettingsView", "NoModel", "LibraryView", "PassagePanel", "ScopeChoices"}
    assert packed(*(STATIC / "assets").glob("SettingsView-*")) > 5_000


async def test_main_thread_time_per_token(visitor: Visitor) -> None:
    """CPU seconds of the page's thread for a long Markdown answer at 500 tokens a second."""
    session = await visitor.page.context.new_cdp_session(visitor.page)
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})

    async def busy_s() -> float:
        metrics = (await session.send("Performance.getMetrics"))["metrics"]
        return next(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")

    before = await busy_s()
    await visitor.asked(f"fake-m1-n{TOKENS}-d2")
    spent_ms = (await busy_s() - before) * 1000
    print(f"{spent_ms / TOKENS:.2f} ms of the main thread per token")
    assert spent_ms / TOKENS <= 1.2
