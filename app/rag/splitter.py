"""Cuts the text of a file into passages: page by page, at headings and sentences."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from app.rag.base import PAGE_SEPARATOR, Chunk, Page, TokenLimit
from app.rag.markdown_tables import Table, find_tables, last_table
from app.rag.sentences import HEADING, TEXT, Unit, is_finished, units

SPLITTER_VERSION = "1"
TOKENIZED_CHARS = 4096  # a tokenizer's time and memory for one text are not linear in its length
TOKENIZED_TEXTS = 64
# Tokens of a part and of the whole may differ at the part's two ends: nearer to the limit the part itself is counted.
TOKEN_MARGIN = 4
SECTION_SHARE = 4  # a likely heading begins a chunk when the one before has a quarter of its size
CONTEXT_SHARE = 3  # what stands before a passage has at most a third of its tokens
BOUNDARIES = ("\n", " ", "\t", "。", "；", "，", "、")


def split(
    pages: Iterable[Page], *, size: int, overlap: int, limit: TokenLimit | None = None, max_tokens: int = 1 << 30
) -> list[Chunk]:
    """Chunks of at most `size` characters and, with a `limit`, `max_tokens` tokens. See Splitter."""
    splitter = Splitter(size=size, overlap=overlap, limit=limit, max_tokens=max_tokens)
    return [chunk for page in pages for chunk in splitter.feed(page)]


class Splitter:
    """Takes pages in order and gives the chunks of each. Holds one page's text, not the file's.

    For every chunk, `text == full[char_from:char_to]`, where `full` is all pages joined by a form feed. A chunk begins
    with the sentence before it when that has at most `overlap` characters, but not across a heading. It stays on its
    page, except that it may begin with the end of a sentence of the page before. One that begins inside a table has
    the table's header as its `context`, and the limit holds for both. Linear in time, deterministic.
    """

    def __init__(self, *, size: int, overlap: int, limit: TokenLimit | None, max_tokens: int) -> None:
        self._size = size
        self._overlap = overlap
        self._limit = limit
        self._max_tokens = max_tokens
        self._ordinal = 0
        self._offset = 0  # of the next page in the file
        self._tail = Page(0, "")  # the unfinished sentence at the end of the last page
        self._table: Table | None = None  # with which the last page ended

    def feed(self, page: Page) -> list[Chunk]:
        tail = self._tail if _continues(self._tail.text, page.text) else Page(0, "")
        text = tail.text + PAGE_SEPARATOR + page.text if tail.text else page.text
        body = len(text) - len(page.text)
        origin = self._offset - body
        tables = find_tables(text, self._table)
        measure = Measure(text, tables, self._size, self._limit, self._max_tokens)
        last: Unit | None = None
        chunks = []
        for held in self._packed(units(text, tables), measure):
            last = held[-1]
            start, end = held[0].start, last.end
            if end <= len(tail.text):
                continue  # too long to repeat whole: the page before has this part
            number = tail.number if start < body else page.number
            place = (number, page.number, origin + start, origin + end)
            chunks.append(Chunk(self._ordinal, *place, text[start:end], measure.context(start)))
            self._ordinal += 1
        self._offset += len(page.text) + 1
        self._tail = Page(page.number, self._unfinished(text, body, last))
        self._table = last_table(text, tables)
        return chunks

    def _packed(self, wholes: Iterable[Unit], measure: "Measure") -> Iterator[list[Unit]]:
        """The units of each chunk."""
        held: list[Unit] = []
        for unit in (piece for whole in wholes for piece in measure.pieces(whole)):
            if held and self._begins(held, unit):
                yield held
                held = []
            elif held and not measure.fits(held[0].start, unit.end):
                held, kept = self._close(held, unit, measure)
                yield held
                held = kept
            held.append(unit)
        if held:
            yield held

    def _begins(self, held: list[Unit], unit: Unit) -> bool:
        """Whether a heading begins a chunk. Headings in a row stay together."""
        if unit.kind == TEXT or all(before.kind != TEXT for before in held):
            return False
        return unit.kind == HEADING or held[-1].end - held[0].start >= self._size // SECTION_SHARE

    def _close(self, held: list[Unit], unit: Unit, measure: "Measure") -> tuple[list[Unit], list[Unit]]:
        """What the full chunk keeps, and what the next one begins with: headings at the end, else one sentence."""
        headings = len(list(takewhile(lambda before: before.kind != TEXT, reversed(held))))
        if 0 < headings < len(held) and measure.fits(held[-headings].start, unit.end):
            return held[:-headings], held[-headings:]
        last = held[-1]
        repeats = last.kind == TEXT == unit.kind and last.end - last.start <= self._overlap
        repeats = repeats and not measure.in_table(last.start) and measure.fits(last.start, unit.end)
        return held, [last] if repeats else []

    def _unfinished(self, text: str, body: int, last: Unit | None) -> str:
        if last is None or last.kind != TEXT or last.start < body or len(text) - last.start > self._overlap:
            return ""
        return "" if is_finished(text[last.start : last.end]) else text[last.start :]


def _continues(tail: str, text: str) -> bool:
    """Whether a page begins in the middle of the sentence `tail`: with a small letter, or in a script without any."""
    if not tail:
        return False
    first, last = text.lstrip()[:1], tail.rstrip()[-1:]
    return first.islower() or (_is_caseless(first) and _is_caseless(last))


def _is_caseless(letter: str) -> bool:
    return letter.isalpha() and letter.upper() == letter.lower()


class Measure:
    """What fits into a chunk: spans of one text in characters and, with what is said before them, tokens."""

    def __init__(
        self, text: str, tables: Sequence[Table], size: int, limit: TokenLimit | None, max_tokens: int
    ) -> None:
        self._text = text
        self._tables = tables
        self._starts = [table.start for table in tables]
        self._known = (-1, "", max_tokens)  # a start, its context, and the tokens that are left
        self._size = size
        self._limit = limit
        self._max_tokens = max_tokens
        self._ends = array("Q", self._token_ends(limit) if limit is not None else ())

    def fits(self, start: int, end: int) -> bool:
        if end - start > self._size:
            return False
        if self._limit is None:
            return True
        count = bisect_right(self._ends, end) - bisect_right(self._ends, start)
        room = self._room(start)
        if count + TOKEN_MARGIN <= room and not (self._in_word(start) or self._in_word(end)):
            return True
        return count <= room + TOKEN_MARGIN and len(self._tokens(start, end)) <= room

    def in_table(self, position: int) -> bool:
        return self._table(position) is not None

    def context(self, start: int) -> str:
        """What belongs before a chunk that begins at `start`: the header of its table."""
        return self._before(start)[1]

    def _room(self, start: int) -> int:
        return self._before(start)[2]

    def _before(self, start: int) -> tuple[int, str, int]:
        if self._known[0] != start:
            table = self._table(start)
            most = self._max_tokens // CONTEXT_SHARE
            said = table.context(self._text, start, lambda text: self._cost(text) <= most) if table else ""
            self._known = start, said, self._max_tokens - self._cost(said)
        return self._known

    def _cost(self, context: str) -> int:
        if not context or self._limit is None:
            return 0
        return len(self._limit.token_offsets([context + "\n"])[0])

    def _table(self, position: int) -> Table | None:
        number = bisect_right(self._starts, position) - 1
        return self._tables[number] if number >= 0 and position < self._tables[number].end else None

    def pieces(self, unit: Unit) -> Iterator[Unit]:
        """The unit itself, or parts that fit: cut at line ends, else spaces, else Chinese commas, else anywhere."""
        start = unit.start
        while start < unit.end and not self.fits(start, unit.end):
            stop = self._longest(start, unit.end)
            end = start + len(self._text[start:stop].rstrip())
            yield Unit(start, end, unit.kind)
            start = stop
            while start < unit.end and self._text[start].isspace():
                start += 1
        if start < unit.end:
            yield Unit(start, unit.end, unit.kind)

    def _longest(self, start: int, end: int) -> int:
        stop, room = min(end, start + self._size), self._room(start)
        if self._limit is not None:
            last = bisect_right(self._ends, start) + room - 1
            if last < len(self._ends):
                stop = min(stop, max(self._ends[last], start + 1))
        stop = self._boundary(start, stop) if stop < end else stop
        while self._limit is not None and stop - start > 1:
            tokens = self._tokens(start, stop)
            if len(tokens) <= room:
                break
            stop = self._boundary(start, max(start + 1, min(start + tokens[room - 1], stop - 1)))
        return stop

    def _boundary(self, start: int, stop: int) -> int:
        """The last good place to cut in the second half of a span, else its end. A row is cut between its cells."""
        half = start + (stop - start) // 2
        for mark in (" | ", *BOUNDARIES) if self.in_table(start) else BOUNDARIES:
            found = self._text.rfind(mark, half, stop)
            if found > start:
                return found + 1
        return stop

    def _in_word(self, position: int) -> bool:
        return 0 < position < len(self._text) and self._text[position - 1].isalnum() and self._text[position].isalnum()

    def _tokens(self, start: int, end: int) -> list[int]:
        return self._limit.token_offsets([self._text[start:end]])[0] if self._limit is not None else []

    def _token_ends(self, limit: TokenLimit) -> Iterator[int]:
        """Where each token of the text ends, counted in parts that a tokenizer can digest."""
        spans = list(self._spans())
        for first in range(0, len(spans), TOKENIZED_TEXTS):
            batch = spans[first : first + TOKENIZED_TEXTS]
            found = limit.token_offsets([self._text[start:end] for start, end in batch])
            for (start, _), ends in zip(batch, found, strict=True):
                yield from (start + end for end in ends)

    def _spans(self) -> Iterator[tuple[int, int]]:
        start = 0
        while start < len(self._text):
            end = min(len(self._text), start + TOKENIZED_CHARS)
            end = self._boundary(start, end) if end < len(self._text) else end
            yield start, end
            start = end
