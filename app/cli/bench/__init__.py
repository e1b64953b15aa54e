"""`llama-service bench`: what this checkout costs on this machine, as tables."""

import json
import os
import platform
import re
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer
import uvloop

from app import __version__
from app.cli.bench import ingest as ingest_bench
from app.cli.bench import relay as relay_bench
from app.cli.bench import start as start_bench
from app.cli.bench.ingest import Document
from app.cli.bench.subject import SERVE, split
from app.cli.bench.table import Table

Tables = Coroutine[None, None, list[Table]]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write the same figures to this file.", dir_okay=False)]
MAX_STREAMS: Final = 4000
DOCUMENT: Final = re.compile(r"(pdf|text)-([1-9]\d{0,3})")

app = typer.Typer(no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure what tokens, documents and a start cost, on services of its own.

    Each command starts a service on a free loopback port with a new data folder, loads it and prints a table.

    CPU seconds say most: other work on the machine hardly changes them. docs/benchmarks.md explains the figures.
    """


def _numbers(given: str) -> list[int]:
    parts = [part.strip() for part in given.split(",")]
    if not all(part.isdecimal() and 0 < int(part) <= MAX_STREAMS for part in parts):
        raise typer.BadParameter(f"{given!r} is not a list of numbers from 1 to {MAX_STREAMS} such as 1,64,256")
    return [int(part) for part in parts]


@app.command()
def relay(
    streams: Annotated[str, typer.Option(help="How many streams at once; one row for each.")] = "1,64,256,1000",
    tokens: Annotated[int, typer.Option(help="Tokens of a stream that is paced at 20 ms.", min=1)] = 200,
    fast_tokens: Annotated[int, typer.Option(help="Tokens of a stream without a pause.", min=1)] = 1000,
    json_path: JsonOption = None,
) -> None:
    """Stream answers of a fake model: CPU per token, delay added, chats at once, the conversation list."""
    plan = relay_bench.Plan(_numbers(streams), tokens, fast_tokens)
    _show("relay", relay_bench.relay(plan, _say), json_path)


@app.command()
def ingest(
    documents: Annotated[
        str, typer.Option(help="pdf-N: a PDF of N pages; text-N: a text of N megabytes.")
    ] = "pdf-100,pdf-600,text-9",
    streams: Annotated[int, typer.Option(help="Streams that run meanwhile.", min=0, max=MAX_STREAMS)] = 16,
    json_path: JsonOption = None,
) -> None:
    """Upload generated documents: CPU seconds by process, chunks per core-second, and what running streams feel."""
    _show("ingest", ingest_bench.ingest(_documents(documents), streams, _say), json_path)


@app.command()
def start(
    again: Annotated[int, typer.Option(help="How often to start again on the same data folder.", min=1)] = 3,
    command: Annotated[
        str | None, typer.Option(help="Measure this instead of `llama-service serve`, such as ./scripts/run.")
    ] = None,
    json_path: JsonOption = None,
) -> None:
    """Start, wait for the first healthy answer, weigh: before the first document and with all of it in use."""
    serve = split(command) if command else SERVE
    _show("start", start_bench.start(serve, again, _say), json_path)


def _documents(given: str) -> list[Document]:
    found = [DOCUMENT.fullmatch(part.strip()) for part in given.split(",")]
    if not all(found):
        raise typer.BadParameter(f"{given!r} is not a list such as pdf-100,text-9")
    return [Document(match[1], int(match[2])) for match in found if match]


def _say(what: str) -> None:
    typer.echo(f"... {what}", err=True)


def _show(name: str, measuring: Tables, json_path: Path | None) -> None:
    """Print the tables. Exits with 1 when something was lost or failed, whatever it cost."""
    if not sys.platform.startswith("linux"):
        raise typer.BadParameter("benchmarks read /proc and need Linux")
    try:
        tables = uvloop.run(measuring)
    except (OSError, httpx.HTTPError) as error:  # a timeout is one, too
        typer.echo(f"The measurement failed: {error!r}", err=True)
        raise typer.Exit(1) from None
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    typer.echo(f"llama-service {__version__}, {name}; {machine}\n")
    typer.echo("\n\n".join(table.text() for table in tables))
    if json_path is not None:
        found = {"bench": name, "version": __version__, "machine": machine, "tables": [t.plain() for t in tables]}
        json_path.write_text(json.dumps(found, indent=1) + "\n")
    if any(table.faults for table in tables):
        raise typer.Exit(1)
