"""`llama-service models`: the GGUF files of this machine, fetched, listed and removed, beside a service too."""

import asyncio
import os
import time
from collections.abc import Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from app.cli.screen import CONTROLS
from app.core.enums import PullState
from app.core.errors import AppError
from app.core.settings import Settings
from app.services.llm.configured import build_pool
from app.services.llm.store import base
from app.services.llm.store.folder import ModelFolder
from app.services.llm.store.room import megabytes
from app.services.llm.store.store import Store
from app.services.models import AddressState, Models, SourceStatus

T = TypeVar("T")
INTERRUPTED: Final = 130  # as shells count a command that Ctrl+C ended
LINE_EVERY_S: Final = 10.0
WORDS: Final = {PullState.DOWNLOADING: "downloading", PullState.VERIFYING: "verifying"}
app = typer.Typer(no_args_is_help=True)


@app.callback()
def models() -> None:
    """Look after the GGUF models of this machine, and see how every source of models does."""


@app.command()
def pull(
    address: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="OWNER/REPO[@REVISION][:FILE] of the hub, s3://BUCKET/KEY, gs://, az://, or a file's path. "
            "FILE may be a quantization such as Q8_0; without it, Q4_K_M or the next best is taken.",
        ),
    ],
) -> None:
    """Fetch a model into LOCAL_MODEL_PATH or DATA_DIR/models. Again after an interruption: it goes on."""
    where = _absolute(address)
    try:
        _run(_pull(Settings.load(), where))
    except KeyboardInterrupt:
        typer.echo(f"\nInterrupted. What was fetched is kept; go on with: llama-service models pull {where}", err=True)
        raise typer.Exit(INTERRUPTED) from None


@app.command("list")
def list_models() -> None:
    """Show the models that are here, and pulls that were not finished."""
    folder = _folder(Settings.load())
    table = Table(box=None, pad_edge=False)
    for column in ("Name", "Size", "From", "Modified"):
        table.add_column(column, justify="right" if column == "Size" else "left", overflow="fold")
    for model in folder.files():
        source = model.origin.address if model.origin else str(model.path)
        table.add_row(
            _clean(model.name), megabytes(model.size_bytes), _clean(source), f"{model.modified:%Y-%m-%d %H:%M}"
        )
    for part in folder.unfinished():
        done = f"{megabytes(part.bytes_done)} of {megabytes(part.bytes_total)}"
        table.add_row(_clean(part.name), done, _clean(part.address), "not finished")
    if table.row_count:
        Console(highlight=False, markup=False).print(table)
    else:
        typer.echo(f"There are no models in {folder.path}; fetch one with: llama-service models pull OWNER/REPO")


@app.command()
def rm(name: Annotated[str, typer.Argument(help="As `models list` shows it.")]) -> None:
    """Remove a model's files, and what an unfinished pull of it has left."""
    _run(_folder(Settings.load()).remove(name))
    typer.echo(f"Removed {name}.")


@app.command()
def status() -> None:
    """Ask every source of models: whether it answers, how fast, with how many models, and its last error."""
    states = _run(_states(Settings.load()))
    table = Table(box=None, pad_edge=False)
    for column in ("Source", "State", "Answers in", "Models", "Default model"):
        table.add_column(column, justify="right" if column in {"Answers in", "Models"} else "left", overflow="fold")
    for name, state in states.items():
        table.add_row(*_row(name + (" *" if state.is_default else ""), state))
        for address in state.addresses if len(state.addresses) > 1 else ():
            table.add_row(*_row(f"  {address.address}", address))
    Console(highlight=False, markup=False).print(table)
    for name, state in states.items():
        errors = [address.last_error for address in state.addresses] + [state.last_error]
        for error in dict.fromkeys(filter(None, errors)):
            typer.echo(f"{name}: {_clean(error)}")
    typer.echo("* answers when a request names no source")


def _row(name: str, state: SourceStatus | AddressState) -> tuple[str, ...]:
    whole = state if isinstance(state, SourceStatus) else None
    word = "reachable" if state.reachable else "unreachable" if whole is None or whole.configured else "not configured"
    latency = "-" if state.latency_ms is None else f"{state.latency_ms:.0f} ms"
    return name, word, latency, str(whole.models) if whole else "", _clean((whole and whole.default_model) or "")


async def _states(settings: Settings) -> dict[str, SourceStatus]:
    pool = build_pool(settings, _folder(settings))
    try:
        return await Models(pool).status()
    finally:
        await pool.aclose()


async def _pull(settings: Settings, address: str) -> None:
    store = Store.within(settings.storage.data_dir, settings.model_files)
    try:
        found = await store.find(address)
        chosen = " (chosen by its quantization)" if found.chosen else ""
        typer.echo(f"{_clean(found.address)}, {megabytes(found.size_bytes)}{chosen}", err=True)
        with Shown(found.name) as shown:
            async with aclosing(store.pull(found)) as steps:
                async for step in steps:
                    shown.step(step)
        typer.echo(f"Model {found.name} is ready: {store.folder.get(found.name).path}")
    finally:
        await store.aclose()


class Shown:
    """Progress on standard error: a bar on a terminal, elsewhere a line every ten seconds and at each tenth."""

    def __init__(self, name: str) -> None:
        console = Console(stderr=True, highlight=False)
        self._name = name
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._state: PullState | None = None
        self._tenth = 0
        self._at = 0.0

    def __enter__(self) -> "Shown":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, step: base.Progress) -> None:
        if step.note is not None:
            self._bar.console.print(step.note.translate(CONTROLS), markup=False, soft_wrap=True)
        if self._bar.disable:
            self._line(step)
        elif step.state in WORDS:
            self._draw(step)

    def _draw(self, step: base.Progress) -> None:
        if step.state != self._state or self._task is None:  # a bar for each state: its speed is its own
            if self._task is not None:
                self._bar.remove_task(self._task)
            words = f"{self._name} {WORDS[step.state]}"
            self._task = self._bar.add_task(words, total=step.bytes_total, completed=step.bytes_done)
            self._state = step.state
        self._bar.update(self._task, completed=step.bytes_done)

    def _line(self, step: base.Progress) -> None:
        tenth, now = int((step.fraction or 0) * 10), time.monotonic()
        if step.state not in WORDS or (
            step.state == self._state and tenth == self._tenth and now - self._at < LINE_EVERY_S
        ):
            return
        self._state, self._tenth, self._at = step.state, tenth, now
        done = f"{step.bytes_done:,} of {step.bytes_total:,} bytes"
        typer.echo(f"{self._name}: {WORDS[step.state]}, {100 * (step.fraction or 0):.0f} % ({done})", err=True)


def _folder(settings: Settings) -> ModelFolder:
    return ModelFolder(settings.model_files, settings.storage.data_dir)


def _absolute(address: str) -> str:
    """A path from here on, if it is one. `OWNER/REPO` is none, unless there is such a file."""
    path = Path(address).expanduser()
    looks_so = address.startswith(("./", "../", "~")) or path.is_file()
    return os.path.abspath(path) if looks_so and "://" not in address else address  # noqa: PTH100 - keeps symlinks


def _clean(text: str) -> str:
    return text.translate(CONTROLS)


def _run(work: Coroutine[None, None, T]) -> T:
    """Refusals are one sentence and exit code 1."""
    try:
        return asyncio.run(work)
    except AppError as error:
        typer.echo(error.message.translate(CONTROLS), err=True)
        raise typer.Exit(1) from None
