"""Word documents, transitional and strict."""

from pathlib import Path

from app.rag.pages import ParseError
from app.rag.readers.archive import Archive
from app.rag.readers.sections import Sectioned
from app.rag.readers.word import word_text

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class Docx(Sectioned):
    """Pages begin at explicit page breaks and where Word last broke them; a long page is cut into sections."""

    def text(self, path: Path) -> str:
        with path.open("rb") as file:
            head = file.read(8)
        if head == OLE:
            raise ParseError(
                "encrypted",
                "the document is protected by a password, or is an old Word file: save it as .docx without a password",
            )
        return word_text(Archive(path))
