"""XML that is not HTML: feeds, exports, DocBook and the like."""

from pathlib import Path

from app.rag.readers.encoding import decode
from app.rag.readers.markup import xml_text
from app.rag.readers.sections import Sectioned


class Xml(Sectioned):
    """Page numbers are those of sections."""

    def text(self, path: Path) -> str:
        return xml_text(decode(path.read_bytes()))
