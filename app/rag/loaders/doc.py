"""Word documents of Word 6 to 2003."""

import re
from pathlib import Path

from app.rag.readers.doc_file import DocFile
from app.rag.readers.doc_text import doc_text
from app.rag.readers.ole import Streams
from app.rag.readers.sections import Sectioned

BREAK = re.compile(r"\s*?\f\n*")


class Doc(Sectioned):
    """Pages begin at explicit page breaks; a long page is cut into sections."""

    def text(self, path: Path) -> str:
        return BREAK.sub("\f", doc_text(DocFile(Streams(path)))).lstrip("\f")
