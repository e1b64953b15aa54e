"""Word documents, transitional and strict."""

from pathlib import Path

from app.rag.readers.archive import Archive
from app.rag.readers.sections import Sectioned
from app.rag.readers.word import word_text


class Docx(Sectioned):
    """Pages begin at explicit page breaks and where Word last broke them; a long page is cut into sections."""

    def text(self, path: Path) -> str:
        return word_text(Archive(path))
