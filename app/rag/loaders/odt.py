"""OpenDocument texts and their templates, also of OpenOffice 1."""

import re
from pathlib import Path

from app.rag.readers.archive import Archive
from app.rag.readers.odf import OdfText
from app.rag.readers.odf_package import CONTENT, OdfPackage
from app.rag.readers.sections import Sectioned

BREAK = re.compile(r"\s*?\f\n*")


class Odt(Sectioned):
    """Pages begin where the text breaks them and where they were last laid out. Headers and footers come at the end."""

    def text(self, path: Path) -> str:
        package = OdfPackage(Archive(path))
        styles = package.common()
        reader = OdfText(package, styles)
        package.read(CONTENT, reader)
        text = BREAK.sub("\f", reader.blocks.text()).lstrip("\f")
        return "\n\n".join([text, *styles.margins()])
