"""Electronic books (EPUB 2 and 3): the chapters in reading order, and what the table of contents calls them."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from app.rag.pages import ParseError
from app.rag.readers.archive import Archive
from app.rag.readers.encoding import decode
from app.rag.readers.html import html_text
from app.rag.readers.opc import Silent
from app.rag.readers.sections import Part
from app.rag.readers.xml import Events, parse_xml

CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"
FONTS = (b"http://www.idpf.org/2008/embedding", b"http://ns.adobe.com/pdf/enc#RC")  # fonts alone are mangled
TEXTS = {"application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document", "application/xml"}
MAX_LABEL_CHARS = 200


def book_parts(archive: Archive) -> Iterator[Part]:
    """A part for each chapter that has text. Raises ParseError, also for a book that is locked (DRM)."""
    book = Book(archive)
    titles = book.titles()
    label = ""
    for name in book.chapters():
        if name not in archive.names:
            yield Part(titles.get(name, label), "", f"the chapter {name!r} is missing from the book")
            continue
        text = html_text(decode(archive.read(name)))
        if not text.strip():
            continue
        label = titles.get(name) or _heading(text) or label
        yield Part(label[:MAX_LABEL_CHARS], text)


def _heading(text: str) -> str:
    return next((line.lstrip("# ") for line in text.splitlines() if line.startswith("#")), "")


class Book:
    """The package document and the table of contents of a book."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        if CONTAINER not in archive.names:
            raise ParseError("damaged", "the file is a ZIP archive without a book in it")
        if ENCRYPTION in archive.names and _is_locked(archive.read(ENCRYPTION)):
            raise ParseError("encrypted", "the book is locked (DRM); upload a copy without copy protection")
        container = Container()
        self._read(CONTAINER, container)
        if container.path not in archive.names:
            raise ParseError("damaged", "the book does not say where its chapters are")
        self._opf = PackageDocument(container.path)
        self._read(container.path, self._opf)

    def chapters(self) -> list[str]:
        """In reading order; without one, in the order of the manifest."""
        items = self._opf.items
        order = [items[key].path for key in self._opf.spine if key in items and items[key].media_type in TEXTS]
        order = list(dict.fromkeys(order))
        return order or [item.path for item in items.values() if item.media_type in TEXTS]

    def titles(self) -> dict[str, str]:
        """By the path of a chapter. A table of contents that is damaged gives none."""
        contents = next((i for i in self._opf.items.values() if i.is_contents), None)
        contents = contents or next((i for i in self._opf.items.values() if i.media_type.endswith("ncx+xml")), None)
        if contents is None or contents.path not in self._archive.names:
            return {}
        found = Contents(contents.path)
        try:
            self._read(contents.path, found)
        except ParseError as error:
            if error.code != "damaged":
                raise
        return found.titles

    def _read(self, part: str, events: Events) -> None:
        with self._archive.open(part) as entry:
            parse_xml(entry, events, typed=True)


def _is_locked(encryption: bytes) -> bool:
    """Mangled fonts are the one thing that may be encrypted in a book that all can read."""
    methods = encryption.count(b"EncryptionMethod ")
    return methods > sum(encryption.count(method) for method in FONTS) or b"EncryptedKey" in encryption


class Container(Silent):
    def __init__(self) -> None:
        self.path = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "rootfile":
            self.path = self.path or attributes.get("full-path", "")


@dataclass(frozen=True, slots=True)
class Item:
    path: str
    media_type: str
    is_contents: bool


class PackageDocument(Silent):
    """Reads the files of a book and the order of its chapters."""

    def __init__(self, path: str) -> None:
        self.items: dict[str, Item] = {}
        self.spine: list[str] = []
        self._folder = posixpath.dirname(path)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "item":
            path = _resolved(self._folder, attributes.get("href", ""))
            contents = "nav" in attributes.get("properties", "").split()
            self.items[attributes.get("id", "")] = Item(path, attributes.get("media-type", "").lower(), contents)
        elif name == "itemref":
            self.spine.append(attributes.get("idref", ""))


class Contents(Silent):
    """Reads a table of contents of either kind: `a` with `href` around a title, or `text` before `content`."""

    def __init__(self, path: str) -> None:
        self.titles: dict[str, str] = {}
        self._folder = posixpath.dirname(path)
        self._href = ""
        self._words: list[str] = []
        self._taking = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in {"a", "text"}:
            self._href = attributes.get("href", "")
            self._words.clear()
            self._taking = True
        elif name == "content":
            self._add(attributes.get("src", ""))

    def end(self, name: str) -> None:
        if name == "a":
            self._add(self._href)
        self._taking = self._taking and name not in {"a", "text"}

    def text(self, data: str) -> None:
        if self._taking:
            self._words.append(data)

    def _add(self, href: str) -> None:
        """The first entry for a file names it: later ones are sections of the same chapter."""
        title = " ".join("".join(self._words).split())
        if href and title:
            self.titles.setdefault(_resolved(self._folder, href), title)


def _resolved(folder: str, href: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(href.partition("#")[0])))
