"""Tables as text: what separates their cells, whether quotes count, and whether the first row names the columns."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

DELIMITERS = ",;\t|"
SAMPLE_ROWS = 200
CAPTION_ROWS = 10
MAX_FIELD_CHARS = 1 << 17
NUMBER = re.compile(r"[-+(]?[$€£¥]?\s?\d[\d.,' \s]*%?\)?")
YEAR = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True, slots=True)
class Dialect:
    delimiter: str
    quoted: bool = True

    def rows(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Raises csv.Error when a quote is never closed."""
        csv.field_size_limit(MAX_FIELD_CHARS if self.quoted else 1 << 30)
        if self.quoted:
            return iter(csv.reader(lines, delimiter=self.delimiter, skipinitialspace=True))
        return iter(csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE))


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table begins: lines before it, the names of its columns, and how many rows of the file that were."""

    caption: str
    names: list[str]
    skipped: int


def find_dialect(sample: str, *, preferred: str = DELIMITERS) -> Dialect:
    """The delimiter that cuts the rows of `sample` into the same number of cells, the more the better."""
    if declared := re.match(r'\s*"?sep=(.)"?\s*$', sample.partition("\n")[0]):
        return Dialect(declared[1])
    best, best_score = Dialect(preferred[0]), 0.0
    for delimiter in preferred:
        dialect = Dialect(delimiter)
        score = _score(dialect, sample)
        if score > best_score:
            best, best_score = dialect, score
    return best


def find_layout(rows: Sequence[list[str]]) -> Layout:
    """Of the first rows of a table."""
    widths = Counter(len(row) for row in rows if len(row) > 1)
    width = widths.most_common(1)[0][0] if widths else 1
    captions: list[str] = []
    start = 0
    while start < min(len(rows), CAPTION_ROWS) and _precedes(rows[start], width):
        captions += [] if rows[start][0].startswith("sep=") else [cell.strip() for cell in rows[start] if cell.strip()]
        start += 1
    if start == len(rows):
        return Layout("\n".join(captions), [], start)
    first, rest = rows[start], rows[start + 1 :]
    if _has_names(first, rest):
        return Layout("\n".join(captions), first + [""] * (width - len(first)), start + 1)
    return Layout("\n".join(captions), [f"Column {number + 1}" for number in range(max(width, len(first)))], start)


def _precedes(row: Sequence[str], width: int) -> bool:
    """Whether a row stands before the table: one cell where the others have several."""
    filled = sum(1 for cell in row if cell.strip())
    return row[0].startswith("sep=") or (filled <= 1 < width and (width > 2 or len(row) < width))


def _score(dialect: Dialect, sample: str) -> float:
    try:
        rows = [row for row in islice(dialect.rows(sample.splitlines(keepends=True)), SAMPLE_ROWS) if row]
    except csv.Error:
        rows = []
    widths = Counter(len(row) for row in rows[:-1] or rows)  # the last one may be cut
    if not widths:
        return 0
    width, count = max(widths.items(), key=lambda item: (item[1] * (item[0] > 1), item[0]))
    return count / widths.total() + min(width, 50) / 1000 if width > 1 else 0


def _has_names(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Unless the first row has numbers, other than years, where all others have some."""
    votes = 0
    for column, name in enumerate(first):
        values = [row[column].strip() for row in rest if column < len(row) and row[column].strip()]
        if values and all(NUMBER.fullmatch(value) for value in values):
            votes += -1 if NUMBER.fullmatch(name.strip()) and not YEAR.fullmatch(name.strip()) else 1
    return votes >= 0
