"""Tables as Markdown: a header row, a line of dashes, and a line for each row. Every loader writes them like this."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

MAX_COLUMNS = 500
MAX_SPAN_ROWS = 1000
REPEATED_CHARS = 100  # what spans several rows is said again in each of them when it is short


@dataclass(frozen=True, slots=True)
class Cell:
    """`columns` and `rows` that it spans; `heads`: it names what stands below it; `goes_on`: it belongs to the one
    above."""

    text: str
    columns: int = 1
    rows: int = 1
    heads: bool = False
    goes_on: bool = False


@dataclass(slots=True)
class Grid:
    """Rows of cells as a reader meets them; `lines` makes a plain table of them."""

    rows: list[list[Cell]] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Header rows that stand above each other become one: `TEDs` over `simple` is `TEDs simple`.

        One name over all columns is a caption, a line before the table.
        """
        plain, captions = _without_blank_columns(list(self._plain())), list[str]()
        heads = 0
        while heads < len(plain) - 1 and all(cell.heads for cell in self.rows[heads]):
            heads += 1
        while heads > 1 and len(plain[0]) > 1 and len(set(plain[0])) == 1:
            captions += [" ".join(plain.pop(0)[0].split()), ""]
            heads -= 1
        if heads > 1:
            columns = range(max(map(len, plain[:heads])))
            merged = [_distinct(row[column] for row in plain[:heads] if column < len(row)) for column in columns]
            plain[:heads] = [merged]
        lines = list(table_lines(plain))
        return [*captions, *(lines if len(lines) > 2 else lines[:1])]  # one row alone has no header

    def _plain(self) -> Iterator[list[str]]:
        """Cells in their columns: below one that spans rows its text is repeated, beside it are blanks."""
        held: dict[int, tuple[int, str]] = {}
        above: list[str] = []
        for row in self.rows:
            out: list[str] = []
            for cell in row:
                _take_held(out, held)
                cell = _from_above(cell, above[len(out) :]) if cell.goes_on else cell
                for number in range(min(cell.columns, MAX_COLUMNS - len(out))):
                    text = cell.text if number == 0 or cell.heads else ""
                    if cell.rows > 1:
                        held[len(out)] = min(cell.rows, MAX_SPAN_ROWS), text if len(text) <= REPEATED_CHARS else ""
                    out.append(text)
            _take_held(out, held)
            held = {column: (left - 1, text) for column, (left, text) in held.items() if left > 1}
            above = out
            yield out


def _from_above(cell: Cell, above: Sequence[str]) -> Cell:
    return replace(cell, text=above[0] if above and len(above[0]) <= REPEATED_CHARS else "")


def _without_blank_columns(rows: list[list[str]]) -> list[list[str]]:
    """Pages set columns apart with empty ones, and claim to span more than there are."""
    used = sorted({column for row in rows for column, text in enumerate(row) if text and not text.isspace()})
    return [[row[column] for column in used if column < len(row)] for row in rows]


def _take_held(out: list[str], held: dict[int, tuple[int, str]]) -> None:
    while (column := len(out)) in held and held[column][0] > 0:
        out.append(held[column][1])


def _distinct(names: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(name for name in names if name))


def table_lines(rows: Iterable[Sequence[str]], columns: int | None = None) -> Iterator[str]:
    """The first row is the header. Rows without any text are left out, short ones filled up to `columns`."""
    filled = (row for row in rows if any(cell and not cell.isspace() for cell in row))
    if columns is None:
        known = list(filled)
        return table_lines(known, max(map(len, known), default=0))
    return _lines(filled, columns)


def _lines(rows: Iterable[Sequence[str]], columns: int) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield row_line([*row, *[""] * (columns - len(row))])
        if number == 0:
            yield "|" + " --- |" * max(columns, len(row))


def row_line(cells: Sequence[str]) -> str:
    """One line; a bar inside a cell is written as Markdown has it. A form feed in a cell begins a page at its row."""
    line = " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return ("\f| " if any("\f" in cell for cell in cells) else "| ") + line + " |"
