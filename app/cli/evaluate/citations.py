"""`llama-service eval citations`."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from app.rag.planted import FALSE, SEED, Planted, Quality, planted, quality


class CitationReport(msgspec.Struct, frozen=True):
    """What `--json` writes. Thresholds were chosen on facts that are not in `reported`."""

    seed: int
    reported: Quality
    tuning: Quality


def citations(
    *,
    rounds: Annotated[int, typer.Option(help="How often libraries are made up from the facts.", min=1, max=100)] = 2,
    seed: Annotated[int, typer.Option(help="Another seed makes another set.")] = SEED,
    json: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file, too.")] = None,
    wrong: Annotated[int, typer.Option(help="Show so many of those that were judged wrongly.", min=0)] = 0,
) -> None:
    """Show how well false citations are flagged, on a planted set of true and false ones in several languages."""
    reported, missed = quality(planted(tuning=False, rounds=rounds, seed=seed))
    tuning, _ = quality(planted(tuning=True, rounds=rounds, seed=seed))
    report = CitationReport(seed, reported, tuning)
    Console().print(*_tables(report))
    for case in missed[:wrong]:
        typer.echo(_described(case))
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")


def _tables(report: CitationReport) -> list[Table]:
    overall = Table(title="Flagging of false citations", box=SIMPLE, title_justify="left")
    for column in ("facts", "precision", "recall", "true ones flagged"):
        overall.add_column(column, justify="left" if column == "facts" else "right")
    for name, found in (("held back", report.reported), ("used for tuning", report.tuning)):
        overall.add_row(name, f"{found.precision:.4f}", f"{found.recall:.4f}", f"{found.false_alarms:.4f}")
    kinds = Table(title="By kind, of the facts held back", box=SIMPLE, title_justify="left")
    for column in ("kind", "is", "citations", "flagged"):
        kinds.add_column(column, justify="right" if column in {"citations", "flagged"} else "left")
    for kind, rate in sorted(report.reported.kinds.items(), key=lambda item: item[0] in FALSE):
        kinds.add_row(kind, "false" if kind in FALSE else "true", str(rate.citations), f"{rate.share:.4f}")
    languages = Table(title="True ones flagged, by language", box=SIMPLE, title_justify="left")
    for column in ("language", "citations", "flagged"):
        languages.add_column(column, justify="left" if column == "language" else "right")
    for language, rate in report.reported.languages.items():
        languages.add_row(language, str(rate.citations), f"{rate.share:.4f}")
    return [overall, kinds, languages]


def _described(case: Planted) -> str:
    passages = "\n".join(f"  [{source.n}] {source.text}" for source in case.sources)
    return f"{'true' if case.true else 'false'} ({case.kind}, {case.language}): {case.answer.strip()}\n{passages}\n"
