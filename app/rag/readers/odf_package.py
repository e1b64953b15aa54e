"""OpenDocument files as archives: whether they are locked, and their styles."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.rag.pages import ParseError
from app.rag.readers.archive import Archive
from app.rag.readers.opc import Silent, attribute
from app.rag.readers.xml import Events, parse_xml

CONTENT = "content.xml"
MAX_OBJECTS = 1000  # charts and formulas that are read
MANIFEST = "META-INF/manifest.xml"
TITLES = {"title", "titel", "titre", "título", "titolo"}
MARGINS = ("header", "footer", "header-left", "footer-left", "header-first", "footer-first")


class OdfPackage:
    """Raises ParseError `encrypted` or `damaged` at once."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.objects_left = MAX_OBJECTS
        if MANIFEST in archive.names and b"encryption-data" in archive.read(MANIFEST):
            raise ParseError("encrypted", "the document is protected by a password; save it without one")
        if CONTENT not in archive.names:
            raise ParseError("damaged", "the file is a ZIP archive without an OpenDocument text in it")

    def read(self, part: str, events: Events) -> None:
        """Documents of OpenOffice 1 name their type."""
        with self.archive.open(part) as entry:
            parse_xml(entry, events, typed=True)

    def common(self) -> "OdfStyles":
        """The styles that styles.xml has for the whole document, and what pages have at their top and bottom."""
        styles = OdfStyles()
        if "styles.xml" in self.archive.names:
            self.read("styles.xml", styles)
        return styles


@dataclass(slots=True)
class OdfStyle:
    """`is_hidden` is for sheets and slides."""

    parent: str = ""
    breaks_page: bool = False
    is_title: bool = False
    is_hidden: bool = False


class OdfStyles(Silent):
    """Collects the styles that pass by."""

    def __init__(self) -> None:
        self._found: dict[str, OdfStyle] = {}
        self._current = OdfStyle()
        self._margins: list[str] = []
        self._in_margin = 0
        self._words: list[str] = []
        self._is_text = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "style":
            style_name = attribute(attributes, "name") or ""
            shown = (attribute(attributes, "display-name") or style_name).lower()
            self._current = OdfStyle(parent=attribute(attributes, "parent-style-name") or "", is_title=shown in TITLES)
            self._current.breaks_page = bool(attribute(attributes, "master-page-name"))
            self._found[style_name] = self._current
        elif name in {"paragraph-properties", "properties", "table-properties", "drawing-page-properties"}:
            self._current.breaks_page |= attribute(attributes, "break-before") == "page"
            self._current.is_hidden |= attribute(attributes, "display") == "false"
            self._current.is_hidden |= attribute(attributes, "visibility") == "hidden"
        elif name in MARGINS:
            self._in_margin += 1
        elif name in {"p", "h"}:
            self._is_text += 1
        elif name in {"tab", "s", "line-break"}:
            self._words.append(" ")

    def end(self, name: str) -> None:
        if name in MARGINS:
            self._in_margin -= 1
        elif name in {"p", "h"}:
            self._is_text -= 1
            self._margins.append(" ".join("".join(self._words).split()))
            self._words.clear()

    def text(self, data: str) -> None:
        if self._in_margin and self._is_text:
            self._words.append(data)

    def of(self, name: str | None) -> OdfStyle:
        """What a style says, with what it takes over from others. Breaks are not taken over."""
        own = self._found.get(name or "", OdfStyle())
        found = any(style.is_title or style.parent.lower() in TITLES for style in self._line(own))
        return OdfStyle(own.parent, own.breaks_page, found, own.is_hidden)

    def margins(self) -> list[str]:
        """Headers and footers, each once; those that only count pages are left out."""
        return [said for said in dict.fromkeys(self._margins) if sum(map(str.isalpha, said)) > 4]

    def _line(self, style: OdfStyle) -> Iterator[OdfStyle]:
        for _ in range(10):  # a chain of styles may be a circle
            yield style
            if style.parent not in self._found:
                break
            style = self._found[style.parent]
