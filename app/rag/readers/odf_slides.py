"""The slides of an OpenDocument presentation, and the pages of a drawing."""

from app.rag.readers.blocks import Blocks
from app.rag.readers.odf import OdfText
from app.rag.readers.odf_package import CONTENT, OdfPackage
from app.rag.readers.opc import attribute
from app.rag.readers.sections import Part


def odf_slides(package: OdfPackage) -> list[Part]:
    """Raises ParseError."""
    slides = OdfSlides(package)
    package.read(CONTENT, slides)
    return slides.parts


class OdfSlides(OdfText):
    """Events of content.xml; a page of the drawing is a part."""

    def __init__(self, package: OdfPackage) -> None:
        super().__init__(package, package.common())
        self.parts: list[Part] = []
        self._title: list[str] = []
        self._is_title = False
        self._is_hidden = False
        self._slide: Blocks | None = None  # while its notes are read
        self._notes = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "page":
            self.blocks = Blocks(collapse=False)
            self._title, self._notes = [], ""
            self._is_hidden = self.styles.of(attribute(attributes, "style-name")).is_hidden
        elif name == "frame":
            self._is_title = attribute(attributes, "class") == "title" and self._slide is None
        elif name == "notes":
            self._slide, self.blocks = self.blocks, Blocks(collapse=False)
        super().start(name, attributes)

    def end(self, name: str) -> None:
        super().end(name)
        if name == "frame":
            self._is_title = False
        elif name == "notes" and self._slide is not None:
            self._notes = self.blocks.text()
            self.blocks, self._slide = self._slide, None
        elif name == "page":
            self.parts.append(self._part())

    def add(self, text: str) -> None:
        if self._is_title:
            self._title.append(text)
        else:
            super().add(text)

    def close_paragraph(self) -> None:
        self._title.append(" ")
        super().close_paragraph()

    def _part(self) -> Part:
        title = " ".join("".join(self._title).split())
        label = f"Slide {len(self.parts) + 1}" + " (hidden)" * self._is_hidden
        notes = f"Notes: {self._notes}" if self._notes else ""
        texts = (f"# {title}" if title else "", self.blocks.text().replace("\f", ""), notes)
        return Part(f"{label}: {title}" if title else label, "\n\n".join(filter(None, texts)))
