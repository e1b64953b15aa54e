"""Headings, sentences, list items and table rows of a text: where a passage may begin and end."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.rag.markdown_tables import Table

TEXT, LIKELY_HEADING, HEADING = range(3)
HEADING_CHARS = 80
HEADING_WORDS = 12
FOLLOWING_CHARS = 40  # a heading is followed by a line of text

MARKED_HEADING = re.compile(r"#{1,6}\s+\S")
NUMBERED = re.compile(r"(?:(?:\d{1,2}(?:\.\d{1,2}){0,4}|[IVXLC]{1,6}|[A-Z])[.)]?|§+\s*\d+\w?)\s+[^\W\d_a-z]")
NAMED = re.compile(
    r"(?:chapter|section|part|item|article|appendix|annex|kapitel|abschnitt|artikel|teil|chapitre|capítulo)"
    r"\s+(?:\d+|[IVXLC]+|[A-Z])\b",
    re.IGNORECASE,
)
ROW = re.compile(r"(?:[-*+•‣▪◦·–]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+\S")
FENCE = ("```", "~~~")
CLOSERS = "\"'”’»›)\\]"
# Western, Arabic, Urdu and Indic marks end a sentence before a space; Chinese and Japanese ones end it by themselves.
SENTENCE_END = re.compile(rf"(?<![.!?…؟۔।॥։።])[.!?…؟۔।॥։።]++[{CLOSERS}]*+(?=\s)|[。！？｡]+[」』）”’〉》]*")
LAST_WORD = re.compile(r"[^\W_]+$")
ENDS_SENTENCE = re.compile(rf"[.!?…؟۔।॥։።。！？｡:;][{CLOSERS}」』）]*$")
ABBREVIATIONS = frozenset(
    {
        *("mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "rev", "hon", "gen", "col", "capt", "lt", "sgt"),
        *("inc", "ltd", "corp", "co", "bros", "dept", "est", "approx", "vs", "etc", "al", "cf", "ca", "eg", "ie"),
        *("fig", "figs", "eq", "eqs", "ref", "refs", "sec", "ch", "vol", "no", "nos", "pp", "p", "ed", "eds", "para"),
        *("jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec"),
        *("bzw", "usw", "vgl", "abs", "art", "nr", "str", "bsp", "ggf", "inkl", "zzgl", "evtl", "sog", "abb", "tab"),
        *("mme", "mlle", "env", "sra", "srta", "dra", "av", "núm", "pág", "ecc", "sig", "dott"),
    }
)


class Unit(NamedTuple):
    """A span of a text that begins and ends without white space. `kind`: TEXT, LIKELY_HEADING or HEADING."""

    start: int
    end: int
    kind: int


class _Line(NamedTuple):
    start: int
    end: int
    words: str


def units(text: str, tables: Sequence[Table] = ()) -> Iterator[Unit]:
    """All that is not white space, in order, each character once. Linear in the text's length.

    A row of one of `tables` is one unit, and so is a header with its line of dashes.
    """
    lines = list(_lines(text))
    opened = -1  # where the open paragraph starts
    closed = 0
    fenced = False
    left = list(reversed(tables))
    for number, line in enumerate(lines):
        while left and left[-1].end <= line.start:
            left.pop()
        if left and line.words and left[-1].start <= line.start:
            if opened >= 0:
                yield from _sentences(text, opened, closed)
                opened = -1
            yield from _row(lines, number, left[-1])
            continue
        if line.words.startswith(FENCE):
            fenced = not fenced
        kind = TEXT if fenced else _kind(lines, number)
        if opened >= 0 and (not line.words or kind != TEXT or _is_row(line.words)):
            yield from _sentences(text, opened, closed)
            opened = -1
        if kind != TEXT:
            yield Unit(line.start, line.end, kind)
        elif line.words:
            opened, closed = (line.start if opened < 0 else opened), line.end
    if opened >= 0:
        yield from _sentences(text, opened, closed)


def _row(lines: list[_Line], number: int, table: Table) -> Iterator[Unit]:
    """A header is a likely heading: it begins a passage, and does not end one."""
    line = lines[number]
    if line.start >= table.body:
        yield Unit(line.start, line.end, TEXT)
    elif number + 1 < len(lines) and lines[number + 1].start < table.body:  # the names; the dashes come next
        yield Unit(line.start, lines[number + 1].end, LIKELY_HEADING)


def is_finished(text: str) -> bool:
    """Whether a text ends where a sentence does."""
    return ENDS_SENTENCE.search(text[-8:].rstrip()) is not None


def _lines(text: str) -> Iterator[_Line]:
    position = 0
    for line in text.split("\n"):
        words = line.strip()
        start = position + len(line) - len(line.lstrip()) if words else position
        yield _Line(start, start + len(words), words)
        position += len(line) + 1


def _kind(lines: list[_Line], number: int) -> int:
    words = lines[number].words
    if words.startswith("#") and MARKED_HEADING.match(words):
        alone = not any(line.words for line in (*lines[max(0, number - 1) : number], *lines[number + 1 : number + 2]))
        return HEADING if alone else LIKELY_HEADING  # a comment in a program looks like one, but clings to its code
    if not words or len(words) > HEADING_CHARS or words[-1] in ".!?,;:…。、，；：-|" or " | " in words:
        return TEXT
    before = lines[number - 1].words if number else ""
    if before and not (ENDS_SENTENCE.search(before[-8:]) or before.startswith("#")):
        return TEXT
    return LIKELY_HEADING if _looks_like_heading(words) and _is_followed(lines, number) else TEXT


def _is_row(words: str) -> bool:
    return " | " in words or ROW.match(words) is not None


def _looks_like_heading(words: str) -> bool:
    if not (words[0].isupper() or words[0].isdecimal() or words[0] == "§"):
        return False
    if NUMBERED.match(words) or NAMED.match(words):
        return True
    parts = words.split()
    long = [part for part in parts if len(part) > 3 and part[0].isalpha()]
    return bool(long) and len(parts) <= HEADING_WORDS and all(part[0].isupper() for part in long)


def _is_followed(lines: list[_Line], number: int) -> bool:
    for line in lines[number + 1 : number + 3]:
        if line.words:
            return len(line.words) >= FOLLOWING_CHARS and not _is_row(line.words)
    return False


def _sentences(text: str, start: int, stop: int) -> Iterator[Unit]:
    for found in SENTENCE_END.finditer(text, start, stop):
        if not _ends(text, start, found):
            continue
        yield Unit(start, found.end(), TEXT)
        start = found.end()
        while start < stop and text[start].isspace():
            start += 1
    if start < stop:
        yield Unit(start, stop, TEXT)


def _ends(text: str, start: int, found: re.Match[str]) -> bool:
    """Whether a mark ends a sentence: not after an abbreviation, initial or list number, nor before a small letter."""
    mark, end = text[found.start()], found.end()
    if mark in "。！？｡":
        return True
    following = text[end : end + 4].lstrip()
    if following[:1].islower():
        return False
    if mark != "." or found.end() - found.start() > 1:
        return True
    word = LAST_WORD.search(text, max(start, found.start() - 16), found.start())
    if word is None:
        return True
    last = word[0]
    is_initial = len(last) == 1 and last.isalpha() and last.isupper()
    return not (is_initial or (len(last) <= 2 and last.isdecimal()) or last.lower() in ABBREVIATIONS)
