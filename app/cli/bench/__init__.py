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
from app.cli.bench import faults as faults_bench
from app.cli.bench import gguf as gguf_bench
from app.cli.bench import ingest as ingest_bench
from app.cli.bench import kills as kills_bench
from app.cli.bench import relay as relay_bench
from app.cli.bench import search as search_bench
from app.cli.bench import start as start_bench
from app.cli.bench import wire as wire_bench
from app.cli.bench.ingest import Document
from app.cli.bench.subject import SERVE, split
from app.cli.bench.table import Table
from app.core.errors import AppError
from app.services.llm.gguf.reader import BadFile

Tables = Coroutine[None, None, list[Table]]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write the same figures to this file.", dir_okay=False)]
MAX_STREAMS: Final = 4000
DOCUMENT: Final = re.compile(r"(pdf|text)-([1-9]\d{0,3})")

app = typer.Typer(no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure what tokens, documents, a start and a GGUF model cost.

    Most commands start a service on a free loopback port with a new data folder, load it and print a table.

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
def search(
    passages: Annotated[int, typer.Option(help="How many are stored in all.", min=10_000)] = 100_000,
    queries: Annotated[int, typer.Option(help="How many for each row.", min=1)] = 100,
    json_path: JsonOption = None,
) -> None:
    """Search one user's library among many: CPU per question by words, by meaning and by both."""
    _show("search", search_bench.search(passages, queries, _say), json_path)


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


@app.command()
def wire(
    streams: Annotated[str, typer.Option(help="How many streams at once; one row for each.")] = "1,16,64,256",
    tokens: Annotated[int, typer.Option(help="Tokens of a stream.", min=1)] = 1000,
    json_path: JsonOption = None,
) -> None:
    """Read answers by OpenAI's and Ollama's wire and do nothing with them: CPU per token."""
    _show("wire", wire_bench.wire(_numbers(streams), tokens, _say), json_path)


@app.command()
def faults(
    providers: Annotated[str, typer.Option(help=f"Kinds of servers: {', '.join(faults_bench.PROVIDERS)}.")] = ",".join(
        faults_bench.PROVIDERS
    ),
    json_path: JsonOption = None,
) -> None:
    """Break the connection to a model's server in eight ways at three moments: how each chat ends, and when."""
    chosen = [name.strip() for name in providers.split(",")]
    if unknown := [name for name in chosen if name not in faults_bench.PROVIDERS]:
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(faults_bench.PROVIDERS)}")
    _show("faults", faults_bench.faults(chosen, _say), json_path)


@app.command()
def kills(
    number: Annotated[int, typer.Option(help="How often the service is killed.", min=1, max=1000)] = 30,
    json_path: JsonOption = None,
) -> None:
    """Kill the service at random while it reads documents: every file must end ready, whole, nothing of it twice."""
    _show("kills", kills_bench.kills(number, _say), json_path)


@app.command()
def gguf(
    model: Annotated[Path, typer.Argument(help="The .gguf file of a chat model.", exists=True, dir_okay=False)],
    tokens: Annotated[int, typer.Option(help="Tokens of each answer.", min=1)] = 128,
    rounds: Annotated[int, typer.Option(help="How often each is measured.", min=1)] = 5,
    json_path: JsonOption = None,
) -> None:
    """Answer with a GGUF model: tokens per second against xllamacpp itself, what the event loop feels, and memory."""
    _show("gguf", gguf_bench.gguf(model, tokens, rounds, _say), json_path)


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
    except (AppError, BadFile) as error:
        typer.echo(f"The model cannot be measured: {error}", err=True)
        raise typer.Exit(1) from None
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    typer.echo(f"llama-service {__version__}, {name}; {machine}\n")
    typer.echo("\n\n".join(table.text() for table in tables))
    if json_path is not None:
        found = {"bench": name, "version": __version__, "machine": machine, "tables": [t.plain() for t in tables]}
        json_path.write_text(json.dumps(found, indent=1) + "\n")
    if any(table.faults for table in tables):
        raise typer.Exit(1)
