"""Cuts an answer that comes in pieces into the sentences that carry marks: the same ones however it is cut.

Markdown's code is passed over. Every decision looks at no more than WINDOW characters, and waits until it has them or
the end; text without a closing bracket is only kept until one comes.
"""

import re
from typing import Final

from app.rag.claims.marks import CLOSERS, MARKS, UNFINISHED, Sentence, code_spans, grouped, without
from app.rag.sentences import ABBREVIATIONS, LAST_WORD

WINDOW: Final = 4000
MAX_SENTENCE: Final = 2000
_LINE_CERTAIN: Final = 8  # characters of a line that tell what it is
_NONE: Final[list[Sentence]] = []
_BLOCK: Final = re.compile(r"[ \t]*(?:\n|\Z|[-*+•‣]\s|\d{1,3}[.)]\s|#{1,6}\s|>|\||```|~~~|\*\*\*|---|___)")
_BULLET: Final = re.compile(r"[ \t]*(?:[-*+•‣–]\s+|\(?\d{1,3}[.)]\s+|\(?[a-z][.)]\s+|#{1,6}\s+|\[[ xX]\]\s+)+")
_FENCE: Final = re.compile(r"[ \t]*(?:[-*+]\s+|\d{1,3}[.)]\s+)?(`{3,}(?=[^`\n]*$)|~{3,})")
_HEADING: Final = re.compile(r" {0,3}#{1,6}\s")
_LIST: Final = re.compile(r"[ \t]*(?:[-*+•]|\d{1,3}[.)])\s")
_INDENTED: Final = re.compile(r"(?: {4}|\t)")
_CLOSING: Final = "\"'”’»›)\\]*_"
_STOP: Final = re.compile(rf"[.!?…؟۔।॥։።]+[{_CLOSING}]*|[。！？｡]+[」』）”’〉》]*|\n|`+")
_BEFORE_MONEY: Final = frozenset({"mio", "mrd", "tsd", "mill", "mln", "mld", "bn", "ct", "max", "min", "rd"})
_WIDE: Final = frozenset("。！？｡")
_AFTER_MARKS: Final = re.compile(r"[.,;:!?。]?(?=\s|\Z)|[.。]")


class Scanner:
    """One answer. `feed` and `end` give the sentences with marks that are complete, in order."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._text = ""  # from the start of an unfinished sentence or line
        self._at = 0  # its place in the answer
        self._armed = self._needs_line = False
        self._line_start = self._after_blank = True
        self._in_list = self._in_heading = False
        self._fence = ""
        self._held: list[Sentence] = []  # their marks end a line: a block quotation may follow
        self._quote: list[tuple[int, str]] = []
        self._previous = (0, "")
        self._found: list[Sentence] = []

    def feed(self, piece: str) -> list[Sentence]:
        """The token path: nothing is looked at before a closing bracket has come."""
        self._pieces.append(piece)
        if not self._armed:
            if "]" not in piece and "】" not in piece and "］" not in piece:
                return _NONE
            self._armed = True
        if self._needs_line and "\n" not in piece:
            return _NONE
        return self._advance(final=False)

    def end(self) -> list[Sentence]:
        found = self._advance(final=True)
        self._close_quote()
        self._release()
        self._found = []
        return found

    def _advance(self, *, final: bool) -> list[Sentence]:
        found = self._found = []
        text = self._text + "".join(self._pieces)
        self._pieces.clear()
        self._needs_line = False
        position = 0
        while position < len(text):
            after = self._step(text, position, final=final)
            if after is None:
                break
            self._at += after - position
            position = after
        self._text = text[position:]
        self._armed = bool(self._held or self._quote) or any(mark in self._text for mark in CLOSERS)
        return found

    def _step(self, text: str, position: int, *, final: bool) -> int | None:
        """Take one sentence or line; where it ends. None: more text is needed."""
        if not self._line_start:
            return self._prose(text, position, final=final)
        stop = text.find("\n", position)
        line = text[position:] if stop < 0 else text[position : stop + 1]
        complete = stop >= 0 or final
        words = line.strip()
        if not complete and len(words) < _LINE_CERTAIN and not (words and self._is_text(words)):
            return None
        if self._fence or _FENCE.match(line) or words[:1] in {"|", ">"} or (words and self._is_code(line)):
            if not complete:
                self._needs_line = True
                return None
            self._line(line, words)
            return position + len(line)
        self._close_quote()
        if not words:
            self._after_blank = True
            return position + len(line)
        self._release()
        self._in_list = _LIST.match(line) is not None or (self._in_list and line[:1] in " \t")
        self._in_heading = _HEADING.match(line) is not None
        self._line_start = self._after_blank = False
        return self._prose(text, position, final=final, first=True)

    @staticmethod
    def _is_text(words: str) -> bool:
        """Whether an unfinished line is known to be text already."""
        return words[0].isalpha() and len(words) > 1

    def _is_code(self, line: str) -> bool:
        return self._after_blank and not self._in_list and _INDENTED.match(line) is not None

    def _line(self, line: str, words: str) -> None:
        """A whole line that is no text: of code, of a table, of a quotation."""
        fence = _FENCE.match(line)
        if self._fence:
            closing = words.rstrip() if fence and not words.strip(self._fence[0]) else ""
            if closing.startswith(self._fence):
                self._fence = ""
        elif words[:1] == ">":
            self._after_blank = False
            self._quote.append((self._at, line))
            return
        elif fence:
            self._close_quote()
            self._fence = fence[1]
        elif words[:1] == "|":
            self._close_quote()
            self._release()
            self._row(line)
        self._after_blank = not words or (self._after_blank and self._is_code(line))

    def _row(self, line: str) -> None:
        row, at = line.rstrip("\n"), 0
        for cell in re.split(r"(?<!\\)\|", row):
            groups, tail = grouped(cell, self._at + at)
            if groups and not re.search(r"\w", without(cell)):
                whole = " ".join(without(part) for part in row.split("|"))
                groups, tail = (type(groups[0])(tuple(m for g in groups for m in g.marks), whole),), ""
            if groups:
                self._found.append(Sentence(self._at, self._at + len(row), groups, tail))
            at += len(cell) + 1

    def _prose(self, text: str, start: int, *, final: bool, first: bool = False) -> int | None:
        """One sentence of a paragraph, list item or heading."""
        view = text[start : start + WINDOW]
        end = self._end_of(view, final=final or len(view) == WINDOW)
        if end is None:
            self._line_start = first  # it is looked at again from here
            return None
        said = view[:end]
        after = end + (view[end : end + 1] == "\n")
        self._line_start = after > end
        bullet = _BULLET.match(said) if first else None
        skipped = bullet.end() if bullet else len(said) - len(said.lstrip())
        self._sentence(said[skipped:].rstrip(), self._at + skipped, first=first, ends_line=self._line_start or final)
        return start + after if after else start + 1

    def _sentence(self, said: str, at: int, *, first: bool, ends_line: bool) -> None:
        groups, tail = grouped(said, at, at_line_start=first)
        bare = without(said)
        if not groups:
            if re.search(r"\w", bare):
                self._previous = (at, said)
            return
        sentence = Sentence(at, at + len(said), groups, tail)
        if not re.search(r"\w", bare):
            start, words = self._previous
            marks = tuple(mark for group in groups for mark in group.marks)
            sentence = Sentence(start if words else at, sentence.end, (type(groups[0])(marks, without(words)),))
        else:
            self._previous = (at, said)
        if ends_line and not re.search(r"[^\W_]|[.!?]", tail):
            self._held.append(sentence)
        else:
            self._found.append(sentence)

    def _end_of(self, view: str, *, final: bool) -> int | None:
        """Where the sentence that begins here ends. None: that is not known yet."""
        position = 0
        coded = dict(code_spans(view))
        while stop := _STOP.search(view, position):
            if stop.start() > MAX_SENTENCE:
                break
            position = stop.end()
            if stop[0][0] == "`":
                if stop.start() not in coded and "\n" not in view[position:] and not final:
                    return None
                position = coded.get(stop.start(), position)
                continue
            ends = self._at_newline(view, stop, final=final) if stop[0] == "\n" else _at_stop(view, stop, final=final)
            if ends is None:
                return None
            if ends:
                return ends
        if len(view) > MAX_SENTENCE:
            cut = view.rfind(" ", MAX_SENTENCE // 2, MAX_SENTENCE)
            return cut if cut > 0 else MAX_SENTENCE
        return len(view) if final else None

    def _at_newline(self, view: str, stop: re.Match[str], *, final: bool) -> int | None:
        """0: the paragraph goes on in the next line."""
        following = view[stop.end() :]
        if not self._in_heading and not final and "\n" not in following and len(following.lstrip()) < _LINE_CERTAIN:
            return None
        return stop.start() if self._in_heading or _BLOCK.match(following) else 0

    def _close_quote(self) -> None:
        """A block quotation has ended: its own marks say where it is from, or those of the line before it."""
        if not self._quote:
            return
        lines, self._quote = self._quote, []
        start = lines[0][0]
        end = lines[-1][0] + len(lines[-1][1].rstrip())
        marked = [(at, grouped(line, at)[0]) for at, line in lines]
        if not any(groups for _, groups in marked):
            quoted = "\n".join(_unquoted(line) for _, line in lines)
            self._held = [_with_quote(sentence, quoted) for sentence in self._held]
            self._release()
            return
        self._release()
        words: list[str] = []
        for (at, line), (_, groups) in zip(lines, marked, strict=True):
            stop = groups[-1].marks[0].start - at if groups else len(line)
            words.append(_unquoted(line[:stop]))
            if groups:
                self._found.append(Sentence(start, end, groups, quoted=_said("\n".join(words))))
                words = []

    def _release(self) -> None:
        self._found += self._held
        self._held = []


def _with_quote(sentence: Sentence, quoted: str) -> Sentence:
    return Sentence(sentence.start, sentence.end, sentence.groups, sentence.tail, quoted)


def _unquoted(line: str) -> str:
    return re.sub(r"^[ \t]*(?:>[ \t]?)+", "", line.rstrip("\n"))


def _said(quoted: str) -> str:
    """A quotation without the line below it that says who said it."""
    lines = quoted.rstrip().split("\n")
    if len(lines) > 1 and re.match(r"\s*(?:[—–]|--|- )", lines[-1]):
        lines.pop()
    return "\n".join(lines)


def _at_stop(view: str, stop: re.Match[str], *, final: bool) -> int | None:
    """Where a sentence ends whose last word ends in this mark: marks after it belong to it. 0: it goes on."""
    end, wide = stop.end(), stop[0][0] in _WIDE
    if not final and UNFINISHED.fullmatch(view, end):
        return None
    marks = MARKS.match(view, end)
    after = marks.end() if marks else end
    if marks and (more := _AFTER_MARKS.match(view, after)):
        after = more.end()
    following = view[after:].lstrip(" \t")
    if not following:
        return after if final else None
    if not marks and not wide and not view[after].isspace():
        return 0
    if wide:
        return after
    goes_on = following[0].islower()
    if _is_abbreviation(view, stop) and not (marks and following[0] == "\n"):
        return 0
    if goes_on:
        return end if marks and stop[0][0] in "!?." else 0
    return after


def _is_abbreviation(view: str, stop: re.Match[str]) -> bool:
    if stop[0] != ".":
        return False
    word = LAST_WORD.search(view, max(0, stop.start() - 16), stop.start())
    if word is None:
        return False
    last = word[0]
    is_initial = len(last) == 1 and last.isalpha() and last.isupper()
    return is_initial or (len(last) <= 2 and last.isdecimal()) or last.lower() in ABBREVIATIONS | _BEFORE_MONEY
