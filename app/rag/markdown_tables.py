"""Finds the tables of a text and what a row of them needs said before it: the header, and the caption above."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

CAPTION_CHARS = 120
CONTEXT_CHARS = 600
SHORTER = (40, 20)  # what long names of columns are cut to, until all fit
# A line of dashes under a line of names, as readers/tables.py and Markdown write them.
DASHES = re.compile(r"^[ \t]*+\|?[ \t]*+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+\|?[ \t]*+$", re.MULTILINE)
BAR = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a text: its header starts at `start`, its rows at `body`; it ends at `end`.

    A table that goes on from the page before has its header there: `start` and `body` are where its rows start.
    """

    start: int
    body: int
    end: int
    names: tuple[str, ...]
    caption: str

    def context(self, text: str, position: int, fits: Callable[[str], bool]) -> str:
        """What a passage from `position` of `text` on lacks: the caption and, in the rows, the names of its columns.

        Long names are shortened and the last ones left out until it `fits`.
        """
        names = self.names[self._column(text, position) :] if position >= self.body else ()
        for caption in (self.caption, "") if self.caption else ("",):
            for longest in (CAPTION_CHARS * 2, *SHORTER):
                said = _said(caption, [_cut(name, longest) for name in names])
                if len(said) <= CONTEXT_CHARS and fits(said):
                    return said
        shortest = [_cut(name, SHORTER[-1]) for name in names[:CONTEXT_CHARS]]
        while shortest := shortest[: len(shortest) * 3 // 4]:
            if len(said := _said("", shortest)) <= CONTEXT_CHARS and fits(said):
                return said
        return ""

    def _column(self, text: str, position: int) -> int:
        """The number of the column in which `position` is: a long row may be cut."""
        row = max(text.rfind("\n", self.start, position) + 1, self.start)
        bars = len(BAR.findall(text, row, position + 1)) - text[row : position + 1].lstrip().startswith("|")
        return max(0, min(bars, len(self.names) - 1))


def find_tables(text: str, before: Table | None = None) -> list[Table]:
    """In order. `before` is the table with which the page before ended: rows at the start of `text` are its own."""
    found: list[Table] = []
    if before is not None and (goes_on := _continued(text, before)) is not None:
        found.append(goes_on)
    if "|" not in text:
        return found
    for dashes in DASHES.finditer(text):
        table = _table(text, dashes, found[-1].end if found else 0)
        if table is not None:
            found.append(table)
    return found


def last_table(text: str, tables: Sequence[Table]) -> Table | None:
    """The table with which `text` ends."""
    return tables[-1] if tables and not text[tables[-1].end :].strip() else None


def _table(text: str, dashes: re.Match[str], free_from: int) -> Table | None:
    """None when the line above is no header for these dashes, or belongs to the table before."""
    stop = dashes.start() - 1
    start = text.rfind("\n", 0, max(stop, 0)) + 1
    header = text[start : max(stop, 0)]
    if start < free_from or stop <= 0 or "|" not in header or not header.strip(" |\t"):
        return None
    names = _cells(header)
    if len(_cells(dashes[0])) != len(names):
        return None
    return Table(start, dashes.end(), _rows_end(text, dashes.end()), names, _caption(text, free_from, start))


def _continued(text: str, before: Table) -> Table | None:
    start = len(text) - len(text.lstrip())
    line = text[start:].partition("\n")[0].rstrip()
    following = text[start + len(line) :].lstrip().partition("\n")[0]
    if not (line.startswith("|") and line.endswith("|")) or DASHES.fullmatch(following):
        return None
    if len(_cells(line)) != len(before.names):
        return None
    return Table(start, start, _rows_end(text, start - 1), before.names, before.caption)


def _rows_end(text: str, position: int) -> int:
    """The end of the last of the lines with a bar that follow."""
    while position < len(text):
        stop = text.find("\n", position + 1)
        stop = len(text) if stop < 0 else stop
        if text.find("|", position + 1, stop) < 0:
            break
        position = stop
    return max(position, 0)


def _cells(line: str) -> tuple[str, ...]:
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return tuple(cell.strip().replace("\\|", "|") for cell in BAR.split(inner))


def _caption(text: str, free_from: int, start: int) -> str:
    """The paragraph above when it is one short line, as headings and captions are."""
    lines = text[max(free_from, start - 2 * CAPTION_CHARS) : start].rstrip().split("\n")
    line = lines[-1].strip()
    alone = len(lines) < 2 or not lines[-2].strip() or line.startswith("#")
    return line if alone and 0 < len(line) <= CAPTION_CHARS and not _opens_item(line) else ""


def _opens_item(line: str) -> bool:
    return line.startswith(("|", "- ", "* ", "+ ", "```"))


def _said(caption: str, names: Sequence[str]) -> str:
    row = "| " + " | ".join(name.replace("|", "\\|") for name in names) + " |" if any(names) else ""
    return "\n".join(filter(None, (caption, row)))


def _cut(name: str, longest: int) -> str:
    return name if len(name) <= longest else name[: longest - 1].rstrip() + "…"
