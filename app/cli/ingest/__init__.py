"""`llama-service ingest`: documents by a list, by folder or one by one, into the data folder or over HTTP."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from app.core.errors import AppError
from app.core.registry import Registry

INTERRUPTED = 130  # as shells count a command that Ctrl+C ended


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be ingested, and where to. `server` None: into the data folder, for `user`."""

    targets: tuple[str, ...]
    server: str | None
    key: str | None
    user: str | None
    json: Path | None


# Behind a table, since the whole service comes with it: usage is checked and help shown without.
INGEST: Registry[Callable[[Order], Coroutine[None, None, bool]]] = Registry(
    "ingestion", {"all": "app.cli.ingest.running:ingest"}
)


def ingest(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET...",
            help="A list of documents (.yaml, see config/ingest/example.yaml), a file, a folder with all that is in "
            "it, an http(s):// address or an s3://BUCKET/KEY.",
        ),
    ],
    server: Annotated[
        str | None,
        typer.Option(help="The address of a running service, such as http://127.0.0.1:8000. [default: DATA_DIR]"),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(envvar="LLAMA_SERVICE_KEY", help="An API key of that service with the scope files."),
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="Whose documents they are, without --server; ADMIN_USERNAME by default.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write what became of each to this file, too.")] = None,
) -> None:
    """Bring documents in, with tags for each and for ranges of pages, and wait until they can be searched.

    Again: what has not changed is left alone, and what has takes the place of its former self.

    Ends with 0 when every document is ready, 1 when one failed, 2 for a list or an option that cannot be used.
    """
    if server is not None and not key:
        raise typer.BadParameter("--server needs --key: make one with `llama-service admin key --scope files ...`")
    if server is not None and user is not None:
        raise typer.BadParameter("--user is for the data folder: with --server the key says whose documents they are")
    try:
        done = asyncio.run(INGEST.get("all")(Order(tuple(targets), server, key, user, json)))
    except AppError as error:
        typer.echo(f"Error: {error.message}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.echo("Stopped. What was accepted is kept; run it again to go on.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(0 if done else 1)
