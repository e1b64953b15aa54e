"""HTML and XHTML."""

from pathlib import Path

from app.rag.readers.encoding import decode
from app.rag.readers.html import html_text
from app.rag.readers.sections import Sectioned


class Html(Sectioned):
    """Page numbers are those of sections."""

    def text(self, path: Path) -> str:
        return html_text(decode(path.read_bytes()))
