"""What `ingest` shows: progress on standard error, what became of each document on standard output."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from time import monotonic
from typing import Any, Final, Self

import msgspec
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.cli.ingest.plan import Document
from app.cli.screen import CONTROLS, WORDS, plain
from app.core.enums import FileStatus
from app.core.errors import AppError

LINE_EVERY_S: Final = 10.0
WIDTH: Final = 400
MAX_ROWS: Final = 1000  # of the table; all that failed are shown, and as many of the others


class Outcome(StrEnum):
    NEW = "new"
    REPLACED = "replaced"  # in the place of an earlier version
    TAGGED = "tagged"  # as before, with other tags
    RETRIED = "retried"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class Result(msgspec.Struct, frozen=True):
    """What became of one document. `pages_read` of `pages` have text."""

    document: str
    file_id: str | None
    state: str
    outcome: Outcome
    pages: int | None
    pages_read: int | None
    chunks: int | None
    seconds: float
    reason: str | None

    @classmethod
    def of(cls, shown: str, file: dict[str, Any], outcome: Outcome, seconds: float) -> Self:
        coverage = file.get("coverage") or {}
        pages = file["pages_total"]
        read = coverage["read"] + coverage["ocr"] if coverage else pages
        reason = file["error"]["message"] if file["error"] else _unread(coverage)
        return cls(
            shown, file["id"], file["status"], outcome, pages, read, file["chunks_total"], round(seconds, 2), reason
        )

    @classmethod
    def refused(cls, shown: str, file: dict[str, Any] | None, error: AppError, seconds: float) -> Self:
        file_id = file["id"] if file else None
        state, took = FileStatus.FAILED, round(seconds, 2)
        return cls(shown, file_id, state, Outcome.REFUSED, None, None, None, took, error.message)


def _unread(coverage: dict[str, Any]) -> str | None:
    said = [f"pages {each['pages']}: {each['reason']}" for each in coverage.get("reasons", [])]
    return "; ".join(said) or None


class Screen:
    """One for each run of the command."""

    def __init__(self, total: int) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[step]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._total, self._finished = total, 0
        self._began = self._said_at = monotonic()
        self._tasks: dict[str, TaskID] = {}

    @contextmanager
    def starting(self) -> Iterator[None]:
        if self._console.is_terminal:
            self._console.print("starting ...")
        yield

    @contextmanager
    def working(self) -> Iterator[None]:
        with self._progress:
            self._all = self._progress.add_task("documents", total=self._total, step="")
            yield

    def show(self, document: Document, file: dict[str, Any]) -> None:
        if document.source not in self._tasks:
            name = document.shown.translate(CONTROLS)
            self._tasks[document.source] = self._progress.add_task(name[-40:], total=None, step="")
        parsing = file["status"] in {FileStatus.STORED, FileStatus.PARSING}
        done, total = ("pages_done", "pages_total") if parsing else ("chunks_done", "chunks_total")
        step = WORDS.get(FileStatus(file["status"]), "")
        self._progress.update(self._tasks[document.source], completed=file[done], total=file[total], step=step)

    def forget(self, document: Document) -> None:
        if (task := self._tasks.pop(document.source, None)) is not None:
            self._progress.remove_task(task)

    def done(self, result: Result) -> None:
        self._finished += 1
        self._progress.update(self._all, completed=self._finished)
        now = monotonic()
        if not self._console.is_terminal and now - self._said_at > LINE_EVERY_S:
            self._said_at = now
            self._console.print(f"{self._finished} of {self._total} documents")

    def summary(self, results: Sequence[Result]) -> None:
        """The table, and one line with the sums."""
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=WIDTH)  # a line for each, for other programs
        table = Table(box=SIMPLE, pad_edge=False)
        table.add_column("document", overflow="fold")
        table.add_column("state")
        for column in ("pages", "chunks", "seconds"):
            table.add_column(column, justify="right")
        table.add_column("reason", overflow="fold")
        failed = [result for result in results if result.state != FileStatus.READY]
        shown = results if len(results) <= MAX_ROWS else [*failed, *results[:MAX_ROWS]]
        for result in shown:
            table.add_row(*map(plain, _cells(result)))
        console.print(table)
        console.print(self._sums(results, len(failed)), soft_wrap=True)

    def _sums(self, results: Sequence[Result], failed: int) -> str:
        outcomes = Counter(result.outcome for result in results if result.state == FileStatus.READY)
        parts = ", ".join(f"{count} {outcome}" for outcome in Outcome if (count := outcomes[outcome]))
        ready = f"{len(results) - failed} ready" + (f" ({parts})" if parts else "")
        return f"{len(results)} documents: {ready}, {failed} failed; {monotonic() - self._began:.1f} s"


def _cells(result: Result) -> tuple[str, str, str, str, str, str]:
    pages = "" if result.pages is None else str(result.pages)
    if result.pages_read is not None and result.pages_read != result.pages:
        pages = f"{result.pages_read} of {result.pages}"
    state = result.state if result.state != FileStatus.READY else f"{result.state}, {result.outcome}"
    chunks = "" if result.chunks is None else str(result.chunks)
    return result.document, state, pages, chunks, f"{result.seconds:.1f}", result.reason or ""
