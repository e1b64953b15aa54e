"""What `ask` shows: the answer on standard output as it comes, progress on standard error if that is a terminal."""

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from app.core.enums import FileStatus

if TYPE_CHECKING:
    from app.db.models import File
    from app.schemas.chat import CitationChecked, Source

EXCERPT_CHARS: Final = 90
# Files and models are strangers: what they say must not move the cursor or colour the terminal.
CONTROLS: Final = dict.fromkeys([c for c in (*range(32), *range(127, 160)) if chr(c) not in "\n\t"])
WORDS: Final = {
    FileStatus.STORED: "waiting",
    FileStatus.PARSING: "reading",
    FileStatus.EMBEDDING: "indexing",
    FileStatus.INDEXING: "indexing",
}


class Screen:
    """One for each run of the command."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._at_line_start = True
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # an old terminal shows ? for what it does not know

    @contextmanager
    def waiting(self, why: str) -> Iterator[None]:
        """A spinner on a terminal, nothing elsewhere."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(f"{why} ..."):
            yield

    @contextmanager
    def bars(self) -> Iterator["Bars"]:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[step]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console, disable=not self._console.is_terminal) as progress:
            yield Bars(progress)

    def write(self, text: str) -> None:
        """The next piece of the answer."""
        clean = text.translate(CONTROLS)
        sys.stdout.write(clean)
        sys.stdout.flush()
        self._at_line_start = clean.endswith("\n") if clean else self._at_line_start

    def end_line(self) -> None:
        if not self._at_line_start:
            self.write("\n")

    def sources(self, sources: "Sequence[Source]") -> None:
        """The passages that the answer's numbers mean."""
        self.end_line()
        self.write("\nPassages:\n")
        for source in sources:
            pages = f"page {source.page_from}"
            if source.page_to != source.page_from:
                pages = f"pages {source.page_from}-{source.page_to}"
            self.write(f"[{source.n}] {source.file_name}, {pages}: {_excerpt(source.text)}\n")

    def doubts(self, doubts: "Sequence[CitationChecked]") -> None:
        """The citations that their passages do not support, each once."""
        self.write("\nNot found in the source:\n")
        for line in dict.fromkeys(f"[{checked.n}] {checked.reason}\n" for checked in doubts):
            self.write(line)

    def note(self, text: str) -> None:
        """A line on standard error."""
        self._console.print(text.translate(CONTROLS), markup=False, soft_wrap=True)


class Bars:
    """One bar for each file: pages while it is read, passages while it is indexed."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[UUID, TaskID] = {}

    def show(self, file: "File") -> None:
        if file.id not in self._tasks:
            self._tasks[file.id] = self._progress.add_task(file.name, total=None, step="")
        status = FileStatus(file.status)
        parsing = status in {FileStatus.STORED, FileStatus.PARSING}
        done, total = (file.pages_done, file.pages_total) if parsing else (file.chunks_done, file.chunks_total)
        counted = f" {'page' if parsing else 'passage'} {done} of {total}" if total else ""
        step = WORDS[status] + counted if status in WORDS else str(status)
        self._progress.update(self._tasks[file.id], completed=done, total=total, step=step)


def plain(text: str) -> str:
    """For a table: nothing in it is a control character or markup."""
    return text.translate(CONTROLS).replace("[", r"\[")


def _excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT_CHARS else line[:EXCERPT_CHARS].rsplit(" ", 1)[0] + " ..."
