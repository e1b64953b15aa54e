"""The command line. Only the module of the command that is asked for is imported, so that `serve` starts fast."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from app import __version__
from app.core.errors import CannotStart
from app.core.registry import Registry

COMMANDS: Registry[Callable[..., None] | typer.Typer] = Registry(
    "command",
    {
        "serve": "app.cli.serve:serve",
        "ask": "app.cli.ask:ask",
        "ingest": "app.cli.ingest:ingest",
        "models": "app.cli.models:app",
        "admin": "app.cli.admin:app",
        "bench": "app.cli.bench:app",
        "doctor": "app.cli.doctor:doctor",
        "eval": "app.cli.evaluate:app",
    },
)


def main() -> None:
    """The entry point of `llama-service`. A start that is refused prints one sentence and exits with 2."""
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        build([asked] if asked in COMMANDS.entries else list(COMMANDS.entries))(prog_name="llama-service")
    except CannotStart as error:
        typer.echo(str(error), err=True)
        raise SystemExit(2) from None


def build(names: list[str]) -> typer.Typer:
    """A typer app with these commands."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(describe)
    for name in names:
        command = COMMANDS.get(name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"llama-service {__version__}")
        raise typer.Exit


def describe(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Your team's own ChatGPT over its own documents.

    Settings come from the environment and from .env; config/.env.example lists them all.
    """
