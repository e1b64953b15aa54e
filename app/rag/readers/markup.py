"""XML of any kind as text: `name: value` lines for data, paragraphs for prose. Entities are refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from app.rag.pages import ParseError
from app.rag.readers.html import html_text

MAX_DEPTH = 200  # below that elements are part of the words around them
MAX_INDENT = 8
PIECE_CHARS = 1 << 16
# Whatever stands in these is part of the sentence.
PARAGRAPHS = frozenset({"entry", "p", "para", "simpara", "t", "td", "th"})
# Elements of prose: their names say nothing that a reader misses.
PROSE = frozenset({
    "b", "body", "book", "cell", "cite", "code", "content", "div", "em", "emphasis", "entry", "i", "item", "li", "link",
    "listitem", "p", "para", "paragraph", "s", "simpara", "span", "strong", "t", "td", "text", "th", "tspan", "u", "v",
})  # fmt: skip
HEADINGS = frozenset({"title", "head", "heading", "header", "bridgehead"})
ESCAPED_HTML = re.compile(r"<(?:p|br|div|a|b|i|em|strong|ul|ol|li|table|span|h[1-6]|img)\b[^<>]{0,500}>", re.IGNORECASE)
ENCODING = re.compile(r"""^\s*<\?xml[^>]*?\?>""")
TAG = re.compile(r"<!\[CDATA\[|\]\]>|<[/?!]?[A-Za-z_:][^<>]*>")
COMMENT = "<!--", "-->"
SPACES = re.compile(r"\s+")


@dataclass(slots=True)
class Element:
    """An element that is open. `words`: its own text; `lines`: those of the elements in it."""

    name: str
    said: str  # its attributes
    words: list[str] = field(default_factory=list)
    lines: list[tuple[int, str]] = field(default_factory=list)
    is_mixed: bool = False


def xml_text(text: str) -> str:
    """What is not well-formed is read as the text between its tags. Raises ParseError when it declares entities."""
    outline = Outline()
    try:
        outline.read(ENCODING.sub("", text, count=1))
    except expat.ExpatError:
        return _between_tags(text)
    return "\n".join("  " * min(level, MAX_INDENT) + line for level, line in outline.lines)


class Outline:
    """Reads XML as a stream of events; `lines` are the root's, each with how deep it stands."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []
        self._open = [Element("", "")]
        self._deeper = 0

    def read(self, text: str) -> None:
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._words
        parser.EntityDeclHandler = _refuse
        for first in range(0, len(text), PIECE_CHARS):
            parser.Parse(text[first : first + PIECE_CHARS].encode("utf-8", "replace"), False)
        parser.Parse(b"", True)
        self.lines = self._open[0].lines

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if len(self._open) >= MAX_DEPTH:
            self._deeper += 1
            return
        parent = self._open[-1]
        parent.is_mixed |= any(not words.isspace() for words in parent.words)
        self._open.append(Element(_local(name), _attributes(attributes)))

    def _words(self, data: str) -> None:
        self._open[-1].words.append(data)

    def _end(self, _name: str) -> None:
        if self._deeper:
            self._deeper -= 1
            self._open[-1].words.append(" ")
            return
        element = self._open.pop()
        parent = self._open[-1]
        words = SPACES.sub(" ", "".join(element.words)).strip()
        if parent.is_mixed or parent.name in PARAGRAPHS:  # a word of a sentence
            parent.words.append("".join([*element.words, *(f" {line}" for _, line in element.lines)]))
        elif words and element.lines:
            parent.lines += [(0, words), *((level + 1, line) for level, line in element.lines)]
        elif element.lines:
            name = "" if element.name in PROSE and not element.said else element.name + element.said
            parent.lines += [(0, name)] if name else []
            parent.lines += [(level + bool(name), line) for level, line in element.lines]
        elif line := _line(element, words):
            parent.lines += [(0, text) for text in line.split("\n")]


def _line(element: Element, words: str) -> str:
    """One for an element that holds no other."""
    if "<" in words and ESCAPED_HTML.search(words):
        words = html_text("".join(element.words))
    if element.name in PROSE:
        return words
    if element.name in HEADINGS and not element.said:
        return f"# {words}" if words and len(words) <= 200 and element.name != "header" else words
    if not words:
        return element.name + element.said if element.said else ""
    return f"{element.name}{element.said}: {words}"


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _attributes(attributes: Mapping[str, str]) -> str:
    """In brackets; namespaces and what only lays out is left out."""
    said = (f"{_local(key)}: {value}" for key, value in attributes.items() if _says(key, value))
    joined = ", ".join(said)
    return f" ({joined})" if joined else ""


def _says(key: str, value: str) -> bool:
    return bool(value) and len(value) <= 500 and not key.startswith(("xmlns", "xsi:", "xml:space")) and key != "style"


def _between_tags(text: str) -> str:
    opener, closer = COMMENT
    kept, position = [], 0
    while (start := text.find(opener, position)) >= 0 and (end := text.find(closer, start)) >= 0:
        kept.append(text[position:start])
        position = end + len(closer)
    words = TAG.sub("\n", "".join([*kept, text[position:]]))
    return "\n".join(filter(None, (SPACES.sub(" ", line).strip() for line in words.split("\n"))))


def _refuse(*_: object) -> None:
    raise ParseError(
        "damaged",
        "the document declares XML entities of its own, which is refused for safety; save it without its DOCTYPE",
    )
