"""`llama-service eval`: how good search and its parts are, on sets of questions whose answers are known."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from app.cli.evaluate import tables
from app.cli.evaluate.citations import citations
from app.cli.evaluate.golden import run_golden, show_golden
from app.cli.evaluate.sets import measure_collections, measure_documents
from app.core.errors import AppError, ValidationFailed
from app.core.setting_types import DatabaseUrl
from app.observability import logging

Json = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file, too.")]
DatabaseOption = Annotated[
    str | None,
    typer.Option(help="The database to try it on, such as postgresql://...; a temporary SQLite file by default."),
]
app = typer.Typer(no_args_is_help=True)


app.command()(citations)


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
    json: Json = None,
    database_url: DatabaseOption = None,
) -> None:
    """Show how well search by words, by meaning and by both finds what it should, in the BEIR layout.

    By meaning with the embedder of EMBEDDING_SOURCE, else the built-in one. Shows what a query and a chunk cost, too.
    """
    logging.configure("WARNING", "text")
    try:
        found = asyncio.run(measure_collections(folder, _checked(database_url)))
    except AppError as error:
        raise _refused(error) from None
    tables.show(found, json, hits_of="document")


@app.command()
def documents(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Documents of any type that can be read, and questions.jsonl beside them with a line for each "
            'question: {"_id": "q1", "text": "...", "file": "a.pdf", "pages": [3]}.',
        ),
    ],
    json: Json = None,
    database_url: DatabaseOption = None,
) -> None:
    """Show how often search finds the right page of the right document, after reading them as uploads are read.

    A page counts as found when a passage touches it. A document that cannot be read is named, and its questions miss.
    """
    logging.configure("WARNING", "text")
    try:
        found = asyncio.run(measure_documents(folder, _checked(database_url)))
    except AppError as error:
        raise _refused(error) from None
    tables.show(found, json, hits_of="page")


@app.command()
def golden(
    server: Annotated[
        str | None,
        typer.Option(help="The address of a running service, such as http://127.0.0.1:8000. [default: DATA_DIR]"),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(envvar="LLAMA_SERVICE_KEY", help="An API key of that service with the scope files."),
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="Whose questions, without --server; ADMIN_USERNAME by default.")
    ] = None,
    json: Json = None,
) -> None:
    """Ask a user's golden questions again, and compare where their right pages come now with the run before.

    Ends with 1 when a page that was among the first ten is not any more.
    """
    if server is not None and not key:
        raise typer.BadParameter("--server needs --key: make one with `llama-service admin key --scope files ...`")
    try:
        run = asyncio.run(run_golden(server, key, user))
    except AppError as error:
        raise _refused(error) from None
    lost = show_golden(run)
    if json is not None:
        tables.write(json, run)
    raise typer.Exit(1 if lost else 0)


def _refused(error: AppError) -> typer.Exit:
    typer.echo(str(error), err=True)
    return typer.Exit(2)


def _checked(database_url: str | None) -> str | None:
    try:
        return TypeAdapter(DatabaseUrl | None).validate_python(database_url)
    except ValidationError:
        raise ValidationFailed(
            f"--database-url {database_url!r} cannot be used: give postgresql://user:password@host:port/name"
        ) from None
