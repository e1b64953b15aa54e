"""The text of an HTML document: headings as `# `, list items as `- ` or `1. `, code in fences, tables as Markdown."""

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from app.rag.pages import ParseError
from app.rag.readers.blocks import Blocks
from app.rag.readers.tables import MAX_COLUMNS, MAX_SPAN_ROWS

SPACE = re.compile(r"[ \t\r\n\f]+")
BLOCK = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "dir",
    "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6",
    "header", "hr", "legend", "li", "listing", "main", "menu", "nav", "ol", "optgroup", "option", "p", "pre",
    "section", "summary", "tbody", "textarea", "tfoot", "thead", "ul", "xmp",
})  # fmt: skip
DROPPED = frozenset({
    "annotation", "audio", "canvas", "datalist", "embed", "noscript", "object", "rp", "rt", "script", "style",
    "svg", "template", "video",
})  # fmt: skip
PRE = frozenset({"pre", "textarea", "xmp", "listing"})
CELL = frozenset({"td", "th"})
CLINGING = frozenset({"li", "dd", "option"})
PREFIX = {**{f"h{n}": "#" * n + " " for n in range(1, 7)}, "li": "- ", "dd": "- "}
# Cleaning turns no-break spaces into plain ones: in preformatted text they carry spaces past the folding.
KEPT_SPACE = "\xa0"
DIGITS = re.compile(r"\s*(\d{1,6})")
DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/=]{64,}")
# The parser's time is quadratic in depth: 10,000 levels take 0.2 s, 100,000 half a minute.
MAX_DEPTH = 30_000
UNNESTED = "a|p|br|img|input|hr|li|td|th|tr|dt|dd|option|meta|link|col|area|wbr|tbody"
TAGS = re.compile(rf"<(/?)(?!/|!|(?:{UNNESTED})\b)[a-z]", re.IGNORECASE)


def html_text(markup: str) -> str:
    """The visible text of a page, its title first. The walk is iterative: depth cannot exhaust the stack.

    Raises ParseError for elements that nest beyond reason.
    """
    _check_depth(markup)
    parser = LexborHTMLParser(markup)
    walk = _Walk()
    if parser.body is not None:
        walk.run(parser.body)
    text = walk.blocks.text()
    title = _title(parser)
    if title and f"\n# {title}\n" not in f"\n{text}\n":
        return f"# {title}\n\n{text}"
    return text


def _check_depth(markup: str) -> None:
    if markup.count("<") <= MAX_DEPTH:
        return
    depth = 0
    for tag in TAGS.finditer(markup):
        depth = max(0, depth + (-1 if tag[1] else 1))
        if depth > MAX_DEPTH:
            raise ParseError("damaged", "the page nests its elements too deeply to be read; save it again as text")


def _title(parser: LexborHTMLParser) -> str:
    node = parser.head.css_first("title") if parser.head is not None else None
    return SPACE.sub(" ", node.text()).strip() if node is not None else ""


class _Walk:
    """Goes down and up the tree once, telling Blocks what opens and closes."""

    def __init__(self) -> None:
        self.blocks = Blocks(collapse=True)
        self._verbatim = 0
        self._heads = 0  # open table heads
        self._counts: list[int | None] = []  # the next number of each open list; None: bullets

    def run(self, root: LexborNode) -> None:
        node: LexborNode | None = root
        depth = 0
        while node is not None:
            entered = self._enter(node)
            child = node.first_child if entered else None
            if child is not None:
                node, depth = child, depth + 1
                continue
            if entered:
                self._leave(node)
            while depth > 0 and node is not None and node.next is None:
                node, depth = node.parent, depth - 1
                if node is not None:
                    self._leave(node)
            node = node.next if depth > 0 and node is not None else None

    def _enter(self, node: LexborNode) -> bool:
        """Whether to go into the node, and to leave it again."""
        tag = node.tag or ""
        if tag == "-text":
            self._text(node.text_content or "")
        elif tag == "br":
            self.blocks.add("\n")
        elif tag == "img":
            self._text(f" {node.attributes.get('alt') or ''} ")
        elif tag == "iframe":
            inner = LexborHTMLParser(node.attributes.get("srcdoc") or "").body
            self.blocks.add(SPACE.sub(" ", inner.text(separator=" ")) if inner is not None else "")
            return False
        elif tag in DROPPED or tag.startswith("-"):
            return False
        elif tag == "table":
            self.blocks.open_table()
        elif tag == "tr":
            self.blocks.open_row()
        elif tag in CELL and self.blocks.in_row:
            self.blocks.open_frame()
        elif tag in BLOCK:
            return self._enter_block(node, tag)
        return True

    def _enter_block(self, node: LexborNode, tag: str) -> bool:
        if "hidden" in node.attributes:
            return False
        prefix = PREFIX.get(tag, "")
        if tag in {"ol", "ul", "menu", "dir"}:
            self._counts.append(_number(node, "start", 1, most=999_999) if tag == "ol" else None)
        elif tag == "li" and self._counts and (count := self._counts[-1]) is not None:
            prefix, self._counts[-1] = f"{count}. ", count + 1
        self.blocks.begin(prefix, clings=tag in CLINGING)
        self._verbatim += tag in PRE
        self._heads += tag == "thead"
        if tag == "pre":
            self.blocks.add("```\n")
        return True

    def _leave(self, node: LexborNode) -> None:
        tag = node.tag
        if tag == "table":
            self.blocks.close_table()
        elif tag == "tr":
            self.blocks.close_row()
        elif tag in CELL and self.blocks.in_row:
            columns = _number(node, "colspan", 1, most=MAX_COLUMNS)
            rows = _number(node, "rowspan", 1, most=MAX_SPAN_ROWS)
            self.blocks.close_cell(columns=columns, rows=rows, heads=tag == "th" or self._heads > 0)
        elif tag in BLOCK:
            if tag == "pre":
                self.blocks.add("\n```")
            self.blocks.end()
            self._verbatim -= tag in PRE
            self._heads -= tag == "thead"
            if tag in {"ol", "ul", "menu", "dir"}:
                self._counts.pop()

    def _text(self, text: str) -> None:
        if len(text) > 100 and "data:" in text:
            text = DATA_URI.sub("", text)
        if self._verbatim:
            self.blocks.add(text.replace("\t", "    ").replace(" ", KEPT_SPACE))
        else:
            self.blocks.add(SPACE.sub(" ", text))


def _number(node: LexborNode, name: str, default: int, *, most: int) -> int:
    found = DIGITS.match(node.attributes.get(name) or "")
    return max(1, min(int(found[1]), most)) if found else default
