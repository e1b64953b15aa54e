"""The parts of a Word file around its text: relationships, headings among the styles, notes, charts, inserted files."""

import re
from dataclasses import dataclass, field

from app.rag.readers.archive import Archive
from app.rag.readers.chart import Chart
from app.rag.readers.encoding import decode
from app.rag.readers.html import html_text
from app.rag.readers.opc import Opc, Silent, attribute
from app.rag.readers.xml import Events

HEADING = re.compile(r"heading\s*([1-9])$", re.IGNORECASE)
NOTE_PARTS = {"footnotes": "footnote", "endnotes": "endnote", "comments": "comment"}
# Deleted and moved-away text, field codes, formatting, and what AlternateContent repeats for old readers.
SKIPPED = frozenset({
    "del", "delText", "delInstrText", "instrText", "moveFrom", "rPr", "Fallback", "rt", "sdtPr", "tabs",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Style:
    """What a paragraph style says about text: `level` 1 is the highest heading, 0 none."""

    level: int = 0
    listed: bool = False


class Package:
    """Follows a Word file's relationships from the package to the document and what it refers to."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._package = Opc(archive, usual="word/document.xml", what="Word document", root="document")
        self.main = self._package.main
        self._targets = self._package.relations(self.main)

    def styles(self) -> dict[str, Style]:
        """Paragraph styles by their id. Names of built-in styles are English in every language of Word."""
        found = Styles()
        for part in self._parts("styles"):
            self.read(part, found)
        return found.resolved()

    def notes(self) -> dict[tuple[str, str], str]:
        """Texts by (footnote | endnote | comment, id)."""
        found = Notes()
        for kind in NOTE_PARTS:
            for part in self._parts(kind):
                self.read(part, found)
        return found.texts

    def chart(self, identifier: str | None) -> str:
        """The titles and values of a chart."""
        chart = Chart()
        _, part = self._targets.get(identifier or "", ("", ""))
        if part in self.archive.names:
            self.read(part, chart)
        return chart.lines()

    def words_of(self, identifier: str | None) -> str:
        """The words in a diagram."""
        words = Words()
        _, part = self._targets.get(identifier or "", ("", ""))
        if part in self.archive.names:
            self.read(part, words)
        return " ".join("".join(words.found).split())

    def margins(self) -> list[str]:
        """Headers and footers, each once; those that only count pages are left out."""
        said: list[str] = []
        for part in (*self._parts("header"), *self._parts("footer")):
            words = Words()
            self.read(part, words)
            said.append(" ".join("".join(words.found).split()))
        return [line for line in dict.fromkeys(said) if sum(map(str.isalpha, line)) > 4]

    def inserted(self, identifier: str | None) -> str:
        """The text of a file inserted as a whole (altChunk): HTML or plain text; others are left out."""
        _, part = self._targets.get(identifier or "", ("", ""))
        if part not in self.archive.names:
            return ""
        data = self.archive.read(part)
        if data.startswith((b"PK", b"{\\rtf", b"MIME-Version")):
            return ""
        text = decode(data)
        return html_text(text) if part.lower().endswith(("html", "htm")) else text

    def read(self, part: str, events: Events) -> None:
        self._package.read(part, events)

    def _parts(self, kind: str) -> list[str]:
        return [part for k, part in self._targets.values() if k == kind and part in self.archive.names]


@dataclass(slots=True)
class StyleDraft:
    level: int = 0
    listed: bool = False
    based_on: str = ""


@dataclass(slots=True)
class Styles(Silent):
    """Reads styles.xml."""

    drafts: dict[str, StyleDraft] = field(default_factory=dict)
    current: StyleDraft = field(default_factory=StyleDraft)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "style":
            self.current = StyleDraft()
            self.drafts[attribute(attributes, "styleId") or ""] = self.current
            return
        value = attribute(attributes, "val") or ""
        if name == "name":
            found = HEADING.match(value)
            self.current.level = int(found[1]) if found else int(value.lower() == "title")
        elif name == "outlineLvl" and value.isdecimal() and int(value) < 9:
            self.current.level = self.current.level or int(value) + 1
        elif name == "basedOn":
            self.current.based_on = value
        elif name == "numId":
            self.current.listed = value != "0"

    def resolved(self) -> dict[str, Style]:
        return {name: self._resolve(draft) for name, draft in self.drafts.items()}

    def _resolve(self, draft: StyleDraft) -> Style:
        level, listed = draft.level, draft.listed
        for _ in range(10):  # a chain of styles may be a circle
            base = self.drafts.get(draft.based_on)
            if base is None or level:
                break
            level, listed, draft = base.level, listed or base.listed, base
        return Style(level, listed)


class Notes(Silent):
    """Reads footnotes, endnotes and comments."""

    def __init__(self) -> None:
        self.texts: dict[tuple[str, str], str] = {}
        self._words: list[str] = []
        self._key = ("", "")
        self._skipped = 0
        self._taking = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._skipped or name in SKIPPED:
            self._skipped += 1
        elif name in NOTE_PARTS.values():
            self._key = name, attribute(attributes, "id") or ""
            self._words.clear()
        self._taking = name == "t" and not self._skipped

    def end(self, name: str) -> None:
        self._taking = False
        if self._skipped:
            self._skipped -= 1
        elif name in {"p", "tab", "br"}:
            self._words.append(" ")
        elif name == self._key[0]:
            self.texts[self._key] = "".join(self._words).strip()

    def text(self, data: str) -> None:
        if self._taking:
            self._words.append(data)


class Words(Silent):
    """The text elements of a diagram, header or footer."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._skipped = 0
        self._taking = False

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._skipped += name in SKIPPED
        self._taking = name == "t" and not self._skipped

    def end(self, name: str) -> None:
        self._taking = False
        self._skipped -= name in SKIPPED
        if name in {"p", "tab"}:
            self.found.append(" ")

    def text(self, data: str) -> None:
        if self._taking:
            self.found.append(data)
