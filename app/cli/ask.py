"""`llama-service ask`: a question about files, answered in the terminal, without an account or a running service."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from app.cli.screen import Screen
from app.core.errors import AppError, UnknownName
from app.core.registry import Registry

INTERRUPTED = 130  # as shells count a command that Ctrl+C ended


@dataclass(frozen=True, slots=True)
class Question:
    """`files` empty: every file that was ever given. `model_source` and `model` None: the defaults."""

    text: str
    files: tuple[Path, ...]
    model_source: str | None
    model: str | None
    use_rag: bool


# Behind a table, since the whole service comes with it: usage is checked and help shown without.
ANSWER: Registry[Callable[[Question, Screen], Coroutine[None, None, None]]] = Registry(
    "answer", {"terminal": "app.cli.answer:answer"}
)


def _regular(files: list[Path] | None) -> list[Path]:
    for path in files or []:
        if not path.is_file():
            raise typer.BadParameter(f"{str(path)!r} is not a regular file")
    return files or []


def ask(
    question: Annotated[str, typer.Argument(help="What you want to know; - reads it from standard input.")],
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--file",
            "-f",
            help="Search this file; may be given again. Without it: every file that ask was ever given.",
            exists=True,
            readable=True,
            dir_okay=False,
            callback=_regular,
        ),
    ] = None,
    model_source: Annotated[str | None, typer.Option(help="Who answers; DEFAULT_MODEL_SOURCE by default.")] = None,
    model: Annotated[str | None, typer.Option(help="A model's name at that source.")] = None,
    *,
    no_rag: Annotated[bool, typer.Option("--no-rag", help="Search no files.")] = False,
) -> None:
    """Ask your documents from the terminal: no account, beside a running service or without one.

    Files are kept and indexed in DATA_DIR/cli: a second question about them is answered at once.

    The answer goes to standard output; progress and errors go to standard error.

    Ends with 0 after an answer, 1 when the model or a file failed, 2 for bad usage.
    """
    text = sys.stdin.read() if question == "-" else question
    if not text.strip():
        raise typer.BadParameter("the question is empty")
    if no_rag and files:
        raise typer.BadParameter("--no-rag searches no files: leave --file out")
    asked = Question(text, tuple(files or ()), model_source, model, use_rag=not no_rag)
    screen = Screen()
    try:
        with screen.waiting("starting"):
            answer = ANSWER.get("terminal")
        asyncio.run(answer(asked, screen))
    except AppError as error:
        screen.note(f"Error: {error.message}")
        raise typer.Exit(2 if isinstance(error, UnknownName) else 1) from None
    except KeyboardInterrupt:
        screen.note("Stopped.")
        raise typer.Exit(INTERRUPTED) from None
