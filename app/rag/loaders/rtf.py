"""RTF documents."""

from pathlib import Path

from app.rag.readers.rtf import rtf_text
from app.rag.readers.sections import Sectioned


class Rtf(Sectioned):
    """Pages begin at explicit page breaks; a long page is cut into sections."""

    def text(self, path: Path) -> str:
        return rtf_text(path.read_bytes())
