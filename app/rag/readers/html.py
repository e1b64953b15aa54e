"""The text of an HTML document: headings as `# `, list items as `- `, table rows as ` | ` lines."""

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from app.rag.readers.blocks import Blocks

SPACE = re.compile(r"[ \t\r\n\f]+")
BLOCK = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "dir",
    "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6",
    "header", "hr", "legend", "li", "listing", "main", "menu", "nav", "ol", "optgroup", "option", "p", "pre",
    "section", "summary", "table", "tbody", "textarea", "tfoot", "thead", "ul", "xmp",
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


def html_text(markup: str) -> str:
    """The visible text of a page, its title first. The walk is iterative: depth cannot exhaust the stack."""
    parser = LexborHTMLParser(markup)
    walk = _Walk()
    if parser.body is not None:
        walk.run(parser.body)
    text = walk.blocks.text()
    title = _title(parser)
    if title and f"\n# {title}\n" not in f"\n{text}\n":
        return f"# {title}\n\n{text}"
    return text


def _title(parser: LexborHTMLParser) -> str:
    node = parser.head.css_first("title") if parser.head is not None else None
    return SPACE.sub(" ", node.text()).strip() if node is not None else ""


class _Walk:
    """Goes down and up the tree once, telling Blocks what opens and closes."""

    def __init__(self) -> None:
        self.blocks = Blocks(collapse=True)
        self._verbatim = 0

    def run(self, root: LexborNode) -> None:
        node: LexborNode | None = root
        depth = 0
        while node is not None:
            child = node.first_child if self._enter(node) else None
            if child is not None:
                node, depth = child, depth + 1
                continue
            self._leave(node)
            while depth > 0 and node is not None and node.next is None:
                node, depth = node.parent, depth - 1
                if node is not None:
                    self._leave(node)
            node = node.next if depth > 0 and node is not None else None

    def _enter(self, node: LexborNode) -> bool:
        """Whether to go into the node."""
        tag = node.tag or ""
        if tag == "-text":
            self._text(node.text_content or "")
        elif tag == "br":
            self.blocks.add("\n")
        elif tag == "iframe":
            inner = LexborHTMLParser(node.attributes.get("srcdoc") or "").body
            self.blocks.add(SPACE.sub(" ", inner.text(separator=" ")) if inner is not None else "")
            return False
        elif tag in DROPPED or tag.startswith("-"):
            return False
        elif tag == "tr":
            self.blocks.open_row()
        elif tag in CELL and self.blocks.in_row:
            self.blocks.open_frame()
        elif tag in BLOCK:
            self.blocks.begin(PREFIX.get(tag, ""), clings=tag in CLINGING)
            self._verbatim += tag in PRE
        return True

    def _leave(self, node: LexborNode) -> None:
        tag = node.tag
        if tag == "tr":
            self.blocks.close_row()
        elif tag in CELL and self.blocks.in_row:
            self.blocks.close_cell()
        elif tag in BLOCK:
            self.blocks.end()
            self._verbatim -= tag in PRE

    def _text(self, text: str) -> None:
        if self._verbatim:
            self.blocks.add(text.replace("\t", "    ").replace(" ", KEPT_SPACE))
        else:
            self.blocks.add(SPACE.sub(" ", text))
