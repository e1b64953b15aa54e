"""`llama-service eval`."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import msgspec
import typer
from pydantic import TypeAdapter, ValidationError
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.core.enums import SearchMode
from app.core.errors import AppError, ValidationFailed
from app.core.setting_types import DatabaseUrl
from app.core.settings import DocumentSettings, Settings
from app.db.migrations import migrate
from app.db.session import Database
from app.observability import logging
from app.rag import evaluation
from app.rag.embedders.minilm import MiniLM
from app.rag.embedders.provider import ProviderEmbedder
from app.rag.evaluation import Collection, Quality
from app.rag.trial import Splitting, Trial
from app.rag.vectors import ChromaProcess
from app.services.index_writer import UNLIMITED_TOKENS
from app.services.llm.configured import build_pool
from app.services.llm.embedders import build_embedder

Qualities = Mapping[SearchMode, Quality]
MODES = (SearchMode.TEXT, SearchMode.DENSE, SearchMode.HYBRID)
MEASURES = {"ndcg_10": "nDCG@10", "recall_10": "Recall@10", "recall_100": "Recall@100"}
app = typer.Typer(no_args_is_help=True)


class Report(msgspec.Struct, frozen=True):
    """What `--json` writes: collection -> mode -> measures, and their means."""

    embedder: str | None
    collections: dict[str, dict[SearchMode, Quality]]
    mean: dict[SearchMode, Quality]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What all collections are tried with."""

    documents: DocumentSettings
    embedder: MiniLM | ProviderEmbedder | None
    database_url: str | None
    progress: Progress


@app.callback()
def describe() -> None:
    """Measure quality on question sets."""


@app.command()
def retrieval(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="A collection (corpus.jsonl, queries.jsonl, qrels.tsv), or a folder of collections."
        ),
    ],
    json: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file, too.")] = None,
    database_url: Annotated[
        str | None,
        typer.Option(help="The database to try it on, such as postgresql://...; a temporary SQLite file by default."),
    ] = None,
) -> None:
    """Show how well search by words, by meaning and by both finds what it should, in the BEIR layout.

    By meaning with the embedder of EMBEDDING_SOURCE, else the built-in one.
    """
    logging.configure("WARNING", "text")
    try:
        report = asyncio.run(_measure(folder, _checked(database_url)))
    except AppError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    if report.embedder is None:
        typer.echo("No embedding model is installed: search by words alone.", err=True)
    Console().print(*_tables(report))
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")


def _checked(database_url: str | None) -> str | None:
    try:
        return TypeAdapter(DatabaseUrl | None).validate_python(database_url)
    except ValidationError:
        raise ValidationFailed(
            f"--database-url {database_url!r} cannot be used: give postgresql://user:password@host:port/name"
        ) from None


async def _measure(folder: Path, database_url: str | None) -> Report:
    found: dict[str, dict[SearchMode, Quality]] = {}
    collections = [evaluation.load(path) for path in evaluation.collections(folder)]
    settings = Settings.load()
    async with AsyncExitStack() as stack:
        embedder = _embedder(stack, settings)
        fingerprint = await embedder.identify() if embedder else None
        progress = stack.enter_context(_progress())
        attempt = Attempt(settings.documents, embedder, database_url, progress)
        for collection in collections:
            found[collection.name] = await _try(collection, attempt)
    modes = found[collections[0].name]
    mean = {mode: evaluation.mean([qualities[mode] for qualities in found.values()]) for mode in modes}
    return Report(fingerprint, found, mean)


def _embedder(stack: AsyncExitStack, settings: Settings) -> MiniLM | ProviderEmbedder | None:
    pool = build_pool(settings)
    stack.push_async_callback(pool.aclose)
    embedder = build_embedder(settings.llm, pool) or (MiniLM() if MiniLM.available() else None)
    if embedder is not None:
        stack.push_async_callback(embedder.aclose)
    return embedder


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


async def _try(collection: Collection, attempt: Attempt) -> dict[SearchMode, Quality]:
    documents, embedder, database_url = attempt.documents, attempt.embedder, attempt.database_url
    async with AsyncExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="llama-service-eval-")))
        url = database_url or f"sqlite+aiosqlite:///{scratch / 'rows.db'}"
        await migrate(url)
        db = Database(url)
        stack.push_async_callback(db.aclose)
        vectors = ChromaProcess(scratch / "vectors", prefix="trial")
        stack.push_async_callback(vectors.aclose)
        max_tokens = embedder.max_tokens if embedder else UNLIMITED_TOKENS
        splitting = Splitting(documents.chunk_size, documents.chunk_overlap, embedder, max_tokens)
        trial = Trial(db, embedder=embedder, vectors=vectors, splitting=splitting)
        stack.push_async_callback(trial.forget)
        return await _rank(trial, collection, attempt.progress, MODES if embedder else (SearchMode.TEXT,))


async def _rank(
    trial: Trial, collection: Collection, progress: Progress, modes: tuple[SearchMode, ...]
) -> dict[SearchMode, Quality]:
    indexing = progress.add_task(f"{collection.name}: documents", total=len(collection.documents))
    async for done in trial.index(collection):
        progress.update(indexing, completed=done)
    queries = collection.judged
    searching = progress.add_task(f"{collection.name}: questions", total=len(queries))
    rankings: dict[SearchMode, dict[str, list[str]]] = {mode: {} for mode in modes}
    for query in queries:
        for mode in modes:
            rankings[mode][query.id] = await trial.rank(collection, query.text, mode)
        progress.advance(searching)
    return {mode: evaluation.quality(ranking, collection.grades) for mode, ranking in rankings.items()}


def _tables(report: Report) -> Iterator[Table]:
    """One for each measure, narrow enough for any terminal."""
    width = max(len(name) for name in [*report.collections, "collection"])
    for measure, title in MEASURES.items():
        table = Table(title=title, box=SIMPLE, title_justify="left")
        table.add_column("collection", min_width=width, overflow="fold")
        for mode in report.mean:
            table.add_column(mode, justify="right", min_width=6)
        for name, qualities in report.collections.items():
            table.add_row(name, *_cells(qualities, measure))
        table.add_section()
        table.add_row("mean", *_cells(report.mean, measure))
        yield table


def _cells(qualities: Qualities, measure: str) -> list[str]:
    return [f"{getattr(quality, measure):.4f}" for quality in qualities.values()]
