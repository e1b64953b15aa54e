"""Golden questions, asked of a service and compared with its run before."""

from typing import Any, Final

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from app.cli.connection import connected
from app.cli.screen import plain
from app.core.enums import SearchMode

MEASURES: Final = {"hit_1": "page hit@1", "hit_5": "page hit@5", "hit_10": "page hit@10", "mrr": "MRR"}
SHOWN: Final = 10
Run = dict[str, Any]


async def run_golden(server: str | None, key: str | None, user: str | None) -> Run:
    """Raises the AppError that the service answered with."""
    async with connected(server, key, user) as connection:
        run: Run = await connection.ask("POST", "/golden/run")
        return run


def show_golden(run: Run) -> int:
    """Prints the run. Gives how many pages are not among the first ten any more."""
    console = Console(highlight=False)
    modes = list(run["quality"])
    table = Table(title=f"{len(run['items'])} golden questions", box=SIMPLE, title_justify="left")
    table.add_column("measure")
    for mode in modes:
        table.add_column(mode, justify="right")
    for measure, title in MEASURES.items():
        table.add_row(title, *(_changed(run, mode, measure) for mode in modes))
    console.print(table)
    if run["before"] is None:
        console.print("The first run: there is nothing to compare it with.")
    lost = _differences(console, run, SearchMode.HYBRID if SearchMode.HYBRID in modes else SearchMode.TEXT)
    missing = sorted({item["file_name"] for item in run["items"] if item["missing"]})
    if missing:
        console.print(plain(f"Not there any more: {', '.join(missing)}"))
    return lost


def _changed(run: Run, mode: str, measure: str) -> str:
    """The figure, and by how much it differs from that of the run before."""
    now = run["quality"][mode][measure]
    before = run["before"]
    if before is None or run["compared"] != len(run["items"]):
        return f"{now:.4f}"
    change = now - before[mode][measure]
    return f"{now:.4f} ({change:+.4f})" if change else f"{now:.4f} (=)"


def _differences(console: Console, run: Run, mode: str) -> int:
    table = Table(title=f"Changed ranks ({mode})", box=SIMPLE, title_justify="left")
    for column in ("question", "document", "page", "before", "now"):
        table.add_column(column, overflow="fold", justify="right" if column in {"page", "before", "now"} else "left")
    lost = 0
    for item in run["items"]:
        now, before = item["ranks"][mode], (item["before"] or {}).get(mode)
        if item["before"] is None or now == before:
            continue
        lost += before is not None and before <= SHOWN and (now is None or now > SHOWN)
        cells = (item["question"], item["file_name"], str(item["page"]), _rank(before), _rank(now))
        table.add_row(*map(plain, cells))
    if table.row_count:
        console.print(table)
    return lost


def _rank(rank: int | None) -> str:
    return "-" if rank is None else str(rank)
