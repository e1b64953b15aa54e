"""What `eval` prints: one table for each measure, narrow enough for any terminal."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from app.cli.evaluate.trying import Figures, Report
from app.core.enums import SearchMode
from app.rag.measures import Quality

QUALITIES: Final = {
    "ndcg_10": "nDCG@10",
    "recall_10": "Recall@10",
    "recall_100": "Recall@100",
    "mrr": "MRR",
}
HITS: Final = {"hit_1": "hit@1", "hit_5": "hit@5", "hit_10": "hit@10"}
COSTS: Final = {"p50_ms": "CPU ms per query, p50", "p95_ms": "CPU ms per query, p95"}
NO_EMBEDDER: Final = "No embedding model is installed: search by words alone."


def show(report: Report, json: Path | None, *, hits_of: str) -> None:
    """`hits_of` is what a hit touches: a page, a document."""
    if report.embedder is None:
        typer.echo(NO_EMBEDDER, err=True)
    Console().print(*_tables(report, hits_of))
    if json is not None:
        write(json, report)


def write(path: Path, what: object) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(what)) + b"\n")


def _tables(report: Report, hits_of: str) -> Iterator[Table]:
    names = {**QUALITIES, **{name: f"{hits_of} {title}" for name, title in HITS.items()}}
    for measure, title in names.items():
        rows = {name: figures.quality for name, figures in report.collections.items()}
        yield _table(title, report.mean, rows, _reader(measure, ".4f"), mean=report.mean)
    for measure, title in COSTS.items():
        costs = {name: figures.cost for name, figures in report.collections.items()}
        yield _table(title, report.mean, costs, _reader(measure, ".2f"))
    yield _sizes(report.collections)


def _reader(measure: str, form: str) -> Callable[[object], str]:
    return lambda figures: format(getattr(figures, measure), form)


def _table(
    title: str,
    modes: Mapping[SearchMode, object],
    rows: Mapping[str, Mapping[SearchMode, object]],
    cell: Callable[[object], str],
    *,
    mean: Mapping[SearchMode, Quality] | None = None,
) -> Table:
    table = Table(title=title, box=SIMPLE, title_justify="left")
    table.add_column("collection", min_width=max(len(name) for name in [*rows, "collection"]), overflow="fold")
    for mode in modes:
        table.add_column(mode, justify="right", min_width=6)
    for name, figures in rows.items():
        table.add_row(name, *_cells(figures.values(), cell))
    if mean is not None:
        table.add_section()
        table.add_row("mean", *_cells(mean.values(), cell))
    return table


def _cells(figures: Iterable[object], cell: Callable[[object], str]) -> list[str]:
    return [cell(each) for each in figures]


def _sizes(collections: Mapping[str, Figures]) -> Table:
    table = Table(title="Index", box=SIMPLE, title_justify="left")
    table.add_column("collection", overflow="fold")
    table.add_column("chunks", justify="right")
    table.add_column("chunks per core-second", justify="right")
    table.add_column("not read", overflow="fold")
    for name, figures in collections.items():
        unread = "; ".join(f"{file}: {reason}" for file, reason in figures.unread.items())
        table.add_row(name, f"{figures.chunks:,}", f"{figures.chunks_per_core_s:.1f}", unread)
    return table
